"""Requests to addresses that somebody has typed in: only to where the desk may connect (desk.addresses), which is
judged of the IP address that is then connected to. No redirection is followed, and nothing of an answer is read but its
status and when to come again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

from desk.addresses import Network, is_allowed, is_opened, web_target

CONNECT_S, ANSWER_S = 5.0, 10.0
TOTAL_S = 20.0
MOST_ADDRESSES = 3

Code = Literal["address", "private", "name", "timeout", "tls", "connection"]
Resolve = Callable[[str, int], Awaitable[list[str]]]


class Unsent(Exception):
    """There was no answer. `code`: address (that is none), private (not opened by the settings), name (not known),
    timeout, tls, connection."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """`retry_after`: the header as it came; empty: there was none."""

    status: int
    retry_after: str = ""


async def resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


class Outgoing:
    """One for the program; `close` at its end. `ca_file`: whom to believe beside those that the system does."""

    def __init__(self, opened: Sequence[Network], ca_file: str = "", lookup: Resolve = resolve) -> None:
        self._opened = opened
        self._lookup = lookup
        trust = ssl.create_default_context()
        if ca_file:
            trust.load_verify_locations(ca_file)
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        self._client = httpx.AsyncClient(verify=trust, timeout=timeout, trust_env=False, follow_redirects=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def place(self, url: str) -> tuple[str, list[str]]:
        """(host, the IP addresses that may be connected to).

        Raises:
            Unsent: address, private, name.
        """
        try:
            scheme, host, port = web_target(url)
        except ValueError as error:
            raise Unsent("address") from error
        try:
            addresses = await self._lookup(host, port)
        except (OSError, UnicodeError) as error:
            raise Unsent("name") from error
        allowed = [one for one in addresses if is_allowed(one, self._opened)]
        if scheme == "http":  # in plain words only where it stays with the site
            allowed = [one for one in allowed if is_opened(one, self._opened)]
        if not allowed:
            raise Unsent("private")
        return host, allowed

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        """
        Raises:
            Unsent: there was none.
        """
        try:
            async with asyncio.timeout(TOTAL_S):
                host, addresses = await self.place(url)
                return await self._post_to_any(httpx.URL(url), host, addresses[:MOST_ADDRESSES], body, headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unsent("timeout") from error
        except httpx.InvalidURL as error:
            raise Unsent("address") from error
        except httpx.TransportError as error:
            raise Unsent("tls" if _is_of_tls(error) else "connection") from error

    async def _post_to_any(
        self, url: httpx.URL, host: str, addresses: Sequence[str], body: bytes, headers: dict[str, str]
    ) -> Answer:
        """Not every address of a name can be reached from everywhere."""
        for address in addresses[:-1]:
            with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._post(url, host, address, body, headers)
        return await self._post(url, host, addresses[-1], body, headers)

    async def _post(self, url: httpx.URL, host: str, address: str, body: bytes, headers: dict[str, str]) -> Answer:
        """The address is what is connected to; the name is what is asked for, and what its certificate must say."""
        named = {**headers, "Host": url.netloc.decode()}
        place = url.copy_with(host=address)
        extensions = {} if address == host else {"sni_hostname": host}
        sent = self._client.stream("POST", place, content=body, headers=named, extensions=extensions)
        async with sent as answer:
            return Answer(answer.status_code, answer.headers.get("Retry-After", ""))


def _is_of_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
