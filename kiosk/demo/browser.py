"""Opening the demo's page, also on a machine whose only network is itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import webbrowser
from pathlib import Path

import ifaddr

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")

LOOPBACK_SWITCH = "--allow-loopback-in-peer-connection"
"""Chromium leaves the loopback out of calls: where no other network is up it finds no way to the kiosk without this."""


def only_loopback() -> bool:
    """Whether no network but the loopback is up."""
    ips = (ip.ip if ip.is_IPv4 else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    return all(str(ip).startswith(("127.", "::1", "fe80:")) for ip in ips)


def has_screen() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def chromium() -> str | None:
    return next((found for name in CHROMIUMS if (found := shutil.which(name))), None)


async def open_page(address: str, profile: Path) -> None:
    """Opens the page where there is a browser; where only the loopback is up, in a Chromium that may use it."""
    if not only_loopback():
        if has_screen():
            await asyncio.to_thread(webbrowser.open, address)
        return
    print(f"  No network is up: calls need a Chromium started with {LOOPBACK_SWITCH}", flush=True)
    program = chromium()
    if program and has_screen():
        await asyncio.create_subprocess_exec(
            program, LOOPBACK_SWITCH, f"--user-data-dir={profile}", "--no-first-run", address, start_new_session=True
        )
