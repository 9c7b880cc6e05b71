"""A kiosk on a disk that takes nothing, a real one: it starts, its requests go out, and it comes right by itself."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.demo.site import KIOSK
from tests.whole.kills import Kills, deadly

pytestmark = [
    pytest.mark.whole,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk of its own"),
]

LIMIT_S = 30.0


class Disk:
    """A small file system of its own at `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def fill(self) -> None:
        with (self.place / "filler").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return

    def free(self) -> None:
        (self.place / "filler").unlink()

    def read_only(self) -> None:
        mount("-o", "remount,ro", str(self.place))

    def writable(self) -> None:
        mount("-o", "remount,rw", str(self.place))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "site" / "kiosk"
    place.mkdir(parents=True)
    try:
        mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    yield Disk(place)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


@pytest.mark.parametrize("trouble", ["full", "read-only"])
async def test_a_kiosk_starts_on_a_disk_that_takes_nothing_and_comes_right_by_itself(disk: Disk, trouble: str) -> None:
    hurt, heal = (disk.fill, disk.free) if trouble == "full" else (disk.read_only, disk.writable)
    async with deadly(disk.place.parent, random.Random(3)) as kills:
        first = await create(kills)
        await kills.system.kill("kiosk")
        hurt()
        await kills.system.start("kiosk")
        await kills.system.ready()
        await until(lambda: kills.world.presence().online, "the kiosk online")
        await until_async(kills, "book", works=False)
        assert (await command(kills, first, "cancel")) == "CANCELLED", "it is told though it is not on disk"
        second = await create(kills)
        assert kills.world.book()[first].state == "CONFIRMED", "the disk has taken nothing"
        heal()
        await until_async(kills, "book", works=True)
        await until(kills.world.agrees, "the desk with what is on the kiosk's disk")
        assert set(kills.world.book()) == {first, second}
        await until(lambda: bool(kills.world.book()[first].artifacts), "session data, which could not be written then")
        await kills.finish()
        assert [a.uploaded for a in kills.world.book()[first].artifacts] == [True]


async def create(kills: Kills) -> str:
    """Asked until the kiosk answers."""
    before, end = len(kills.traffic.seen.created), time.monotonic() + LIMIT_S
    while len(kills.traffic.seen.created) == before:
        assert time.monotonic() < end, "no session is made"
        await kills.traffic.create()
        await asyncio.sleep(0.1)
    return list(kills.traffic.seen.created.values())[-1]


async def command(kills: Kills, session: str, kind: str) -> str:
    await kills.traffic._command(session, kind)
    moved = kills.traffic.seen.moved[-1]
    return moved[2] if moved[0] == session else ""


async def until_async(kills: Kills, part: str, *, works: bool) -> None:
    """The desk has heard that the part works, or does not."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        kiosks = (await kills.traffic._ask("GET", "/api/kiosks"))[1]["kiosks"]
        said = next(k["parts"].get(part, "") for k in kiosks if k["id"] == KIOSK)
        if said and (said == "ok") == works:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{part}: {said!r}")


async def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)
