"""A push service of the tests' own, over TLS: it believes nobody without a signature (RFC 8292), and hands what comes
to the browser that it is for, which decrypts it (RFC 8291). Beside it a web hook and a mail server for Apprise."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import http_ece  # type: ignore[import-untyped]  # has no types
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Pushed:
    """What one notification brought, decrypted, and under which headers."""

    content: dict[str, Any]
    headers: dict[str, str]
    claims: dict[str, Any]


@dataclass
class Browser:
    """One that has subscribed. `answer`: the status that its push service gives from now on, after `stalls_s`."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))
    answer: int = 201
    more: dict[str, str] = field(default_factory=dict)
    stalls_s: float = 0.0
    got: list[Pushed] = field(default_factory=list)
    tried: int = 0

    @property
    def said(self) -> list[str]:
        return [pushed.content["title"] for pushed in self.got]

    @property
    def subscription(self) -> dict[str, str]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": self.endpoint, "p256dh": b64(point), "auth": b64(self.auth)}

    def take(self, body: bytes, headers: dict[str, str], origin: str) -> None:
        kind, _, rest = headers["authorization"].partition(" ")
        parts = dict(part.split("=", 1) for part in rest.split(","))
        assert kind == "vapid"
        claims = _claims(parts["t"], parts["k"])
        assert claims["aud"] == origin, "a signature for another push service"
        assert time.time() < claims["exp"] < time.time() + 86400, "RFC 8292: at most a day"
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        self.got.append(Pushed(json.loads(plain), headers, {**claims, "key": parts["k"]}))


def _claims(token: str, key: str) -> dict[str, Any]:
    """
    Raises:
        joserfc's errors: the signature is not by this key.
    """
    point = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point).public_numbers()
    numbers = {"x": b64(public.x.to_bytes(32, "big")), "y": b64(public.y.to_bytes(32, "big"))}
    return dict(jwt.decode(token, ECKey.import_key({"kty": "EC", "crv": "P-256", **numbers}), ["ES256"]).claims)


class Service(ThreadingHTTPServer):
    """/push/NAME is a browser's endpoint, /hook takes JSON, /away leads to `leads_to`."""

    daemon_threads = True

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.browsers: dict[str, Browser] = {}
        self.hooked: list[dict[str, Any]] = []
        self.leads_to = ""

    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up: expected."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def hook(self) -> str:
        """As Apprise wants it."""
        return f"jsons://127.0.0.1:{self.port}/hook"

    def browser(self, name: str) -> Browser:
        self.browsers[name] = Browser(f"{self.url}/push/{name}")
        return self.browsers[name]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        service = cast(Service, self.server)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path.startswith("/hook"):
            service.hooked.append(json.loads(body))
            return self._say(200)
        if self.path.startswith("/away"):
            return self._say(307, {"Location": service.leads_to})
        browser = service.browsers[self.path.rpartition("/")[2]]
        browser.tried += 1
        if browser.stalls_s:
            time.sleep(browser.stalls_s)
        if browser.answer == 201:
            browser.take(body, {name.lower(): value for name, value in self.headers.items()}, service.url)
        return self._say(browser.answer, browser.more)

    def _say(self, status: int, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextlib.contextmanager
def running_service(folder: Path) -> Iterator[Service]:
    """Whoever should believe its certificate needs `ca_of(folder)` in REQUESTS_CA_BUNDLE."""
    service = Service(*_certificate(folder))
    thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()
        thread.join()


def ca_of(folder: Path) -> Path:
    return folder / "push.crt"


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "push service of a test")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = folder / "push.key"
    place.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    ca_of(folder).write_bytes(made.public_bytes(Encoding.PEM))
    return ca_of(folder), place


# --- mail -------------------------------------------------------------------------------------------------------------


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail (RFC 5321, as much of it as that needs)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.mails: list[tuple[list[str], EmailMessage]] = []

    @property
    def address(self) -> str:
        """As Apprise wants it, without a recipient."""
        return f"mailto://127.0.0.1:{self.server_address[1]}?from=desk@desk.example&mode=insecure"


class _Mail(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        to: list[str] = []
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            match line.split(" ")[0].upper():
                case "EHLO":
                    self._say("250 8BITMIME")
                case "RCPT":
                    to.append(line.partition("<")[2].partition(">")[0])
                    self._say("250 OK")
                case "DATA":
                    self._say("354 go on")
                    content = b"".join(iter(self.rfile.readline, b".\r\n"))
                    mail = message_from_bytes(content, policy=policy.default)
                    cast(MailServer, self.server).mails.append((to, mail))
                    self._say("250 OK")
                case "QUIT":
                    return self._say("221 bye")
                case _:
                    self._say("250 OK")
        return None

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextlib.contextmanager
def running_mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
