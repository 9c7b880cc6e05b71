"""The snapshots of a call: one open at a time, its edits put in order, all of it saved by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from msgspec.structs import replace

from kiosk.call import snapshot
from kiosk.call.author import Author
from kiosk.call.snapshot import SnapshotState
from kiosk.call.strokes import WireIds
from kiosk.errors import DeviceTrouble, Full, Malformed, StoreTrouble, WrongState
from kiosk.hw.ports import Still
from kiosk.session.record import Artifact
from kiosk.wire import channel
from kiosk.wire.channel import Edit, EditDelete, SnapshotClose, SnapshotOpen, Undo

log = logging.getLogger(__name__)

STILL_S = 8.0
"""So long a camera may take for a photograph."""
SAVE_SOON_S = 1.0

Told = SnapshotOpen | SnapshotClose | Edit | Undo | channel.Trouble | bytes


class Say(Protocol):
    def __call__(self, event: Told, *, captured_s: float | None = None) -> None: ...


_POINTS = {"arrow": 2, "box": 2, "text": 1, "step": 1}
"""So many points has an edit made with this tool; a pen line has any number."""


class Album:
    """Used on the loop; files are written in a thread. `say` tells everybody, the author too: that acknowledges."""

    def __init__(
        self,
        *,
        still: Callable[[], Awaitable[Still]],
        folder: Path,
        call_id: str,
        say: Say,
        artifact: Callable[[Artifact], None],
        save_soon_s: float = SAVE_SOON_S,
    ) -> None:
        self._still = still
        self._say = say
        self._saver = _Saver(folder, call_id, artifact, say, save_soon_s)
        self._folder = folder
        self._taken = 0
        self._taking = False
        self._edits = _Edits()
        self.open: SnapshotState | None = None

    async def __aenter__(self) -> Self:
        await self._saver.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is unsaved is saved."""
        await self._saver.__aexit__(kind, error, trace)

    async def take(self, author: Author, seen_s: float | None = None) -> None:
        """Opens a full-resolution picture for everybody; nothing while another is just being taken.

        seen_s: when the picture was captured that made the author press.

        Raises:
            WrongState: one is open. Full: there were fifty. DeviceTrouble: the camera gives none.
        """
        if self._taking:
            return
        if self.open is not None:
            raise WrongState("A picture is open already; go back to live first.")
        if self._taken >= snapshot.MOST_SNAPSHOTS:
            raise Full(f"A call takes {snapshot.MOST_SNAPSHOTS} pictures at most.")
        self._taking = True
        try:
            still = await self._photograph()
            number = await asyncio.to_thread(snapshot.next_number, self._folder)
        finally:
            self._taking = False
        self._taken += 1
        # the saver may not have written the one before yet
        self.open = SnapshotState(f"snap-{secrets.token_hex(4)}", self._saver.number(number), author.name, still)
        self._saver.save(self.open, at_once=True)
        for message in snapshot.messages(self.open):
            self._say(message, captured_s=seen_s)

    async def _photograph(self) -> Still:
        try:
            async with asyncio.timeout(STILL_S):
                return await self._still()
        except TimeoutError as error:
            raise DeviceTrouble("The camera gave no picture in time.") from error

    def edit(self, author: Author, event: Edit) -> None:
        """One edit more, told to all in the order that counts. One that comes again is only answered again: told, or
        where it was taken away meanwhile, told to be gone.

        Raises:
            WrongState: the picture is not open (any more). Full: it takes no more edits. Malformed: not so many points
            as the tool needs, or a text without letters.
        """
        state = self._opened(event.snapshot)
        known = self._edits.known(author, event.id)
        if known:
            there = next((e for e in state.edits if e.id == known), None)
            self._say(there or Undo(snapshot=state.id, id=known))
            return
        event = _checked(event)
        if len(state.edits) >= snapshot.MOST_EDITS:
            raise Full(f"A picture takes {snapshot.MOST_EDITS} edits at most; take another.")
        n = 1 + max((e.n for e in state.edits), default=0) if event.tool == "step" else 0
        edit = replace(event, id=self._edits.give(author, event.id), by=author.name, colour=author.colour, n=n)
        self._now(state.with_edit(edit))
        self._say(edit)

    def undo(self, author: Author, event: Undo) -> None:
        """Takes back the author's own newest edit; says so where there is none. Raises WrongState."""
        state = self._opened(event.snapshot)
        done = self._edits.undone(author, event.op)
        if done is None:
            own = [e.id for e in state.edits if self._edits.owner(e.id) == author.owner]
            if not own and not event.op:
                return
            done = own[-1] if own else ""
            self._edits.note_undone(author, event.op, done)
            self._now(state.without(done))
        self._say(Undo(snapshot=state.id, id=done, op=event.op))

    def delete(self, event: EditDelete) -> None:
        """Takes an edit away, whoever made it: as with marks, all of them are everybody's. Raises WrongState."""
        state = self._opened(event.snapshot)
        self._now(state.without(event.id))
        self._say(Undo(snapshot=state.id, id=event.id))

    def close(self) -> None:
        """Back to live; nothing where live is on: both sides may press at once."""
        if self.open is None:
            return
        self._saver.hurry()
        self.open = None
        self._edits = _Edits()
        self._say(SnapshotClose())

    def _opened(self, snapshot_id: str) -> SnapshotState:
        if self.open is None or self.open.id != snapshot_id:
            raise WrongState("This picture is not open any more.")
        return self.open

    def _now(self, state: SnapshotState) -> None:
        self.open = state
        self._saver.save(state)


def _checked(event: Edit) -> Edit:
    """Raises Malformed."""
    wanted = _POINTS.get(event.tool)
    if wanted is not None and len(event.points) != wanted:
        raise Malformed(f"the tool {event.tool} needs {wanted} points")
    text = " ".join("".join(c if c.isprintable() else " " for c in event.text).split()) if event.tool == "text" else ""
    if event.tool == "text" and not text:
        raise Malformed("a text needs letters")
    return replace(event, text=text)


class _Edits:
    """Whose the edits of one picture are, and which wishes were carried out: what comes again counts once."""

    def __init__(self) -> None:
        self._ids = WireIds()
        self._owners: dict[str, str] = {}  # edit -> owner
        self._undone: dict[tuple[str, str], str] = {}  # (owner, op) -> edit

    def known(self, author: Author, own: str) -> str:
        return self._ids.find(author.owner, own) or ""

    def give(self, author: Author, own: str) -> str:
        wire = self._ids.give(author.owner, own)
        self._owners[wire] = author.owner
        return wire

    def owner(self, wire: str) -> str:
        return self._owners.get(wire, "")

    def undone(self, author: Author, op: str) -> str | None:
        return self._undone.get((author.owner, op)) if op else None

    def note_undone(self, author: Author, op: str, wire: str) -> None:
        if op and len(self._undone) < 2 * snapshot.MOST_EDITS:
            self._undone[author.owner, op] = wire


class _Saver:
    """Writes the newest state of each snapshot: at once when it is opened or closed, else a second after an edit."""

    def __init__(
        self, folder: Path, call_id: str, artifact: Callable[[Artifact], None], say: Say, soon_s: float
    ) -> None:
        self._folder = folder
        self._call_id = call_id
        self._artifact = artifact
        self._say = say
        self._soon_s = soon_s
        self._unsaved: dict[str, SnapshotState] = {}
        self._originals: set[str] = set()
        self._highest = 0
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._leaving = False
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="snapshot saver")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        self.hurry()
        self._wake.set()
        if self._task is not None:
            await self._task

    def number(self, free: int) -> int:
        """`free` is free in the folder; higher where a picture with that number still waits to be written."""
        self._highest = max(free, self._highest + 1)
        return self._highest

    def save(self, state: SnapshotState, at_once: bool = False) -> None:
        self._unsaved[state.id] = state
        self._wake.set()
        if at_once:
            self.hurry()

    def hurry(self) -> None:
        self._hurry.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self._soon_s)
            self._wake.clear()
            self._hurry.clear()
            batch, self._unsaved = self._unsaved, {}
            for state in batch.values():
                await self._write(state)
            if self._leaving and not self._wake.is_set():
                return

    async def _write(self, state: SnapshotState) -> None:
        try:
            if state.id not in self._originals:
                original = await asyncio.to_thread(snapshot.save_original, self._folder, state, self._call_id)
                self._originals.add(state.id)
                self._artifact(original)
            for layer in await asyncio.to_thread(snapshot.save_layers, self._folder, state, self._call_id):
                self._artifact(layer)
            self._failing = False
        except StoreTrouble as trouble:
            self._unsaved.setdefault(state.id, state)  # tried again with the next edit, at closing and at the end
            self._tell(trouble)

    def _tell(self, trouble: StoreTrouble) -> None:
        if not self._failing:
            log.warning("snapshot not saved: %s", trouble)
            self._say(channel.Trouble(code=trouble.code, text=trouble.text))
        self._failing = True
