"""The one writer of sessions: one input at a time; on disk before anybody hears of it.

A disk that takes nothing stops no session: what happens is held in memory and told all the same (see store.py), and
`trouble` says that a power cut would lose it.

Followers get the newest of each session from `follow`, never an old one; a slow follower misses steps in between, not
the last.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakSet

from msgspec.structs import replace

from kiosk.book.memory import Memory
from kiosk.book.store import Given, Settled, Store
from kiosk.errors import NoSuchSession, NotAllowed, Refused, TooManyCommands, Trouble, WrongState
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import SYSTEM, Actor, Device, Session
from kiosk.session.rules import Now, apply
from kiosk.session.states import ENDED, OPEN, Role, State
from kiosk.wire.messages import Answer, Command, Guard

log = logging.getLogger(__name__)

KEEP_ENDED = 100
KEEP_ENDED_S = 30 * 86_400.0
"""So many settled sessions stay for reopening, and so long of the kiosk's running time."""
TRY_AGAIN_S = 10.0
LOOK_FOR_OLD_S = 3600.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class Book:
    """Made by `Book.open`; used from one loop."""

    def __init__(
        self,
        store: Store,
        kiosk: str,
        device: Device,
        provider: Provider,
        *,
        clock: Callable[[], datetime] = utc_now,
        clock_ok: bool = True,
    ) -> None:
        kept = store.load()
        self._store = store
        self._kiosk, self._device, self.provider = kiosk, device, provider
        self._clock, self.clock_ok = clock, clock_ok
        self.epoch = kept.epoch
        self._sessions = kept.sessions
        self._memory = Memory(kept.answers)
        self._settled = kept.settled
        self._lock = asyncio.Lock()
        self._followers: WeakSet[_Follower] = WeakSet()
        self.code_user_present: Callable[[], bool] = lambda: False
        """Asked when staff press START: whether somebody stands at the machine, or it has to ring there."""
        self.disk_changed: Callable[[], None] = lambda: None
        """Called when `trouble` or `begun_anew` has changed."""
        self._trouble = ""
        self._begun_anew = store.begun_anew

    @classmethod
    async def open(
        cls,
        path: Path,
        kiosk: str,
        device: Device,
        provider: Provider,
        *,
        clock: Callable[[], datetime] = utc_now,
        clock_ok: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> Book:
        """The book as it was left; a call that a restart has ended is COMPLETED, ringing has stopped.

        Where there is a book and no copy of it can be understood, it is set aside and a new one begun; `begun_anew`
        says so.
        """
        store = await asyncio.to_thread(Store, path, now)
        book = cls(store, kiosk, device, provider, clock=clock, clock_ok=clock_ok)
        for session in list(book.sessions.values()):
            if session.state is State.RUNNING:
                await book.put(session.id, do.End("restart"), SYSTEM)
            elif session.ringing:
                await book.put(session.id, do.GiveUp("restart"), SYSTEM)
        return book

    async def close(self) -> None:
        async with self._lock:
            await asyncio.to_thread(self._store.close)

    async def keep(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """A task: brings to disk what it did not take before, and lets go of what is old."""
        waited_s = 0.0
        while True:
            await sleep(TRY_AGAIN_S)
            waited_s += TRY_AGAIN_S
            async with self._lock:
                if self.trouble:
                    await asyncio.to_thread(self._store.try_again)
                    self._look_at_disk()
                if waited_s >= LOOK_FOR_OLD_S:
                    waited_s = 0.0
                    await self._forget_old()

    @property
    def trouble(self) -> str:
        """Why what happens is not on disk, in words; empty while it is."""
        return self._store.trouble

    @property
    def begun_anew(self) -> str:
        """That the book before this one was damaged and is set aside, in words; empty where all is as ever."""
        return self._begun_anew

    @property
    def sessions(self) -> dict[str, Session]:
        """All that are held, by id; a copy."""
        return dict(self._sessions)

    @property
    def open_session(self) -> Session | None:
        """The one that is REQUESTED, CONFIRMED or RUNNING."""
        return next((s for s in self._sessions.values() if s.state in OPEN), None)

    async def put(self, session_id: str | None, what: do.Input, actor: Actor) -> Session:
        """Applies one input; the session is on disk (or `trouble` says why not) when this returns. Raises Refused."""
        async with self._lock:
            return await self._put(session_id, what, actor)

    async def command(self, command: Command) -> Answer:
        """Applies a command once, whatever number of times it arrives, and gives the same answer each time."""
        async with self._lock:
            known = self._memory.answer(command.id)
            if known is not None:
                return known
            if not self._memory.has_room(command, self._store.lived_s()):
                error = TooManyCommands("the kiosk has answered as many commands today as it can remember")
                answer = self._refusal(command, error)
                self._memory.turn_away(answer)
                return answer
            return await self._judge(command)

    async def _judge(self, command: Command) -> Answer:
        try:
            if command.actor.role in (Role.CODE_USER, Role.SYSTEM):
                raise NotAllowed("no message stands in for the kiosk's own buttons, or for the kiosk itself")
            self._check(command.session, command.guard)
            return await self._apply_command(command)
        except Refused as error:
            answer = self._refusal(command, error)
            await self._save(None, answer)
            return answer

    def follow(self) -> AsyncIterator[Session]:
        """Every session held, then each again whenever it has changed."""
        follower = _Follower(self._sessions)
        self._followers.add(follower)
        return follower

    def is_settled(self, session: Session) -> bool:
        """The desk has this revision and every artifact: nothing is left to be told."""
        settled = self._settled.get(session.id)
        return settled is not None and settled.rev == session.rev

    async def settle(self, session: Session) -> None:
        """The desk has receipted `session` as it is; kept only where the session is over and all is uploaded."""
        async with self._lock:
            if self._sessions.get(session.id) != session or session.state not in ENDED:
                return
            if not any(a.waits for a in session.artifacts):
                settled = Settled(session.rev, self._store.lived_s())
                await asyncio.to_thread(self._store.settle, session.id, settled)
                self._settled[session.id] = settled
                self._look_at_disk()
                await self._forget_old()

    async def renew(self, session_id: str, epoch: str) -> None:
        """The desk says that it knows a later life of this session than `epoch`: what was told in it was not on disk
        when the power went. The session goes on as it is here, in a new epoch."""
        async with self._lock:
            session = self._sessions.get(session_id)
            if session is not None and session.epoch == epoch and not self.is_settled(session):
                log.warning("session %s: what was told last is lost, it goes on as it is on disk", session_id)
                await self._keep(replace(session, epoch=secrets.token_hex(8)))

    async def _put(self, session_id: str | None, what: do.Input, actor: Actor) -> Session:
        session = self._sessions.get(session_id) if session_id else None
        if session_id and session is None:
            raise NoSuchSession("the kiosk holds no such session")
        changed = apply(session, what, actor, self._now())
        return changed if changed is session else await self._keep(changed)

    async def _apply_command(self, command: Command) -> Answer:
        session = self._sessions.get(command.session)
        what = do.Start(self.code_user_present()) if isinstance(command.do, do.Start) else command.do
        changed = apply(session, what, command.actor, self._now())
        answer = Answer(command.id, ok=True, session=changed.id, rev=changed.rev, state=changed.state)
        await self._keep(changed, answer)
        return answer

    async def _keep(self, session: Session, answer: Answer | None = None) -> Session:
        """The session as it is told."""
        session = await self._save(session, answer) or session
        self._sessions[session.id] = session
        for follower in self._followers:
            follower.changed(session.id)
        return session

    async def _save(self, session: Session | None, answer: Answer | None) -> Session | None:
        if answer is None:
            session = await asyncio.to_thread(self._store.save, session)
        else:
            given = Given(answer, self._store.lived_s())
            forget = self._memory.outlived(given.at_s)
            session = await asyncio.to_thread(self._store.save, session, given, forget)
            self._memory.remember(given, forget)
        self._look_at_disk()
        return session

    def _look_at_disk(self) -> None:
        begun_anew = self._begun_anew and self._store.begun_anew  # what was said for long is never said again
        if (self._trouble, self._begun_anew) != (self.trouble, begun_anew):
            self._trouble, self._begun_anew = self.trouble, begun_anew
            self.disk_changed()

    def _check(self, session_id: str, guard: Guard) -> None:
        session = self._sessions.get(session_id)
        if session_id and session is None:
            raise NoSuchSession("the kiosk holds no such session")
        if session is None:
            return
        if guard.state not in (None, session.state):
            raise WrongState(f"the session is {session.state} by now{_by_whom(session)}")
        if guard.rev not in (None, session.rev):
            raise WrongState(f"the session has changed meanwhile{_by_whom(session)}")

    def _refusal(self, command: Command, error: Trouble) -> Answer:
        session = self._sessions.get(command.session)
        return Answer(
            command.id,
            ok=False,
            session=command.session,
            rev=session.rev if session else 0,
            state=session.state if session else None,
            code=error.code,
            text=error.text,
        )

    def _now(self) -> Now:
        at = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        session = self.open_session
        return Now(
            at=at,
            clock_ok=self.clock_ok,
            epoch=self.epoch,
            kiosk=self._kiosk,
            device=self._device,
            provider=self.provider,
            new_session_id=f"s-{secrets.token_hex(8)}",
            new_call_id=f"c-{secrets.token_hex(6)}",
            open_session_id=session.id if session else None,
        )

    async def _forget_old(self) -> None:
        """By count and by age; only of what the desk has receipted with everything uploaded."""
        done = [s for s in self._sessions.values() if s.state in ENDED and self.is_settled(s)]
        since_s = self._store.lived_s() - KEEP_ENDED_S
        too_many = done[: max(0, len(done) - KEEP_ENDED)]
        for session in [*too_many, *(s for s in done[len(too_many) :] if self._settled[s.id].at_s < since_s)]:
            await asyncio.to_thread(self._store.forget, session.id)
            del self._sessions[session.id], self._settled[session.id]
        self._look_at_disk()


def _by_whom(session: Session) -> str:
    name = session.history[-1].actor.name if session.history else ""
    return f": {name} was faster" if name else ""


class _Follower:
    """Bounded by the number of sessions: a session that changes twice before it is read is read once, as it is."""

    def __init__(self, sessions: dict[str, Session]) -> None:
        self._sessions = sessions
        self._waiting = dict.fromkeys(sessions)
        self._ready = asyncio.Event()

    def changed(self, session_id: str) -> None:
        self._waiting[session_id] = None
        self._ready.set()

    def __aiter__(self) -> AsyncIterator[Session]:
        return self

    async def __anext__(self) -> Session:
        while not self._waiting:
            self._ready.clear()
            await self._ready.wait()
        session_id = next(iter(self._waiting))
        del self._waiting[session_id]
        return self._sessions[session_id] if session_id in self._sessions else await self.__anext__()
