"""The way to one participant: its RTCPeerConnection, candidates, restarts of ICE, whether anything still comes over it.

What goes over it is participant.py's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtcconfiguration import RTCBundlePolicy, RTCIceTransportPolicy
from aiortc.sdp import candidate_from_sdp

from kiosk.call.aiortc_hooks_dtls import CallCertificate, show
from kiosk.call.aiortc_hooks_ice import abort, answers, gather_over, received
from kiosk.call.aiortc_hooks_restart import Restart
from kiosk.call.ice import Ways
from kiosk.call.offer import read_fragment
from kiosk.errors import Malformed, WrongState

log = logging.getLogger(__name__)

GATHER_LIMIT_S = 4.0
"""The desk waits ten seconds for an answer; a STUN or TURN server that is not there must not use them up."""
CLOSE_LIMIT_S = 1.5


class Way:
    """From the loop only. `run` is its task; `close` whatever happened."""

    def __init__(self, peer: str, ways: Ways, certificate: CallCertificate, now: Callable[[], float]) -> None:
        self._peer, self._ways, self._now = peer, ways, now
        self.connection = RTCPeerConnection(_configuration(ways))
        show(self.connection, certificate)
        self._restart: Restart | None = None
        self._packets, self._packet_s, self._answered_s = 0, 0.0, 0.0
        self._in_doubt = asyncio.Event()
        self._closed = False

    def gather(self, told: Callable[[str], None]) -> None:
        """Before the local description is set. told: what is wrong with the TURN servers, or ""."""
        gather_over(self.connection, self._ways, GATHER_LIMIT_S, told)

    async def add_candidate(self, candidate: str, mid: str) -> None:
        """A trickled candidate; an empty one is the end of them. May wait for a name to be resolved.

        Raises:
            Malformed: it is none.
        """
        try:
            if self._restart is not None:
                await self._restart.add(candidate)
                return
            parsed = candidate_from_sdp(candidate.removeprefix("candidate:")) if candidate else None
            if parsed is not None:
                parsed.sdpMid = mid
            if not self._closed:
                await self.connection.addIceCandidate(parsed)
        except (ValueError, AssertionError, IndexError, OSError) as error:
            raise Malformed(f"not a candidate: {error}") from error

    async def restart(self, fragment: str) -> str:
        """Another way for the same connection: the participant's fragment answered by ours.

        Raises:
            Malformed: it is none that asks for that.
            WrongState: there is no connection yet, or not any more.
        """
        remote = read_fragment(fragment)
        if self._restart is not None:
            await self._restart.close()
        restart = self._restart = Restart(self.connection, self._ways, GATHER_LIMIT_S)
        own = await restart.gather()
        if self._closed:
            await restart.close()
            raise WrongState("the connection is over")
        restart.begin(remote)
        return own.sdp(self.connection.localDescription.sdp.partition("a=mid:")[2].split()[0])

    # --- whether anything comes -------------------------------------------------------------------------------------

    @property
    def heard_s(self) -> float:
        """When a packet or an answer to `doubt` came last, as far as it was asked each second; 0: never."""
        packets = received(self.connection)
        if packets != self._packets:
            self._packets, self._packet_s = packets, self._now()
        return max(self._packet_s, self._answered_s)

    def doubt(self) -> None:
        """Asks the other side whether it is there."""
        self._in_doubt.set()

    async def run(self) -> None:
        """Asks, whenever there is doubt."""
        while True:
            await self._in_doubt.wait()
            self._in_doubt.clear()
            if await answers(self.connection):
                self._answered_s = self._now()

    # --- its end ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Frees everything, within CLOSE_LIMIT_S."""
        self._closed = True
        self.connection.remove_all_listeners()
        closing = asyncio.create_task(self._close(), name=f"call-close-{self._peer}")
        await asyncio.wait({closing}, timeout=CLOSE_LIMIT_S)
        if not closing.done():
            log.warning("participant %s: its connection does not close; its sockets are taken away", self._peer)
            closing.cancel()
            await abort(self.connection)

    async def _close(self) -> None:
        if self._restart is not None:
            await self._restart.close()
        await self.connection.close()


def _configuration(ways: Ways) -> RTCConfiguration:
    """Without servers (aiortc asks Google's where it is given no list): aiortc_hooks_ice.py asks ours.

    max-compat: each section gets a transport of its own at first, which aiortc then bundles right for any order of
    sections; with the other policies it loses one where sections of a kind are repeated.
    """
    policy = RTCIceTransportPolicy.RELAY if ways.relay_only else RTCIceTransportPolicy.ALL
    return RTCConfiguration(iceServers=[], iceTransportPolicy=policy, bundlePolicy=RTCBundlePolicy.MAX_COMPAT)
