"""A session by its id, for somebody who asks for it."""

from __future__ import annotations

from desk.config import Member
from desk.notifications.told import was_told
from desk.problems import not_found
from desk.sessions.commands import may_see
from desk.sessions.store import Store
from kiosk.errors import NotAssigned
from kiosk.session.record import Session


async def known_session(store: Store, session_id: str) -> Session:
    """
    Raises:
        Problem: there is none.
    """
    session = await store.session(session_id)
    if session is None:
        raise not_found("session")
    return session


async def visible_session(store: Store, me: Member, session_id: str) -> Session:
    """
    Raises:
        Problem: there is none.
        NotAssigned: this person may not see it.
    """
    session = await known_session(store, session_id)
    if not may_see(me, session) and not await was_told(store.transactions, session_id, me.id):
        raise NotAssigned("you are not assigned to this session")
    return session
