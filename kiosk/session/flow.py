"""The creation flow: the steps a code user goes through between the press and the request. Pure.

The provider configures and orders the steps. Steps that would show nothing (no recording allowed, no note, nothing to
choose from where nothing can be typed) are left out; with none left the press itself is the request.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from kiosk.session.inputs import Request
from kiosk.session.provider import Provider, StepKind
from kiosk.session.record import MAX_TEXT, Consent, Ticket


class Flow(Struct, frozen=True):
    """Where a code user is in the creation flow. `steps[at]` is on the display."""

    steps: tuple[StepKind, ...]
    at: int = 0
    request: Request = Request()
    can_type: bool = True

    @property
    def step(self) -> StepKind | None:
        """The step on the display; None when all are done and `request` is ready to be sent."""
        return self.steps[self.at] if self.at < len(self.steps) else None


def begin(provider: Provider, reason: str = "", can_type: bool = True, ticket: str = "") -> Flow:
    """The flow at its first step. A `reason` that an article filled in leaves its step out, and so does a scanned
    `ticket`; so do steps that need a keyboard where there is none to `can_type` on."""
    shown: dict[StepKind, bool] = {
        "reason": (bool(provider.reasons) or can_type) and not reason,
        "requester": can_type,
        "consent": provider.recording_allowed,
        "ticket": (bool(provider.tickets) or can_type) and not ticket,
        "note": bool(provider.note),
    }
    request = Request(reason=reason, tickets=(ticket_of(provider, ticket),) if ticket else ())
    return Flow(tuple(s for s in provider.steps if shown[s]), request=request, can_type=can_type)


def answer(flow: Flow, text: str = "", consent: Consent | None = None) -> Flow:
    """The flow after the step on the display was answered; an empty `text` leaves the step unanswered."""
    request = flow.request
    match flow.step:
        case "reason":
            request = replace(request, reason=text)
        case "requester":
            request = replace(request, requester=text)
        case "consent":
            request = replace(request, consent=consent)
        case "ticket":
            request = replace(request, tickets=())  # none: also where one was chosen before, and the way led back
        case "note" | None:
            pass
    return replace(flow, at=min(flow.at + 1, len(flow.steps)), request=request)


def choose_ticket(flow: Flow, provider: Provider, ticket_id: str) -> Flow:
    """The flow after a ticket was chosen, typed or scanned in the step "ticket"."""
    return replace(flow, at=flow.at + 1, request=replace(flow.request, tickets=(ticket_of(provider, ticket_id),)))


def ticket_of(provider: Provider, code: str) -> Ticket:
    """The ticket of that id or link, as the provider offers it; any other is named by the code alone."""
    known = (t for t in provider.tickets if code.casefold() in (t.id.casefold(), t.link.casefold()))
    return next(known, Ticket(code[:MAX_TEXT]))


def back(flow: Flow) -> Flow | None:
    """One step back; None where the flow is left."""
    return replace(flow, at=flow.at - 1) if flow.at else None
