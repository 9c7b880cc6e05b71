"""The watchdog's food: signs of progress on a clock of our own, and what systemd hears over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.notify import Systemd
from kiosk.progress import FEEDS, Part, Progress, feed


class Kiosk:
    """Signs that a test moves."""

    def __init__(self) -> None:
        self.painted: int | None = 0
        self.pictures: int | None = None

    @property
    def progress(self) -> Progress:
        return Progress((Part("display", lambda: self.painted, 15.0), Part("frames", lambda: self.pictures, 20.0)))


def test_what_moves_within_its_allowance_is_fine() -> None:
    kiosk, now = Kiosk(), 0.0
    progress = kiosk.progress
    for turn in range(20):
        kiosk.painted = turn
        assert progress.stuck(now) == ()
        now += 14.0


def test_a_display_that_hangs_is_found_after_its_allowance_and_forgiven_when_it_moves() -> None:
    kiosk = Kiosk()
    progress = kiosk.progress
    assert progress.stuck(0.0) == ()
    assert progress.stuck(15.0) == ()
    assert progress.stuck(15.1) == ("display",)
    kiosk.painted = 1
    assert progress.stuck(16.0) == ()


def test_frames_are_expected_only_while_a_call_runs() -> None:
    kiosk = Kiosk()
    kiosk.painted = None
    progress = kiosk.progress
    assert progress.stuck(0.0) == progress.stuck(1000.0) == ()
    kiosk.pictures = 7
    assert progress.stuck(1001.0) == progress.stuck(1021.0) == ()
    assert progress.stuck(1021.1) == ("frames",)
    kiosk.pictures = None
    assert progress.stuck(1022.0) == ()


def test_each_hang_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    kiosk = Kiosk()
    progress = kiosk.progress
    for now in (0.0, 16.0, 20.0, 24.0):
        progress.stuck(now)
    kiosk.painted = 1
    progress.stuck(25.0)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "display" in caplog.text


# --- systemd ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    lines = []
    while True:
        try:
            lines.append(manager.recv(4096).decode())
        except BlockingIOError:
            return lines


def test_systemd_hears_what_it_is_told(manager: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "20000000"})
    systemd.ready()
    systemd.alive()
    systemd.status("idle")
    systemd.stopping()
    assert heard(manager) == ["READY=1", "WATCHDOG=1", "STATUS=idle", "STOPPING=1"]
    assert systemd.watchdog_s == 20.0


def test_a_name_without_a_file_serves_as_well() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0kiosk-test-notify")
        Systemd({"NOTIFY_SOCKET": "@kiosk-test-notify"}).ready()
        assert listening.recv(100) == b"READY=1"


def test_without_systemd_nothing_is_sent_and_nothing_fails(tmp_path: Path) -> None:
    Systemd({}).ready()
    gone = Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "nonsense"})
    gone.ready()
    assert gone.watchdog_s is None


def test_a_watchdog_meant_for_another_process_is_not_ours(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
    assert Systemd(environment).watchdog_s is None


class Over(Exception):
    pass


async def test_a_hang_starves_the_watchdog(manager: socket.socket) -> None:
    kiosk = Kiosk()
    clock = [0.0]

    def poke() -> None:  # as a display that paints what it is given, for a minute
        if clock[0] < 60 and kiosk.painted is not None:
            kiosk.painted += 1

    fed: list[str] = []

    async def pause(seconds: float) -> None:
        assert seconds == 20.0 / FEEDS
        fed.extend(heard(manager))
        clock[0] += seconds
        if clock[0] > 200:
            raise Over

    systemd = Systemd({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "20000000"})
    with pytest.raises(Over):
        await feed(systemd, kiosk.progress, poke, pause, lambda: clock[0])
    assert fed == ["WATCHDOG=1"] * 16  # at 0, 5, ... 75 s: the last sign was seen at 60 s


async def test_nobody_is_fed_where_no_watchdog_is_set() -> None:
    await feed(Systemd({}), Kiosk().progress, lambda: pytest.fail("poked"))
