"""Sends what is written down (desk.notifications.alerts), and looks after what is due: the task that does both.

Nothing here is needed for a page to work: a service that is slow or dead only makes its own messages late.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from desk.config import Member, Notifications
from desk.notifications.alerts import MOST_LOOKS, Alerts, Message, alert_key
from desk.notifications.channels import Channels, Subscription
from desk.notifications.jobs import Code, Job, Look, Outcome, Push, Tell
from desk.notifications.keys import PushKeys, b64
from desk.notifications.sender import Sender
from desk.notifications.words import Said, Words, harmless
from desk.sessions.store import Store
from kiosk.session.record import Session

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""So long may what another desk wrote down wait unseen, and an escalation be late."""
TIDY_S = 3600.0
AT_ONCE = 24
"""Fewer than the process that sends has threads: some are left for tests."""
END_S = 2.0
TOLD_S, OVER_S = 3600, 600
"""So long does a push service keep it for a browser that is away."""
TEMPORARY = ("later", "late")


class Tried(Struct, frozen=True):
    """What came of a test: kind and name of the place, and the code of desk.notifications.jobs."""

    kind: str
    name: str
    code: Code


class Notifier:
    """`follow` from the follower, `run` is its task. `site`: addresses of the settings, by their place there;
    `mail`: the mail server's address, or nothing."""

    def __init__(
        self,
        alerts: Alerts,
        channels: Channels,
        keys: PushKeys,
        store: Store,
        settings: Notifications,
        words: Words,
        url: str,
        site: Sequence[str] = (),
        mail: str = "",
    ) -> None:
        self.alerts, self.channels, self.keys = alerts, channels, keys
        self._store, self._settings, self._words, self._url = store, settings, words, url
        self._site, self._mail = tuple(site), mail
        self._desk = secrets.token_hex(8)
        self._woken = asyncio.Event()
        self._busy: set[asyncio.Task[None]] = set()
        self._open: set[str] = set()
        """Sessions that this process has seen something to react to: spares a look at all the others."""
        self._changed: set[str] = set()
        """Of these, those that want a look now. What is lost with the process, `due` finds."""
        self._people = Sender(("--people", *settings.networks))
        self._own = Sender(())

    @property
    def schemas(self) -> tuple[str, ...]:
        """Kinds of addresses that people may enter."""
        return self._settings.schemas

    @property
    def mails(self) -> bool:
        return bool(self._mail)

    # --- what there is to tell ----------------------------------------------------------------------------------------

    async def follow(self, session: Session) -> None:
        """A session is in the database, as it was just told. Only noted here: what kiosks tell waits for nothing."""
        waits = bool(alert_key(session))
        if waits or session.id in self._open:
            (self._open.add if waits else self._open.discard)(session.id)
            self._changed.add(session.id)
            self._woken.set()

    async def run(self) -> None:
        """Until cancelled; a database that is away for a while only makes messages late."""
        down, tidied_s = False, float("-inf")
        async with self._sending() as sending:
            while True:
                self._woken.clear()
                try:
                    await self._round(sending)
                    if asyncio.get_running_loop().time() - tidied_s > TIDY_S:
                        tidied_s = asyncio.get_running_loop().time()
                        await self.alerts.tidy()
                    down = False
                except SQLAlchemyError as error:
                    if not down:
                        log.warning("notifications wait for the database: %s", type(error).__name__)
                    down = True
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._woken.wait()

    @contextlib.asynccontextmanager
    async def _sending(self) -> AsyncIterator[asyncio.TaskGroup]:
        """At the end what is on its way has a moment; what has not arrived then is given back, to be sent once more."""
        async with self._people, self._own, asyncio.TaskGroup() as sending:
            try:
                yield sending
            finally:
                if self._busy:
                    await asyncio.wait(self._busy, timeout=END_S)
                with contextlib.suppress(SQLAlchemyError):  # else they are stale in two minutes
                    await self.alerts.give_back(self._desk)

    async def _round(self, sending: asyncio.TaskGroup) -> None:
        changed, self._changed = self._changed, set()
        due = await self.alerts.due()
        for session in sorted(changed | set(due)):
            await self.alerts.look(session)
        if len(due) >= MOST_LOOKS:
            self._woken.set()
        free = AT_ONCE - len(self._busy)
        if free <= 0 or not await self.alerts.waits():
            return
        for message in await self.alerts.take(self._desk, free):
            task = sending.create_task(self._deliver(message), name=f"notification {message.id}")
            self._busy.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._woken.set()

    # --- one message --------------------------------------------------------------------------------------------------

    async def _deliver(self, message: Message) -> None:
        try:
            outcome = await self._send(message)
            await self._note(message, outcome)
        except SQLAlchemyError as error:
            log.warning("notification %d: the database is away: %s", message.id, type(error).__name__)

    async def _send(self, message: Message) -> Outcome:
        """Its outcome; `gone` as well where nobody is to be told any more."""
        gone = Outcome(0, "gone")
        session = await self._store.session(message.session)
        member = await self.alerts.member(message.account) if message.account else None
        if session is None or (message.account and member is None):
            return gone
        language = self._language(message, member)
        if message.what == "over":
            said = self._words.over(session, message.key, language)
        else:
            said = self._words.told(session, message.key, message.level, language)
        return await self._send_to(message.kind, message.target, member, said) or gone

    def _language(self, message: Message, member: Member | None) -> str:
        if member is None and message.kind == "channel" and int(message.target) < len(self._settings.channels):
            return self._settings.channels[int(message.target)].language or ""
        return (member and member.language) or ""

    async def _send_to(self, kind: str, target: str, member: Member | None, said: Said) -> Outcome | None:
        """None: there is no such place any more."""
        if kind == "push":
            subscription = await self.channels.subscription(target)
            return await self._people.send(await self._push(subscription, said)) if subscription else None
        if kind == "address":
            address = await self.channels.address(target)
            return await self._people.send(self._tell(address, said)) if address else None
        if kind == "mail":
            to = f"to={quote(member.email, safe='')}" if member and member.email and self._mail else ""
            return await self._own.send(self._tell(_with(self._mail, to), said)) if to else None
        n = int(target)
        return await self._own.send(self._tell(self._site[n], said)) if n < len(self._site) else None

    async def _push(self, subscription: Subscription, said: Said) -> Job:
        topic = b64(hashlib.sha256(said.tag.encode()).digest()[:24])  # at most 32 letters (RFC 8030, 5.4)
        return Push(
            endpoint=subscription.endpoint,
            p256dh=subscription.p256dh,
            auth=subscription.auth,
            key=b64(await self.keys.private()),
            contact=self._contact,
            topic=topic,
            payload=msgspec.json.encode(said).decode(),
            lasts_s=OVER_S if said.silent else TOLD_S,
        )

    @property
    def _contact(self) -> str:
        """RFC 8292, 2.1: a mail address or a web address."""
        if self._settings.contact:
            return f"mailto:{self._settings.contact}"
        host = urlsplit(self._url).hostname or ""
        return f"https://{host}" if "." in host else "mailto:desk@localhost"

    def _tell(self, address: str, said: Said) -> Job:
        return Tell(address, harmless(said.title), f"{harmless(said.text)}\n\n{self._url}{said.path}")

    async def _note(self, message: Message, outcome: Outcome) -> None:
        match outcome.code:
            case "ok":
                await self.alerts.done(message, self._desk)
                await self.channels.note(message.kind, message.target, "")
                return
            case "gone":
                await self.alerts.done(message, self._desk)
                if message.kind == "push":
                    await self.channels.drop(message.target)
                return
            case code:
                wait_s = outcome.wait_s if code in TEMPORARY else None
                await self.alerts.failed(message, self._desk, wait_s)
                await self.channels.note(message.kind, message.target, code)
                log.info("session %s: a notification (%s) was not sent: %s", message.session, message.kind, code)

    # --- for the account page -----------------------------------------------------------------------------------------

    async def look_at(self, address: str) -> str:
        """Whose service this address is; empty where it is none that is understood."""
        outcome = await self._people.send(Look(address))
        return (outcome.service or "?") if outcome.code == "ok" else ""

    async def test(self, member: Member) -> list[Tried]:
        """Tells this person alone, everywhere, also in quiet hours."""
        said = self._words.test(member.language or "")
        places = [("push", b.id, b.name) for b in await self.channels.browsers(member.id)]
        places += [("address", a.id, a.name) for a in await self.channels.addresses(member.id)]
        wishes = await self.channels.wishes(member.id)
        places += [("mail", member.id, member.email)] if wishes.mail and member.email and self.mails else []
        return list(await asyncio.gather(*(self._try(kind, place, name, member, said) for kind, place, name in places)))

    async def _try(self, kind: str, target: str, name: str, member: Member, said: Said) -> Tried:
        outcome = await self._send_to(kind, target, member, said) or Outcome(0, "gone")
        if outcome.code == "gone" and kind == "push":
            await self.channels.drop(target)
        else:
            await self.channels.note(kind, target, "" if outcome.code == "ok" else outcome.code)
        return Tried(kind, name, outcome.code)


def _with(address: str, parameter: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{parameter}"
