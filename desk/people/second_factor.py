"""The second factor: time-based codes (RFC 6238) of an app, and recovery codes for when the phone is gone.

Secrets are sealed with a key of the desk's signing secret: whoever reads only the database has none of them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets

import pyotp
import segno

from desk.boxes import Box

STEP_S = 30
WINDOW = 1
"""So many steps may a phone's clock be off, either way."""
RECOVERY_CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class SecondFactor(Box):
    def __init__(self, secret: bytes) -> None:
        super().__init__(secret, "second factor")
        self._key = hmac.digest(secret, b"recovery code", hashlib.sha256)

    def recovery_hash(self, account: str, code: str) -> str:
        plain = "".join(c for c in code.casefold() if c in LETTERS)
        return hmac.new(self._key, f"{account} {plain}".encode(), hashlib.sha256).hexdigest()


def new_secret() -> str:
    return pyotp.random_base32()


def new_recovery_code() -> str:
    """12 letters (59 bits), in fours and without those that look alike."""
    letters = [secrets.choice(LETTERS) for _ in range(12)]
    return "-".join("".join(letters[n : n + 4]) for n in (0, 4, 8))


def step_of(secret: str, code: str, after: int, now_s: float) -> int:
    """The time step whose code this is, later than `after`; 0 for none: wrong, over, or used before."""
    digits = "".join(code.split())
    if not (secret and digits.isascii() and digits.isdecimal()):
        return 0
    totp, here = pyotp.TOTP(secret, interval=STEP_S), int(now_s // STEP_S)
    fitting = [s for s in range(here - WINDOW, here + WINDOW + 1) if hmac.compare_digest(totp.generate_otp(s), digits)]
    return next((step for step in fitting if step > after), 0)


def address_of_secret(secret: str, name: str) -> str:
    """What an app reads from the QR code."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=name, issuer_name="Desk")


def qr_code(text: str) -> str:
    """An SVG as a data URI."""
    picture = io.BytesIO()
    segno.make(text, error="m").save(picture, kind="svg", xmldecl=False, border=3, light="#fff", dark="#000")
    return "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode()
