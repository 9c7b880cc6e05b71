"""The STUN and TURN servers that a participant and the kiosk are told for one call.

A TURN server's credential is either fixed (`credential_file`) or minted here for each asker and good for a time
(`secret_file`): the user name is "expiry:name", the password base64(HMAC-SHA1(secret, user name)), as coturn's
use-auth-secret and most providers take it. Whoever reads one learns nothing of the next.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from desk.config import IceServer
from kiosk.settings import read_secret
from kiosk.wire.messages import Ice


class IceServers:
    """Raises ConfigError where a secret cannot be read. `now` is wall time: the TURN server compares it to its own."""

    def __init__(self, servers: tuple[IceServer, ...], now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._servers = [(s, read_secret(s.credential_file), read_secret(s.secret_file)) for s in servers]

    def of(self, name: str) -> tuple[Ice, ...]:
        """As browsers want them, for the person or kiosk of this id."""
        return tuple(self._one(server, credential, secret, name) for server, credential, secret in self._servers)

    def links(self, name: str) -> str:
        """The value of a Link header (RFC 9725, 4.6); empty without servers."""
        return ", ".join(_link(url, server) for server in self.of(name) for url in server.urls)

    def _one(self, server: IceServer, credential: str, secret: str, name: str) -> Ice:
        if not secret:
            return Ice(server.urls, server.username, credential)
        username = f"{int(self._now() + server.lifetime_s)}:{name}"
        return Ice(server.urls, username, minted(secret, username))


def minted(secret: str, username: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()


def _link(url: str, server: Ice) -> str:
    link = f'<{url}>; rel="ice-server"'
    if server.username:
        link += f'; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
    return link
