"""The desk in numbers: a request to be seen in an open list, 500 open pages, a million past sessions, the first page, a
reload in a call, and what it takes in. `DESK_PAST_SESSIONS=20000 make bench NAME=desk` for a quick look; the bars are
meant for the million.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks import desk_feel, desk_ingest, desk_look, desk_mix, desk_pages, desk_past
from benchmarks.desk_site import bench_site
from benchmarks.report import median, percentile, tell
from tests.contract.postgres_site import Postgres, running_postgres

DURABLE = ("shared_buffers=512MB", "max_connections=100", "max_wal_size=4GB")
"""Else as PostgreSQL comes: with fsync, and a commit is on disk."""
KEPT = Path("build") / "bench-desk"
SEEN_MS, ALL_PAGES_MS, MEMORY_MB, LOOK_MS, INGEST = 100.0, 500.0, 300.0, 100.0, 5000.0
FIRST_MS, FIRST_BYTES, RELOAD_MS = 300.0, 100_000, 2000.0

Row = tuple[str, str, str]


async def measure(postgres: Postgres, folder: Path) -> int:
    figures: dict[str, object] = {"benchmark": "desk"}
    rows: list[Row] = []
    ingest = await desk_ingest.measure(folder / "ingest", postgres)
    missed = _tell_ingest(ingest, rows, figures)
    postgres.sql(desk_pages.FORGET, desk_past.DATABASE)
    async with bench_site(folder / "past", postgres.url(desk_past.DATABASE)) as site:
        await site.start()
        missed += _tell_looks(await desk_look.measure(site), rows, figures)
        missed += _tell_first(await desk_feel.first_page(site), rows, figures)
        missed += _tell_seen(await desk_pages.seen_in_list(site), rows, figures)
        missed += _tell_pages(await desk_pages.at_all_pages(site), rows, figures)
    missed += _tell_reloads(await desk_feel.reloads_in_call(folder / "call"), rows, figures)
    figures["missed"] = missed
    tell("The desk", rows, figures)
    return 1 if missed else 0


def _tell_ingest(ingest: desk_ingest.Ingest, rows: list[Row], figures: dict[str, object]) -> list[str]:
    taken = {
        f"all that {desk_mix.FLEET} kiosks hold": ingest.mix,
        "of documents alone, new sessions": ingest.new,
        "of documents alone, later revisions": ingest.changed,
    }
    for what, one in taken.items():
        how = f"one process at {one.load:.0%} of a core, {one.cpu_ms:.2f} ms each"
        rows.append((f"taken in and committed, {what}", f"{one.per_s:.0f} / s", how))
    rows.append(("rival: asyncpg, documents one by one", f"{ingest.rival:.0f} / s", "INSERT … ON CONFLICT, no MQTT"))
    named = {"mix": ingest.mix, "new": ingest.new, "changed": ingest.changed}
    figures["ingest_per_s"] = {name: round(one.per_s) for name, one in named.items()} | {"rival": round(ingest.rival)}
    figures["ingest_cpu_ms"] = {name: round(one.cpu_ms, 3) for name, one in named.items()}
    return [f"ingest: {name}" for name, one in named.items() if one.per_s < INGEST]


def _tell_looks(times: desk_look.Times, rows: list[Row], figures: dict[str, object]) -> list[str]:
    missed, told = [], {}
    for kind, asked in times.items():
        for name, values in asked.items():
            p95 = percentile(values, 0.95)
            told[f"{kind}: {name}"] = {"median": round(median(values), 1), "p95": round(p95, 1)}
            rows.append((f"{kind}: {name}", f"{median(values):.0f} / {p95:.0f} ms", "median / p95"))
            if p95 > LOOK_MS:
                missed.append(f"{kind}: {name}")
    figures["sessions"], figures["look_ms"] = desk_past.SESSIONS, told
    return missed


def _tell_seen(times_ms: list[float], rows: list[Row], figures: dict[str, object]) -> list[str]:
    p95 = percentile(times_ms, 0.95)
    rows.append(
        ("published → to be seen in a list", f"{median(times_ms):.0f} / {p95:.0f} ms", "median / p95, Chromium")
    )
    figures["seen_ms"] = {"median": round(median(times_ms), 1), "p95": round(p95, 1)}
    return ["seen"] if median(times_ms) > SEEN_MS else []


def _tell_first(first: desk_feel.First, rows: list[Row], figures: dict[str, object]) -> list[str]:
    how = f"median / worst of {len(first.ready_ms)}, empty cache"
    for what, times in (("first page answers", first.ready_ms), ("first page, list filled", first.filled_ms)):
        rows.append((what, f"{median(times):.0f} / {max(times):.0f} ms", how))
    rows.append(("first page, over the line", f"{first.bytes / 1000:.0f} kB", "scripts and styles, without data"))
    figures["first_page_ms"] = {"ready": round(median(first.ready_ms), 1), "filled": round(median(first.filled_ms), 1)}
    figures["first_page_bytes"] = first.bytes
    slow = ["first page"] if median(first.ready_ms) > FIRST_MS else []
    return slow + (["first page's bytes"] if first.bytes > FIRST_BYTES else [])


def _tell_reloads(reloads: desk_feel.Reloads, rows: list[Row], figures: dict[str, object]) -> list[str]:
    worst = max(reloads.seen_ms)
    for what, times in (("reload in a call, connected", reloads.on_ms), ("reload in a call, seen", reloads.seen_ms)):
        rows.append((what, f"{median(times):.0f} / {max(times):.0f} ms", f"median / worst of {len(times)}, same peer"))
    figures["reload_ms"] = {"median": round(median(reloads.seen_ms), 1), "worst": round(worst, 1)}
    return ["reload"] if worst > RELOAD_MS else []


def _tell_pages(spread: desk_pages.Spread, rows: list[Row], figures: dict[str, object]) -> list[str]:
    worst, rival = max(spread.last_ms), max(spread.rival_ms)
    how = f"median / worst of {len(spread.last_ms)}"
    rows.append((f"update at all of {desk_pages.PAGES} pages", f"{median(spread.last_ms):.0f} / {worst:.0f} ms", how))
    rows.append(("rival: bare aiohttp, the bytes alone", f"{median(spread.rival_ms):.0f} / {rival:.0f} ms", how))
    rows.append(("memory of the desk meanwhile", f"{spread.memory_mb:.0f} MB", "resident"))
    figures["all_pages_ms"] = {"median": round(median(spread.last_ms), 1), "worst": round(worst, 1)}
    figures["all_pages_rival_ms"] = {"median": round(median(spread.rival_ms), 1), "worst": round(rival, 1)}
    figures["memory_mb"] = round(spread.memory_mb)
    late = ["all pages"] if worst > ALL_PAGES_MS else []
    return late + (["memory"] if spread.memory_mb > MEMORY_MB else [])


def main() -> int:
    with running_postgres(DURABLE, KEPT.absolute()) as postgres, tempfile.TemporaryDirectory(prefix="bench-") as place:
        took_s = desk_past.make(postgres)
        if took_s:
            print(f"made {desk_past.SESSIONS} past sessions in {took_s:.0f} s, kept in {KEPT}")
        return asyncio.run(measure(postgres, Path(place)))


if __name__ == "__main__":
    sys.exit(main())
