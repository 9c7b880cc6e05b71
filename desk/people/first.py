"""The first administrator: made by a link that is good once and for a day, never by a password that somebody knows."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from desk.people.accounts import Accounts
from desk.people.door import FIRST_LINK_S
from desk.people.links_once import OnceLinks
from kiosk.errors import ConfigError

log = logging.getLogger(__name__)


async def offer(accounts: Accounts, links: OnceLinks, url: str, place: Path) -> None:
    """At each start as long as nobody administers: a new link, in a file for the desk's own user. The log says where:
    logs are read by more people than may become administrators."""
    if await accounts.has_administrator():
        await asyncio.to_thread(place.unlink, missing_ok=True)
        return
    await asyncio.to_thread(_write, place, await link(links, url))
    log.warning("nobody administers this desk yet: open the link in %s (good once, for 24 hours)", place)


async def link(links: OnceLinks, url: str) -> str:
    return f"{url}/welcome/{await links.make(None, FIRST_LINK_S)}"


def _write(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
    except OSError as error:
        raise ConfigError(f"{place}: {error.strerror}") from error
