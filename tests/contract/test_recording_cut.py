"""The power goes at any instant of a recorded call: what is left plays, and the session has it, or has let go of it.

Every step of the film, its timeline and the book (consent and its receipt stand there) is a place to be cut off at.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import av
import msgspec
import pytest

from kiosk.book.book import Book
from kiosk.call.mp4 import Mp4
from kiosk.call.timeline import Timeline
from kiosk.fleet.board import Board
from kiosk.session import inputs as do
from kiosk.session.record import CODE_USER, SYSTEM, Artifact, ArtifactKind, Consent, Session
from kiosk.session.states import State
from kiosk.spooling import Spooling
from kiosk.upload.spool import Spool
from kiosk.wire.channel import Pointer
from kiosk.wire.timeline import Line
from tests.contract.fakes import FPS, tone
from tests.contract.power_cut import Disk, How, Synced, recorded
from tests.contract.test_recorder import BEGIN_S, BLOCK_S, film
from tests.unit.test_book import ANNA, open_book, staff

FILM_S = 3
LOST_S = 1.0
RANDOM_CUTS = 60
YES = Consent(True, "2026-11-22T10:00:00.000Z", "May we?", "en", "creation_flow")


@dataclass
class Life:
    """`handed`: (steps done, seconds of film handed over by then, lines of the timeline by then)."""

    disk: Disk
    handed: list[tuple[int, float, int]] = field(default_factory=list)
    agreed: int = 0
    ended: int = 0


class NoCalls:
    async def over(self) -> None:
        """None is on."""


async def live(root: Path) -> Life:
    """A call with consent from the start: film and timeline, then the end."""
    with recorded(root) as disk:
        life = Life(disk)
        book, spool = await open_book(root), Spool(root / "spool")
        session = await book.put(None, do.Request(consent=YES), CODE_USER)
        life.agreed = len(disk.steps)
        for what in (do.Confirm(), do.Start(other_present=True), do.AskRecording()):
            session = await book.put(session.id, what, staff(ANNA))
        session = await record(life, book, spool, session)
        await book.put(session.id, do.End(), CODE_USER)
        life.ended = len(disk.steps)
        await book.close()
    return life


async def record(life: Life, book: Book, spool: Spool, session: Session) -> Session:
    call = session.calls[-1].id
    path = spool.folder(session.id, call) / "recording-1.mp4"
    timeline = Timeline(call, flush_s=0.0)
    units = list(film(FILM_S))
    file = Mp4(path, units[0])
    await timeline.start(path.with_suffix(".timeline.jsonl"), BEGIN_S)
    await book.put(session.id, do.RecordingRuns(True), SYSTEM)
    blocks = 0
    for n, unit in enumerate(units[1:], 1):
        while BEGIN_S + blocks * BLOCK_S <= unit.captured_s:
            file.sound(tone(440, blocks), BEGIN_S + blocks * BLOCK_S)
            blocks += 1
        file.video(unit)
        timeline.write(unit.captured_s, Pointer(at=(0.5, 0.5)))
        if n % FPS == 0:
            await on_disk(life.disk, n)
        life.handed.append((len(life.disk.steps), n / FPS, n))
    size, sha256 = file.close()
    await book.put(session.id, do.RecordingRuns(False), SYSTEM)
    film_of = Artifact("rec-1", ArtifactKind.RECORDING, path.name, "video/mp4", size, sha256, call, "rec-1")
    await book.put(session.id, do.AddArtifact(film_of), SYSTEM)
    lines = await timeline.stop("time-1", "rec-1")
    assert lines is not None
    return await book.put(session.id, do.AddArtifact(lines), SYSTEM)


async def on_disk(disk: Disk, lines: int) -> None:
    """The timeline's task brings them there."""
    async with asyncio.timeout(30):
        while not any(
            isinstance(s, Synced) and s.content.startswith(b'{"at_s"') and s.content.count(b"\n") >= lines
            for s in disk.steps[-20:]
        ):
            await asyncio.sleep(0)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(live(tmp_path_factory.mktemp("life")))


async def test_killed_after_any_step_the_film_plays_and_the_session_has_it(life: Life, tmp_path: Path) -> None:
    for after in range(len(life.disk.steps) + 1):
        await cut(life, tmp_path, after, "killed", random.Random(after))


@pytest.mark.parametrize("part", range(3))
async def test_a_power_cut_after_any_step_costs_a_second_of_it_at_most(life: Life, tmp_path: Path, part: int) -> None:
    for after in range(part, len(life.disk.steps) + 1, 3):
        await cut(life, tmp_path, after, "journal", random.Random(after))


async def test_names_that_reach_the_disk_in_any_order_change_nothing_of_that(life: Life, tmp_path: Path) -> None:
    luck = random.Random(11)
    for _ in range(RANDOM_CUTS):
        await cut(life, tmp_path, luck.randint(0, len(life.disk.steps)), "any", luck)


async def cut(life: Life, tmp_path: Path, after: int, how: How, luck: random.Random) -> None:
    folder = tmp_path / f"{how}-{after}-{luck.getrandbits(64):x}"
    folder.mkdir()
    try:
        await check(life, folder, after, how, luck)
    except BaseException as error:
        error.add_note(f"cut off after step {after} of {len(life.disk.steps)} ({how}); see {folder}")
        raise


async def check(life: Life, folder: Path, after: int, how: How, luck: random.Random) -> None:
    life.disk.leave(after, folder, how, luck)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _handle: None)  # for its speed
        book, spool = await open_book(folder), Spool(folder / "spool")
        await Spooling(book, spool, Board(), NoCalls()).adopt()
        sessions = list(book.sessions.values())
        await book.close()
    assert after < life.agreed or sessions
    if not sessions:
        return
    (session,) = sessions
    found = {a.kind: spool.path(session.id, a) for a in session.artifacts}
    for artifact in session.artifacts:
        data = spool.path(session.id, artifact).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (artifact.bytes, artifact.sha256), artifact.name
    assert len(found) == len(session.artifacts), "nothing twice"
    film_s, lines = next(((s, n) for steps, s, n in reversed(life.handed) if steps <= after), (0.0, 0))
    assert film_s - played_s(found.get(ArtifactKind.RECORDING)) <= LOST_S
    assert lines - noted(found.get(ArtifactKind.TIMELINE)) <= LOST_S * FPS
    if after >= life.ended:
        assert (session.state, played_s(found.get(ArtifactKind.RECORDING))) == (State.COMPLETED, FILM_S)


def played_s(path: Path | None) -> float:
    """So much of it a player shows, from its beginning on."""
    if path is None:
        return 0.0
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0)) / FPS


def noted(path: Path | None) -> int:
    lines = [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()] if path else []
    assert [line.at_s for line in lines] == sorted(line.at_s for line in lines)
    return len(lines)


async def test_without_consent_on_disk_nothing_of_a_film_is_left(life: Life, tmp_path: Path) -> None:
    """The book of before the consent, the film of later: as a card may come back that has lost the newest of both."""
    life.disk.leave(len(life.disk.steps), tmp_path, "killed", random.Random(1))
    for path in tmp_path.glob("book.json*"):
        path.unlink()
    book = await open_book(tmp_path)
    (folder,) = (tmp_path / "spool").iterdir()
    session = await book.put(None, do.Request(), CODE_USER)
    await book.put(session.id, do.Confirm(), staff(ANNA))
    running = await book.put(session.id, do.Start(other_present=True), CODE_USER)
    folder.rename(folder.with_name(session.id))
    (tmp_path / "spool" / session.id / next((tmp_path / "spool" / session.id).iterdir()).name).rename(
        tmp_path / "spool" / session.id / running.calls[-1].id
    )
    await book.put(session.id, do.End(), CODE_USER)
    await Spooling(book, Spool(tmp_path / "spool"), Board(), NoCalls()).adopt()
    assert not list((tmp_path / "spool").rglob("recording-*"))
    assert book.sessions[session.id].artifacts == ()
    await book.close()
