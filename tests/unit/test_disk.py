"""What is kept free on the disk, and who stops before it is used up."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from kiosk import disk
from kiosk.call.snapshot import write_whole
from kiosk.errors import StoreTrouble
from kiosk.session.record import ArtifactKind
from kiosk.upload.spool import Spool


@pytest.fixture
def nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    free = disk.SPARE_BYTES - 4096
    monkeypatch.setattr(os, "statvfs", lambda _place: SimpleNamespace(f_bavail=free // 4096, f_frsize=4096))


@pytest.mark.usefixtures("nearly_full")
def test_a_picture_is_refused_before_the_last_room_is_used_up(tmp_path: Path) -> None:
    with pytest.raises(StoreTrouble, match="No space left"):
        write_whole(tmp_path / "snapshot-1.jpg", b"picture")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("nearly_full")
def test_session_data_may_use_the_last_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    kept = spool.keep("s-1", "data-1", ArtifactKind.SESSION_DATA, "data-1.json", "application/json", b"{}")
    assert spool.path("s-1", kept).read_bytes() == b"{}"
