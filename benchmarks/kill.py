"""Power cuts and SIGKILLs: what is lost, what is done twice, and how long until everybody is right again.

`make bench NAME=kill`; `KILLS=10 CUTS=1000` in the environment for fewer (or more) of each.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import cast

from benchmarks.report import median, tell
from tests.contract.book_life import check, live
from tests.contract.power_cut import How
from tests.whole.kills import PROGRAMS, Kills, deadly

CUTS = int(os.environ.get("CUTS", "1000"))
KILLS = int(os.environ.get("KILLS", "100"))
INPUTS = 200
"""Of each random life; a new one begins after so many cuts: the next number."""
CUTS_OF_A_LIFE = 100
RIGHT_S = 5.0
HOW = ("killed", "journal", "any")


async def cut_power(folder: Path) -> list[str]:
    """Random lives of the book, each cut off at random instants; what did not hold."""
    bad: list[str] = []
    for n in range(0, CUTS, CUTS_OF_A_LIFE):
        luck = random.Random(n)
        (folder / f"life-{n}").mkdir()
        life = await live(folder / f"life-{n}", INPUTS, luck)
        for cut in range(n, min(n + CUTS_OF_A_LIFE, CUTS)):
            place = folder / f"cut-{cut}"
            place.mkdir()
            after, how = luck.randint(0, len(life.disk.steps)), cast(How, luck.choice(HOW))
            try:
                await check(life, place, after, how, luck)
            except Exception as error:  # noqa: BLE001 - whatever does not hold is counted, and said
                bad.append(f"life {n}, {how} after step {after}: {error!r}")
    return bad


async def kill_programs(folder: Path) -> tuple[Kills, list[str], list[str]]:
    """The kills, what was lost, what was done twice."""
    luck = random.Random(1)
    victims = [*PROGRAMS] * KILLS
    luck.shuffle(victims)
    broker = 0
    async with deadly(folder, luck) as kills:
        for n, name in enumerate(victims):
            broker += name == "broker"
            await kills.kill(name, forget=bool(broker % 2))
            if sys.stderr.isatty():
                print(f"\r{n + 1} of {len(victims)} killed", end="", file=sys.stderr)
        await kills.finish()
        return kills, kills.lost(), kills.doubled()


async def measure() -> int:
    logging.disable(logging.CRITICAL)  # damaged files are the point here
    with tempfile.TemporaryDirectory(prefix="kiosk-bench-") as name:
        folder = Path(name)
        bad_cuts = await cut_power(folder)
        (folder / "site").mkdir()
        kills, lost, doubled = await kill_programs(folder / "site")
    seconds = kills.seconds
    seen = kills.traffic.seen
    done = Counter(
        created=len(seen.created), tickets=len(seen.linked), moved=len(seen.moved), refused=len(seen.refused)
    )
    worst = max(max(s) for s in seconds.values())
    rows = [
        ("random power cuts", f"{CUTS}", f"lives of {INPUTS} inputs; killed, journal cut, names in any order"),
        ("… lost, doubled or not as told", f"{len(bad_cuts)}", "bar: 0"),
        *(_row(name, seconds[name]) for name in PROGRAMS),
        ("lost", f"{len(lost)}", f"bar: 0; of {done['created']} sessions and {done['tickets']} tickets told done"),
        ("done twice, though refused or in wrong order", f"{len(doubled)}", f"bar: 0; {done['refused']} told refused"),
    ]
    figures: dict[str, object] = {
        "benchmark": "kill",
        "power_cuts": CUTS,
        "power_cuts_bad": len(bad_cuts),
        "kills_each": KILLS,
        "lost": len(lost),
        "doubled": len(doubled),
        "told_done": dict(done),
        "right_again_s": {n: {"median": round(median(s), 2), "max": round(max(s), 2)} for n, s in seconds.items()},
    }
    for wrong in (*bad_cuts, *lost, *doubled):
        print(wrong, file=sys.stderr)
    tell("Power cuts and SIGKILLs", rows, figures)
    return int(bool(bad_cuts or lost or doubled) or worst > RIGHT_S)


def _row(name: str, seconds: list[float]) -> tuple[str, str, str]:
    how = f"median / max of {len(seconds)}, from its being ready; bar: max {RIGHT_S:.0f} s"
    return f"{name} killed → all right again", f"{median(seconds):.2f} / {max(seconds):.2f} s", how


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
