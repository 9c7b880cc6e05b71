"""Which screen is shown, and what stands on it: a pure function of View and Front.

Choices that leave the display (as kiosk.ui.local.Chosen):
    ask  article(id)  ask-with-reason(reason)  done                                   idle, articles, the end
    answer(text)  consent-yes  consent-no  ticket(id)  next  back  leave               creation flow
    cancel  start  accept  decline  give-up                                           before the call
    hang-up  snapshot  live  undo  mute  unmute  withdraw  consent-yes  consent-no     in the call
    rate(1..5)                                                                        after it
Those that stay here: page, other, untype, type(letter), shift, symbols, erase, keep, browse-end.
"""

from __future__ import annotations

from dataclasses import replace

from kiosk.session.states import OPEN, State
from kiosk.ui import call_screens, flow_screens, idle_screens, session_screens
from kiosk.ui.local import Chosen, Front
from kiosk.ui.screen import Chip, Choice, Screen
from kiosk.ui.texts import Say, later, speaker
from kiosk.ui.view import View

__all__ = ["CONFIRMED_FIRST", "TROUBLES", "Chip", "Choice", "Screen", "key_of", "screen"]

TROUBLES = {
    "no_camera": later("The camera does not answer. Please check its cable."),
    "no_network": later("No network. Requests are sent as soon as it is back."),
    "no_sound": later("Microphone or speaker does not answer."),
    "disk_full": later("The storage is full. Recording is not possible."),
    "not_kept": later("Nothing can be stored: requests are sent, nothing is recorded."),
    "begun_anew": later("The storage was damaged: earlier sessions are missing here."),
    "no_time": later("The time is not known yet."),
    "updating": later("The software is being updated. Please do not switch off."),
    "stopping": later("The kiosk is restarting."),
}

CONFIRMED_FIRST = {
    "cancel": (later("Really cancel the request?"), later("Yes, cancel")),
    "hang-up": (later("Really end the call?"), later("Yes, hang up")),
    "withdraw": (later("Really stop the recording?"), later("Yes, stop it")),
}
"""What cannot be taken back is asked once more: question, and the word for yes."""


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
        shown = _confirming(shown, front.confirm, say)
    shown = replace(
        shown,
        heading=view.device_name,
        banner=say(TROUBLES[view.troubles[0]]) if view.troubles and view.troubles[0] in TROUBLES else "",
        status=_status(view, say),
        asleep=view.asleep and key == "idle",
    )
    return _held(shown, view, front)


def _body(view: View, front: Front, say: Say) -> Screen:  # noqa: PLR0911 - a line per kind of screen
    session = view.session
    if session and session.state is State.RUNNING:
        return call_screens.running(view, session, say, front.tool)
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


def _confirming(shown: Screen, choice: str, say: Say) -> Screen:
    question, yes = CONFIRMED_FIRST[choice]
    return replace(
        shown,
        name=f"{shown.name}-confirm",
        title=say(question),
        lines=(),
        icon="warning",
        tone="alert",
        qr="",
        layout=shown.layout if shown.layout == "call" else "message",
        choices=(
            Choice("keep", say("No, back"), "primary", icon="back"),
            Choice(choice, say(yes), "danger", icon="hang-up" if choice == "hang-up" else "cross"),
        ),
    )


def _status(view: View, say: Say) -> tuple[Chip, ...]:
    network = Chip("network", say("Online")) if view.online else Chip("network-off", say("No network"))
    if view.staff_online is None or not view.online:
        return (network,)
    staff = say("Service available") if view.staff_online else say("Service not at the desk")
    return (network, Chip("person", staff))


def _held(shown: Screen, view: View, front: Front) -> Screen:
    """With focus, finger and the ring of a held button on it."""
    focusable = [i for i, c in enumerate(shown.choices) if c.focusable]
    focus = focusable[front.focus % len(focusable)] if focusable else 0
    hold = 0.0
    if front.held == "camera_plus" and front.held_on == shown.key:
        hold = min(1.0, max(0.0, (view.now_s - front.held_since_s) / front.long_press_s))
    pressed = -1
    if front.grip and front.grip.choice and front.grip.screen == shown.key:
        pressed = next((i for i, c in enumerate(shown.choices) if Chosen(c.id, c.arg) == front.grip.choice), -1)
    show_focus = not front.by_touch and bool(focusable)
    return replace(shown, focus=focus, hold=hold, pressed=pressed, show_focus=show_focus, page=front.page)
