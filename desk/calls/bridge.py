"""Calls: hands a participant's offer to the kiosk over MQTT and the kiosk's answer back. Media never passes here.

A peer is one participant's connection, under an id of 128 random bits, and belongs to the person who made it. Which
there are stands in the database (desk.calls.peers): what was joined at one desk goes on at any other. The HTTP side
(WHEP/WHIP) is desk/calls/whep.py.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from msgspec import Struct

from desk.calls.ice import IceServers
from desk.calls.peers import Peer, PeerRows, Way
from desk.calls.sdp import ufrag_of
from desk.config import Member
from desk.sessions.commands import actor_of
from desk.sessions.kiosks import Kiosks, tell_if_possible
from desk.sessions.live import Hub
from kiosk.errors import NotAssigned, Unreachable, WrongState
from kiosk.session.record import Session
from kiosk.session.states import State
from kiosk.wire.messages import AnswerSdp, Bye, Candidate, Offer, Restart, SignalDown, SignalUp

ANSWER_S = 10.0
MAX_SAID = 4
"""So often is one offer said to a kiosk whose link comes and goes."""

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
    kiosk: str
    session: str
    again: bool
    """Whether there is a connection already, which this offer replaces."""
    answer: asyncio.Future[SignalUp | None]

    def hears(self, signal: SignalUp | None) -> None:
        if not self.answer.done():
            self.answer.set_result(signal)


class Declined(Exception):
    """The kiosk said bye instead of an answer."""

    def __init__(self, bye: Bye) -> None:
        super().__init__(bye.code)
        self.bye = bye


def _with_ice(peer: Peer, sdp: str) -> Peer:
    """Another ICE session: candidates of the one before are refused from now on."""
    return replace(peer, ufrag=ufrag_of(sdp), etag=f'"{secrets.token_hex(8)}"')


async def _wait(answer: asyncio.Future[SignalUp | None], seconds: float) -> bool:
    done, _ = await asyncio.wait([answer], timeout=seconds)
    return bool(done)


class Calls:
    """`wait` is replaced in tests by one whose time jumps."""

    def __init__(self, kiosks: Kiosks, hub: Hub, ice: IceServers, peers: PeerRows, wait: Wait = _wait) -> None:
        self._kiosks = kiosks
        self._hub = hub
        self._ice = ice
        self._peers = peers
        self._wait = wait
        self._waiting: dict[str, Waiting] = {}
        """By peer; the request that waits is here, so its answer is wanted here only. Every desk hears all of them."""

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
        peer = peer or Peer(secrets.token_hex(16), session.kiosk, session.id, person.id, way)
        peer_id, actor, ice = peer.id, actor_of(person), self._ice.of(peer.kiosk)
        try:
            return await self._exchange(
                peer, sdp, lambda id_: Offer(peer=peer_id, actor=actor, sdp=sdp, ice=ice, id=id_), fresh
            )
        except BaseException:
            if fresh:
                await asyncio.shield(self._peers.remove(peer.id))
            raise

    async def restart(self, peer: Peer, fragment: str) -> tuple[Peer, str]:
        """The kiosk's fragment in answer to one that asks for an ICE restart. What is refused leaves all as it was.

        Raises:
            Declined: the kiosk refused.
            Unreachable: it did not answer in time.
        """
        return await self._exchange(peer, fragment, lambda id_: Restart(peer=peer.id, fragment=fragment, id=id_))

    async def _exchange(self, peer: Peer, sdp: str, say: Say, fresh: bool = False) -> tuple[Peer, str]:
        told = None
        for n in range(MAX_SAID):
            offer = secrets.token_hex(8)
            if fresh and not n:
                await self._peers.add(peer, offer)
            else:
                await self._peers.asks(peer.id, offer)
            if (told := await self._ask(peer, say(offer), offer)) is not None:
                break
        if not isinstance(told, AnswerSdp):
            await self._peers.gave_up(peer.id, offer)
            raise Declined(told) if told else Unreachable("the kiosk comes and goes")
        peer = _with_ice(peer, sdp)
        await self._peers.answered(peer, offer)
        return peer, told.sdp

    async def _ask(self, peer: Peer, asked: SignalDown, offer: str) -> SignalUp | None:
        """What the kiosk says to it; None: it has just come back, and may not have heard it."""
        waiting = self._waiting[peer.id] = Waiting(
            offer, peer.kiosk, peer.session, bool(peer.etag), asyncio.get_running_loop().create_future()
        )
        try:
            await self._kiosks.signal(peer.kiosk, peer.session, asked)
            if not await self._wait(waiting.answer, ANSWER_S):
                if await self._peers.gave_up(peer.id, offer) and isinstance(asked, Offer):
                    await tell_if_possible(self._kiosks.signal(peer.kiosk, peer.session, Bye(peer=peer.id)))
                raise Unreachable("the kiosk does not answer")
            return waiting.answer.result()
        finally:
            if self._waiting.get(peer.id) is waiting:  # else a newer offer of this peer is on its way
                del self._waiting[peer.id]

    async def peer(self, session_id: str, peer_id: str, person: str, way: Way = "page") -> Peer | None:
        """A peer of this person; somebody else's is not there."""
        peer = await self._peers.find(peer_id)
        if peer is None or peer.over:
            return None
        return peer if (peer.session, peer.person, peer.way) == (session_id, person, way) else None

    async def trickle(self, peer: Peer, candidates: list[tuple[str, str]]) -> None:
        """(mid, candidate) pairs; an empty candidate is the end of them."""
        for mid, candidate in candidates:
            told = Candidate(peer=peer.id, candidate=candidate, mid=mid)
            await self._kiosks.signal(peer.kiosk, peer.session, told)

    async def end(self, peer: Peer) -> None:
        """Hung up. Where the kiosk cannot be told now, it notices by itself within seconds."""
        await self._peers.remove(peer.id)
        await tell_if_possible(self._kiosks.signal(peer.kiosk, peer.session, Bye(peer=peer.id)))

    # --- from the follower --------------------------------------------------------------------------------------------

    async def signalled(self, kiosk: str, session_id: str, signal: SignalUp) -> None:
        waiting = self._waiting.get(signal.peer)
        if waiting and (waiting.kiosk, waiting.session) != (kiosk, session_id):
            return
        if signal.offer:
            if waiting and signal.offer == waiting.offer:  # else to an offer that a newer one has replaced
                waiting.hears(signal)
        elif waiting:
            if isinstance(signal, AnswerSdp) or not waiting.again:
                waiting.hears(signal)  # else it is the end of the connection that is being replaced
        elif isinstance(signal, Bye) and not await self._peers.is_asking(signal.peer):
            await self._gone(kiosk, session_id, signal)

    def kiosk_back(self, kiosk: str) -> None:
        """It has a new connection to the broker: what was said to it on the one before may be lost."""
        for waiting in self._waiting.values():
            if waiting.kiosk == kiosk:
                waiting.hears(None)

    async def sessions_ended(self, sessions: list[str]) -> None:
        """Their calls are over, so their peers are."""
        await self._peers.remove_of(sessions)

    async def _gone(self, kiosk: str, session_id: str, bye: Bye) -> None:
        """Every desk hears it and tells the person's pages that are open there. A page that was only lost on the way
        comes back under the same peer; what others had is forgotten."""
        peer = await self._peers.find(bye.peer)
        if peer is None or (peer.kiosk, peer.session) != (kiosk, session_id):
            return
        if not peer.over and (peer.way != "page" or bye.code != "unreachable"):
            await self._peers.end(peer.id)
        event = GoneEvent(peer.session, peer.id, bye.code, bye.text)
        self._hub.tell("gone", event, lambda listener: listener.person == peer.person)
