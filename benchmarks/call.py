"""The call over bad links, against libwebrtc, aiortc as it comes and GStreamer, into a real Chromium.

Per link and sender: delay from capture to the screen (the corner code says when a frame was filmed), frames a second,
seconds frozen, bitrate, CPU of the sender. On the clean link also: picture quality at libwebrtc's bitrate, and START ->
first frame through the whole system (broker, desk, kiosk).

    make bench NAME=call                         # all of it: half an hour
    make bench NAME=call LINK=5_150 SECONDS=30 REPEATS=1 SENDERS=ours,libwebrtc

Senders of a link run one after the other, in turned order each time; figures are medians over REPEATS (3; 1 for the
rivals that no bar is measured by). A rival that is not installed ends it with 2.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from playwright.async_api import Browser
from playwright.async_api import Error as PlaywrightError
from rich.console import Console
from rich.table import Table

from benchmarks import call_run
from benchmarks.call_bars import Bar, Quality, Seen, bars
from benchmarks.call_quality import quality
from benchmarks.call_start import start_ms
from benchmarks.film_studio import render
from benchmarks.links import LINKS, Link
from benchmarks.receiver import chromium
from benchmarks.report import median
from benchmarks.senders import KINDS, Missing, check_installed

JUDGED = ("ours", "libwebrtc")
LATE_MS = 5.0
"""A run in which the relay itself was later than that is run again, once."""


@dataclass(frozen=True, slots=True)
class Plan:
    links: tuple[Link, ...]
    senders: tuple[str, ...]
    seconds: float
    repeats: int


def plan(environment: dict[str, str]) -> Plan:
    """Raises ValueError: LINK or SENDERS has a name that there is not."""
    names = _names(environment.get("LINK", ""), LINKS)
    senders = _names(environment.get("SENDERS", ""), KINDS)
    return Plan(
        tuple(LINKS[name] for name in names),
        tuple(senders),
        float(environment.get("SECONDS", "30")),
        int(environment.get("REPEATS", "3")),
    )


def _names(wanted: str, known: Iterable[str]) -> list[str]:
    names = wanted.split(",") if wanted else list(known)
    if unknown := set(names) - set(known):
        raise ValueError(f"{', '.join(sorted(unknown))}: not one of {', '.join(known)}")
    return names


async def measure(what: Plan) -> int:
    await asyncio.to_thread(render)
    seen: list[Seen] = []
    async with chromium() as browser:
        for link in what.links:
            seen += [middle(runs) for runs in (await over(browser, link, what)).values()]
        compared = set(JUDGED) <= set(what.senders)
        clean = LINKS["clean"] in what.links
        picture = await quality(browser) if clean and compared else None
    start = await start_ms() if clean and "ours" in what.senders else None
    judged = bars(seen, picture, start) if compared else []
    tell(seen, picture, judged)
    return 0 if all(bar.reached for bar in judged) else 1


async def over(browser: Browser, link: Link, what: Plan) -> dict[str, list[Seen]]:
    """All runs over a link, by sender."""
    runs: dict[str, list[Seen]] = {name: [] for name in what.senders}
    for turn in range(what.repeats):
        order = what.senders[turn % len(what.senders) :] + what.senders[: turn % len(what.senders)]
        for name in order:
            if turn == 0 or name in JUDGED:
                runs[name].append(await one(browser, link, name, what.seconds, turn + 1))
    return runs


async def one(browser: Browser, link: Link, name: str, seconds: float, seed: int) -> Seen:
    seen = await tried(browser, link, name, seconds, seed)
    if seen.late_ms > LATE_MS or not seen.fps:
        print("  the machine was too busy, or it was not seen: once more", file=sys.stderr, flush=True)
        seen = await tried(browser, link, name, seconds, seed)
    return seen


async def tried(browser: Browser, link: Link, name: str, seconds: float, seed: int) -> Seen:
    try:
        seen = await call_run.run(browser, link, name, seconds, seed)
    except (TimeoutError, RuntimeError, PlaywrightError) as error:
        print(f"{link.name} {name}: {error or 'no picture came'}", file=sys.stderr, flush=True)
        seen = call_run.unseen(link, name, seconds)
    print(_line(seen), file=sys.stderr, flush=True)
    return seen


def middle(runs: list[Seen]) -> Seen:
    """The median of each figure over the runs of one sender over one link."""
    columns: dict[str, Any] = {name: [getattr(run, name) for run in runs] for name in Seen.__slots__}
    medians: dict[str, Any] = {
        name: round(median(values), 2) for name, values in columns.items() if not isinstance(values[0], str)
    }
    return replace(runs[0], **medians)


# --- told -------------------------------------------------------------------------------------------------------------


def _line(s: Seen) -> str:
    return (
        f"{s.link:7} {KINDS[s.sender].title:20} {s.delay_ms:5.0f} / {s.delay_p95_ms:5.0f} ms  {s.fps:5.1f} fps  "
        f"{s.frozen_s:5.2f} s frozen  {s.bps / 1e6:5.2f} Mbit/s {s.height:4.0f}p {s.codec}  {s.cpu:3.0f} % CPU  "
        f"first frame {s.start_ms:4.0f} ms  (relay late {s.late_ms:.1f} ms)"
    )


def tell(seen: list[Seen], picture: Quality | None, judged: list[Bar]) -> None:
    table = Table(
        *("link", "sender", "delay, p95 ms", "fps", "frozen s", "Mbit/s", "lines", "codec", "CPU %", "first frame"),
        title="The call, into Chromium",
    )
    for s in seen:
        table.add_row(
            *(LINKS[s.link].title, KINDS[s.sender].title, f"{s.delay_ms:.0f}, {s.delay_p95_ms:.0f}", f"{s.fps:.1f}"),
            *(f"{s.frozen_s:.2f}", f"{s.bps / 1e6:.2f}", f"{s.height:.0f}", s.codec, f"{s.cpu:.0f}"),
            f"{s.start_ms:.0f} ms",
        )
    console = Console(width=130)
    console.print(table)
    verdicts = Table("bar", "must reach", "measured", "", title="Bars")
    for bar in judged:
        verdicts.add_row(bar.what, bar.must, bar.measured, "reached" if bar.reached else "MISSED")
    if judged:
        console.print(verdicts)
    print(json.dumps(figures(seen, picture, judged)))


def figures(seen: list[Seen], picture: Quality | None, judged: list[Bar]) -> dict[str, object]:
    return {
        "benchmark": "call",
        "runs": [asdict(s) for s in seen],
        "quality": asdict(picture) if picture else None,
        "bars": [asdict(bar) for bar in judged],
        "reached": all(bar.reached for bar in judged),
    }


def main() -> int:
    try:
        what = plan(dict(os.environ))
        check_installed(what.senders)
    except (ValueError, Missing) as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(measure(what))


if __name__ == "__main__":
    sys.exit(main())
