"""Somebody walks through every screen with one button, with three, and comes back from everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kiosk.hw.ports import ButtonName, Press
from kiosk.ui import theme
from kiosk.ui.front import DECLINE, react
from kiosk.ui.gallery import sample_picture
from kiosk.ui.gallery_views import Sample, sample_views
from kiosk.ui.local import Chosen, Front, Intent
from kiosk.ui.screen import Screen
from kiosk.ui.screens import CONFIRMED_FIRST, screen, stops
from kiosk.ui.view import View

LIVE = sample_picture(64, 36, 10)
SAMPLES = {name: (view, front) for name, view, front in sample_views("en", (1024, 600), LIVE)}

NOTHING_TO_DO = {"sending", "idle"}
"""Screens that need no way back: one passes by itself, the other is where all ways lead."""

FOR_FINGERS = {"finger-tool", "live-tool"}
"""A tool that only fingers use."""

UNDONE_BY = {
    "ask": ("flow-reason", "leave"),
    "ask-with-reason": ("flow-consent", "leave"),
    "article": ("article", "done"),
    "recall": ("closed", "done"),
    "answer": ("flow-requester", "back"),
    "ticket": ("flow-consent", "back"),
    "next": ("flow-consent", "back"),
    "back": ("flow-reason", "answer"),
    "leave": ("idle", "ask"),
    "consent-yes": ("call-full", "withdraw"),
    "consent-no": ("call-refused", "reconsider"),
    "withdraw": ("call-refused", "reconsider"),
    "start": ("calling", "give-up"),
    "give-up": ("confirmed", "start"),
    "accept": ("call", "hang-up"),
    "decline": ("confirmed", "start"),
    "cancel": ("cancelled", "ask"),
    "hang-up": ("completed", "done"),
    "snapshot": ("snapshot", "live"),
    "live": ("call", "snapshot"),
    "undo": ("snapshot", "undo"),
    "mute": ("call-alone", "unmute"),
    "unmute": ("call", "mute"),
    "rate": ("closed-rated", "rate"),
    "done": ("idle-recall", "recall"),
}
"""What a choice that leaves the display leads to, and what there takes it back or goes on from there."""


SAME_PLACE = {"flow-held", "flow-typing", "flow-typing-rows", "flow-typing-keys", "flow-ticket-typed", "leave-confirm"}
"""Reached by walking from other samples."""


def samples() -> list[Sample]:
    return [
        (name, view, replace(front, held=None, by_touch=False))
        for name, (view, front) in SAMPLES.items()
        if name not in SAME_PLACE
    ]


def pressed(front: Front, view: View, button: ButtonName, phase: str) -> tuple[Front, tuple[Intent, ...]]:
    return react(front, view, Press(button, phase))  # type: ignore[arg-type]  # "short" or "long"


def walk(view: View, front: Front, choose: tuple[ButtonName, str]) -> Iterator[tuple[Screen, tuple[Intent, ...]]]:
    """Every state that short presses and `choose` lead to as long as nothing leaves the display; and what leaves it."""
    front = plain(front, view)
    waiting, seen = [front], {front}
    while waiting:
        front = waiting.pop()
        shown = screen(view, front)
        presses: list[tuple[ButtonName, str]] = [("camera_plus", "short"), choose]
        if shown.name == "idle":
            presses.append(("camera_plus", "long"))  # which leads to the articles, however many buttons there are
        for button, phase in presses:
            after, said = pressed(front, view, button, phase)
            yield shown, said
            after = plain(after, view)
            if not said and after not in seen:
                seen.add(after)
                waiting.append(after)


def plain(front: Front, view: View) -> Front:
    """The same place, told the same way: turning on leads around, and what was typed does not matter."""
    round_ = len(stops(screen(view, front), front.row)) or 1
    return replace(front, page=front.page % 4, focus=front.focus % round_, text="", held_since_s=0.0)


@pytest.mark.parametrize("choose", [("camera_plus", "long"), ("accept", "short")])
@pytest.mark.parametrize("sample", samples(), ids=lambda s: s[0])
def test_everything_is_reached_with_one_button_and_with_accept(sample: Sample, choose: tuple[ButtonName, str]) -> None:
    name, view, front = sample
    if name == "asleep":
        return
    there: set[tuple[str, str, str]] = set()
    reached: set[tuple[str, str, str]] = set()
    said: set[Intent] = set()
    for shown, told in walk(view, front, choose):
        there |= {(shown.name, c.id, c.arg) for c in shown.choices if c.id not in FOR_FINGERS}
        if len(shown.group) == 1 and shown.focused:
            reached.add((shown.name, shown.focused.id, shown.focused.arg))
        said |= set(told)
    missing = {(s, i, a) for s, i, a in there - reached if Chosen(i, a) not in said}
    assert not missing, missing


@pytest.mark.parametrize("sample", samples(), ids=lambda s: s[0])
def test_no_screen_is_without_a_way_back_and_the_decline_button_takes_it(sample: Sample) -> None:
    name, view, front = sample
    shown = screen(view, front)
    if shown.name in NOTHING_TO_DO:
        return
    ways = {c.id for c in shown.choices if c.focusable} & set(DECLINE)
    assert ways, name
    after, said = pressed(front, view, "decline", "short")
    assert said or screen(view, after) != shown, name


@pytest.mark.parametrize("choice", CONFIRMED_FIRST)
def test_what_destroys_something_asks_first_and_the_focus_is_on_no(choice: str) -> None:
    found = False
    for _, view, front in samples():
        shown = screen(view, front)
        at = next((i for i, c in enumerate(shown.choices) if c.id == choice), None)
        if at is None or front.confirm or (choice == "leave" and not (view.flow and view.flow.at)):
            continue
        walked = list(walk(view, front, ("camera_plus", "long")))
        asks = [s for s, _ in walked if s.name == f"{shown.name}-confirm"]
        assert asks
        assert asks[0].choices[0].id == "keep"
        assert all(s.name.endswith("-confirm") for s, said in walked if Chosen(choice) in said)
        found = True
    assert found


def test_every_choice_that_leaves_the_display_can_be_taken_back() -> None:
    leaving = {
        i.id
        for _, view, front in samples()
        for _, said in walk(view, front, ("camera_plus", "long"))
        for i in said
        if isinstance(i, Chosen)
    }
    assert leaving <= set(UNDONE_BY)
    for choice, (name, undo) in UNDONE_BY.items():
        view, front = SAMPLES[name]
        assert undo in {c.id for c in screen(view, front).choices}, choice


def test_colour_is_never_the_only_sign() -> None:
    """Who sees no colours reads words and signs; the main choice is lighter than all others, not only bluer."""
    for name, view, front in samples():
        shown = screen(view, front)
        assert all(chip.icon and chip.text for chip in (*shown.chips, *shown.status)), name
        assert all(c.icon and c.label for c in shown.choices if c.style != "plain"), name
        assert shown.icon or shown.layout in ("list", "text", "keys", "call"), name
    assert theme.contrast(theme.ACCENT, theme.DANGER) >= 3
    assert theme.contrast(theme.ACCENT, theme.RAISED) >= 3
