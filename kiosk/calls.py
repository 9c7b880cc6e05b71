"""The call follows the book: it opens when a session is RUNNING and ends when it no longer is.

What happens in the call comes back to the book as inputs; signals of participants are led to it. Nobody else starts or
stops a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kiosk import memory
from kiosk.book.book import Book
from kiosk.call import channels
from kiosk.call.author import code_user
from kiosk.call.layers import shape_of
from kiosk.call.photograph import to_picture
from kiosk.call.snapshot import SnapshotState
from kiosk.call.timeline import Timeline
from kiosk.call.tools import Tools
from kiosk.config import CallSettings
from kiosk.errors import DeviceTrouble, NotAssigned, Refused, StoreTrouble, Trouble, Unreachable, WrongState
from kiosk.fleet.board import Board
from kiosk.hw.ports import Camera, Microphone, Picture, Speaker
from kiosk.link.link import Signal
from kiosk.mailbox import Queue
from kiosk.session import inputs as do
from kiosk.session.record import SYSTEM, Session
from kiosk.session.rules import takes_a_snapshot
from kiosk.session.states import OPEN, State
from kiosk.ui.view import CallView, SnapshotView
from kiosk.upload.spool import Spool
from kiosk.wire.channel import FromParticipant
from kiosk.wire.messages import AnswerSdp, Bye, Candidate, Offer, Restart, SignalUp

if TYPE_CHECKING:
    from kiosk.call.call import Call
    from kiosk.call.tools_port import Tell, TellPoses

log = logging.getLogger(__name__)

OPENING_S = 5.0
"""A participant's offer may arrive while the call still opens."""

JOINS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Equipment:
    camera: Camera
    microphone: Microphone
    speaker: Speaker


class Calls:
    """Runs as one task (`run`). At most one call at a time: the book holds at most one RUNNING session."""

    def __init__(
        self,
        *,
        book: Book,
        equipment: Equipment,
        settings: CallSettings,
        spool: Spool,
        board: Board,
        on_picture: Callable[[Picture], None],
        on_staff_picture: Callable[[Picture | None], None],
        changed: Callable[[], None],
    ) -> None:
        self._book, self._equipment, self._settings = book, equipment, settings
        self._spool, self._board = spool, board
        self._on_picture, self._on_staff_picture, self._changed = on_picture, on_staff_picture, changed
        self._call: Call | None = None
        self._tools: Tools | None = None
        self._live = False
        self._session_id = ""
        self._started_s = 0.0
        self._waits_for_book = False
        self._photograph: tuple[str, Picture] | None = None
        self._developing: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._limit = asyncio.Semaphore(JOINS_AT_ONCE)
        self._gone: Queue[tuple[str, Bye]] = Queue(100)

    # --- for the display ----------------------------------------------------------------------------------------------

    @property
    def camera_is_live(self) -> bool:
        """From before it is opened until it is closed: nobody is seen without the lamp."""
        return self._live

    @property
    def open_snapshot(self) -> str:
        """The id of the snapshot that is open; empty for none."""
        snapshot = self._tools.snapshot if self._tools else None
        return snapshot.id if snapshot else ""

    def view(self, session: Session | None) -> CallView | None:
        if self._call is None or self._tools is None or session is None or session.id != self._session_id:
            return None
        recording = session.recording
        snapshot = self._snapshot_view(self._tools.snapshot)
        asked = recording.allowed and recording.asked and recording.consent is None
        return CallView(
            people=self._call.people,
            overlay=self._tools.overlay(time.monotonic()),
            snapshot=snapshot,
            staff_camera=self._call.staff_camera,
            muted=self._call.muted,
            turns=self._call.turns,
            silent=self._call.silent,
            recording="on" if recording.running else "asked" if asked else "off",
            quality=self._call.quality,
            step=self._call.step or "",
            on_stills=self._call.on_stills,
            started_s=self._started_s,
            frame=(self._settings.width, self._settings.height),
        )

    def _snapshot_view(self, snapshot: SnapshotState | None) -> SnapshotView | None:
        """The open snapshot as soon as its photograph has been decoded, in a thread."""
        if snapshot is None:
            self._photograph = None
            return None
        if self._photograph is None or self._photograph[0] != snapshot.id:
            if self._developing is None or self._developing.done():
                self._developing = asyncio.create_task(self._develop(snapshot), name="snapshot for the display")
            return None
        return SnapshotView(snapshot.id, self._photograph[1], tuple(shape_of(e) for e in snapshot.edits))

    async def _develop(self, snapshot: SnapshotState) -> None:
        self._photograph = (snapshot.id, await asyncio.to_thread(to_picture, snapshot.still))
        self._changed()

    async def tool(self, event: FromParticipant) -> None:
        """A tool in the code user's hand. Raises Trouble."""
        if self._tools is None:
            raise WrongState("no call is on")
        await self._tools.handle(code_user(), event, None)

    async def over(self) -> None:
        """Waits until no call is on and all that the last one left has come to the book."""
        await self._idle.wait()

    def mute(self, on: bool) -> None:
        if self._call:
            self._call.mute(on)
            self._changed()

    def withdraw(self) -> None:
        """The code user has just said no to being recorded; a disk may take its time to note it."""
        if self._call:
            self._call.withdraw()

    # --- follows the book ---------------------------------------------------------------------------------------------

    async def run(self, signal: Callable[[str, SignalUp], Awaitable[None]], signals: AsyncIterator[Signal]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(group), name="calls follow")
            group.create_task(self._lead_signals(group, signal, signals), name="calls signals")
            group.create_task(self._tell_gone(signal), name="calls gone")

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        on: asyncio.Task[None] | None = None
        over = asyncio.Event()
        call_id = ""  # not the session's: a follower may miss that one call ended and the next began
        async for session in self._book.follow():
            if session.state in OPEN:
                await _load_media()
            running = session.call
            if session.id == self._session_id and (running is None or running.id != call_id):
                over.set()
                self._session_id = call_id = ""
            if running and running.id != call_id:
                if on:
                    await on
                over = asyncio.Event()
                self._session_id, call_id = session.id, running.id
                on = group.create_task(self._one_call(session, over), name=f"call {call_id}")
            if running:
                self._record(session)

    async def _one_call(self, session: Session, over: asyncio.Event) -> None:
        """From START until `over`; returns when all that the call leaves behind has come to the book."""
        call_id = session.calls[-1].id
        folder = self._spool.folder_of(session.id, call_id)
        with self._board.disk():  # a call can do without: whoever cannot write a file there says so
            await asyncio.to_thread(self._spool.folder, session.id, call_id)
        self._idle.clear()
        files: Queue[do.Input] = Queue(1000)
        call = self._make_call(session, folder, files)
        telling: list[asyncio.Task[None]] = []
        self._live = True
        self._changed()
        try:
            async with call:
                telling = [
                    asyncio.create_task(self._tell_book(session.id, source), name="call news")
                    for source in (call.news(), files)
                ]
                self._begin(call, session)
                await over.wait()
                self._call = self._tools = None
        finally:
            self._call = self._tools = None
            self._live = False
            self._opened.clear()
            self._on_staff_picture(None)
            self._changed()
            files.close()
            await asyncio.gather(*telling)
            self._idle.set()
        log.info("call %s of session %s is over", call_id, session.id)

    def _make_call(self, session: Session, folder: Path, files: Queue[do.Input]) -> Call:
        from kiosk.call.call import Call  # noqa: PLC0415 - see _load_media

        call_id = session.calls[-1].id
        timeline = Timeline(call_id)

        def make_tools(tell: Tell, tell_poses: TellPoses) -> Tools:
            self._tools = Tools(
                call_id=call_id,
                tell=tell,
                tell_poses=tell_poses,
                still=self._equipment.camera.still,
                folder=folder,
                artifact=lambda artifact: files.put(do.AddArtifact(artifact)),
                settings=self._settings,
                changed=self._changed,
                timeline=timeline,
                takes_a_snapshot=lambda: takes_a_snapshot(self._book.sessions[session.id]),
            )
            return self._tools

        return Call(
            session=replace(session, recording=replace(session.recording, asked=False)),  # begins with `_record`
            call_id=call_id,
            camera=self._equipment.camera,
            microphone=self._equipment.microphone,
            speaker=self._equipment.speaker,
            settings=self._settings,
            make_tools=make_tools,
            folder=folder,
            timeline=timeline,
            on_picture=self._on_picture,
            on_staff_picture=self._on_staff_picture,
            on_device=self._device,
            on_gone=lambda peer, why: self._gone.put((session.id, Bye(peer=peer, code="unreachable", text=why))),
            on_relays=self._relays,
        )

    def _device(self, name: str, trouble: DeviceTrouble | None) -> None:
        if trouble is None:
            self._board.works(name)
        else:
            self._board.fails(name, trouble.text)

    def _relays(self, trouble: str) -> None:
        if trouble:
            self._board.fails("relay", trouble)
        else:
            self._board.works("relay")

    def _begin(self, call: Call, session: Session) -> None:
        self._call, self._started_s, self._waits_for_book = call, time.monotonic(), False
        self._record(self._book.sessions.get(session.id, session))
        self._opened.set()
        self._changed()

    def book_changed(self) -> None:
        """The book takes to its disk what it did not, or the other way round (`Book.trouble`)."""
        session = self._book.sessions.get(self._session_id)
        if session is not None:
            self._record(session)

    def _record(self, session: Session) -> None:
        """No recording begins while the book is not on disk: a power cut would leave it without the consent."""
        if self._call is None:
            return
        wanted = session.recording.wanted
        waits = wanted and bool(self._book.trouble) and not self._call.recording
        if waits and not self._waits_for_book:
            self._call.tell(
                channels.of(StoreTrouble(f"no recording begins while the disk takes nothing: {self._book.trouble}"))
            )
        self._waits_for_book = waits
        self._call.record(wanted and not waits, session.recording.asked, session.withdrawals)

    async def _tell_book(self, session_id: str, source: AsyncIterator[do.Input]) -> None:
        async for what in source:
            await self._put(session_id, what)

    async def _put(self, session_id: str, what: do.Input) -> None:
        try:
            await self._book.put(session_id, what, SYSTEM)
        except Refused as error:  # the session went on meanwhile: news of a call that is over
            log.info("news of the call refused: %s", error.code)

    # --- signals ------------------------------------------------------------------------------------------------------

    async def _lead_signals(
        self,
        group: asyncio.TaskGroup,
        answer: Callable[[str, SignalUp], Awaitable[None]],
        signals: AsyncIterator[Signal],
    ) -> None:
        async for incoming in signals:
            group.create_task(self._lead(incoming, answer), name=f"signal {incoming.body.peer}")

    async def _lead(self, incoming: Signal, answer: Callable[[str, SignalUp], Awaitable[None]]) -> None:
        """One signal; what cannot be done is said to the one who asked, and never ends the call."""
        body = incoming.body
        try:
            async with self._limit:
                reply = await self._do(incoming)
            if reply is not None:
                await answer(incoming.session, reply)
        except Unreachable:
            log.info("a participant cannot be answered: no link")
        except Trouble as error:
            log.info("a participant's %s refused: %s", type(body).__name__.lower(), error.code)
            if isinstance(body, Offer | Restart):
                await self._refuse(incoming.session, body, error, answer)

    async def _refuse(
        self, session: str, offer: Offer | Restart, error: Trouble, answer: Callable[[str, SignalUp], Awaitable[None]]
    ) -> None:
        try:
            await answer(session, Bye(peer=offer.peer, code=error.code, text=error.text, offer=offer.id))
        except Unreachable:
            log.info("a participant cannot be told: no link")

    async def _tell_gone(self, say: Callable[[str, SignalUp], Awaitable[None]]) -> None:
        """Whoever may still be there joins anew at once; and the desk need not remember the connection any more."""
        async for session, bye in self._gone:
            with contextlib.suppress(Unreachable):
                await say(session, bye)

    async def _do(self, incoming: Signal) -> SignalUp | None:
        session = self._book.sessions.get(incoming.session)
        if session is None or session.state is not State.RUNNING:
            raise WrongState("no call is on")
        match incoming.body:
            case Offer(peer=peer, actor=actor, sdp=sdp) as offer:
                person = next((p for p in session.assigned if p.id == actor.id), None)
                if person is None:
                    raise NotAssigned(f"{actor.name or actor.id} is not assigned")
                call = await self._opened_call(session.id)
                return AnswerSdp(peer=peer, sdp=await call.join(peer, person, sdp, offer.ice), offer=offer.id)
            case Restart(peer=peer, fragment=fragment, id=id_):
                answer = await (await self._opened_call(session.id)).restart(peer, fragment)
                return AnswerSdp(peer=peer, sdp=answer, offer=id_)
            case Candidate(peer=peer, candidate=candidate, mid=mid):
                await (await self._opened_call(session.id)).candidate(peer, candidate, mid)
            case Bye(peer=peer):
                await (await self._opened_call(session.id)).leave(peer)
        return None

    async def _opened_call(self, session_id: str) -> Call:
        try:
            async with asyncio.timeout(OPENING_S):
                await self._opened.wait()
        except TimeoutError:
            raise WrongState("the call does not open") from None
        if self._call is None or self._session_id != session_id:
            raise WrongState("no call is on")
        return self._call


async def _load_media() -> None:
    """The media stack takes 20 MB and a second on a Pi, so a kiosk that waits goes without; with the first request it
    comes, in a thread, while people still look at the display."""
    if "kiosk.call.call" not in sys.modules:
        await asyncio.to_thread(importlib.import_module, "kiosk.call.call")
        memory.settle()  # it stays, and each collection would look at all of it
