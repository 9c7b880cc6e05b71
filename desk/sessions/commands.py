"""Commands to kiosks for people: refused here already where the rules are plain, judged again by the kiosk.

A command is repeated until it is answered or its time is over; the kiosk answers repeats from its memory. The caller
then waits a moment for the desk's own copy to catch up, so that whoever reads after writing reads what was written.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec.structs import replace

from desk.config import Member
from desk.sessions.kiosks import Kiosks, tell_if_possible
from desk.sessions.lost import was_lost
from desk.sessions.store import Store
from kiosk.errors import KioskLost, NotAssigned, Unreachable
from kiosk.session import inputs
from kiosk.session.record import Actor, Session
from kiosk.session.states import Role
from kiosk.wire.codec import encode
from kiosk.wire.messages import Answer, Command, Guard

log = logging.getLogger(__name__)

REPEAT_S = 1.0
LIMIT_S = 10.0
CATCH_UP_S = 2.0

MODERATORS_MAY = (
    inputs.Reopen,
    inputs.Assign,
    inputs.Unassign,
    inputs.LinkTicket,
    inputs.UnlinkTicket,
    inputs.SetVisibility,
)
"""What moderators may do to a session that they are not assigned to, as in kiosk.session.rules."""

Wait = Callable[["asyncio.Future[Answer]", float], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class _Pending:
    command: str
    kiosk: str
    answer: asyncio.Future[Answer]


@dataclass(frozen=True, slots=True)
class _Reader:
    session: str
    rev: int
    ready: asyncio.Future[None]


async def _wait(answer: asyncio.Future[Answer], seconds: float) -> bool:
    """Whether the answer came in that time."""
    done, _ = await asyncio.wait([answer], timeout=seconds)
    return bool(done)


class Commands:
    """`wait` is replaced in tests by one whose time jumps."""

    def __init__(self, kiosks: Kiosks, store: Store, wait: Wait = _wait, catch_up_s: float = CATCH_UP_S) -> None:
        self._kiosks = kiosks
        self._store = store
        self._wait = wait
        self._catch_up_s = catch_up_s
        self._pending: set[_Pending] = set()
        self._readers: set[_Reader] = set()

    async def send(
        self,
        person: Member,
        kiosk: str,
        what: inputs.Command,
        session: Session | None = None,
        guard: Guard | None = None,
        key: str = "",
    ) -> Answer:
        """The kiosk's answer, done or refused. With `key`, the same wish of the same person under the same key is one
        command, whichever desks it is sent through: the kiosk does it once, and answers all of them.

        Raises:
            NotAssigned: the person is not assigned to the session, and it takes that.
            KioskLost: the kiosk does not have the session any more.
            Unreachable: the kiosk did not answer in time; it may still have done it.
        """
        if session is not None:
            judge(person, session, what)
            if was_lost(session):
                return await self._of_lost(person, session, what)
        command = Command(
            id=secrets.token_hex(16),
            actor=actor_of(person),
            do=what,
            session=session.id if session else "",
            guard=guard or Guard(),
        )
        if key:
            wish = b"\0".join((key.encode(), kiosk.encode(), encode(replace(command, id=""))))
            command = replace(command, id=hashlib.sha256(wish).hexdigest()[:32])
        answer = await self._ask(kiosk, command)
        outcome = "done" if answer.ok else answer.code
        await self._store.audit(person.id, type(what).__name__, answer.session or kiosk, outcome)
        if answer.ok and answer.session:
            await self._caught_up(answer)
        return answer

    async def _of_lost(self, person: Member, session: Session, what: inputs.Command) -> Answer:
        """It is over already; nothing else can be done to it."""
        done = isinstance(what, inputs.Close | inputs.Cancel)
        await self._store.audit(person.id, type(what).__name__, session.id, "done" if done else KioskLost.code)
        if not done:
            raise KioskLost("the kiosk has lost this session: it cannot go on, please begin a new one")
        return Answer(secrets.token_hex(16), ok=True, session=session.id, rev=session.rev, state=session.state)

    def answered(self, kiosk: str, answer: Answer) -> None:
        """From the follower. Only the kiosk that was asked can answer."""
        for pending in self._pending:
            if (pending.command, pending.kiosk) == (answer.id, kiosk) and not pending.answer.done():
                pending.answer.set_result(answer)

    @property
    def has_readers(self) -> bool:
        """Whether somebody waits for the desk's own copy."""
        return bool(self._readers)

    def caught_up(self, session: Session) -> None:
        """From the teller: this revision is in the database."""
        for reader in self._readers:
            if reader.session == session.id and reader.rev <= session.rev and not reader.ready.done():
                reader.ready.set_result(None)

    async def _ask(self, kiosk: str, command: Command) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        pending = _Pending(command.id, kiosk, answer)
        self._pending.add(pending)
        try:
            for n in range(int(LIMIT_S / REPEAT_S)):
                left_s = LIMIT_S - n * REPEAT_S
                await tell_if_possible(self._kiosks.command(kiosk, command, int(left_s)))
                if await self._wait(answer, REPEAT_S):
                    return answer.result()
        finally:
            self._pending.discard(pending)
        raise Unreachable("the kiosk does not answer")

    async def _caught_up(self, answer: Answer) -> None:
        reader = _Reader(answer.session, answer.rev, asyncio.get_running_loop().create_future())
        self._readers.add(reader)
        try:
            here = await self._store.session(answer.session)
            if here is None or here.rev < answer.rev:
                async with asyncio.timeout(self._catch_up_s):
                    await reader.ready
        except TimeoutError:
            log.info("session %s: revision %d was answered but is not told yet", answer.session, answer.rev)
        finally:
            self._readers.discard(reader)


def actor_of(person: Member) -> Actor:
    """As claimed; the kiosk finds out what the person really is towards the session."""
    return Actor(Role.MODERATOR if person.moderates else Role.STAFF, person.id, person.name)


def may_see(person: Member, session: Session) -> bool:
    return person.moderates or any(p.id == person.id for p in (*session.asked, *session.assigned))


def judge(person: Member, session: Session, what: inputs.Command) -> None:
    """
    Raises:
        NotAssigned: only assigned staff may do this, or moderators where it is theirs as well.
    """
    if session.has_staff(person.id) or (person.moderates and isinstance(what, MODERATORS_MAY)):
        return
    raise NotAssigned(f"{person.name} is not assigned to this session")
