"""Gathering of candidates, in place of aioice's: any number of TURN servers at once, and no waiting for dead ones.

aiortc takes one STUN and one TURN server, swallows what a server refuses with, and waits for the slowest. Here all are
asked together; as soon as one has answered, the others have GRACE_S left.
tests/contract/test_turn.py fails where a name used here is gone or means something else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aioice import ice as aioice
from aioice import stun
from aiortc import RTCPeerConnection
from aiortc.rtcicetransport import parse_stun_turn_uri

from kiosk.call.ice import Ways
from kiosk.wire.messages import Ice

log = logging.getLogger(__name__)

GRACE_S = 0.6
DIRECT_LIMIT_S = 2.0
"""With addresses of our own to offer; without any, the caller's limit holds."""
UNAUTHORIZED = 401

RelayTold = Callable[[str], None]
"""What is wrong with the TURN servers, in words; empty where one of them works."""


def gather_over(
    connection: RTCPeerConnection, ways: Ways, limit_s: float, told: RelayTold = lambda trouble: None
) -> None:
    """For this connection only. Before the local description is set: that is when candidates are gathered."""
    for agent in agents(connection):
        gather_for(agent, ways, limit_s, told)


def gather_for(agent: Any, ways: Ways, limit_s: float, told: RelayTold = lambda trouble: None) -> None:
    """For one aioice Connection."""
    agent.get_component_candidates = _Gatherer(agent, ways, limit_s, told).gather


def transports(connection: RTCPeerConnection) -> list[Any]:
    """aiortc's RTCIceTransports: one, where the sections are bundled."""
    return [d.transport for d in _dtls(connection)]


def agents(connection: RTCPeerConnection) -> list[Any]:
    """aioice's Connection of each transport."""
    return [t.iceGatherer._connection for t in transports(connection)]


def received(connection: RTCPeerConnection) -> int:
    """How many packets have come over it, media and data channels."""
    return sum(int(d._RTCDtlsTransport__rx_packets) for d in _dtls(connection))


async def answers(connection: RTCPeerConnection) -> bool:
    """Whether the other side still takes what we send: asked over the present way (RFC 7675), twice within 1.5 s."""
    for agent in agents(connection):
        for pair in agent._nominated.values():
            key, question = agent.remote_password.encode(), agent.build_request(pair, nominate=False)
            try:
                await pair.protocol.request(question, pair.remote_addr, integrity_key=key, retransmissions=1)
            except (stun.TransactionError, OSError):
                continue
            return True
    return False


async def abort(connection: RTCPeerConnection) -> None:
    """Closes the sockets of a connection whose orderly `close` did not end in time."""
    for agent in agents(connection):
        await agent.close()


def _dtls(connection: RTCPeerConnection) -> list[Any]:
    """aiortc's DTLS transports: one, where the sections are bundled."""
    dtls = [t.receiver.transport for t in connection.getTransceivers()]
    if connection.sctp is not None:
        dtls.append(connection.sctp.transport)
    return list({id(d): d for d in dtls}.values())


@dataclass(slots=True)
class _Turn:
    """One TURN address, taken apart."""

    url: str
    host: str
    port: int
    transport: str
    tls: bool
    username: str
    password: str


class _Gatherer:
    def __init__(self, agent: Any, ways: Ways, limit_s: float, told: RelayTold) -> None:
        self._agent, self._ways, self._limit_s, self._told = agent, ways, limit_s, told
        self._hosts = agent.get_component_candidates  # with our addresses it opens the sockets

    async def gather(self, component: int, addresses: list[str], timeout: int = 5) -> list[Any]:  # noqa: ASYNC109 - aioice's own signature
        agent = self._agent
        agent.stun_server = agent.turn_server = None
        if self._ways.relay_only:
            addresses = []
        elif self._ways.loopback and "127.0.0.1" not in addresses:
            addresses = [*addresses, "127.0.0.1"]
        found: list[Any] = await self._hosts(component=component, addresses=addresses, timeout=timeout)
        limit_s = min(self._limit_s, DIRECT_LIMIT_S) if found else self._limit_s
        return found + await self._ask(component, limit_s)

    async def _ask(self, component: int, limit_s: float) -> list[Any]:
        """All servers at once; what has answered in time."""
        stuns = [] if self._ways.relay_only else self._stun_queries()
        turns = turn_servers(self._ways)
        relays = {t: asyncio.create_task(self._relay(component, server)) for t, server in enumerate(turns)}
        tasks = [*stuns, *relays.values()]
        if not tasks:
            return []
        await _some(tasks, limit_s)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, tuple) and outcome[1] is not None:
                self._agent._protocols.append(outcome[1])
        self._tell([(turns[t], task) for t, task in relays.items()])
        return [outcome[0] for outcome in outcomes if isinstance(outcome, tuple)]

    def _stun_queries(self) -> list[asyncio.Task[Any]]:
        """IPv4 only, as aioice has it."""
        urls = [url for url, _ in self._ways.urls("stun")][:1]
        places = [(p["host"], p["port"]) for p in map(_parsed, urls) if p]
        sockets = [p for p in self._agent._protocols if ipaddress.ip_address(p.local_candidate.host).version == 4]
        return [
            asyncio.create_task(aioice.server_reflexive_candidate(protocol, place))
            for place in places
            for protocol in sockets
        ]

    async def _relay(self, component: int, turn: _Turn) -> Any:
        return await aioice.relayed_candidate(
            component=component,
            hide_related_address=self._ways.relay_only,
            protocol_factory=lambda: aioice.StunProtocol(self._agent),
            turn_server=(turn.host, turn.port),
            turn_username=turn.username,
            turn_password=turn.password,
            turn_ssl=(self._ways.trust or True) if turn.tls else False,  # type: ignore[arg-type]  # asyncio takes a context as well
            turn_transport=turn.transport,
        )

    def _tell(self, asked: list[tuple[_Turn, asyncio.Task[Any]]]) -> None:
        troubles = [f"{turn.url}: {_words(task)}" for turn, task in asked if task.cancelled() or task.exception()]
        if asked:
            self._told("; ".join(troubles) if len(troubles) == len(asked) else "")


async def _some(tasks: list[asyncio.Task[Any]], limit_s: float) -> None:
    """Until all are done, the limit is over, or one has succeeded and the others have had their grace."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + limit_s
    waiting = set(tasks)
    while waiting and loop.time() < end_s:
        done, waiting = await asyncio.wait(waiting, timeout=end_s - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        if any(task.exception() is None for task in done):
            end_s = min(end_s, loop.time() + GRACE_S)


def turn_servers(ways: Ways) -> list[_Turn]:
    """Those that can be used; a strange address is left out, and logged."""
    found = []
    for url, server in ways.urls("turn", "turns"):
        parsed = _parsed(url)
        tls = url.lower().startswith("turns:")
        if parsed and parsed["transport"] in (("tcp",) if tls else ("udp", "tcp")):
            found.append(_turn(url, parsed, tls, server))
    return found


def _turn(url: str, parsed: dict[str, Any], tls: bool, server: Ice) -> _Turn:
    return _Turn(url, parsed["host"], parsed["port"], parsed["transport"], tls, server.username, server.credential)


def _parsed(url: str) -> dict[str, Any] | None:
    try:
        parsed: dict[str, Any] = parse_stun_turn_uri(url)
    except ValueError:
        log.warning("%r is no address of a STUN or TURN server", url[:200])
        return None
    return parsed


def _words(task: asyncio.Task[Any]) -> str:
    """What is wrong, for somebody who can mend it."""
    error = None if task.cancelled() else task.exception()
    match error:
        case None | stun.TransactionTimeout() | TimeoutError():
            return "it does not answer"
        case stun.TransactionFailed() if error.response.error_code == UNAUTHORIZED:
            return "it refuses our credential (wrong, or its time is over)"
        case stun.TransactionFailed():
            return f"it refuses: {error}"
        case ssl.SSLCertVerificationError():
            return "its certificate is not trusted (call.turn_ca_file)"
        case _:
            return str(error) or type(error).__name__
