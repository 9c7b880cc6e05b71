"""A TURN server of our own: Debian's coturn on loopback, with a shared secret and a certificate made for it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from desk.calls.ice import minted
from kiosk.demo.site import free_ports
from kiosk.wire.messages import Ice

SECRET = "north-north-west"

CONFIGURATION = """\
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={plain}
tls-listening-port={tls}
min-port=20000
max-port=29999
use-auth-secret
static-auth-secret={secret}
realm=site
cert={folder}/turn.pem
pkey={folder}/turn.key
no-dtls
no-multicast-peers
allow-loopback-peers
cli-ip=127.0.0.1
cli-port={cli}
cli-password=of-no-use
userdb={folder}/turn.sqlite
pidfile={folder}/turn.pid
log-file=stdout
simple-log
"""
"""As docs/turn.md has it, but for what only a test on loopback needs: loopback peers, and for them a password."""


@dataclass(frozen=True, slots=True)
class Turn:
    plain: int
    tls: int
    ca_file: str

    def url(self, way: str) -> str:
        """udp, tcp or tls"""
        if way == "tls":
            return f"turns:127.0.0.1:{self.tls}?transport=tcp"
        return f"turn:127.0.0.1:{self.plain}?transport={way}"

    def server(self, *ways: str, name: str = "kiosk-1", lifetime_s: int = 600, secret: str = SECRET) -> Ice:
        username = f"{int(time.time()) + lifetime_s}:{name}"
        return Ice(tuple(self.url(way) for way in ways), username, minted(secret, username))


@contextlib.asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[Turn]:
    program = shutil.which("turnserver", path="/usr/bin:/usr/sbin:/usr/local/bin:/opt/homebrew/bin")
    assert program, "turnserver is not installed: make turnserver"
    plain, tls, cli = free_ports(3)
    certificate(folder)
    path = folder / "turn.conf"
    path.write_text(CONFIGURATION.format(plain=plain, tls=tls, cli=cli, folder=folder, secret=SECRET))
    process = await asyncio.create_subprocess_exec(
        *(program, "-c", str(path)), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _listens(tls)
        yield Turn(plain, tls, str(folder / "turn.pem"))
    finally:
        process.kill()
        await process.wait()


def certificate(folder: Path) -> None:
    """turn.pem and turn.key: a server of the name 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turn.test")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "turn.pem").write_bytes(made.public_bytes(pem))
    (folder / "turn.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


async def _listens(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError, ssl.SSLError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


def deaf_port() -> tuple[socket.socket, int]:
    """A UDP port where somebody listens who never answers."""
    deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    deaf.bind(("127.0.0.1", 0))
    return deaf, int(deaf.getsockname()[1])
