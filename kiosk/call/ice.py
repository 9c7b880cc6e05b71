"""How a connection finds its way through NAT and firewalls: over which STUN and TURN servers, or over those alone."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from kiosk.config import CallSettings
from kiosk.errors import ConfigError
from kiosk.settings import read_secret
from kiosk.wire.messages import Ice


@dataclass(frozen=True, slots=True)
class Ways:
    """servers: in the order of preference. relay_only: nothing but relayed ways, so that nobody learns our addresses.

    trust: for TURN over TLS; None: the authorities that the system knows.
    """

    servers: tuple[Ice, ...] = ()
    relay_only: bool = False
    loopback: bool = False
    trust: ssl.SSLContext | None = None

    def told(self, servers: tuple[Ice, ...]) -> Ways:
        """With what the desk told for one connection, unless the kiosk's own settings name servers."""
        return self if self.servers else Ways(servers, self.relay_only, self.loopback, self.trust)

    def urls(self, *schemes: str) -> list[tuple[str, Ice]]:
        """(URL, its server) of all of these schemes."""
        return [(url, s) for s in self.servers for url in s.urls if url.partition(":")[0].lower() in schemes]


def own_ways(settings: CallSettings) -> Ways:
    """What the kiosk's settings say.

    Raises:
        ConfigError: the password or the certificate cannot be read.
    """
    servers = [Ice((settings.stun,))] if settings.stun else []
    if settings.turn:
        servers.append(Ice((settings.turn,), settings.turn_user, read_secret(settings.turn_password_file)))
    return Ways(tuple(servers), settings.relay_only, settings.loopback, _trust(settings.turn_ca_file))


def _trust(ca_file: str) -> ssl.SSLContext | None:
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"call.turn_ca_file: {ca_file}: {error.strerror or error}") from error
