"""What the call must reach. PURE: figures in, verdicts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.links import LINKS

CLEAN_MS, CLEAN_P95_MS = 40.0, 70.0
CLEAN_SHARE = 0.5
BAD_SHARE = 1.2
BAD_LINKS = ("5_150", "1mbit")
FPS_SHARE = 0.95
FROZEN_MORE_S = 0.3
QUALITY_LESS_DB = 1.0
START_MS = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One run: a sender over a link. Rates are of what arrived.

    delay: capture -> visible, of each frame shown. chromium_frozen_s: its own figure, which misses a freeze that has
    not ended. cpu: percent of a core, of the sender's process. late_ms: p99 of the relay's lateness; above a few ms
    the machine was too busy for the run to count.
    """

    link: str = ""
    sender: str = ""
    codec: str
    start_ms: float = 0.0
    delay_ms: float
    delay_p95_ms: float
    fps: float
    frozen_s: float
    chromium_frozen_s: float
    bps: float
    height: float
    lost: float
    cpu: float
    late_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Bar:
    what: str
    must: str
    measured: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """Mean PSNR of the luma of received frames, and the bitrate that it took."""

    ours_db: float
    ours_bps: float
    libwebrtc_db: float
    libwebrtc_bps: float
    libwebrtc_codec: str


def bars(seen: Sequence[Seen], picture: Quality | None, start: float | None) -> list[Bar]:
    """Ours against libwebrtc's on each link that both were measured on."""
    found: list[Bar] = []
    by_name = {(s.link, s.sender): s for s in seen}
    for link in dict.fromkeys(s.link for s in seen):
        ours, rival = by_name[link, "ours"], by_name[link, "libwebrtc"]
        found += [*_delay(ours, rival), *_steadiness(ours, rival)]
    if picture is not None:
        found.append(_quality(picture))
    if start is not None:
        found.append(_most("START → first frame, the whole system", START_MS, start, "ms"))
    return found


def _delay(ours: Seen, rival: Seen) -> Iterator[Bar]:
    link = LINKS[ours.link].title
    for what, mine, its, most in (
        ("delay", ours.delay_ms, rival.delay_ms, CLEAN_MS),
        ("delay p95", ours.delay_p95_ms, rival.delay_p95_ms, CLEAN_P95_MS),
    ):
        if ours.link == "clean":
            yield _most(f"{link}: {what}", most, mine, "ms")
            yield _most(f"{link}: {what}, {CLEAN_SHARE} × libwebrtc's", CLEAN_SHARE * its, mine, "ms")
        elif ours.link in BAD_LINKS:
            yield _most(f"{link}: {what}, {BAD_SHARE} × libwebrtc's", BAD_SHARE * its, mine, "ms")


def _steadiness(ours: Seen, rival: Seen) -> Iterator[Bar]:
    link = LINKS[ours.link].title
    least = FPS_SHARE * rival.fps
    must = f"≥ {least:.1f}"
    yield Bar(f"{link}: fps, {FPS_SHARE} × libwebrtc's", must, f"{ours.fps:.1f}", ours.fps >= least)
    most = rival.frozen_s + FROZEN_MORE_S
    must = f"≤ {most:.2f} s"
    yield Bar(f"{link}: frozen, libwebrtc's + {FROZEN_MORE_S} s", must, f"{ours.frozen_s:.2f} s", ours.frozen_s <= most)


def _quality(picture: Quality) -> Bar:
    least = picture.libwebrtc_db - QUALITY_LESS_DB
    return Bar(
        f"picture at {picture.ours_bps / 1e6:.2f} Mbit/s (libwebrtc, {picture.libwebrtc_codec}: "
        f"{picture.libwebrtc_bps / 1e6:.2f}), libwebrtc's - {QUALITY_LESS_DB:.0f} dB",
        f"≥ {least:.1f} dB",
        f"{picture.ours_db:.1f} dB",
        picture.ours_db >= least,
    )


def _most(what: str, most: float, measured: float, unit: str) -> Bar:
    return Bar(what, f"≤ {most:.0f} {unit}", f"{measured:.0f} {unit}", measured <= most)
