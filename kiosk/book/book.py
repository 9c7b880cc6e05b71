"""The one writer of sessions: one input at a time; on disk before anybody hears of it.

Followers get the newest of each session from `follow`, never an old one; a slow follower misses steps in between, not
the last.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakSet

from kiosk.book.store import KEEP_ANSWERS, KEEP_ENDED, Store
from kiosk.errors import NoSuchSession, NotAllowed, Refused, StoreTrouble, Trouble, WrongState
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import SYSTEM, Actor, Device, Session
from kiosk.session.rules import Now, apply
from kiosk.session.states import ENDED, OPEN, Role, State
from kiosk.wire.messages import Answer, Command, Guard


def utc_now() -> datetime:
    return datetime.now(UTC)


class Book:
    """Made by `Book.open`; used from one loop. Raises StoreTrouble where the disk does not keep what it should."""

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
        self._answers = kept.answers
        self._settled = kept.settled
        self._lock = asyncio.Lock()
        self._followers: WeakSet[_Follower] = WeakSet()
        self.code_user_present: Callable[[], bool] = lambda: False
        """Asked when staff press START: whether somebody stands at the machine, or it has to ring there."""

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
    ) -> Book:
        """The book as it was left; a call that a restart has ended is COMPLETED, ringing has stopped."""
        store = await asyncio.to_thread(Store, path)
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

    @property
    def sessions(self) -> dict[str, Session]:
        """All that are held, by id; a copy."""
        return dict(self._sessions)

    @property
    def open_session(self) -> Session | None:
        """The one that is REQUESTED, CONFIRMED or RUNNING."""
        return next((s for s in self._sessions.values() if s.state in OPEN), None)

    async def put(self, session_id: str | None, what: do.Input, actor: Actor) -> Session:
        """Applies one input; the session is on disk when this returns. Raises Refused or StoreTrouble."""
        async with self._lock:
            return await self._put(session_id, what, actor)

    async def command(self, command: Command) -> Answer:
        """Applies a command once, whatever number of times it arrives, and gives the same answer each time.

        One that the disk does not take is refused with the code of StoreTrouble.
        """
        async with self._lock:
            known = self._answers.get(command.id)
            if known is not None:
                return known
            try:
                answer = await self._judge(command)
            except StoreTrouble as error:
                return self._refusal(command, error)  # not remembered: when it comes again the disk may take it
            self._remember(answer)
            return answer

    def _remember(self, answer: Answer) -> None:
        self._answers[answer.id] = answer
        while len(self._answers) > KEEP_ANSWERS:  # as the store does
            del self._answers[next(iter(self._answers))]

    async def _judge(self, command: Command) -> Answer:
        try:
            if command.actor.role in (Role.CODE_USER, Role.SYSTEM):
                raise NotAllowed("no message stands in for the kiosk's own buttons, or for the kiosk itself")
            self._check(command.session, command.guard)
            return await self._apply_command(command)
        except Refused as error:
            answer = self._refusal(command, error)
            await asyncio.to_thread(self._store.save, None, answer)
            return answer

    def follow(self) -> AsyncIterator[Session]:
        """Every session held, then each again whenever it has changed."""
        follower = _Follower(self._sessions)
        self._followers.add(follower)
        return follower

    def is_settled(self, session: Session) -> bool:
        """The desk has this revision and every artifact: nothing is left to be told."""
        return self._settled.get(session.id) == session.rev

    async def settle(self, session: Session) -> None:
        """The desk has receipted `session` as it is; kept only where the session is over and all is uploaded."""
        async with self._lock:
            if self._sessions.get(session.id) != session or session.state not in ENDED:
                return
            if all(a.uploaded for a in session.artifacts):
                await asyncio.to_thread(self._store.settle, session.id, session.rev)
                self._settled[session.id] = session.rev
                await self._forget_oldest()

    async def _put(self, session_id: str | None, what: do.Input, actor: Actor, answer: Answer | None = None) -> Session:
        session = self._sessions.get(session_id) if session_id else None
        if session_id and session is None:
            raise NoSuchSession("the kiosk holds no such session")
        changed = apply(session, what, actor, self._now())
        if changed is not session:
            await self._keep(changed, answer)
        return changed

    async def _apply_command(self, command: Command) -> Answer:
        session = self._sessions.get(command.session)
        what = do.Start(self.code_user_present()) if isinstance(command.do, do.Start) else command.do
        changed = apply(session, what, command.actor, self._now())
        answer = Answer(command.id, ok=True, session=changed.id, rev=changed.rev, state=changed.state)
        await self._keep(changed, answer)
        return answer

    async def _keep(self, session: Session, answer: Answer | None = None) -> None:
        await asyncio.to_thread(self._store.save, session, answer)
        self._sessions[session.id] = session
        for follower in self._followers:
            follower.changed(session.id)

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

    async def _forget_oldest(self) -> None:
        done = [s for s in self._sessions.values() if s.state in ENDED and self.is_settled(s)]
        for session in done[: max(0, len(done) - KEEP_ENDED)]:
            await asyncio.to_thread(self._store.forget, session.id)
            del self._sessions[session.id], self._settled[session.id]


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
