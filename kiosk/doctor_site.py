"""The checks of `kiosk doctor` on what is around the kiosk: network, broker, desk, clock, storage, versions."""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import platform
import shutil
import socket
import time
from importlib.metadata import version

import aiohttp

from kiosk.app import client_settings
from kiosk.config import Config
from kiosk.doctor_bench import Bench, Outcome, fails, left_out, works
from kiosk.errors import DeviceTrouble
from kiosk.link.client import Client

LEAST_FREE_BYTES = 500_000_000
CLOCK_OFF_S = 300.0
"""More, and a certificate that was made today may not be valid yet."""
_REACH_S = 5.0


async def network(bench: Bench) -> Outcome:
    """The way to the broker, without which nothing else is of use."""
    host, port = bench.config.broker.host, bench.config.broker.port
    began_s = time.monotonic()
    bench.unreached = True
    try:
        async with asyncio.timeout(_REACH_S):
            _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        return fails("network_name", host=host)
    except TimeoutError:
        return fails("network_closed", host=f"{host}:{port}", why=f"{_REACH_S:.0f} s")
    except OSError as error:
        return fails("network_closed", host=f"{host}:{port}", why=error.strerror or str(error))
    bench.unreached = False
    ms = round(1000 * (time.monotonic() - began_s))
    address = writer.get_extra_info("sockname")[0]
    writer.close()
    return works("network", address=ipaddress.ip_address(address.partition("%")[0]), host=f"{host}:{port}", ms=ms)


async def broker(bench: Bench) -> Outcome:
    """Signed in and subscribed, and an answer after that: a broker that denies us something closes instead."""
    config = bench.config
    if bench.unreached:
        return left_out("network_first")
    host = f"{config.broker.host}:{config.broker.port}"
    client = await bench.stack.enter_async_context(Client(client_settings(config, "doctor")))
    try:
        async with asyncio.timeout(_REACH_S):
            await anext(client.connections())
    except TimeoutError:
        return fails("broker_refused", host=host, why=_why(config))
    began_s = time.monotonic()
    await client.check(_REACH_S)
    if not client.connected:
        return fails("broker_refused", host=host, why="no answer")
    bench.client = client
    return works("broker", id=config.id, ms=round(1000 * (time.monotonic() - began_s)))


def _why(config: Config) -> str:
    given = [name for name in ("password_file", "certificate_file") if getattr(config.broker, name)]
    return ", ".join(f"broker.{name}?" for name in given) or "no password_file, no certificate_file"


async def desk(bench: Bench) -> Outcome:
    url = bench.config.desk_url
    if not url:
        return fails("desk_none")
    timeout = aiohttp.ClientTimeout(total=_REACH_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url + "/healthz") as answer:
            bench.desk_ahead_s = _ahead_s(answer.headers.get("Date", ""))
            if answer.status != 200:
                return fails("desk_says", url=url, status=answer.status)
            async with http.options(url + "/uploads/none") as uploads:
                if "Tus-Resumable" not in uploads.headers:
                    return fails("desk_says", url=f"{url}/uploads", status=uploads.status)
    except aiohttp.ClientError as error:
        return fails("trouble", why=f"{url}: {error}")
    return works("desk", url=url)


def _ahead_s(date: str) -> float | None:
    """How far the desk's clock is ahead of ours; None: it did not say."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return None


async def clock(bench: Bench) -> Outcome:
    ahead_s = bench.desk_ahead_s
    if ahead_s is None:
        return left_out("clock_unknown")
    return (fails if abs(ahead_s) > CLOCK_OFF_S else works)(
        "clock_wrong" if abs(ahead_s) > CLOCK_OFF_S else "clock", seconds=round(abs(ahead_s))
    )


async def disk(bench: Bench) -> Outcome:
    folder = bench.config.data_folder
    return await asyncio.to_thread(_disk, str(folder), bench.config)


def _disk(name: str, config: Config) -> Outcome:
    folder = config.data_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise DeviceTrouble(f"{name}: {error.strerror}") from error
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        return fails("disk_full", free=free // 10**6, folder=name)
    return works("disk", free=f"{free / 1e9:.1f}", folder=name)


async def versions(bench: Bench) -> Outcome:
    kiosk, python = version("machine-video-kiosk"), platform.python_version()
    return works("versions", kiosk=kiosk, python=python, linux=platform.release())
