"""What an input at the display means: a pure reducer. Works with one button, with three, and with fingers.

One button (camera_plus): short = next, long = choose; on the idle screen short = ask for help at once.
accept = choose what has the focus (at first the main choice); decline = no, back, away.
Fingers: tap a choice; in the call, draw on the picture, with several fingers at once.
Keys: arrows and Tab = next, Enter = choose, Escape = decline; letters where something is typed; a scanner's code leaves
as the intent "scan".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kiosk.hw.ports import Key, Press, Touch
from kiosk.ui.fit import Fit, contains
from kiosk.ui.keys import MOST_LETTERS, row_of
from kiosk.ui.layout import choice_at, measures, picture_fit
from kiosk.ui.local import FINGER_TOOLS, LIVE_TOOLS, TAPPED, Chosen, Draw, Front, Grip, Intent, Tick
from kiosk.ui.near import nearest
from kiosk.ui.scan import NO_BURST, code_of, typed_on
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.screens import CONFIRMED_FIRST, key_of, screen, stops
from kiosk.ui.view import View

__all__ = ["Chosen", "Draw", "Front", "Intent", "Press", "Tick", "Touch", "react"]

DECLINE = (
    "keep", "consent-no", "decline", "give-up", "untype", "back", "browse-end", "live", "leave", "done", "cancel",
    "hang-up",
)  # fmt: skip
"""What the decline button chooses: the first of these that the screen has."""

Step = tuple[Front, tuple[Intent, ...]]


def react(front: Front, view: View, what: Press | Touch | Key | Tick) -> Step:
    """The display's own state after an input, and what the rest of the kiosk is to do about it."""
    front = front.on(key_of(view))
    match what:
        case Press():
            return _press(front, view, what)
        case Touch():
            return _touch(front, view, what)
        case Key():
            return _key(front, view, what)
        case Tick():
            return front, ()


# --- buttons ----------------------------------------------------------------------------------------------------------


def _press(front: Front, view: View, press: Press) -> Step:  # noqa: PLR0911 - a line per button
    if press.phase == "down":
        held = replace(front, held=press.button, held_since_s=view.now_s, held_on=front.screen, by_touch=False)
        return held, ()
    began_elsewhere = front.held == press.button and front.held_on != front.screen
    front = replace(front, held=None, by_touch=False)
    if press.phase == "up" or began_elsewhere:
        return front, ()
    shown = screen(view, front)
    match press.button, press.phase:
        case "camera_plus", "short":
            return _short(front, view, shown)
        case "camera_plus", _:
            return _long(front, view, shown)
        case _ if shown.asleep:
            return front, ()  # the camera-plus button asks at once; these two only wake the display
        case "accept", _:
            return _choose_focused(front, view, shown)
        case _:
            return _choose(front, view, _declining(shown))


def _short(front: Front, view: View, shown: Screen) -> Step:
    if shown.name == "idle" and not front.browsing:
        ask = _named(shown, "ask")
        return _choose(front, view, ask) if ask else (replace(front, browsing=True), ())
    return _next(front, shown), ()


def _next(front: Front, shown: Screen) -> Front:
    """After the last key of a row the focus is on the whole row again: there is a way out of each."""
    if front.row >= 0 and front.focus + 1 >= len(stops(shown, front.row)):
        return _to_rows(front, shown)
    return replace(front, focus=front.focus + 1)


def _to_rows(front: Front, shown: Screen) -> Front:
    rows = [row_of(shown.choices, stop[0]) for stop in stops(shown, -1)]
    return replace(front, row=-1, focus=rows.index(front.row) if front.row in rows else 0)


def _long(front: Front, view: View, shown: Screen) -> Step:
    if shown.name == "idle" and not front.browsing and (_named(shown, "article") or _named(shown, "recall")):
        return replace(front, browsing=True, focus=0), ()
    return _choose_focused(front, view, shown)


def _choose_focused(front: Front, view: View, shown: Screen) -> Step:
    """A row of keys is gone into; after one of its keys the focus is on the row again."""
    if len(shown.group) > 1:
        return replace(front, row=row_of(shown.choices, shown.group[0]), focus=0), ()
    front, intents = _choose(front, view, shown.focused)
    return (_to_rows(front, shown) if front.row >= 0 else front), intents


def _named(shown: Screen, choice_id: str) -> Choice | None:
    return next((c for c in shown.choices if c.id == choice_id), None)


def _declining(shown: Screen) -> Choice | None:
    return next((found for i in DECLINE if (found := _named(shown, i))), None)


# --- choosing ---------------------------------------------------------------------------------------------------------


def _choose(front: Front, view: View, choice: Choice | None) -> Step:
    if choice is None:
        return front, ()
    if choice.id == "answer" and front.writing is not None:
        return _written(front, choice.arg)
    here = _chosen_here(front, choice)
    if here is not None:
        return here, ()
    if choice.id in CONFIRMED_FIRST and front.confirm != choice.id and _costs(front, view, choice.id):
        return replace(front, confirm=choice.id, focus=0), ()
    chosen = "consent-yes" if choice.id == "reconsider" else choice.id
    return replace(front, confirm=""), (Chosen(chosen, choice.arg),)


def _written(front: Front, text: str) -> Step:
    """Puts the letters where the finger was; without any nothing is put."""
    x, y = front.writing or (0.0, 0.0)
    done = replace(front, writing=None, text="", focus=0, row=-1)
    return done, (Draw("end", x, y, "text", what=text),) if text else ()


def _costs(front: Front, view: View, choice: str) -> bool:
    """Whether anything would be lost: a creation flow in which nothing was answered yet is left at once."""
    return choice != "leave" or bool(front.text.strip()) or (view.flow is not None and view.flow.at > 0)


def _chosen_here(front: Front, choice: Choice) -> Front | None:  # noqa: PLR0911 - a line per choice
    """What a choice that concerns the display alone leads to; None for all others."""
    match choice.id:
        case "page":
            return replace(front, page=front.page + 1, focus=0)
        case "finger-tool":
            return replace(front, tool=FINGER_TOOLS[(FINGER_TOOLS.index(front.tool) + 1) % len(FINGER_TOOLS)])
        case "live-tool":
            return replace(front, live=LIVE_TOOLS[(LIVE_TOOLS.index(front.live) + 1) % len(LIVE_TOOLS)])
        case "keep":
            return replace(front, confirm="", focus=0)
        case "browse-end":
            return replace(front, browsing=False, focus=0, page=0)
        case "other":
            return replace(front, typing=True, focus=0, text="")
        case "untype":
            return replace(front, typing=False, focus=0, text="", writing=None)
        case "shift":
            return replace(front, shift=not front.shift)
        case "symbols":
            return replace(front, symbols=not front.symbols)
        case "erase":
            return replace(front, text=front.text[:-1], shift=len(front.text) <= 1)
        case "type":
            typed = (front.text + choice.arg)[:MOST_LETTERS]
            return replace(front, text=typed, shift=choice.arg == " " and not front.symbols)
        case _:
            return None


# --- keys -------------------------------------------------------------------------------------------------------------


def _key(front: Front, view: View, key: Key) -> Step:
    shown = screen(view, front)
    if len(key.name) == 1:
        front = replace(front, burst=typed_on(front.burst, key, front.text), by_touch=False)
        return (_typed(front, key.name) if shown.field is not None else front), ()
    code = code_of(front.burst, key) if key.name == "enter" else ""
    if code:
        return _scanned(front, shown, code)
    front = replace(front, burst=NO_BURST, by_touch=False)
    return (front, ()) if shown.asleep else _named_key(front, view, shown, key.name)


def _typed(front: Front, letter: str) -> Front:
    return replace(front, text=(front.text + letter)[:MOST_LETTERS], shift=False)


def _scanned(front: Front, shown: Screen, code: str) -> Step:
    """Where free text is typed the code is a part of it; anywhere else it leaves, and what it typed is taken back."""
    if shown.field is not None and shown.name != "ticket-typed":
        return replace(front, burst=NO_BURST), ()
    return replace(front, text=front.burst.before, burst=NO_BURST), (Chosen("scan", code),)


def _named_key(front: Front, view: View, shown: Screen, name: str) -> Step:
    match name:
        case "enter" if shown.field is not None:
            return _choose(front, view, _named(shown, "answer"))
        case "enter":
            return _choose_focused(front, view, shown)
        case "escape":
            return _choose(front, view, _declining(shown))
        case "erase":
            return replace(front, text=front.text[:-1]), ()
        case "previous":
            return replace(front, row=-1, focus=front.focus - 1), ()
        case _:
            return replace(front, row=-1, focus=front.focus + 1), ()


# --- fingers ----------------------------------------------------------------------------------------------------------

MOST_FINGERS = 5
FINGER = 44
"""So near to an edit (units of theme.py) a finger means it."""


def _touch(front: Front, view: View, touch: Touch) -> Step:
    grip = next((g for g in front.grips if g.finger == touch.finger), None)
    if touch.phase == "down":
        return _down(front, view, touch) if grip is None else (front, ())
    if grip is None:
        return front, ()
    if grip.choice is None:
        return _pen(front, view, grip, touch)
    if touch.phase == "move":
        return front, ()
    front = _without(front, grip)
    shown = screen(view, front)
    choice = choice_at(shown, front.size, *_px(front, touch))
    same = choice is not None and Chosen(choice.id, choice.arg) == grip.choice and grip.screen == shown.key
    return _choose(front, view, choice) if same else (front, ())


def _without(front: Front, grip: Grip) -> Front:
    return replace(front, grips=tuple(g for g in front.grips if g is not grip))


def _down(front: Front, view: View, touch: Touch) -> Step:
    """Several fingers draw at once; a choice is pressed by one alone."""
    if (view.asleep and front.screen == "idle") or len(front.grips) >= MOST_FINGERS:
        return front, ()  # the first finger only wakes the display
    if any(g.choice for g in front.grips):
        return front, ()
    front = replace(front, by_touch=True, row=-1)
    shown = screen(view, front)
    at = _px(front, touch)
    choice = choice_at(shown, front.size, *at)
    if choice:
        if front.grips:
            return front, ()
        return replace(front, grips=(Grip(touch.finger, shown.key, Chosen(choice.id, choice.arg)),)), ()
    place = _fit(front, view)
    if shown.mode == "page" or shown.title or not contains(place.rect, *at):
        return front, ()
    x, y = place.to_frame(*at)
    grip = Grip(touch.finger, shown.key, None, x, y, taps=shown.mode == "snapshot" and front.tool in TAPPED)
    drawn = () if grip.taps else (_draw(front, grip, "begin", x, y),)
    return replace(front, grips=(*front.grips, grip)), drawn


def _pen(front: Front, view: View, grip: Grip, touch: Touch) -> Step:
    """A line goes on until its finger is lifted, or until another screen is shown."""
    if grip.taps:
        return _tapped(front, view, grip, touch)
    if grip.screen != front.screen:
        return _without(front, grip), (_draw(front, grip, "end", grip.x, grip.y),)
    x, y = _fit(front, view).to_frame(*_px(front, touch))
    if touch.phase == "up":
        return _without(front, grip), (_draw(front, grip, "end", x, y),)
    moved = replace(grip, x=x, y=y)
    grips = tuple(moved if g is grip else g for g in front.grips)
    return replace(front, grips=grips), (_draw(front, grip, "point", x, y),)


def _tapped(front: Front, view: View, grip: Grip, touch: Touch) -> Step:
    """Asks for the letters of a text, or takes away what is nearest, where the finger is lifted from the snapshot."""
    at, place = _px(front, touch), _fit(front, view)
    if touch.phase == "move":
        return front, ()
    front = _without(front, grip)
    if grip.screen != front.screen or not contains(place.rect, *at):
        return front, ()
    x, y = place.to_frame(*at)
    if front.tool == "text":
        return replace(front, writing=(x, y), text="", shift=True, symbols=False, focus=0, grips=()), ()
    edits = view.call.snapshot.edits if view.call and view.call.snapshot else ()
    gone = nearest(edits, at, place, measures(front.size).px(FINGER))
    return front, (Draw("end", x, y, "delete", what=gone),) if gone else ()


def _draw(front: Front, grip: Grip, phase: Literal["begin", "point", "end"], x: float, y: float) -> Draw:
    return Draw(phase, x, y, front.tool, grip.finger, front.live)


def _px(front: Front, touch: Touch) -> tuple[float, float]:
    return touch.x * front.size[0], touch.y * front.size[1]


def _fit(front: Front, view: View) -> Fit:
    """Where the picture that is shown stands."""
    if view.call is None or view.call.snapshot is None:
        return picture_fit(front.size, view.call.frame if view.call else (16, 9))
    return picture_fit(front.size, view.call.snapshot.picture.size, view.call.frame)
