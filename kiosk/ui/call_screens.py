"""The call: live picture or snapshot, with what can be done in a bar below."""

from __future__ import annotations

from dataclasses import replace

from kiosk.session.record import Session
from kiosk.ui import keys
from kiosk.ui.consent import consent_lines
from kiosk.ui.local import FingerTool, Front, LiveTool
from kiosk.ui.screen import Chip, Choice, Screen
from kiosk.ui.texts import Say, later
from kiosk.ui.view import CallView, View

RED = "#ff5b52"

QUALITIES = {
    "good": later("Good picture"),
    "fair": later("Fair connection"),
    "poor": later("Poor connection"),
}
TOOLS: dict[FingerTool, str] = {
    "pen": later("Pen"),
    "arrow": later("Arrow"),
    "box": later("Box"),
    "step": later("Number"),
    "text": later("Text"),
    "delete": later("Delete"),
}
LIVE: dict[LiveTool, tuple[str, str]] = {
    "pen": (later("Pen"), "pen"),
    "pinned": (later("Pen, pinned"), "pin"),
    "pointer": (later("Pointer"), "pointer"),
}
STEPS = {
    "smaller": later("Weak connection: smaller picture"),
    "small": later("Weak connection: small, jerky picture"),
    "stills": later("Very weak connection: stills only"),
}


def part_of(call: CallView | None) -> str:
    """What of the call is shown, for the screen's key."""
    if call is None:
        return ""
    if call.recording == "asked":
        return "asked"
    return f"snapshot {call.snapshot.id}" if call.snapshot else "live"


def running(view: View, session: Session, say: Say, tool: FingerTool = "pen", live: LiveTool = "pen") -> Screen:
    call = view.call
    hang_up = Choice("hang-up", say("Hang up"), "danger", icon="hang-up")
    if call is None:
        title, lines = say("Connecting …"), (say("The camera is being switched on."),)
        return Screen("connecting", "", title, lines, (hang_up,), icon="camera")
    shown = Screen("call", "", "", (), (), mode="call", layout="call", chips=_chips(view, call, say))
    if call.recording == "asked":
        return _asked(shown, view, hang_up, say)
    mute = Choice("unmute", say("Unmute"), icon="mic-off") if call.muted else Choice("mute", say("Mute"), icon="mic")
    if call.snapshot:
        first: tuple[Choice, ...] = (
            Choice("live", say("Live picture"), "primary", icon="camera"),
            Choice("undo", say("Undo"), icon="undo"),
            Choice("finger-tool", say(TOOLS[tool]), icon=tool, focusable=False),
        )
        shown = replace(shown, name="snapshot", mode="snapshot")
    else:
        words, icon = LIVE[live]
        first = (
            Choice("snapshot", say("Screenshot"), icon="photo"),
            Choice("live-tool", say(words), icon=icon, focusable=False),
        )
    withdraw: tuple[Choice, ...] = ()
    if call.recording == "on":
        withdraw = (Choice("withdraw", say("Stop recording"), icon="record-off"),)
    elif refused(session):
        withdraw = (Choice("reconsider", say("Allow recording"), icon="record"),)
    return replace(shown, choices=(*first, mute, hang_up, *withdraw))


def writing(view: View, call: CallView, front: Front, say: Say) -> Screen:
    """The keyboard for a text on the snapshot. That the camera is live and what it shows recorded is said here too."""
    shown = keys.screen("snapshot-text", "", front, say)
    done = replace(shown.choices[-1], label=say("Done"), icon="check")
    back = Choice("untype", say("Cancel"), icon="cross")
    signs = _chips(view, call, say)[: 2 if call.recording == "on" else 1]
    return replace(shown, choices=(*shown.choices[:-1], done, back), chips=signs)


def refused(session: Session) -> bool:
    """A recording is wanted and was refused: who pressed the wrong button can still agree."""
    recording = session.recording
    return recording.allowed and recording.asked and recording.consent is not None and not recording.consent.given


def _asked(shown: Screen, view: View, hang_up: Choice, say: Say) -> Screen:
    return replace(
        shown,
        name="call-consent",
        title=say("May the call be recorded?"),
        lines=consent_lines(view),
        icon="record",
        choices=(
            Choice("consent-yes", say("I agree"), "primary", icon="check"),
            Choice("consent-no", say("I do not agree"), icon="record-off"),
            hang_up,
        ),
    )


def _quality(call: CallView, say: Say) -> list[Chip]:
    """How the others get the picture; who gets it worse than the rest is named."""
    words = STEPS.get(call.step) or QUALITIES.get(call.quality)
    chips = [Chip("network", say(words))] if words and call.people else []
    if call.on_stills and call.step != "stills":
        chips.append(Chip("network", say("Single pictures only: {names}", names=", ".join(call.on_stills))))
    return chips


def _chips(view: View, call: CallView, say: Say) -> tuple[Chip, ...]:
    """The most important first: nobody is seen or recorded without knowing it. Beside a snapshot the last may have no
    room."""
    chips = [Chip("camera", say("Camera is live"), RED)]
    if call.recording == "on":
        chips.append(Chip("dot" if int(view.now_s) % 2 == 0 else "ring", say("RECORDING"), RED))
    seconds = max(0, int(view.now_s - call.started_s))
    chips.append(Chip("clock", f"{seconds // 60:02d}:{seconds % 60:02d}"))
    if call.muted:
        chips.append(Chip("mic-off", say("Microphone off")))
    if call.turns:
        chips.append(Chip("turns", say("Please speak in turns")))
    chips += _quality(call, say)
    if not call.people:
        chips.append(Chip("person", say("Waiting for the other side")))
    people = (Chip("mic-off" if name in call.silent else "person", name, colour) for name, colour in call.people)
    hint = (Chip("photo", say("Screenshot: draw with your finger")),) if call.snapshot else ()
    return (*chips, *people, *hint)
