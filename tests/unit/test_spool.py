"""Where files lie until the desk has them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kiosk.errors import StoreTrouble
from kiosk.session.record import Artifact, ArtifactKind
from kiosk.upload.spool import Spool


def keep(spool: Spool) -> Artifact:
    return spool.keep("s-1", "data-1", ArtifactKind.SESSION_DATA, "data-1.json", "application/json", b"{}")


def test_what_is_let_go_of_takes_its_folders_with_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    artifact = keep(spool)
    assert spool.path("s-1", artifact).read_bytes() == b"{}"
    spool.let_go("s-1", artifact)
    spool.let_go("s-1", artifact)
    assert not (tmp_path / "spool" / "s-1").exists()


def test_what_the_disk_does_not_take_is_told_and_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing(errno.ENOSPC))
        with pytest.raises(StoreTrouble):
            keep(spool)
    assert not list(tmp_path.rglob("*.json"))
    keep(spool)


def test_a_disk_that_lets_nothing_be_deleted_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "spool")
    artifact = keep(spool)
    with monkeypatch.context() as broken:
        broken.setattr(os, "unlink", failing(errno.EROFS))
        spool.let_go("s-1", artifact)
    assert "cannot be deleted" in caplog.text
    spool.let_go("s-1", artifact)
    assert not spool.path("s-1", artifact).exists()


def failing(code: int) -> object:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail
