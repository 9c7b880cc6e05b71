"""Calls: hands a participant's offer to the kiosk over MQTT and the kiosk's answer back. Media never passes here.

A peer is one participant's connection, under an id of 128 random bits, and belongs to the person who made it. The HTTP
side (WHEP/WHIP) is desk/whep.py.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from desk.commands import actor_of
from desk.config import Member
from desk.ice import IceServers
from desk.kiosks import Kiosks, tell_if_possible
from desk.live import Hub
from desk.sdp import ufrag_of
from kiosk.errors import Full, NotAssigned, Unreachable, WrongState
from kiosk.session.record import Session
from kiosk.session.states import State
from kiosk.wire.messages import AnswerSdp, Bye, Candidate, Offer, Restart, SignalDown, SignalUp

ANSWER_S = 10.0
MAX_PEERS = 1000
MAX_PEERS_OF_ONE = 20
MAX_SAID = 4
"""So often is one offer said to a kiosk whose link comes and goes."""

Way = Literal["page", "talk", "whip", "whep"]
"""Which door a participant came through: our page (signed in), or with a token, both ways, only sending, only
receiving."""

Wait = Callable[["asyncio.Future[SignalUp | None]", float], Awaitable[bool]]


Say = Callable[[str], SignalDown]
"""What the kiosk is asked, with this id for its answer."""


class GoneEvent(Struct, frozen=True):
    """A connection is over, told to its person: the kiosk said bye."""

    session: str
    peer: str
    code: str
    text: str


@dataclass(slots=True)
class Waiting:
    """For the kiosk's answer to one offer; None comes where the offer must be said again."""

    offer: str
    answer: asyncio.Future[SignalUp | None]

    def hears(self, signal: SignalUp | None) -> None:
        if not self.answer.done():
            self.answer.set_result(signal)


@dataclass(slots=True)
class Peer:
    id: str
    kiosk: str
    session: str
    person: Member
    way: Way
    ufrag: str = ""
    """Of the newest offer: a fragment with another one asks for an ICE restart."""
    etag: str = ""
    waiting: Waiting | None = field(default=None, repr=False)


class Declined(Exception):
    """The kiosk said bye instead of an answer."""

    def __init__(self, bye: Bye) -> None:
        super().__init__(bye.code)
        self.bye = bye


def _note_ice(peer: Peer, sdp: str) -> None:
    """Another ICE session: candidates of the one before are refused from now on."""
    peer.ufrag, peer.etag = ufrag_of(sdp), f'"{secrets.token_hex(8)}"'


async def _wait(answer: asyncio.Future[SignalUp | None], seconds: float) -> bool:
    done, _ = await asyncio.wait([answer], timeout=seconds)
    return bool(done)


class Calls:
    """`wait` is replaced in tests by one whose time jumps."""

    def __init__(self, kiosks: Kiosks, hub: Hub, ice: IceServers, wait: Wait = _wait) -> None:
        self._kiosks = kiosks
        self._hub = hub
        self._ice = ice
        self._wait = wait
        self._peers: dict[str, Peer] = {}

    async def offer(
        self, session: Session, person: Member, sdp: str, peer: Peer | None = None, way: Way = "page"
    ) -> tuple[Peer, str]:
        """The kiosk's answer (SDP with all its candidates) and the peer. With `peer` its connection is replaced.

        Raises:
            NotAssigned, WrongState, Full: nothing was sent.
            Declined: the kiosk refused.
            Unreachable: it did not answer in time.
        """
        if not session.has_staff(person.id):
            raise NotAssigned(f"{person.name} is not assigned to this session")
        if session.state is not State.RUNNING:
            raise WrongState("no call is on")
        fresh = peer is None
        peer = peer or self._new(session, person, way)
        actor, ice = actor_of(person), self._ice.of(peer.kiosk)
        try:
            answer = await self._exchange(peer, lambda id_: Offer(peer=peer.id, actor=actor, sdp=sdp, ice=ice, id=id_))
        except BaseException:
            if fresh:
                self._peers.pop(peer.id, None)
            raise
        _note_ice(peer, sdp)
        return peer, answer

    async def restart(self, peer: Peer, fragment: str) -> str:
        """The kiosk's fragment in answer to one that asks for an ICE restart. What is refused leaves all as it was.

        Raises:
            Declined: the kiosk refused.
            Unreachable: it did not answer in time.
        """
        answer = await self._exchange(peer, lambda id_: Restart(peer=peer.id, fragment=fragment, id=id_))
        _note_ice(peer, fragment)
        return answer

    def _new(self, session: Session, person: Member, way: Way) -> Peer:
        mine = sum(1 for p in self._peers.values() if p.person.id == person.id and p.session == session.id)
        if mine >= MAX_PEERS_OF_ONE or len(self._peers) >= MAX_PEERS:
            raise Full("there are too many connections")
        peer = Peer(secrets.token_hex(16), session.kiosk, session.id, person, way)
        self._peers[peer.id] = peer
        return peer

    async def _exchange(self, peer: Peer, say: Say) -> str:
        told = None
        for _ in range(MAX_SAID):
            if (told := await self._ask(peer, say)) is not None:
                break
        if not isinstance(told, AnswerSdp):
            raise Declined(told) if told else Unreachable("the kiosk comes and goes")
        return told.sdp

    async def _ask(self, peer: Peer, say: Say) -> SignalUp | None:
        """What the kiosk says to it; None: it has just come back, and may not have heard it."""
        waiting = peer.waiting = Waiting(secrets.token_hex(8), asyncio.get_running_loop().create_future())
        try:
            asked = say(waiting.offer)
            await self._kiosks.signal(peer.kiosk, peer.session, asked)
            if not await self._wait(waiting.answer, ANSWER_S):
                if peer.waiting is waiting and isinstance(asked, Offer):
                    await tell_if_possible(self._kiosks.signal(peer.kiosk, peer.session, Bye(peer=peer.id)))
                raise Unreachable("the kiosk does not answer")
            return waiting.answer.result()
        finally:
            if peer.waiting is waiting:  # else a newer offer of this peer is on its way
                peer.waiting = None

    def peer(self, session_id: str, peer_id: str, person: str, way: Way = "page") -> Peer | None:
        """A peer of this person; somebody else's is not there."""
        peer = self._peers.get(peer_id)
        mine = peer and (peer.session, peer.person.id, peer.way) == (session_id, person, way)
        return peer if mine else None

    async def trickle(self, peer: Peer, candidates: list[tuple[str, str]]) -> None:
        """(mid, candidate) pairs; an empty candidate is the end of them."""
        for mid, candidate in candidates:
            told = Candidate(peer=peer.id, candidate=candidate, mid=mid)
            await self._kiosks.signal(peer.kiosk, peer.session, told)

    async def end(self, peer: Peer) -> None:
        """Hung up. Where the kiosk cannot be told now, it notices by itself within seconds."""
        self._peers.pop(peer.id, None)
        await tell_if_possible(self._kiosks.signal(peer.kiosk, peer.session, Bye(peer=peer.id)))

    # --- from the follower --------------------------------------------------------------------------------------------

    def signalled(self, kiosk: str, session_id: str, signal: SignalUp) -> None:
        peer = self._peers.get(signal.peer)
        if peer is None or (peer.kiosk, peer.session) != (kiosk, session_id):
            return
        if signal.offer and (peer.waiting is None or signal.offer != peer.waiting.offer):
            return  # to an offer that a newer one has replaced
        if peer.waiting:
            if signal.offer or isinstance(signal, AnswerSdp) or not peer.etag:
                peer.waiting.hears(signal)  # else it is the end of the connection that is being replaced
        elif isinstance(signal, Bye):
            self._gone(peer, signal.code, signal.text)

    def kiosk_back(self, kiosk: str) -> None:
        """It has a new connection to the broker: what was said to it on the one before may be lost."""
        for peer in self._peers.values():
            if peer.kiosk == kiosk and peer.waiting:
                peer.waiting.hears(None)

    def session_ended(self, session_id: str) -> None:
        """Its call is over, so its peers are."""
        for peer in [p for p in self._peers.values() if p.session == session_id and not p.waiting]:
            del self._peers[peer.id]

    def _gone(self, peer: Peer, code: str, text: str) -> None:
        """A page that was only lost on the way comes back under the same peer; what others had is forgotten."""
        if peer.way != "page" or code != "unreachable":
            self._peers.pop(peer.id, None)
        event = GoneEvent(peer.session, peer.id, code, text)
        self._hub.tell("gone", event, lambda listener: listener.person == peer.person.id)
