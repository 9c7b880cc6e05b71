"""What a broker holds for a desk that starts, and how fast that desk took it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.desk_site import LOADER, BenchSite
from kiosk.session.record import CODE_USER, Actor, Call, Change, Device, Person, Session, Ticket
from kiosk.session.states import Event, Role, State

AT = "2026-03-01T10:00:00.000Z"
KIOSKS = 400
PER_STEP = 250
LAST = f"kiosk/1/{LOADER}/down/command"
LIMIT_S = 180.0


@dataclass(frozen=True, slots=True)
class Taken:
    """per_s: messages committed per second; load: the share of a core that the desk's process took meanwhile; cpu_ms:
    what it took for each message, with all that a desk does when it starts."""

    per_s: float
    load: float
    cpu_ms: float


class Watch:
    """From the start of a desk, whose process is measured."""

    def __init__(self, site: BenchSite, count: int) -> None:
        self._site, self._count = site, count
        self._began_s, self._cpu_s = time.monotonic(), site.cpu_s()

    def check(self) -> None:
        assert time.monotonic() - self._began_s < LIMIT_S, "it does not take them all"

    def end(self, first_s: float, last_s: float) -> Taken:
        """Between those two (seconds since 1970) all of it was committed."""
        load = (self._site.cpu_s() - self._cpu_s) / (time.monotonic() - self._began_s)
        per_s = self._count / (last_s - first_s)
        return Taken(per_s, load, 1000 * load / per_s)


async def hold(site: BenchSite, told: Iterable[tuple[str, bytes]]) -> None:
    """Retained, as kiosks tell it: (topic, payload)."""
    async with site.loader() as client:
        await anext(client.connections())
        for n, (topic, payload) in enumerate(told):
            await client.publish(topic, payload, retain=True)
            if n % PER_STEP == 0:
                await asyncio.sleep(0.03)
        await client.publish(LAST, b"{}")  # behind all of them: when it is back, the broker has them
        assert (await anext(client.messages())).topic == LAST


def a_document(n: int, rev: int, kiosk: str = "") -> Session:
    """As most of those are that kiosks still hold: a call was on, the session is over."""
    anna = Person(f"p-{n % 50:03}", "Anna Berg")
    staff = Actor(Role.STAFF, anna.id, anna.name)
    steps = (
        (CODE_USER, Event.REQUEST, None, State.REQUESTED),
        (staff, Event.CONFIRM, State.REQUESTED, State.CONFIRMED),
        (staff, Event.START, State.CONFIRMED, State.RUNNING),
        (staff, Event.END, State.RUNNING, State.COMPLETED),
        (staff, Event.CLOSE, State.COMPLETED, State.CLOSED),
    )
    return Session(
        id=f"s-{n:07}",
        epoch="e-1",
        rev=rev,
        kiosk=kiosk or f"kiosk-{n % KIOSKS:05}",
        device=Device(f"press-{n % KIOSKS:05}", f"Press {n % KIOSKS}"),
        state=State.CLOSED,
        origin="code_user",
        created_at=AT,
        reason="The machine has stopped and shows error 4711",
        requester="Max Otto",
        tickets=(Ticket(f"INC-{n:07}", "Spindle stands still", f"https://tickets.example/INC-{n:07}"),),
        asked=(anna,),
        assigned=(anna,),
        visibility="internal",
        calls=(Call(f"c-{n:07}", AT, AT, (anna,), {"duration_s": 312.0, "joins": 1.0}),),
        history=tuple(Change(AT, *step) for step in steps),
    )
