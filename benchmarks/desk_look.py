"""Lists, searches and details in a fleet's past, as pages ask for them over HTTP."""

from __future__ import annotations

import random
import time

import httpx

from benchmarks.desk_past import KIOSKS, SESSIONS, kiosk_id, session_id, ticket
from benchmarks.desk_site import BenchSite

EACH = 40
KINDS = ("list", "search", "details")

Times = dict[str, dict[str, list[float]]]
"""Milliseconds, by kind and by what was asked for."""


async def measure(site: BenchSite) -> Times:
    times: Times = {kind: {} for kind in KINDS}
    chosen = random.Random(7)
    async with site.person("clara") as clara, site.person("anna") as anna:
        after = (await clara.get("/api/sessions", params={"limit": 100})).json()["after"]
        for _ in range(EACH):
            n = chosen.randrange(SESSIONS)
            for kind, name, http, path, query in _questions(n, after, clara, anna):
                began_s = time.monotonic()
                answer = await http.get(path, params=query)
                took_ms = 1000 * (time.monotonic() - began_s)
                assert answer.status_code == 200, f"{path} {query}: {answer.text}"
                times[kind].setdefault(name, []).append(took_ms)
                if name == "newest":
                    assert len(answer.json()["sessions"]) == 100
                if name == "a ticket":
                    assert [s["id"] for s in answer.json()["sessions"]] == [session_id(n)]
    return times


def _questions(
    n: int, after: str, clara: httpx.AsyncClient, anna: httpx.AsyncClient
) -> list[tuple[str, str, httpx.AsyncClient, str, dict[str, str]]]:
    sessions, deep = "/api/sessions", f"{1_780_000_000.0 - 60 * (SESSIONS - n)!r}~s"
    return [
        ("list", "newest", clara, sessions, {}),
        ("list", "next page", clara, sessions, {"after": after}),
        ("list", "far down", clara, sessions, {"after": deep}),
        ("list", "requested", clara, sessions, {"state": "REQUESTED"}),
        ("list", "of a kiosk", clara, sessions, {"kiosk": kiosk_id(n % KIOSKS)}),
        ("list", "somebody's own", anna, sessions, {}),
        ("list", "kiosks", clara, "/api/kiosks", {"limit": "100"}),
        ("search", "a ticket", clara, sessions, {"q": ticket(n)}),
        ("search", "a common word", clara, sessions, {"q": "coolant"}),
        ("search", "a name and a word", clara, sessions, {"q": "weber belt"}),
        ("search", "a device", clara, sessions, {"q": f"press-{n % KIOSKS:05}"}),
        ("search", "nothing fits", clara, sessions, {"q": "zeppelin"}),
        ("search", "in one's own", anna, sessions, {"q": "hydraulic"}),
        ("search", "in a state", clara, sessions, {"q": "otto", "state": "CANCELLED"}),
        ("details", "a session", clara, f"{sessions}/{session_id(n)}", {}),
    ]
