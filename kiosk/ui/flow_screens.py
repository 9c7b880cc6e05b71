"""The creation flow, step by step."""

from __future__ import annotations

from dataclasses import replace

from kiosk.session.flow import Flow
from kiosk.session.provider import Article
from kiosk.ui import keys
from kiosk.ui.consent import consent_lines
from kiosk.ui.idle_screens import text_page
from kiosk.ui.layout import list_page
from kiosk.ui.local import Front
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.texts import Say
from kiosk.ui.view import View


def step(view: View, flow: Flow, front: Front, say: Say) -> Screen:
    """The step of `flow` that is on the display."""
    match flow.step:
        case "reason" if front.typing or not view.provider.reasons:
            shown = keys.screen("reason-typed", say("What is it about?"), front, say)
        case "reason":
            shown = _reason(view, flow, front, say)
        case "requester":
            shown = keys.screen("requester", say("Your name (may be left empty)"), front, say)
        case "consent":
            shown = _consent(view, say)
        case "ticket" if front.typing or not view.provider.tickets:
            shown = keys.screen("ticket-typed", say("Ticket number (type or scan it)"), front, say)
        case "ticket":
            shown = _ticket(view, flow, front, say)
        case "note":
            note = Article("note", say("Please read"), view.provider.note)
            shown = text_page("note", note, [Choice("next", say("Understood"), "primary", icon="check")], front, say)
        case None:
            return Screen("sending", "", say("One moment, please"), layout="message", icon="clock")
    ways = _ways(flow, front, say)
    return replace(
        shown,
        choices=(*shown.choices, *ways),
        step=(flow.at, len(flow.steps)),
        hint=say("Button: short = next, hold = choose"),
    )


def discarded(view: View, say: Say) -> Screen:
    again = [Choice("ask", say("Start again"), "primary", icon="camera-plus")]
    return Screen(
        "discarded",
        "",
        say("The request was discarded"),
        (say("Nothing was pressed for a while, so nothing was sent."),),
        (*(again if view.provider.requests_allowed else ()), Choice("done", say("Close"), icon="cross")),
        icon="clock",
        tone="alert",
    )


def _ways(flow: Flow, front: Front, say: Say) -> tuple[Choice, ...]:
    """Back (or out of the typing), and out of the flow."""
    back: tuple[Choice, ...] = ()
    if front.typing:
        back = (Choice("untype", say("Back"), icon="back"),)
    elif flow.at:
        back = (Choice("back", say("Back"), icon="back"),)
    return (*back, Choice("leave", say("Leave"), icon="cross"))


def _reason(view: View, flow: Flow, front: Front, say: Say) -> Screen:
    reasons = list_page("list", view.provider.reasons, front)
    listed = tuple(Choice("answer", r, arg=r, place="list", icon="open") for r in reasons.items)
    more = (Choice("page", say("More"), icon="more"),) if reasons.pages > 1 else ()
    if flow.can_type:
        other = Choice("other", say("Other reason"), icon="pen")
    else:
        other = Choice("answer", say("Other reason"), icon="next")  # nothing to type it on: it is left open
    return Screen("reason", "", say("What is it about?"), choices=(*listed, *more, other), layout="list")


def _ticket(view: View, flow: Flow, front: Front, say: Say) -> Screen:
    tickets = list_page("list", view.provider.tickets, front)
    listed = tuple(
        Choice("ticket", f"{t.id} · {t.title}" if t.title else t.id, arg=t.id, place="list", icon="ticket")
        for t in tickets.items
    )
    more = (Choice("page", say("More"), icon="more"),) if tickets.pages > 1 else ()
    other = (Choice("other", say("Another one"), icon="pen"),) if flow.can_type else ()
    none = Choice("next", say("No ticket"), icon="next")
    choices = (*listed, *more, *other, none)
    return Screen("ticket", "", say("Which ticket is it about?"), choices=choices, layout="list")


def _consent(view: View, say: Say) -> Screen:
    return Screen(
        "consent",
        "",
        say("May the call be recorded?"),
        consent_lines(view),
        (
            Choice("consent-yes", say("I agree"), "primary", icon="check"),
            Choice("consent-no", say("I do not agree"), icon="record-off"),
        ),
        icon="record",
    )
