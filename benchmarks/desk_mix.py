"""How fast a desk that starts takes in what a fleet tells: the presence of every kiosk, what it says of itself, its
health, its configuration, and of every tenth a session document that no desk has receipted yet. Documents alone, which
cost most and are few in truth, stand beside this mix (desk_ingest).

All of it is retained here, so that it is there at once. Health really is not: kiosks tell it each minute, and together
with the rest when they have come back to their broker. The desk's database is empty, so every message changes
something. Counted from the first commit until all of it can be read; that is looked for every 100 ms.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import asyncpg  # type: ignore[import-untyped]  # ships no types

from benchmarks.desk_hold import Taken, Watch, a_document, hold
from benchmarks.desk_site import BenchSite
from kiosk.session.record import Device, Person
from kiosk.wire import topics
from kiosk.wire.codec import encode
from kiosk.wire.messages import About, ArticleTold, Health, InForce, Presence, SessionTold
from kiosk.wire.topics import Topic

FLEET = 10_000
SESSION_OF = 10
"""One kiosk of so many has something to tell still."""
MESSAGES = 4 * FLEET + FLEET // SESSION_OF
STAFF = tuple(Person(f"p-{n:03}", f"Anna Berg {n}") for n in range(50))
ARTICLE = ArticleTold("coolant", "Topping up coolant", "1. Press **STOP**.\n2. Open the cover.\n" * 10, "Ask for help")
PARTS = ("camera", "button", "display", "speaker", "microphone", "disk", "clock", "upload")

_ALL = """\
SELECT count(*) FILTER (WHERE online AND about IS NOT NULL AND health IS NOT NULL AND in_force IS NOT NULL)
  + (SELECT count(*) FROM held_sessions) + (SELECT count(*) FROM sessions) FROM kiosks
"""


def a_fleet() -> Iterator[tuple[str, bytes]]:
    """(topic, payload) of all that it holds."""
    for n in range(FLEET):
        kiosk, staff = f"kiosk-{n:05}", tuple(STAFF[(n + k) % len(STAFF)] for k in range(3))
        held = a_document(n, 1, kiosk) if n % SESSION_OF == 0 else None
        told = {
            topics.PRESENCE: Presence(True, f"b-{n:06}", 1, 1, (held.id,) if held else ()),
            topics.ABOUT: About(
                Device(f"press-{n:05}", f"Press {n}"),
                "1.4.2",
                "Raspberry Pi 5 Model B Rev 1.0",
                capabilities=("touch", "sound", "recording"),
                staff=tuple(person.id for person in staff),
            ),
            topics.HEALTH: Health(86_400.5 + n, dict.fromkeys(PARTS, "ok")),
            topics.CONFIG_REPORTED: InForce(
                name=f"Example Ltd {n % 20}",
                recording_allowed=True,
                reasons=("It leaks", "It is loud", "It has stopped", "Something else"),
                staff=staff,
                articles=(ARTICLE,),
            ),
        }
        yield from ((str(Topic(kiosk, kind)), encode(body)) for kind, body in told.items())
        if held:
            yield str(Topic(kiosk, topics.SESSION, held.id)), encode(SessionTold(held))


async def measure(site: BenchSite) -> Taken:
    """The desk is not running, its tables are there and empty."""
    await hold(site, a_fleet())
    database: asyncpg.Connection = await asyncpg.connect(site.database)
    try:
        await site.start()
        watch = Watch(site, MESSAGES)
        while await database.fetchval(_ALL) < 2 * FLEET + FLEET // SESSION_OF:
            watch.check()
            await asyncio.sleep(0.1)
        return watch.end(await database.fetchval("SELECT min(changed_s) FROM kiosks"), time.time())
    finally:
        await site.stop()
        await database.close()
