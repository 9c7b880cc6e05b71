"""A link between kiosk and desk that is slow, breaks, or goes quiet: a TCP proxy, for tests and benchmarks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

READ = 64 * 1024


class BadLink:
    """`sent`: bytes that went up (to the desk), all of them. `cuts`: how often connections were broken.

    `bytes_per_s` holds for what goes up, for all connections together. `budget`: after so many bytes up the link is cut
    and the next budget begins; bytes beyond it are dropped, so it breaks at exactly that byte.
    """

    def __init__(self, port: int, bytes_per_s: float = 0.0) -> None:
        self._port = port
        self.bytes_per_s = bytes_per_s
        self._free_at_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self.budgets: list[int] = []
        self.quiet = False
        """Takes everything and hands on nothing."""
        self.sent = 0
        self.cuts = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def open(self, port: int = 0) -> AsyncIterator[BadLink]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=READ)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Breaks all connections, with what is in their buffers."""
        if self._writers:
            self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    async def cut_each(self, seconds: float) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(seconds)
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            desk_reader, desk_writer = await asyncio.open_connection("127.0.0.1", self._port, limit=READ)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, desk_writer}
        self._writers |= both
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(reader, desk_writer))
                group.create_task(self._down(desk_reader, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass  # one side is gone
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ):
            await self._pace(len(data))
            self.sent += len(data)
            if self.budgets:
                left = self.budgets[0]
                self.budgets[0] -= len(data)
                if len(data) >= left:
                    del self.budgets[0]
                    writer.write(data[:left])
                    await writer.drain()
                    self.cut()
                    return
            if not self.quiet:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ):
            if not self.quiet:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError

    async def _pace(self, size: int) -> None:
        if not self.bytes_per_s:
            return
        now_s = asyncio.get_running_loop().time()
        self._free_at_s = max(now_s, self._free_at_s) + size / self.bytes_per_s
        if self._free_at_s - now_s > 0.005:  # the loop's timers are no finer
            await asyncio.sleep(self._free_at_s - now_s)
