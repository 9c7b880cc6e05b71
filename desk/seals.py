"""Signed tokens: sign-in links, upload, viewer and guest tokens. Nothing has to be looked up to believe one.

A token is `body.signature`, both base64url; the body is JSON with an expiry. Each purpose signs with a key of its own,
so that a token of one purpose is worth nothing for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from kiosk.session.record import ArtifactKind

T = TypeVar("T", bound=Struct)
Purpose = Literal["enter", "known", "enrol", "sso", "upload", "viewer", "guest"]
MAX_TOKEN = 900


class Enter(Struct, frozen=True, array_like=True):
    """A sign-in link: good once."""

    person: str
    nonce: str
    expires_s: int


class Known(Struct, frozen=True, array_like=True):
    """Marks a browser in which this person was signed in before."""

    person: str
    mark: str
    expires_s: int


class Enrol(Struct, frozen=True, array_like=True):
    """A second factor that is being set up: its secret, until the first code proves that an app has it."""

    person: str
    secret: str
    expires_s: int


class Sso(Struct, frozen=True, array_like=True):
    """A way to the provider of single sign-on and back, in the cookie of the browser that went."""

    state: str
    nonce: str
    verifier: str
    to: str
    expires_s: int


class Grant(Struct, frozen=True, array_like=True):
    """Good for the upload of one artifact with this content, and nothing else."""

    kiosk: str
    session: str
    artifact: str
    sha256: str
    bytes: int
    kind: ArtifactKind
    content_type: str
    expires_s: int


class Viewer(Struct, frozen=True, array_like=True):
    """Lets any WebRTC client into one session in a person's name: to see it, and with `talk` to be seen and heard."""

    session: str
    person: str
    expires_s: int
    talk: bool = False


class Guest(Struct, frozen=True, array_like=True):
    """Lets whoever has it see what is public of one session."""

    session: str
    expires_s: int


class BadSeal(Exception):
    """Forged, damaged, expired, or made for something else: told apart for nobody."""


class Seals:
    """Signs and believes. `now` is wall time in seconds: expiries must mean the same to every desk."""

    def __init__(self, secret: bytes, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._now = now

    def until(self, seconds: float) -> int:
        """The expiry that many seconds from now."""
        return int(self._now() + seconds)

    def seal(self, purpose: Purpose, claims: Struct) -> str:
        body = _b64(msgspec.json.encode(claims))
        return f"{body}.{_b64(self._signature(purpose, body))}"

    def open(self, purpose: Purpose, token: str, kind: type[T]) -> T:
        """What was sealed.

        Raises:
            BadSeal: it is not one of ours, not for this, or over.
        """
        body, _, signature = token[:MAX_TOKEN].partition(".")
        try:
            good = hmac.compare_digest(_unb64(signature), self._signature(purpose, body))
            claims = msgspec.json.decode(_unb64(body), type=kind) if good else None
        except (binascii.Error, ValueError) as error:  # msgspec's and Unicode's errors are ValueErrors
            raise BadSeal from error
        if claims is None or getattr(claims, "expires_s", 0) <= self._now():
            raise BadSeal
        return claims

    def _signature(self, purpose: Purpose, body: str) -> bytes:
        key = hmac.digest(self._secret, purpose.encode(), hashlib.sha256)
        return hmac.digest(key, body.encode(), hashlib.sha256)


def fingerprint(token: str) -> str:
    """What is kept of a token of 256 random bits: it needs no slow hash."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    """Strict: one spelling for each content, so that a token has no second form."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _b64(raw) != text:
        raise ValueError("not the canonical spelling")
    return raw
