"""The senders that are compared, each a process of its own: ours, and rivals in benchmarks/rivals.

A sender gets options as JSON in its argument, says "ready" once it films, and then answers each line of JSON on its
input by one: {"do": "offer", "peer": …, "sdp": …} by its SDP with all candidates, {"do": "leave", "peer": …} by null.
It ends with its input. Options: bitrate_bps, the most that the picture may take (none: as it comes);
room, for ours: its silence is encoded, as the rivals' always is.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RIVALS = Path(__file__).parent / "rivals"
PACKAGES = Path(__file__).parents[1] / "build" / "rivals" / "node_modules"
SYSTEM_PYTHON = "/usr/bin/python3"
TICK_HZ = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """A rival is not installed here."""


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    title: str
    command: tuple[str, ...]
    installed: Callable[[], bool] = lambda: True
    install: str = ""


def _has_libwebrtc() -> bool:
    return shutil.which("node") is not None and (PACKAGES / "@roamhq" / "wrtc").is_dir()


def _has_gstreamer() -> bool:
    probe = (
        "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import Gst; Gst.init(None);"
        "assert all(Gst.ElementFactory.find(n) for n in ('webrtcbin', 'nicesrc', 'x264enc', 'rtph264pay', 'srtpenc'))"
    )
    return (
        Path(SYSTEM_PYTHON).exists()
        and subprocess.run([SYSTEM_PYTHON, "-c", probe], check=False, capture_output=True).returncode == 0
    )


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ours", "the kiosk", (sys.executable, "-m", "benchmarks.sender_ours")),
        Kind(
            "libwebrtc",
            "libwebrtc",
            ("node", str(RIVALS / "libwebrtc.js")),
            _has_libwebrtc,
            "npm's @roamhq/wrtc: make rivals",
        ),
        Kind("aiortc", "aiortc as it comes", (sys.executable, "-m", "benchmarks.rivals.aiortc_sender")),
        Kind(
            "gstreamer",
            "GStreamer webrtcbin",
            (SYSTEM_PYTHON, "-m", "benchmarks.rivals.gstreamer"),
            _has_gstreamer,
            "GStreamer with webrtcbin, x264 and Python: make rivals",
        ),
    )
}


def check_installed(names: tuple[str, ...]) -> None:
    """Raises Missing, which says what to do."""
    missing = [KINDS[name] for name in names if not KINDS[name].installed()]
    if missing:
        raise Missing("; ".join(f"{kind.title} is not installed ({kind.install})" for kind in missing))


class Sender:
    """A running one. One question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def answer(self, peer: str, offer: str) -> str:
        return str(await self.ask(do="offer", peer=peer, sdp=offer))

    async def ask(self, **what: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        return await self.read()

    async def read(self) -> Any:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        if not line:
            raise RuntimeError("the sender has ended")
        return json.loads(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK_HZ


def sending(name: str, **options: object) -> AbstractAsyncContextManager[Sender]:
    return _running(*KINDS[name].command, json.dumps(options))


def receiving_all() -> AbstractAsyncContextManager[Sender]:
    """The process of cheap receivers: benchmarks/rivals/gstreamer_sink.py says what it may be asked."""
    return _running(SYSTEM_PYTHON, "-m", "benchmarks.rivals.gstreamer_sink")


@asynccontextmanager
async def _running(*command: str) -> AsyncIterator[Sender]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
        env=os.environ | {"NODE_PATH": str(PACKAGES)},
    )
    try:
        sender = Sender(process)
        await sender.read()
        yield sender
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()
