"""When to record: follows what is wanted, one file after the other, and tells what came of each.

Nothing is on disk before recording is wanted: no recorder exists then, and no file; what a look-back holds is in memory
only, and let go of at the first no and at the call's end. Where consent is withdrawn and the
provider says "delete", the call's files are gone from disk before `want` returns; the recorder then still holds one
that has no name, and gives it back when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from kiosk.call import channels
from kiosk.call.look_back import LookBack
from kiosk.call.mp4 import mend
from kiosk.call.recorder import Item, Recorder, Written
from kiosk.call.relay import Outlet, Relay
from kiosk.disk import sync_folder
from kiosk.errors import StoreTrouble
from kiosk.hw.ports import Samples
from kiosk.session import inputs
from kiosk.session.record import Artifact, ArtifactKind, Session
from kiosk.wire import channel
from kiosk.wire.channel import DeviceTold, RecordingTold
from kiosk.wire.timeline import PictureStep

log = logging.getLogger(__name__)

CONTENT_TYPE = "video/mp4"
NAME = re.compile(r"recording-(\d+)\.mp4\Z")
RELAY_FRAMES = 90

Tell = Callable[[inputs.Input | channel.RecordingTold | channel.Trouble], None]


class Timeline(Protocol):
    """What is drawn while a recording runs, beside it."""

    def write(self, captured_s: float, what: PictureStep | RecordingTold | DeviceTold) -> None: ...
    def hold(self, seconds: float) -> None: ...
    def let_go(self) -> None: ...
    async def start(self, path: Path, t0_s: float, already: tuple[Struct | bytes, ...] = ()) -> None: ...
    async def stop(self, artifact_id: str, group: str = "") -> Artifact | None: ...


@dataclass(slots=True)
class _Running:
    recorder: Recorder
    outlet: Outlet
    path: Path
    artifact_id: str
    agreed_s: float
    stopped: bool = False
    discarded: bool = False

    def stop(self) -> None:
        """Not one more frame or block is taken."""
        self.stopped = True
        self.outlet.close()
        self.recorder.stop()


class Recordings:
    """All recordings of one call. `run` is its task; everything from the loop.

    already: what is on the picture when a recording begins (Tools.greet).
    """

    def __init__(
        self,
        session: Session,
        call_id: str,
        folder: Path,
        relay: Relay,
        tell: Tell,
        *,
        timeline: Timeline | None = None,
        already: Callable[[], tuple[Struct | bytes, ...]] = lambda: (),
    ) -> None:
        self._call, self._folder, self._relay, self._tell = call_id, folder, relay, tell
        self._timeline, self._already = timeline, already
        self._names = {a.name for a in session.artifacts}
        self._withdrawals = self._said_no = session.withdrawals
        self._deleting = False
        self._gone: set[str] = set()
        self._deletes = session.recording.on_withdrawal == "delete"
        self._wanted = False
        self._asked = False
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._running: _Running | None = None
        self._look_back: LookBack | None = None
        if session.look_back_s:
            self._look_back = LookBack(session.look_back_s, relay)
            if timeline is not None:
                timeline.hold(session.look_back_s)

    @property
    def running(self) -> bool:
        return self._running is not None

    @property
    def state(self) -> Literal["off", "asked", "on"]:
        if self.running:
            return "on"
        return "asked" if self._asked and not self._wanted else "off"

    def want(self, wanted: bool, asked: bool = False, withdrawals: int = 0) -> None:
        """From now on not one more frame is taken where it is no longer wanted.

        withdrawals: how often the code user has said no; once more than before, and what there is was withdrawn, even
        where he has agreed again meanwhile.
        """
        before = self.state
        wanted = wanted and withdrawals >= self._said_no
        self._wanted, self._asked = wanted, asked
        withdrawn, self._withdrawals = withdrawals > self._withdrawals, max(withdrawals, self._withdrawals)
        if self._running is not None and (withdrawn or not wanted):
            self._stop(self._running)
        if withdrawn:
            self._let_go()
        if withdrawn and self._deletes:
            self._delete()
        self._changed.set()
        if wanted:
            self._idle.clear()
        if self.state not in (before, "on"):
            self._tell(channel.RecordingTold(state=self.state))

    def _stop(self, running: _Running) -> None:
        if self._timeline is not None and not running.stopped:
            self._timeline.write(time.monotonic(), RecordingTold(state="off"))
        running.stop()

    def withdraw(self) -> None:
        """The code user has just said no. What was said before that does not count any more; `want` brings the rest."""
        self._said_no = self._withdrawals + 1
        self.want(False, withdrawals=self._withdrawals)
        self._let_go()

    def sound(self, block: Samples, at_s: float) -> None:
        """20 ms of everything that is heard, from `at_s` on."""
        if self._running is not None and not self._running.stopped:
            self._running.recorder.sound(block, at_s)
        elif self._look_back is not None:
            self._look_back.sound(block, at_s)

    async def run(self) -> None:
        """Records whenever it is wanted. Never fails: a call can do without; what went wrong is told."""
        while True:
            self._changed.clear()
            try:
                await self._finish_deleting()
                if self._wanted:
                    self._idle.clear()
                    await self._record()
                    continue
            except StoreTrouble as error:
                self._give_up(error)
            except Exception:  # named place: the call goes on without a recording
                log.exception("recording: broken")
                self._give_up(StoreTrouble("the recording broke off"))
            if not self._wanted:
                if not self._changed.is_set():
                    self._idle.set()
                await self._changed.wait()

    async def finish(self) -> None:
        """The call is over: returns once the last file is whole and told."""
        self.want(False)
        self._let_go()
        await self._idle.wait()

    async def _record(self) -> None:
        running = self._running = self._begin()
        feeding = asyncio.create_task(self._feed(running), name="call-recorder-feed")
        noting = asyncio.create_task(self._note(running), name="call-recorder-timeline")
        self._tell(inputs.RecordingRuns(True))
        self._tell(channel.RecordingTold(state="on"))
        try:
            written = await running.recorder.ended()
        finally:
            self._running = None
            running.stop()
            feeding.cancel()
            # not cancelled: the recorder has ended, so it ends too, and a timeline half begun would belong to nobody
            await asyncio.wait((feeding, noting))
            self._tell(inputs.RecordingRuns(False))
            self._tell(channel.RecordingTold(state="off"))
        await self._keep(running, written)

    def _begin(self) -> _Running:
        name = self._free_name()
        self._names.add(name)
        path = self._folder / name
        before, outlet = self._take_look_back()
        return _Running(Recorder(path, before=before), outlet, path, secrets.token_hex(8), time.monotonic())

    def _take_look_back(self) -> tuple[deque[Item], Outlet]:
        """For the first recording of a call: what staff stop later stays unrecorded until they begin again."""
        look_back, self._look_back = self._look_back, None
        return look_back.take() if look_back is not None else (deque(), self._relay.open(RELAY_FRAMES))

    def _let_go(self) -> None:
        """What was held in memory is gone, and nothing more is held in this call."""
        look_back, self._look_back = self._look_back, None
        if look_back is not None:
            look_back.let_go()
        if self._timeline is not None:
            self._timeline.let_go()

    async def _feed(self, running: _Running) -> None:
        with contextlib.suppress(StopAsyncIteration):
            while True:
                if not running.recorder.video(await running.outlet.get()):
                    self._relay.keyframes.request()

    async def _note(self, running: _Running) -> None:
        """The timeline begins with the file's first frame. A recording is worth keeping without one."""
        if self._timeline is None:
            return
        try:
            begin_s = await running.recorder.began()
            await self._timeline.start(running.path.with_suffix(".timeline.jsonl"), begin_s, self._already())
            self._timeline.write(running.agreed_s, RecordingTold(state="on"))
        except StopAsyncIteration:
            pass
        except StoreTrouble as error:
            self._tell(channels.of(error))
        finally:
            self._timeline.let_go()

    async def _keep(self, running: _Running, written: Written) -> None:
        if written.bytes and not running.discarded:
            artifact = Artifact(
                id=running.artifact_id,
                kind=ArtifactKind.RECORDING,
                name=running.path.name,
                content_type=CONTENT_TYPE,
                bytes=written.bytes,
                sha256=written.sha256,
                call=self._call,
                group=running.artifact_id,
            )
            self._tell(inputs.AddArtifact(artifact))
        timeline = await self._stop_timeline(running)
        if timeline is not None and not running.discarded:
            self._tell(inputs.AddArtifact(timeline))
        if written.trouble is not None:
            raise written.trouble

    async def _stop_timeline(self, running: _Running) -> Artifact | None:
        if self._timeline is None:
            return None
        try:
            return await self._timeline.stop(secrets.token_hex(8), running.artifact_id)
        except StoreTrouble as error:
            if not (running.discarded or self._deleting):  # else it is gone already, as it should be
                self._tell(channels.of(error))
            return None

    def _delete(self) -> None:
        """All recordings of this call lose their names at once; `run` sees to the rest."""
        self._deleting = True
        self._idle.clear()
        if self._running is not None:
            self._running.discarded = True
            self._running.recorder.discard()
        with contextlib.suppress(OSError):  # `run` tries again
            _remove(self._folder, self._gone)

    async def _finish_deleting(self) -> None:
        """No recorder runs now: what a thread had just begun goes as well, and the disk keeps it that way."""
        if not self._deleting:
            return
        self._deleting = False
        self._gone.update(await asyncio.to_thread(discard, self._folder))
        if self._gone:
            log.info("recording: consent withdrawn, %d files deleted", len(self._gone))
            self._tell(inputs.RecordingDeleted(self._call, tuple(sorted(self._gone))))
            self._gone.clear()

    def _give_up(self, trouble: StoreTrouble) -> None:
        """Until it is switched off and on again: a full disk is not tried again by itself."""
        log.warning("recording: %s", trouble.text)
        self._wanted = False
        self._tell(channels.of(trouble))

    def _free_name(self) -> str:
        try:
            here = {path.name for path in self._folder.iterdir()}
        except FileNotFoundError:
            here = set()
        taken = (NAME.match(name) for name in self._names | here)
        return f"recording-{max((int(m[1]) for m in taken if m), default=0) + 1}.mp4"


def discard(folder: Path) -> tuple[str, ...]:
    """Deletes the recordings in `folder` with their timelines, for good; the names of what went. For a thread.

    Raises StoreTrouble: some are still there.
    """
    gone: set[str] = set()
    try:
        _remove(folder, gone)
        if folder.exists():
            sync_folder(folder)
    except OSError as error:
        raise StoreTrouble(f"withdrawn recordings cannot be deleted: {error.strerror}") from error
    return tuple(sorted(gone))


def _remove(folder: Path, gone: set[str]) -> None:
    for path in folder.glob("recording-*"):
        path.unlink()
        gone.add(path.name)


def leftovers(folder: Path, known: Iterable[str], call: str) -> tuple[Artifact, ...]:
    """Recordings in `folder` that nobody has told of: the power went while they ran. For a thread: reads them.

    known: the names of the session's artifacts.
    """
    names = set(known)
    found: list[Artifact] = []
    for path in sorted(folder.glob("recording-*.mp4")):
        if path.name in names or not NAME.match(path.name):
            continue
        try:
            found += _adopted(path, call)
        except OSError as error:
            log.warning("recording %s: cannot be adopted: %s", path.name, error.strerror)
    return tuple(found)


def _adopted(path: Path, call: str) -> tuple[Artifact, ...]:
    """Nothing where it holds nothing."""
    mend(path)
    size = path.stat().st_size
    if not size:
        return ()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    own_id = secrets.token_hex(8)
    return (Artifact(own_id, ArtifactKind.RECORDING, path.name, CONTENT_TYPE, size, sha256, call=call, group=own_id),)
