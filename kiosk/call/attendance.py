"""Who is in a call: joining, candidates, leaving, and what a connection leaves behind.

One connection for each peer; what a peer asks for is done in the order in which it asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from weakref import WeakValueDictionary

from msgspec import Struct

from kiosk import memory
from kiosk.call.author import Author, free_colour
from kiosk.call.ending import LEFT
from kiosk.call.participant import Participant
from kiosk.errors import Full, Unreachable, WrongState
from kiosk.session.record import Person
from kiosk.wire import channel, codec
from kiosk.wire.messages import Ice

log = logging.getLogger(__name__)

MAX_PARTICIPANTS = 32
LEAVE_LIMIT_S = 2.0

Make = Callable[[Author, Person, tuple[Ice, ...]], Participant]
"""A participant that has yet to answer. The author's id is its peer."""
Spawn = Callable[[str, Coroutine[Any, Any, None]], "asyncio.Task[None]"]
Parted = Callable[[Participant, bool], None]
"""(whose connection is gone and freed, whether a newer one of the same peer has taken its place)."""


class Attendance:
    """From the loop only."""

    def __init__(self, make: Make, spawn: Spawn, parted: Parted) -> None:
        self._make, self._spawn, self._parted = make, spawn, parted
        self._here: dict[str, Participant] = {}
        self._serving: dict[Participant, asyncio.Task[None]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._colours: dict[str, str] = {}
        self._joining = 0
        self.ended = False
        self._leftovers = False

    def __iter__(self) -> Iterator[Participant]:
        return iter(tuple(self._here.values()))

    def __len__(self) -> int:
        return len(self._here)

    def of(self, peer: str) -> Participant:
        """Raises KeyError: it is not here."""
        return self._here[peer]

    def end(self) -> None:
        """Nobody joins any more."""
        self.ended = True

    async def freed(self) -> None:
        """After the end: frees also those whose task was cancelled before its first step."""
        for participant in tuple(self._serving):
            await participant.close()
            self._part(participant)

    async def join(self, peer: str, person: Person, sdp: str, ice: tuple[Ice, ...]) -> str:
        """Answers an offer: SDP with all our candidates. The same peer again replaces its connection.

        Raises:
            Malformed: an offer that cannot be answered.
            Full: MAX_PARTICIPANTS are there.
            Unreachable: the call ended meanwhile.
        """
        async with self._lock(peer):
            if peer not in self._here and len(self._here) + self._joining >= MAX_PARTICIPANTS:
                raise Full(f"{MAX_PARTICIPANTS} participants are in the call")
            participant = self._make(self._author(peer, person), person, ice)
            self._joining += 1
            try:
                answer = await participant.answer(sdp)
            except BaseException:
                await participant.close()
                raise
            finally:
                self._joining -= 1
            if self.ended:
                await participant.close()
                raise Unreachable("the call has ended")
            self._admit(participant)
            return answer

    def _lock(self, peer: str) -> asyncio.Lock:
        """Offer, candidates and bye of one peer are taken one after the other, in the order they came."""
        return self._locks.setdefault(peer, asyncio.Lock())

    def _author(self, peer: str, person: Person) -> Author:
        colour = self._colours.get(person.id) or free_colour(tuple(self._colours.values()))
        self._colours[person.id] = colour
        return Author(peer, person.name, colour, person.id)

    async def candidate(self, peer: str, candidate: str, mid: str) -> None:
        """A trickled candidate of a participant; one for somebody who has left is of no use and no harm.

        Raises:
            Malformed: it is none.
        """
        async with self._lock(peer):
            participant = self._here.get(peer)
        if participant is not None:
            await participant.add_candidate(candidate, mid)

    async def restart(self, peer: str, fragment: str) -> str:
        """ICE anew under the same connection: a participant's fragment answered by ours.

        Raises:
            Malformed: it is none that asks for that.
            WrongState: it has no connection.
        """
        async with self._lock(peer):
            participant = self._here.get(peer)
            if participant is None:
                raise WrongState("there is no such connection")
            return await participant.restart(fragment)

    async def leave(self, peer: str) -> None:
        """Returns once everything of its connection is freed."""
        async with self._lock(peer):
            participant = self._here.get(peer)
        if participant is not None:
            participant.drop(LEFT)
            await asyncio.wait({self._serving[participant]}, timeout=LEAVE_LIMIT_S)

    # --- what they are told -----------------------------------------------------------------------------------------

    def tell(self, what: Struct | bytes, leave_out: Author | None = None) -> None:
        """An event or a binary chunk to everybody with an events channel, but not to `leave_out`."""
        data = what if isinstance(what, bytes) else codec.encode(what).decode()
        for participant in self:
            if leave_out is None or participant.peer != leave_out.id:
                participant.channels.tell(data)

    def tell_poses(
        self, captured_s: float, marks: tuple[channel.MarkPose, ...], motion: channel.Motion | None = None
    ) -> None:
        """Where the marks are in the frame captured at `captured_s`, and how the scene lies in it."""
        for participant in self:
            participant.tell_poses(captured_s, marks, motion)

    # --- from their admission to their end ---------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second."""
        for participant in self:
            participant.tick()
        if self._leftovers:
            self._leftovers = False
            memory.collect()
            asyncio.get_running_loop().run_in_executor(None, memory.trim)

    def _admit(self, participant: Participant) -> None:
        old = self._here.get(participant.peer)
        if old is not None:
            old.drop("replaced")
        self._here[participant.peer] = participant
        self._serving[participant] = self._spawn(f"participant-{participant.peer}", self._serve(participant))

    async def _serve(self, participant: Participant) -> None:
        try:
            await participant.run()
        except Exception:  # named place: one participant's connection may break, and the call goes on for the others
            log.exception("participant %s: broken", participant.peer)
        finally:
            await participant.close()
            self._part(participant)

    def _part(self, participant: Participant) -> None:
        log.info("participant %s: %s", participant.peer, participant.why_gone)
        self._leftovers = True
        del self._serving[participant]
        replaced = self._here.get(participant.peer) is not participant
        if not replaced:
            del self._here[participant.peer]
        self._parted(participant, replaced)
