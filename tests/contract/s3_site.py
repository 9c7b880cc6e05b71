"""An S3 of the tests' own: moto's server, with the bucket `help`."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from desk.config import FileSettings
from kiosk.demo.site import free_ports


def moto() -> str | None:
    beside = Path(sys.executable).with_name("moto_server")
    return str(beside) if beside.exists() else shutil.which("moto_server")


@contextlib.asynccontextmanager
async def running_s3(program: str) -> AsyncIterator[str]:
    """Its address."""
    (port,) = free_ports(1)
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, "-p", str(port), stdout=null, stderr=null)
    url = f"http://127.0.0.1:{port}"
    try:
        await _make_bucket(url)
        yield url
    finally:
        process.terminate()
        await process.wait()


def s3_settings(url: str, folder: Path, place: str = "s3://help/videos") -> FileSettings:
    """With keys, which moto does not look at."""
    for name in ("s3-id", "s3-key"):
        (folder / name).write_text("testing")
    return FileSettings(url=place, endpoint=url, key_id_file=str(folder / "s3-id"), key_file=str(folder / "s3-key"))


async def _make_bucket(url: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(30):
        while True:
            try:
                made = await http.put(f"{url}/help")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            assert made.status_code == 200, made.text
            return
