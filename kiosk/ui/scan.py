"""Barcode and QR scanners type what they read and end it with Enter; their pace tells them from a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.hw.ports import Key

SCAN_GAP_S = 0.05
"""Between two keys of a scanner, at most: they send one every 1 to 20 ms (USB asks each 8 ms); the fastest typists need
60 ms and more, and nobody keeps that up over a whole code."""

SCAN_LEAST = 4
"""So many characters at that pace are a code; fewer may be a hand that fell on the keyboard."""

SCAN_MOST = 500


@dataclass(frozen=True, slots=True)
class Burst:
    """Characters that came at a scanner's pace. before: the text that stood in the field before the first of them."""

    typed: str = ""
    last_s: float = 0.0
    before: str = ""


NO_BURST = Burst()


def typed_on(burst: Burst, key: Key, text: str) -> Burst:
    """With one more character; where the pace was a person's, a new burst begins. `text` stands in the field now."""
    if burst.typed and 0 <= key.at_s - burst.last_s <= SCAN_GAP_S:
        return Burst((burst.typed + key.name)[:SCAN_MOST], key.at_s, burst.before)
    return Burst(key.name, key.at_s, text)


def code_of(burst: Burst, enter: Key) -> str:
    """What a scanner has read, if this Enter ends it; empty where a person typed."""
    quick = 0 <= enter.at_s - burst.last_s <= SCAN_GAP_S
    return burst.typed.strip() if quick and len(burst.typed.strip()) >= SCAN_LEAST else ""
