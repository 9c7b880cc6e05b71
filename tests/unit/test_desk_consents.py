"""What the desk remembers of consent receipts, pure: nothing that was told once is taken back in silence."""

from __future__ import annotations

from msgspec.structs import replace

from desk.sessions.consents import FINE, MAX_LOST, check
from kiosk.session import receipts
from kiosk.session.record import Consent, Device, Receipt, Session
from kiosk.session.states import State


def answer(given: bool, minute: int) -> Consent:
    return Consent(given, f"2026-11-22T10:{minute:02}:00.000Z", "Picture and sound are recorded.", "en", "call")


def after(session: Session, *answers: Consent) -> Session:
    for consent in answers:
        session = receipts.said(session, consent, consent.at)
    return replace(session, rev=session.rev + 1)


PLAIN = Session("s-1", "e1", 1, "kiosk-1", Device("press-7", "Press 7"), State.RUNNING, "code_user", "2026-11-22")
ONE = after(PLAIN, answer(True, 1))
TWO = after(ONE, answer(False, 2))
THREE = after(TWO, answer(True, 3))


def test_a_chain_that_grows_is_fine() -> None:
    for before, told in ((None, PLAIN), (None, THREE), (PLAIN, ONE), (ONE, THREE), (TWO, TWO)):
        assert check(told, before) == FINE


def test_an_older_chain_of_a_new_epoch_is_what_a_kiosk_lost_and_is_said_as_that() -> None:
    back = replace(ONE, epoch="e2")
    found = check(back, THREE)
    assert (found.lost, found.restored, found.faults) == (THREE.consents[1:], True, ())
    assert "no longer has: 2, 3 (the kiosk came back with an earlier state)" in found.text


def test_an_older_chain_of_the_same_epoch_was_cut() -> None:
    found = check(replace(ONE, rev=9), THREE)
    assert (found.lost, found.restored) == (THREE.consents[1:], False)
    assert "cut or changed" in found.text


def test_what_was_lost_stays_known_while_the_session_goes_on() -> None:
    back = replace(ONE, epoch="e2")
    found = check(back, THREE)
    on = after(back, answer(False, 9))
    found = check(on, back, found)
    assert (found.lost, found.restored) == (THREE.consents[1:], True)
    cut = check(replace(back, rev=20), on, found)
    assert cut.restored is False
    assert set(cut.lost) == {*THREE.consents[1:], on.consents[-1]}


def test_what_comes_back_is_lost_no_more() -> None:
    back = replace(ONE, epoch="e2")
    assert check(replace(THREE, epoch="e3"), back, check(back, THREE)) == FINE


def test_a_receipt_that_was_changed_is_a_fault_and_stands_as_it_was_told() -> None:
    forged = replace(THREE.consents[1], consent=answer(True, 2))
    told = replace(THREE, consents=(THREE.consents[0], forged, THREE.consents[2]))
    found = check(told, THREE)
    assert [f.code for f in found.faults] == ["changed"]
    assert found.lost == (THREE.consents[1],)


def test_a_whole_new_chain_hides_nothing() -> None:
    told = after(replace(PLAIN, rev=30), answer(True, 30))
    found = check(told, THREE)
    assert (found.faults, found.lost) == ((), THREE.consents)


def test_a_kiosk_that_invents_receipts_without_end_costs_a_bounded_memory() -> None:
    known, before = FINE, PLAIN
    for n in range(5):
        made = tuple(Receipt(i, f"{n}", "said", hash=f"{n}-{i}") for i in range(60))
        told = replace(PLAIN, consents=made)
        known, before = check(told, before, known), told
    assert len(known.lost) == MAX_LOST
