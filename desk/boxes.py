"""What must not be readable in the database alone: sealed with a key of the signing secret, for each purpose its own.

Desks on one database have one secret. With another one nothing that was sealed can be opened: it must be entered anew.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Box:
    def __init__(self, secret: bytes, purpose: str) -> None:
        self._box = AESGCM(hmac.digest(secret, purpose.encode(), hashlib.sha256))

    def seal(self, row: str, content: str) -> bytes:
        """For one row: what is moved to another cannot be opened there."""
        nonce = os.urandom(_NONCE)
        return nonce + self._box.encrypt(nonce, content.encode(), row.encode())

    def open(self, row: str, sealed: bytes) -> str:
        """Empty where it was sealed with another secret, for another purpose or for another row."""
        try:
            return self._box.decrypt(sealed[:_NONCE], sealed[_NONCE:], row.encode()).decode()
        except (InvalidTag, ValueError):
            return ""
