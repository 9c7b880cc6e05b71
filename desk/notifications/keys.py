"""What seals addresses and subscriptions in the database, and the key by which push services know this desk (VAPID).

All of it hangs on the desk's signing secret, which is not in the database: a copy of the database alone writes to
nobody. Desks on one database have one secret, and so one push key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from desk.boxes import Box
from desk.database import Transactions, insert_missing
from desk.notifications.tables import PushKeyRow


class PlaceBox(Box):
    """Of addresses, subscriptions and keys."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret, "notifications")
        self.id = hmac.digest(secret, b"notifications id", hashlib.sha256).hex()[:16]
        """Says nothing of the secret, and which one it is."""


class PushKeys:
    def __init__(self, transactions: Transactions, box: PlaceBox) -> None:
        self._begin, self._read, self._box = transactions.begin, transactions.read, box

    @property
    def id(self) -> str:
        return self._box.id

    async def private(self) -> bytes:
        """32 bytes; made by whoever asks first."""
        async with self._read() as db:
            row = await db.get(PushKeyRow, self.id)
        if row is None:
            number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
            async with self._begin() as db:
                sealed = self._box.seal(self.id, f"{number:064x}")
                await insert_missing(db, PushKeyRow, id=self.id, sealed=sealed)
                row = await db.get_one(PushKeyRow, self.id)
        return bytes.fromhex(self._box.open(self.id, row.sealed))

    async def public(self) -> str:
        """What browsers subscribe with (`applicationServerKey`): base64url of 65 bytes."""
        key = ec.derive_private_key(int.from_bytes(await self.private(), "big"), ec.SECP256R1())
        return b64(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """
    Raises:
        ValueError: it is no base64url.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
