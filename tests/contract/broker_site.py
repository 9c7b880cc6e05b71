"""A real Mosquitto under the configuration that `kiosk broker-config` writes, and who talks to it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from kiosk.demo.site import free_ports
from kiosk.fleet import broker
from kiosk.fleet.broker import Accounts
from kiosk.fleet.site_broker import write_with_authority
from kiosk.link.client import Client, Incoming, Settings

KIOSKS = ("kiosk-1", "kiosk-2")
FLEET = "fleet-1"
EVERYTHING = ("#", "kiosk/1/#", "kiosk/1/+/up/#", "kiosk/1/+/down/#", "kiosk/1/+/presence")


class Mosquitto:
    """`settings` are those that somebody who has the credential would use."""

    def __init__(self, folder: Path, *, tls: bool) -> None:
        self.folder, self.tls = folder, tls
        self.port, self.staff_port = free_ports(2)
        self._process: asyncio.subprocess.Process | None = None
        self.configure()

    def configure(self, kiosks: tuple[str, ...] = KIOSKS, revoke: tuple[str, ...] = ()) -> None:
        if self.tls:
            ports = {"port": self.port, "staff_port": self.staff_port}
            accounts = Accounts(kiosks, fleet=(FLEET,))
            self.configuration = write_with_authority(
                self.folder, accounts, ("127.0.0.1",), **ports, user=getpass.getuser(), revoke=revoke
            )
        else:
            self.configuration = broker.write_configuration(self.folder, self.port, list(kiosks), fleet=(FLEET,))

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            broker.find_mosquitto(), "-c", str(self.configuration), stderr=asyncio.subprocess.DEVNULL
        )
        await listens(self.port)

    async def kill(self) -> None:
        if self._process:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    def reload(self) -> None:
        """As `systemctl reload` does."""
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    def settings(self, name: str, filters: tuple[str, ...], **more: Any) -> Settings:
        if not self.tls:
            return self._by_password(name, filters, self.port, "", more)
        if name not in KIOSKS:
            return self._by_password(name, filters, self.staff_port, str(self.folder / "ca.pem"), more)
        own = self.folder / "kiosks" / name
        values: dict[str, Any] = {
            "client_id": name,
            "username": name,  # as kiosk.app has it; the certificate's counts
            "ca_file": str(own / "ca.pem"),
            "certificate_file": str(own / "certificate.pem"),
            "key_file": str(own / "key.pem"),
        }
        return Settings("127.0.0.1", self.port, filters=filters, **(values | more))

    def _by_password(self, name: str, filters: tuple[str, ...], port: int, ca: str, more: dict[str, Any]) -> Settings:
        password = (self.folder / f"{name}.password").read_text()
        values: dict[str, Any] = {"client_id": name, "username": name, "password": password, "ca_file": ca}
        return Settings("127.0.0.1", port, filters=filters, **(values | more))

    @contextlib.asynccontextmanager
    async def heard_by(self, name: str, *filters: str, **more: Any) -> AsyncIterator[Ear]:
        """Somebody connected, who subscribes to everything (or to `filters`) and keeps what is delivered."""
        async with Client(self.settings(name, filters or EVERYTHING, **more)) as client:
            ear = Ear(client)
            task = asyncio.create_task(ear.listen())
            try:
                async with asyncio.timeout(20):
                    await anext(client.connections())
                yield ear
            finally:
                task.cancel()


class Ear:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard: list[Incoming] = []

    async def listen(self) -> None:
        async for incoming in self.client.messages():
            self.heard.append(incoming)
            incoming.done()

    def payloads(self, topic: str) -> list[bytes]:
        return [i.payload for i in self.heard if i.topic == topic]

    @property
    def topics(self) -> set[str]:
        return {i.topic for i in self.heard}


async def listens(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


async def until(true: Callable[[], Any], limit_s: float = 20.0) -> Any:
    """What `true()` gives as soon as it is true."""
    async with asyncio.timeout(limit_s):
        while not (found := true()):
            await asyncio.sleep(0.01)
        return found
