"""Which addresses the desk may connect to on somebody's wish: public ones, and of the others those that the settings
name. Whoever may type in an address must not reach through us what only we can reach (SSRF).

Pure. A name is looked up by the caller, who then connects to *that* address and not to the name: it could be another
one the next time it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
"""Leads to the IPv4 address in its last 32 bits (RFC 6052)."""
_NEVER = tuple(
    ip_network(n)
    for n in ("64:ff9b:1::/48", "fec0::/10", "192.88.99.0/24", "0.0.0.0/8", "169.254.169.254/32", "fd00:ec2::254/128")
)
"""What Python calls global and is not (RFC 8215, RFC 3879, RFC 7526); and where clouds keep a machine's credentials:
not even a setting opens those."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """
    Raises:
        ValueError: one is no network in the form of 10.0.0.0/8.
    """
    return tuple(ip_network(text) for text in texts)


def is_allowed(address: str, opened: Sequence[Network] = ()) -> bool:
    """Whether the desk may connect to this IP address. `opened`: networks of the site that it may reach as well."""
    try:
        ips = _meant(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    return all(_is_public(ip) or is_opened(str(ip), opened) for ip in ips)


def is_opened(address: str, opened: Sequence[Network]) -> bool:
    """Whether a setting opens it: then it is the site's own."""
    ip = ip_address(address.partition("%")[0])
    return any(ip.version == n.version and ip in n for n in opened) and not _in(ip, _NEVER)


def web_target(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of a web address.

    Raises:
        ValueError: it is none, or holds a user name or a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("not an address of the form https://host/path")
    if not url.isprintable() or any(c.isspace() or c == "\\" for c in url):
        raise ValueError("not an address of the form https://host/path")
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _meant(ip: Address) -> tuple[Address, ...]:
    """The address, and the IPv4 address that is wrapped in it."""
    if isinstance(ip, IPv4Address):
        return (ip,)
    if ip in _NAT64:
        return (IPv4Address(int(ip) & 0xFFFFFFFF),)
    if ip.ipv4_mapped:
        return (ip.ipv4_mapped,)
    wrapped = [ip.sixtofour, *(ip.teredo or ())]
    return (ip, *(one for one in wrapped if one))


def _is_public(ip: Address) -> bool:
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or _in(ip, _NEVER))


def _in(ip: Address, among: Iterable[Network]) -> bool:
    return any(ip.version == n.version and ip in n for n in among)
