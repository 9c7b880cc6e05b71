"""Which screen is shown, and what stands on it: a pure function of View and Front.

Choices that leave the display (as kiosk.ui.local.Chosen):
    ask  article(id)  ask-with-reason(reason)  done                                   idle, articles, the end
    answer(text)  consent-yes  consent-no  ticket(id)  next  back  leave               creation flow
    scan(code): read by a scanner; recall: the last session once more             anywhere; the idle screen
    cancel  start  accept  decline  give-up                                           before the call
    hang-up  snapshot  live  undo  mute  unmute  withdraw  consent-yes  consent-no     in the call
    rate(1..5)                                                                        after it
Those that stay here: page, other, untype, type(letter), shift, symbols, erase, keep, browse-end; reconsider leaves as
consent-yes once it is confirmed.
"""

from __future__ import annotations

from dataclasses import replace

from kiosk.session.states import OPEN, State
from kiosk.ui import call_screens, flow_screens, idle_screens, session_screens
from kiosk.ui.consent import consent_lines
from kiosk.ui.local import Chosen, Front
from kiosk.ui.screen import Chip, Choice, Screen
from kiosk.ui.texts import Say, later, speaker
from kiosk.ui.theme import scale_of
from kiosk.ui.view import View

__all__ = ["CONFIRMED_FIRST", "TROUBLES", "Chip", "Choice", "Screen", "key_of", "screen"]

TROUBLES = {
    "updating": later("The software is being updated. Please do not switch off."),
    "stopping": later("The kiosk is restarting."),
    "unknown_code": later("This code is not known here."),
    "no_camera": later("The camera does not answer. Please check its cable."),
    "no_network": later("No network. Requests are sent as soon as it is back."),
    "no_sound": later("Microphone or speaker does not answer."),
    "disk_full": later("The storage is full. Recording is not possible."),
    "not_kept": later("Nothing can be stored: requests are sent, nothing is recorded."),
    "begun_anew": later("The storage was damaged: earlier sessions are missing here."),
    "stuck_button": later("A button is stuck. Please let it go or have it checked."),
    "no_time": later("The time is not known yet."),
}
"""The worst first."""

CONFIRMED_FIRST = {
    "cancel": (later("Really cancel the request?"), later("Yes, cancel")),
    "hang-up": (later("Really end the call?"), later("Yes, hang up")),
    "withdraw": (later("Really stop the recording?"), later("Yes, stop it")),
    "leave": (later("Really leave? Nothing is sent."), later("Yes, leave")),
    "reconsider": (later("May the call be recorded?"), later("I agree")),
}
"""What cannot be taken back is asked once more: question, and the word for yes."""

HOLD_LEAST = 0.03
"""So much of the hold ring is seen as soon as the button is down: it says that the press was felt."""

HINT_S = 20.0
"""So long does the call say how the button is used, from its beginning and from each press: that covers a little."""

DRIFT_S = 60.0
_DRIFT_X = (0, 2, 4, 6, 8, 6, 4, 2, 0, -2, -4, -6, -8, -6, -4, -2)
_DRIFT_Y = (0, -1, -2, -3, -1, 0, -2, -3, -1, -2, 0, -3, -1, -2, -3, -1)
"""Where a page stands, minute by minute since somebody was there, in units of theme.py: within its margins, which are
narrow above and below."""


def key_of(view: View) -> str:
    """Names what is shown; two views with the same key show the same screen, perhaps with other words on it."""
    session = view.session
    if session and session.state in OPEN:
        ringing = session.ringing.by if session.ringing else ""
        return f"session:{session.id}:{session.state}:{ringing}:{call_screens.part_of(view.call)}"
    if view.flow:
        return f"flow:{view.flow.at}:{view.flow.step}"
    if view.flow_discarded:
        return "discarded"
    if view.article:
        return f"article:{view.article}"
    if session:
        return f"session:{session.id}:{session.state}"
    return "idle"


def screen(view: View, front: Front) -> Screen:
    """What the display shows."""
    key, say = key_of(view), speaker(view.language)
    front = front.on(key)
    shown = replace(_body(view, front, say), key=key)
    if front.confirm:
        shown = _confirming(shown, front.confirm, view, say)
    if shown.choices and not shown.hint and shown.mode == "page":
        shown = replace(shown, hint=say("Button: short = next, hold = choose"))
    if shown.layout in ("idle", "message"):
        shown = replace(shown, drift=drift(view.now_s - view.touched_s, front.size))
    shown = replace(
        shown,
        heading=view.device_name,
        banner=say(TROUBLES[view.troubles[0]]) if view.troubles and view.troubles[0] in TROUBLES else "",
        status=_status(view, say),
        asleep=view.asleep and key == "idle",
    )
    shown = _held(shown, view, front)
    if shown.layout == "call" and shown.show_focus and view.now_s - _last_touched_s(view) < HINT_S:
        shown = replace(shown, chips=(*shown.chips, Chip("camera-plus", say("Button: short = next, hold = choose"))))
    return shown


def _last_touched_s(view: View) -> float:
    return max(view.touched_s, view.call.started_s if view.call else 0.0)


def _body(view: View, front: Front, say: Say) -> Screen:  # noqa: PLR0911 - a line per kind of screen
    session = view.session
    if session and session.state is State.RUNNING:
        if front.writing is not None and view.call:
            return call_screens.writing(view, view.call, front, say)
        return call_screens.running(view, session, say, front.tool, front.live)
    if session and session.state in OPEN:
        return session_screens.before_the_call(view, session, say)
    if view.flow:
        return flow_screens.step(view, view.flow, front, say)
    if view.flow_discarded:
        return flow_screens.discarded(view, say)
    if view.article:
        return idle_screens.article(view, view.article, front, say)
    if session:
        return session_screens.after_the_call(view, session, say)
    return idle_screens.idle(view, front, say)


def drift(still_s: float, size: tuple[int, int]) -> tuple[int, int]:
    """px that a page is moved by when nothing has happened for so long."""
    minute, scale = int(still_s // DRIFT_S), scale_of(size)
    return round(_DRIFT_X[minute % 16] * scale), round(_DRIFT_Y[minute % 16] * scale)


def _confirming(shown: Screen, choice: str, view: View, say: Say) -> Screen:
    question, yes = CONFIRMED_FIRST[choice]
    agreeing = choice == "reconsider"
    sign = "hang-up" if choice == "hang-up" else "check" if agreeing else "cross"
    return replace(
        shown,
        name=f"{shown.name}-confirm",
        title=say(question),
        lines=consent_lines(view) if agreeing else (),
        field=None,
        icon="warning",
        tone="alert",
        qr="",
        layout=shown.layout if shown.layout == "call" else "message",
        choices=(
            Choice("keep", say("No, back"), "primary", icon="back"),
            Choice(choice, say(yes), "plain" if agreeing else "danger", icon=sign),
        ),
    )


def _status(view: View, say: Say) -> tuple[Chip, ...]:
    network = Chip("network", say("Online")) if view.online else Chip("network-off", say("No network"))
    if view.staff_online is None or not view.online:
        return (network,)
    staff = say("Service available") if view.staff_online else say("Service not at the desk")
    return (network, Chip("person", staff))


def stops(shown: Screen, row: int) -> list[tuple[int, ...]]:
    """Where the single button stops: at choices, at rows of keys as a whole, and in the `row` at each of its keys."""
    if row >= 0:
        return [(i,) for i, c in enumerate(shown.choices) if c.row == row]
    single = [(i,) for i, c in enumerate(shown.choices) if c.focusable and c.row < 0]
    rows = sorted({c.row for c in shown.choices if c.row >= 0})
    return single + [tuple(i for i, c in enumerate(shown.choices) if c.row == r) for r in rows]


def _held(shown: Screen, view: View, front: Front) -> Screen:
    """With focus, finger and the ring of a held button on it."""
    places = stops(shown, front.row)
    group = places[front.focus % len(places)] if places else (0,)
    hold = 0.0
    if front.held == "camera_plus" and front.held_on == shown.key:
        hold = min(1.0, max(HOLD_LEAST, (view.now_s - front.held_since_s) / front.long_press_s))
    pressed = -1
    grip = next((g for g in front.grips if g.choice), None)
    if grip and grip.screen == shown.key:
        pressed = next((i for i, c in enumerate(shown.choices) if Chosen(c.id, c.arg) == grip.choice), -1)
    show_focus = not front.by_touch and bool(places)
    return replace(
        shown, focus=group[0], group=group, hold=hold, pressed=pressed, show_focus=show_focus, page=front.page
    )
