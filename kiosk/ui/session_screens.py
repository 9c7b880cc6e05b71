"""A session, but for its call: waiting, confirmed, ringing; completed, closed, cancelled."""

from __future__ import annotations

from kiosk.session.record import Ringing, Session
from kiosk.session.states import Event, Role, State
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.texts import Say
from kiosk.ui.view import View


def before_the_call(view: View, session: Session, say: Say) -> Screen:
    if session.ringing:
        return _ringing(session, session.ringing, say)
    return _requested(view, session, say) if session.state is State.REQUESTED else _confirmed(session, say)


def after_the_call(view: View, session: Session, say: Say) -> Screen:
    match session.state:
        case State.COMPLETED:
            return _completed(session, say)
        case State.CLOSED:
            return _closed(view, session, say)
        case _:
            return _cancelled(view, session, say)


def _requested(view: View, session: Session, say: Say) -> Screen:
    cancel = Choice("cancel", say("Cancel the request"), icon="cross")
    about = (say("Reason: {reason}", reason=session.reason),) if session.reason else ()
    if session.seen_by:  # so it was sent, whatever of it has changed since
        names = ", ".join(p.name for p in session.seen_by)
        lines = (say("Seen by {names}. Please wait for the confirmation.", names=names), *about)
        return Screen("seen", "", say("Your request was seen"), lines, (cancel,), icon="person", tone="good")
    if not view.sent and view.online:
        lines = (say("It is stored here, and sent again until the service has it."), *about)
        return Screen("request-sending", "", say("Sending the request"), lines, (cancel,), icon="clock")
    if not view.sent:
        lines = (say("The request is stored and is sent as soon as the network is back."), *about)
        return Screen(
            "waiting-for-network",
            "",
            say("Waiting for the network"),
            lines,
            (cancel,),
            icon="network-off",
            tone="alert",
        )
    lines = (say("Sent. Please wait for the confirmation."), *about)
    return Screen("waiting", "", say("Request sent"), lines, (cancel,), icon="clock")


def _confirmed(session: Session, say: Say) -> Screen:
    choices = (
        Choice("start", say("START"), "primary", icon="camera"),
        Choice("cancel", say("Cancel"), icon="cross"),
    )
    if told := _rang_in_vain(session, say):
        return Screen("rang-in-vain", "", told[0], told[1:], choices, icon="phone", tone="alert")
    who = next((c.actor.name for c in reversed(session.history) if c.target is State.CONFIRMED), "")
    lines = (
        say("{name} is ready for the video call.", name=who)
        if who
        else say("The service is ready for the video call."),
        say("Press START as soon as you are at the machine."),
    )
    asked = session.origin == "code_user"  # whoever did not ask is not told that the request was confirmed
    title = say("Request confirmed") if asked else say("A video call is ready")
    return Screen("confirmed", "", title, lines, choices, icon="check", tone="good")


def _rang_in_vain(session: Session, say: Say) -> tuple[str, ...]:
    """Title and lines where a ringing came to nothing that the code user must hear of; what he ended himself is not."""
    again = say("The request stays confirmed. Press START to call again.")
    match session.rang_by, session.rang_in_vain:
        case "code_user", "no_answer":
            return say("Nobody answered"), again
        case "code_user", "declined":
            return say("The service cannot talk just now"), again
        case "code_user", "restart":
            return say("The call was interrupted"), again
        case "staff", "no_answer" | "given_up" | "restart":
            return say("Missed call"), say("The service has called. Press START to call back.")
    return ()


def _ringing(session: Session, ringing: Ringing, say: Say) -> Screen:
    if ringing.by == "code_user":
        lines = (say("As soon as somebody answers, the camera is switched on."),)
        choices = (Choice("give-up", say("Give up"), "danger", icon="hang-up"),)
        return Screen("calling", "", say("We are calling …"), lines, choices, icon="phone")
    name = ringing.name or say("The service")
    return Screen(
        "ringing",
        "",
        say("{name} is calling", name=name),
        (say("When you accept, camera and microphone are switched on."),),
        (
            Choice("accept", say("Accept"), "primary", icon="phone"),
            Choice("decline", say("Decline"), "danger", icon="hang-up"),
        ),
        icon="phone",
        tone="good",
    )


def _completed(session: Session, say: Say) -> Screen:
    return Screen(
        "completed",
        "",
        say("The call has ended"),
        (say("The service can still call you again."), _rated(session, say)),
        (Choice("done", say("Done"), "primary", icon="check"), *_stars(say)),
        layout="end",
        icon="check",
        tone="good",
        stars=session.rating.stars if session.rating else 0,
    )


def _closed(view: View, session: Session, say: Say) -> Screen:
    qr = (say("Scan the code for pictures and recording."),) if view.qr else ()
    return Screen(
        "closed",
        "",
        say("The session is closed"),
        (*qr, _rated(session, say)),
        (Choice("done", say("Done"), "primary", icon="check"), *_stars(say)),
        layout="end",
        icon="check",
        tone="good",
        qr=view.qr,
        stars=session.rating.stars if session.rating else 0,
    )


def _cancelled(view: View, session: Session, say: Say) -> Screen:
    last = session.history[-1] if session.history else None
    by_staff = last is not None and last.event is Event.CANCEL and last.actor.role is not Role.CODE_USER
    if by_staff and last is not None:
        line = say("Cancelled by {name}.", name=last.actor.name or say("The service"))
    else:
        line = say("You have called it off.")
    again = (Choice("ask", say("New request"), "plain", icon="camera-plus"),) if view.provider.requests_allowed else ()
    choices = (Choice("done", say("Done"), "primary", icon="check"), *again)
    return Screen("cancelled", "", say("Session cancelled"), (line,), choices, icon="cross", tone="alert")


def _rated(session: Session, say: Say) -> str:
    return say("Thank you for your rating.") if session.rating else say("How satisfied are you?")


def _stars(say: Say) -> tuple[Choice, ...]:
    return tuple(
        Choice("rate", say("{n} of 5", n=n), arg=str(n), icon="star", place="star") for n in range(1, 6)
    )  # fmt: skip
