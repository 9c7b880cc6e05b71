"""Connections of participants as the database knows them, so that a join at one desk goes on at any other.

Only the wait for the kiosk's answer belongs to one desk (desk.calls.bridge); which offer is the newest stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, func, select, update

from desk.calls.tables import PeerRow
from desk.database import Transactions
from kiosk.errors import Full

MAX_PEERS = 1000
MAX_PEERS_OF_ONE = 20
ASKED_S = 45.0
"""So long at most may an offer be on its way: one that stands there longer is of a desk that died."""
LEFT_S = 86_400.0
"""So old is no call: what is left of one whose end nobody saw."""

Way = Literal["page", "talk", "whip", "whep"]
"""Which door a participant came through: our page (signed in), or with a token, both ways, only sending, only
receiving."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One participant's connection, of the person with this id.

    ufrag: of the newest offer; a fragment with another one asks for an ICE restart. etag: empty before any answer.
    """

    id: str
    kiosk: str
    session: str
    person: str
    way: Way
    ufrag: str = ""
    etag: str = ""
    over: bool = False


class PeerRows:
    """`now`: wall time, which desks share well enough for ASKED_S."""

    def __init__(self, transactions: Transactions, now: Callable[[], float]) -> None:
        self._begin, self._read, self._now = transactions.begin, transactions.read, now

    async def add(self, peer: Peer, offer: str) -> None:
        """With its first offer on its way.

        Raises:
            Full: this person has enough of them in this session, or all together have.
        """
        ours = (PeerRow.session == peer.session, PeerRow.person == peer.person)
        count = select(func.count()).select_from(PeerRow)
        async with self._begin() as db:
            await db.execute(delete(PeerRow).where(PeerRow.made_s < self._now() - LEFT_S))
            mine, all_ = await db.scalar(count.where(*ours)), await db.scalar(count)
            if (mine or 0) >= MAX_PEERS_OF_ONE or (all_ or 0) >= MAX_PEERS:
                raise Full("there are too many connections")
            values = {name: getattr(peer, name) for name in Peer.__slots__}
            db.add(PeerRow(**values, offer=offer, asked_s=self._now(), made_s=self._now()))

    async def find(self, peer: str) -> Peer | None:
        async with self._read() as db:
            row = await db.get(PeerRow, peer)
            return _peer(row) if row else None

    async def asks(self, peer: str, offer: str) -> None:
        """A newer offer, or question, takes the place of one that may still wait at another desk."""
        await self._change(peer, None, offer=offer, asked_s=self._now(), over=False)

    async def answered(self, peer: Peer, offer: str) -> None:
        """With `ufrag` and `etag` as they are from now on; nothing where a newer offer is on its way."""
        await self._change(peer.id, offer, offer="", ufrag=peer.ufrag, etag=peer.etag)

    async def gave_up(self, peer: str, offer: str) -> bool:
        """Whether that was the newest."""
        return await self._change(peer, offer, offer="")

    async def is_asking(self, peer: str) -> bool:
        """Whether some desk waits for an answer to it now."""
        async with self._read() as db:
            row = await db.get(PeerRow, peer)
            return row is not None and bool(row.offer) and row.asked_s > self._now() - ASKED_S

    async def end(self, peer: str) -> None:
        """The kiosk said that it is over. It stays until its session ends: each desk looks whose it was."""
        await self._change(peer, None, over=True)

    async def remove(self, peer: str) -> None:
        async with self._begin() as db:
            await db.execute(delete(PeerRow).where(PeerRow.id == peer))

    async def remove_of(self, sessions: Iterable[str]) -> None:
        """All whose call is over, but those that an offer is on its way for."""
        asking = PeerRow.asked_s > self._now() - ASKED_S
        async with self._begin() as db:
            gone = delete(PeerRow).where(PeerRow.session.in_(list(sessions)))
            await db.execute(gone.where((PeerRow.offer == "") | ~asking))

    async def _change(self, peer: str, newest: str | None, **values: str | float | bool) -> bool:
        held = update(PeerRow).where(PeerRow.id == peer).values(**values)
        async with self._begin() as db:
            done = await db.execute(held if newest is None else held.where(PeerRow.offer == newest))
            return bool(getattr(done, "rowcount", 0))


def _peer(row: PeerRow) -> Peer:
    return Peer(**{name: getattr(row, name) for name in Peer.__slots__})
