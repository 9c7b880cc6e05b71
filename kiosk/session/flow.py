"""The creation flow: the steps a code user goes through between the press and the request. Pure.

The provider configures and orders the steps. Steps that would show nothing (no recording allowed, no note, nothing to
choose from where nothing can be typed) are left out; with none left the press itself is the request.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from kiosk.session.inputs import Request
from kiosk.session.provider import Provider, StepKind
from kiosk.session.record import Consent


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


def begin(provider: Provider, reason: str = "", can_type: bool = True) -> Flow:
    """The flow at its first step. A `reason` filled in by an article leaves its step out; so do steps that need a
    keyboard where there is none to `can_type` on."""
    shown: dict[StepKind, bool] = {
        "reason": (bool(provider.reasons) or can_type) and not reason,
        "requester": can_type,
        "consent": provider.recording_allowed,
        "ticket": bool(provider.tickets),
        "note": bool(provider.note),
    }
    return Flow(tuple(s for s in provider.steps if shown[s]), request=Request(reason=reason), can_type=can_type)


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
    """The flow after a ticket was chosen in the step "ticket"."""
    chosen = tuple(t for t in provider.tickets if t.id == ticket_id)
    return replace(flow, at=flow.at + 1, request=replace(flow.request, tickets=chosen))


def back(flow: Flow) -> Flow | None:
    """One step back; None where the flow is left."""
    return replace(flow, at=flow.at - 1) if flow.at else None
