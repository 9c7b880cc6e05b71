"""How a request of ours is signed, and how its secret is kept. The form is that of "Standard Webhooks", so that
libraries of others verify it: HMAC-SHA-256 over `id.timestamp.body`, in base64, with the secret behind `whsec_`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from desk.boxes import Box

MARK = "whsec_"


def new_secret() -> str:
    return MARK + base64.b64encode(os.urandom(32)).decode()


def headers(secret: str, event: str, kind: str, body: bytes, now_s: float) -> dict[str, str]:
    """What goes with the body."""
    timestamp = str(int(now_s))
    return {
        "Content-Type": "application/json",
        "User-Agent": "desk-webhooks/1",
        "Desk-Event": kind,
        "Webhook-Id": event,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"v1,{signature(secret, event, timestamp, body)}",
    }


def signature(secret: str, event: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(MARK))
    signed = hmac.digest(key, b".".join((event.encode(), timestamp.encode(), body)), hashlib.sha256)
    return base64.b64encode(signed).decode()


class Sealed(Box):
    """Secrets as the database has them: whoever reads only that can sign nothing."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret, "webhook")
