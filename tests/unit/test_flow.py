"""The creation flow."""

from __future__ import annotations

from kiosk.session.flow import answer, back, begin, choose_ticket
from kiosk.session.provider import Provider
from kiosk.session.record import Consent, Ticket

PROVIDER = Provider(
    steps=("reason", "requester", "consent", "ticket", "note"),
    reasons=("Jam", "Question"),
    recording_allowed=True,
    note="Please stay clear of the press.",
    tickets=(Ticket("T-1", "Jam in press 7"),),
)
YES = Consent(True, "2026-11-22T10:00:00Z", "May we record?", "en", "creation_flow")


def test_all_steps_in_the_providers_order_make_the_request() -> None:
    flow = begin(PROVIDER)
    assert flow.step == "reason"
    flow = answer(flow, "Jam")
    flow = answer(flow, "Mika")
    flow = answer(flow, consent=YES)
    flow = choose_ticket(flow, PROVIDER, "T-1")
    assert flow.step == "note"
    flow = answer(flow)
    assert flow.step is None
    assert (flow.request.reason, flow.request.requester, flow.request.consent) == ("Jam", "Mika", YES)
    assert flow.request.tickets == PROVIDER.tickets


def test_steps_that_would_show_nothing_are_left_out() -> None:
    assert begin(Provider(steps=("consent", "ticket", "note")), can_type=False).step is None


def test_without_a_list_the_reason_is_free_text_where_it_can_be_typed() -> None:
    assert begin(Provider(steps=("reason",))).step == "reason"
    assert begin(Provider(steps=("reason", "requester")), can_type=False).step is None
    assert begin(PROVIDER, can_type=False).steps == ("reason", "consent", "ticket", "note")


def test_an_articles_reason_is_filled_in_already() -> None:
    flow = begin(PROVIDER, "Question")
    assert flow.request.reason == "Question"
    assert "reason" not in flow.steps


def test_a_ticket_chosen_before_is_not_kept_where_the_second_answer_is_none() -> None:
    flow = begin(Provider(steps=("ticket", "requester"), tickets=PROVIDER.tickets))
    again = back(choose_ticket(flow, PROVIDER, "T-1"))
    assert again is not None
    assert answer(again).request.tickets == ()


def test_back_goes_one_step_back_and_from_the_first_out() -> None:
    flow = answer(begin(PROVIDER), "Jam")
    first = back(flow)
    assert first is not None
    assert first.step == "reason"
    assert back(first) is None
