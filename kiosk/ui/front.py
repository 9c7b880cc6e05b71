"""What an input at the display means: a pure reducer. Works with one button, with three, and with fingers.

One button (camera_plus): short = next, long = choose; on the idle screen short = ask for help at once.
accept = choose what has the focus (at first the main choice); decline = no, back, away.
Fingers: tap a choice; in the call, draw on the picture.
"""

from __future__ import annotations

from dataclasses import replace

from kiosk.hw.ports import Press, Touch
from kiosk.ui.fit import contains
from kiosk.ui.keys import MOST_LETTERS
from kiosk.ui.layout import choice_at, picture_fit
from kiosk.ui.local import FINGER_TOOLS, Chosen, Draw, Front, Grip, Intent, Tick
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.screens import CONFIRMED_FIRST, key_of, screen
from kiosk.ui.view import View

__all__ = ["Chosen", "Draw", "Front", "Intent", "Press", "Tick", "Touch", "react"]

DECLINE = (
    "keep", "consent-no", "decline", "give-up", "untype", "back", "browse-end", "live", "leave", "done", "cancel",
    "hang-up",
)  # fmt: skip
"""What the decline button chooses: the first of these that the screen has."""

Step = tuple[Front, tuple[Intent, ...]]


def react(front: Front, view: View, what: Press | Touch | Tick) -> Step:
    """The display's own state after an input, and what the rest of the kiosk is to do about it."""
    front = front.on(key_of(view))
    match what:
        case Press():
            return _press(front, view, what)
        case Touch():
            return _touch(front, view, what)
        case Tick():
            return front, ()


# --- buttons ----------------------------------------------------------------------------------------------------------


def _press(front: Front, view: View, press: Press) -> Step:
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
            return _short(front, shown)
        case "camera_plus", _:
            return _long(front, shown)
        case "accept", _:
            return _choose(front, shown.focused)
        case _:
            return _choose(front, _declining(shown))


def _short(front: Front, shown: Screen) -> Step:
    if shown.name == "idle" and not front.browsing:
        ask = _named(shown, "ask")
        return _choose(front, ask) if ask else (replace(front, browsing=True), ())
    return replace(front, focus=front.focus + 1), ()


def _long(front: Front, shown: Screen) -> Step:
    if shown.name == "idle" and not front.browsing and _named(shown, "article"):
        return replace(front, browsing=True, focus=0), ()
    return _choose(front, shown.focused)


def _named(shown: Screen, choice_id: str) -> Choice | None:
    return next((c for c in shown.choices if c.id == choice_id), None)


def _declining(shown: Screen) -> Choice | None:
    return next((found for i in DECLINE if (found := _named(shown, i))), None)


# --- choosing ---------------------------------------------------------------------------------------------------------


def _choose(front: Front, choice: Choice | None) -> Step:
    if choice is None:
        return front, ()
    here = _chosen_here(front, choice)
    if here is not None:
        return here, ()
    if choice.id in CONFIRMED_FIRST and front.confirm != choice.id:
        return replace(front, confirm=choice.id, focus=0), ()
    return replace(front, confirm=""), (Chosen(choice.id, choice.arg),)


def _chosen_here(front: Front, choice: Choice) -> Front | None:  # noqa: PLR0911 - a line per choice
    """What a choice that concerns the display alone leads to; None for all others."""
    match choice.id:
        case "page":
            return replace(front, page=front.page + 1, focus=0)
        case "finger-tool":
            return replace(front, tool=FINGER_TOOLS[(FINGER_TOOLS.index(front.tool) + 1) % len(FINGER_TOOLS)])
        case "keep":
            return replace(front, confirm="", focus=0)
        case "browse-end":
            return replace(front, browsing=False, focus=0, page=0)
        case "other":
            return replace(front, typing=True, focus=0, text="")
        case "untype":
            return replace(front, typing=False, focus=0, text="")
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


# --- fingers ----------------------------------------------------------------------------------------------------------


def _touch(front: Front, view: View, touch: Touch) -> Step:
    grip = front.grip
    if touch.phase == "down":
        return _down(front, view, touch) if grip is None else (front, ())
    if grip is None or grip.finger != touch.finger:
        return front, ()
    if grip.choice is None:
        return _pen(front, view, grip, touch)
    if touch.phase == "move":
        return front, ()
    front = replace(front, grip=None)
    shown = screen(view, front)
    choice = choice_at(shown, front.size, *_px(front, touch))
    same = choice is not None and Chosen(choice.id, choice.arg) == grip.choice and grip.screen == shown.key
    return _choose(front, choice) if same else (front, ())


def _down(front: Front, view: View, touch: Touch) -> Step:
    if view.asleep and front.screen == "idle":
        return front, ()  # this finger only wakes the display
    front = replace(front, by_touch=True)
    shown = screen(view, front)
    at = _px(front, touch)
    choice = choice_at(shown, front.size, *at)
    if choice:
        return replace(front, grip=Grip(touch.finger, shown.key, Chosen(choice.id, choice.arg))), ()
    place = picture_fit(front.size, _frame(view))
    if shown.mode == "page" or shown.title or not contains(place.rect, *at):
        return front, ()
    x, y = place.to_frame(*at)
    return replace(front, grip=Grip(touch.finger, shown.key, None, x, y)), (Draw("begin", x, y, front.tool),)


def _pen(front: Front, view: View, grip: Grip, touch: Touch) -> Step:
    """A line goes on until the finger is lifted, or until another screen is shown."""
    if grip.screen != front.screen:
        return replace(front, grip=None), (Draw("end", grip.x, grip.y, front.tool),)
    x, y = picture_fit(front.size, _frame(view)).to_frame(*_px(front, touch))
    if touch.phase == "up":
        return replace(front, grip=None), (Draw("end", x, y, front.tool),)
    return replace(front, grip=replace(grip, x=x, y=y)), (Draw("point", x, y, front.tool),)


def _px(front: Front, touch: Touch) -> tuple[float, float]:
    return touch.x * front.size[0], touch.y * front.size[1]


def _frame(view: View) -> tuple[int, int]:
    """(width, height) of the picture that is shown."""
    if view.call is None:
        return (16, 9)
    return view.call.snapshot.picture.size if view.call.snapshot else view.call.frame
