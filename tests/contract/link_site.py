"""The kiosk's side of the wire as it is (a real book, a real link, a real broker), without camera and display."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from kiosk.book.book import Book
from kiosk.link.client import Client, Settings
from kiosk.link.link import Link, presence_will
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import SYSTEM, Device, Person
from kiosk.wire import topics
from kiosk.wire.messages import About

KIOSK = "kiosk-1"
ANNA = Person("anna", "Anna Berg")
DEVICE = Device("press-7", "Press 7")


class Kiosk:
    def __init__(self, book: Book, client: Client, boot: str) -> None:
        self.book = book
        self.link = Link(
            client,
            book,
            kiosk=KIOSK,
            boot=boot,
            about=About(DEVICE, "1", "test"),
            seen=self._seen,
            stored=self._stored,
            changed=lambda: None,
        )

    async def _seen(self, session_id: str, person: Person) -> None:
        await self.book.put(session_id, do.Seen(person), SYSTEM)

    async def _stored(self, session_id: str, artifact: str, sha256: str) -> None:
        await self.book.put(session_id, do.Uploaded(artifact, sha256), SYSTEM)


@contextlib.asynccontextmanager
async def running_kiosk(folder: Path, connection: dict[str, Any], boot: str = "boot-1") -> AsyncIterator[Kiosk]:
    """`connection`: host, port and the credential, as in kiosk.link.client.Settings."""
    book = await Book.open(folder / "book.json", KIOSK, DEVICE, Provider(staff=(ANNA,)))
    settings = Settings(
        client_id=KIOSK, filters=(topics.kiosk_filter(KIOSK),), will=presence_will(KIOSK, boot), **connection
    )
    async with Client(settings) as client:
        kiosk = Kiosk(book, client, boot)
        task = asyncio.create_task(kiosk.link.run())
        try:
            yield kiosk
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    await book.close()


async def _alone(folder: Path, port: int, password: str, keepalive_s: int) -> None:
    connection = {"host": "127.0.0.1", "port": port, "username": KIOSK, "password": password}
    async with running_kiosk(folder, {**connection, "keepalive_s": keepalive_s}):
        await asyncio.Event().wait()


if __name__ == "__main__":  # a process of its own, that a test may freeze
    asyncio.run(_alone(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_text(), int(sys.argv[4])))
