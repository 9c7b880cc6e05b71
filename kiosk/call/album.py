"""The snapshots of a call: one open at a time, its edits put in order, all of it saved by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from kiosk.call import snapshot
from kiosk.call.author import Author
from kiosk.call.snapshot import SnapshotState
from kiosk.call.strokes import WireIds
from kiosk.errors import DeviceTrouble, Full, StoreTrouble, WrongState
from kiosk.hw.ports import Still
from kiosk.session.record import Artifact
from kiosk.wire import channel
from kiosk.wire.channel import Edit, SnapshotClose, SnapshotOpen, Undo

log = logging.getLogger(__name__)

STILL_S = 8.0
"""So long a camera may take for a photograph."""
SAVE_SOON_S = 1.0

Say = Callable[[SnapshotOpen | SnapshotClose | Edit | Undo | channel.Trouble | bytes], None]


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
        self._ids = WireIds()
        self._owners: dict[str, str] = {}  # edit -> author
        self.open: SnapshotState | None = None

    async def __aenter__(self) -> Self:
        await self._saver.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is unsaved is saved."""
        await self._saver.__aexit__(kind, error, trace)

    async def take(self, author: Author) -> None:
        """Opens a full-resolution picture for everybody; nothing while another is just being taken.

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
            self._say(message)

    async def _photograph(self) -> Still:
        try:
            async with asyncio.timeout(STILL_S):
                return await self._still()
        except TimeoutError as error:
            raise DeviceTrouble("The camera gave no picture in time.") from error

    def edit(self, author: Author, event: Edit) -> None:
        """One edit more, told to all in the order that counts. One that is there already is only told again.

        Raises:
            WrongState: the picture is not open (any more). Full: it takes no more edits.
        """
        state = self._opened(event.snapshot)
        wire = self._ids.find(author.id, event.id)
        known = next((e for e in state.edits if e.id == wire), None)
        if known is not None:
            self._say(known)
            return
        if len(state.edits) >= snapshot.MOST_EDITS:
            raise Full(f"A picture takes {snapshot.MOST_EDITS} edits at most; take another.")
        wire = self._ids.give(author.id, event.id)
        edit = replace(event, id=wire, by=author.name, colour=author.colour)
        self._owners[wire] = author.id
        self._now(state.with_edit(edit))
        self._say(edit)

    def undo(self, author: Author, event: Undo) -> None:
        """Takes back the author's own newest edit, if there is one. Raises WrongState."""
        state = self._opened(event.snapshot)
        own = [e.id for e in state.edits if self._owners.get(e.id) == author.id]
        if not own:
            return
        self._ids.free(own[-1])
        self._now(state.without(own[-1]))
        self._say(Undo(snapshot=state.id, id=own[-1]))

    def close(self) -> None:
        """Back to live; nothing where live is on: both sides may press at once."""
        if self.open is None:
            return
        self._saver.hurry()
        self.open = None
        self._ids, self._owners = WireIds(), {}
        self._say(SnapshotClose())

    def _opened(self, snapshot_id: str) -> SnapshotState:
        if self.open is None or self.open.id != snapshot_id:
            raise WrongState("This picture is not open any more.")
        return self.open

    def _now(self, state: SnapshotState) -> None:
        self.open = state
        self._saver.save(state)


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
