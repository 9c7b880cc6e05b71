"""The teller: what any desk has changed (desk.sessions.notices), to the pages that are open at this one, and to whoever
waits for it here."""

from __future__ import annotations

import logging

from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from desk.files.uploads import ArtifactView, Uploads
from desk.notifications.told import told_beside
from desk.sessions.commands import Commands
from desk.sessions.live import Hub, Listener
from desk.sessions.notices import ANEW, Notice
from desk.sessions.ratings import Rated, ratings_of
from desk.sessions.store import Store, people_of
from kiosk.session.record import Device, Session

log = logging.getLogger(__name__)


class SessionEvent(Struct, frozen=True):
    """rating: what the code user said on the page behind the QR code. told: ids of those who see it because nobody else
    reacted, and it waits for them too."""

    session: Session
    artifacts: dict[str, ArtifactView]
    rating: Rated | None = None
    told: tuple[str, ...] = ()


class PresenceEvent(Struct, frozen=True):
    kiosk: str
    online: bool
    device: Device | None
    parts: dict[str, str]


class Teller:
    """`run` is its task: one, so that nothing read earlier is told after what was read later."""

    def __init__(self, store: Store, hub: Hub, commands: Commands, uploads: Uploads) -> None:
        self._store, self._hub, self._commands, self._uploads = store, hub, commands, uploads

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            notices = await self._store.notices.news()
            try:
                await self.tell(notices)
            except SQLAlchemyError as error:  # they are told when they load anew
                log.warning("open pages load anew: %s", type(error).__name__)
                self._hub.end_all()

    async def tell(self, notices: list[Notice]) -> None:
        if ANEW in notices:
            self._hub.end_all()
            return
        for notice in notices:
            if notice.kind == "upload":
                self._uploads.taken_over(notice.id)
        await self._tell_sessions([n.id for n in notices if n.kind == "session"])
        if len(self._hub):
            for kiosk in [n.id for n in notices if n.kind == "kiosk"]:
                await self._tell_kiosk(kiosk)

    async def _tell_sessions(self, ids: list[str]) -> None:
        if not ids or not (len(self._hub) or self._commands.has_readers):
            return
        sessions = await self._store.sessions_of(ids)
        for session in sessions:
            self._commands.caught_up(session)
        if not len(self._hub):
            return
        async with self._store.transactions.read() as db:
            told, rated = await told_beside(db, ids), await ratings_of(db, ids)
        for session in sessions:
            others = told.get(session.id, set()) - people_of(session)
            await self._tell_session(session, rated.get(session.id), others)

    async def _tell_session(self, session: Session, rated: Rated | None, others: set[str]) -> None:
        people = people_of(session) | others

        def may_see(listener: Listener) -> bool:
            return listener.all_sessions or listener.person in people

        if self._hub.wanted(may_see):
            views = await self._uploads.views(session)
            self._hub.tell("session", SessionEvent(session, views, rated, tuple(sorted(others))), may_see)

    async def _tell_kiosk(self, kiosk: str) -> None:
        view = await self._store.kiosk(kiosk)
        if view:
            self._hub.tell("presence", PresenceEvent(view.id, view.online, view.device, view.parts))
