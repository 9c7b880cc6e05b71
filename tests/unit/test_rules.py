"""What inputs do to a session, and who may cause it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.errors import Busy, Full, NotAllowed, NotAssigned, RecordingOff, RequestsOff, WrongState
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import (
    CODE_USER,
    SYSTEM,
    Actor,
    Artifact,
    ArtifactKind,
    Consent,
    Device,
    Person,
    Rating,
    Session,
    Ticket,
)
from kiosk.session.rules import MAX_ASSIGNED, Now, apply, takes_a_snapshot
from kiosk.session.states import Role, State
from kiosk.wire.codec import MAX_MESSAGE, encode
from kiosk.wire.messages import SessionTold

ANNA, BEN, CLARA = Person("anna", "Anna Berg"), Person("ben", "Ben Okoye"), Person("clara", "Clara Wolf")
PROVIDER = Provider(staff=(ANNA, BEN), moderators=(CLARA,), recording_allowed=True, reasons=("Jam",))
NOW = Now(
    at="2026-11-22T10:00:00.000Z",
    clock_ok=True,
    epoch="e1",
    kiosk="kiosk-1",
    device=Device("press-7", "Press 7"),
    provider=PROVIDER,
    new_session_id="s-1",
    new_call_id="c-1",
    open_session_id=None,
)
YES = Consent(True, NOW.at, "May this call be recorded?", "en", "creation_flow")


def staff(person: Person, claimed: Role = Role.STAFF) -> Actor:
    return Actor(claimed, person.id, person.name)


def requested(**settings: object) -> Session:
    now = replace(NOW, provider=replace(PROVIDER, **settings))
    return apply(None, do.Request(reason="Jam", consent=YES), CODE_USER, now)


def confirmed() -> Session:
    return apply(requested(), do.Confirm(), staff(ANNA), NOW)


def running() -> Session:
    return apply(confirmed(), do.Start(other_present=True), CODE_USER, NOW)


def completed() -> Session:
    return apply(running(), do.End(), staff(ANNA), NOW)


def test_a_request_asks_the_responsible_staff_and_keeps_what_was_answered() -> None:
    session = requested()
    assert session.state is State.REQUESTED
    assert (session.origin, session.reason, session.rev) == ("code_user", "Jam", 1)
    assert session.asked == session.assigned == (ANNA, BEN)
    assert session.recording.consent == YES
    assert [c.target for c in session.history] == [State.REQUESTED]


def test_consent_means_nothing_where_the_provider_allows_no_recording() -> None:
    session = requested(recording_allowed=False)
    assert session.recording.consent is None
    assert not session.recording.wanted


def test_a_kiosk_whose_provider_allows_no_requests_takes_none() -> None:
    with pytest.raises(RequestsOff):
        requested(requests_allowed=False)


def test_a_second_request_is_refused_while_one_is_in_progress() -> None:
    with pytest.raises(Busy):
        apply(None, do.Request(), CODE_USER, replace(NOW, open_session_id="s-0"))


def test_staff_create_a_session_that_is_confirmed_at_once() -> None:
    session = apply(None, do.Create(reason="check"), staff(BEN), NOW)
    assert (session.state, session.origin) == (State.CONFIRMED, "staff")


def test_a_moderator_who_creates_a_session_is_assigned_to_it() -> None:
    assert apply(None, do.Create(), staff(CLARA), NOW).has_staff("clara")


@pytest.mark.parametrize("what", [do.Confirm(), do.Cancel(), do.Start(), do.End(), do.Close(), do.AskRecording()])
def test_somebody_who_only_claims_to_be_assigned_is_refused(what: do.Input) -> None:
    with pytest.raises(NotAssigned):
        apply(requested(), what, Actor(Role.STAFF, "mallory", "Mallory"), NOW)


def test_a_moderator_may_assign_and_then_run_but_not_before() -> None:
    with pytest.raises((NotAssigned, NotAllowed)):
        apply(requested(), do.Confirm(), staff(CLARA, Role.MODERATOR), NOW)
    session = apply(requested(), do.Assign(CLARA), staff(CLARA, Role.MODERATOR), NOW)
    assert apply(session, do.Confirm(), staff(CLARA, Role.MODERATOR), NOW).state is State.CONFIRMED


def test_start_rings_where_the_other_side_is_not_there_and_is_answered_by_it() -> None:
    ringing = apply(confirmed(), do.Start(other_present=False), CODE_USER, NOW)
    assert (ringing.state, ringing.ringing and ringing.ringing.by) == (State.CONFIRMED, "code_user")
    on = apply(ringing, do.Start(), staff(ANNA), NOW)
    assert (on.state, on.ringing) == (State.RUNNING, None)


def test_ringing_can_be_given_up_by_either_side() -> None:
    ringing = apply(confirmed(), do.Start(), staff(ANNA), NOW)
    for actor, why in ((CODE_USER, "declined"), (staff(ANNA), "given_up"), (SYSTEM, "no_answer")):
        over = apply(ringing, do.GiveUp("no_answer"), actor, NOW)
        assert (over.ringing, over.rang_in_vain, over.rang_by) == (None, why, "staff")
    with pytest.raises(WrongState):
        apply(confirmed(), do.GiveUp(), CODE_USER, NOW)


def test_ringing_again_or_the_call_make_the_ringing_in_vain_forgotten() -> None:
    in_vain = apply(apply(confirmed(), do.Start(), CODE_USER, NOW), do.GiveUp("no_answer"), SYSTEM, NOW)
    ringing = apply(in_vain, do.Start(), staff(ANNA), NOW)
    assert in_vain.rang_by == "code_user"
    assert (ringing.rang_in_vain, ringing.rang_by, ringing.ringing and ringing.ringing.by) == ("", "", "staff")
    on = apply(in_vain, do.Start(other_present=True), staff(ANNA), NOW)
    assert (on.rang_in_vain, on.rang_by) == ("", "")


def test_start_pressed_again_while_it_rings_changes_nothing() -> None:
    ringing = apply(confirmed(), do.Start(), CODE_USER, NOW)
    assert apply(ringing, do.Start(), CODE_USER, replace(NOW, at="2026-11-22T10:00:09.000Z")) is ringing


def test_start_on_both_sides_in_the_same_second_is_one_call() -> None:
    session = running()
    assert apply(session, do.Start(), staff(ANNA), NOW) is session
    assert len(session.calls) == 1


def test_recording_is_wanted_only_when_provider_staff_and_code_user_agree() -> None:
    session = running()
    assert session.recording.wanted
    withdrawn = apply(session, do.GiveConsent(replace(YES, given=False)), CODE_USER, NOW)
    assert not withdrawn.recording.wanted
    assert not apply(session, do.StopRecording(), staff(ANNA), NOW).recording.wanted


def test_consent_is_given_by_the_code_user_alone() -> None:
    for actor in (staff(ANNA), SYSTEM):
        with pytest.raises(NotAllowed):
            apply(running(), do.GiveConsent(YES), actor, NOW)


def test_nobody_asks_for_a_recording_where_the_provider_forbids_it() -> None:
    with pytest.raises(RecordingOff):
        apply(requested(recording_allowed=False), do.AskRecording(), staff(ANNA), NOW)


def test_a_call_that_ends_has_its_times_and_people() -> None:
    session = apply(running(), do.Joined(ANNA), SYSTEM, NOW)
    session = apply(session, do.End("hung up"), CODE_USER, NOW)
    assert session.state is State.COMPLETED
    assert session.calls[0].participants == (ANNA,)
    assert session.calls[0].ended_at == NOW.at
    assert session.history[-1].cause == "hung up"


def test_a_reopened_session_has_all_it_had_and_a_second_call() -> None:
    session = apply(completed(), do.Close("review_over"), SYSTEM, NOW)
    again = apply(session, do.Reopen(), staff(ANNA), replace(NOW, provider=PROVIDER))
    assert again.state is State.CONFIRMED
    second = apply(again, do.Start(other_present=True), staff(ANNA), replace(NOW, new_call_id="c-2"))
    assert [c.id for c in second.calls] == ["c-1", "c-2"]
    assert second.reason == "Jam"


def test_a_reopened_session_follows_the_providers_present_settings_and_keeps_the_consent() -> None:
    forbids = replace(PROVIDER, recording_allowed=False, review_s=5.0)
    again = apply(completed(), do.Reopen(), staff(ANNA), replace(NOW, provider=forbids))
    assert (again.recording.allowed, again.recording.wanted, again.review_s) == (False, False, 5.0)
    assert again.recording.consent == YES
    allowed_again = apply(apply(again, do.Cancel(), staff(ANNA), NOW), do.Reopen(), staff(ANNA), NOW)
    assert allowed_again.recording.wanted


def test_what_staff_stopped_is_not_recorded_after_a_reopening() -> None:
    stopped = apply(completed(), do.StopRecording(), staff(ANNA), NOW)
    assert not apply(stopped, do.Reopen(), staff(ANNA), NOW).recording.asked


def test_no_call_is_recorded_that_begins_after_the_provider_forbade_it() -> None:
    forbids = replace(NOW, provider=replace(PROVIDER, recording_allowed=False))
    assert not apply(confirmed(), do.Start(other_present=True), CODE_USER, forbids).recording.wanted


def test_the_look_back_is_what_the_provider_said_when_the_session_began_or_less() -> None:
    session = requested(look_back_s=20)
    assert session.look_back_s == 20
    session = apply(session, do.Confirm(), staff(ANNA), NOW)
    for today, then in ((30, 20), (20, 20), (5, 5), (0, 0)):
        at = replace(NOW, provider=replace(PROVIDER, look_back_s=today))
        assert apply(session, do.Start(other_present=True), CODE_USER, at).look_back_s == then
    assert requested().look_back_s == 0
    assert requested(look_back_s=20, recording_allowed=False).look_back_s == 0


def test_the_first_no_ends_the_look_back_for_good() -> None:
    session = requested(look_back_s=20)
    session = apply(session, do.GiveConsent(replace(YES, given=False)), CODE_USER, NOW)
    assert session.look_back_s == 0
    assert apply(session, do.GiveConsent(replace(YES, at="later")), CODE_USER, NOW).look_back_s == 0


def test_a_microphone_switched_off_is_remembered_for_its_call_alone() -> None:
    session = apply(running(), do.Muted(running().calls[-1].id, True), SYSTEM, NOW)
    assert session.calls[-1].muted
    assert apply(session, do.Muted("another", False), SYSTEM, NOW).calls[-1].muted
    with pytest.raises(NotAllowed):
        apply(running(), do.Muted(running().calls[-1].id, True), staff(ANNA), NOW)


def test_nothing_records_after_the_call_though_the_recorder_says_so_late() -> None:
    assert not apply(completed(), do.RecordingRuns(True), SYSTEM, NOW).recording.running


def test_the_last_of_the_assigned_cannot_leave() -> None:
    alone = apply(requested(), do.Unassign("ben"), staff(ANNA), NOW)
    with pytest.raises(WrongState):
        apply(alone, do.Unassign("anna"), staff(ANNA), NOW)


def test_only_so_many_people_are_assigned() -> None:
    session = requested()
    while len(session.assigned) < MAX_ASSIGNED:
        session = apply(session, do.Assign(Person(f"p-{session.rev}-x", "")), staff(ANNA), NOW)
    with pytest.raises(Full):
        apply(session, do.Assign(CLARA), staff(ANNA), NOW)


def test_a_session_never_grows_beyond_what_can_be_told_and_can_always_be_ended() -> None:
    session = completed()
    files = [Artifact(f"art-{n}", ArtifactKind.SNAPSHOT, f"{n}.jpg", "image/jpeg", 3, "a" * 64) for n in range(1000)]
    for file in files:
        session = apply(session, do.AddArtifact(file), SYSTEM, NOW)
    assert 100 < len(session.artifacts) < 1000
    with pytest.raises(Full):
        apply(session, do.Reopen(), staff(ANNA), NOW)
    closed = apply(session, do.Close("x" * 200), staff(ANNA), NOW)
    record = Artifact("data-5", ArtifactKind.SESSION_DATA, "session-data-5.json", "application/json", 3, "a" * 64)
    closed = apply(closed, do.AddArtifact(record), SYSTEM, NOW)
    assert (closed.state, closed.artifacts[-1]) == (State.CLOSED, record)
    assert len(encode(SessionTold(closed))) < MAX_MESSAGE


def test_reopening_waits_while_another_session_is_in_progress() -> None:
    with pytest.raises(Busy):
        apply(completed(), do.Reopen(), staff(ANNA), replace(NOW, open_session_id="s-2"))


def test_a_code_user_cannot_cancel_a_running_call_but_staff_can() -> None:
    with pytest.raises(NotAllowed):
        apply(running(), do.Cancel(), CODE_USER, NOW)
    assert apply(running(), do.Cancel("mistake"), staff(ANNA), NOW).state is State.CANCELLED


def test_each_change_is_a_new_revision_and_nothing_new_is_none() -> None:
    session = requested()
    assigned = apply(session, do.Assign(ANNA), staff(BEN), NOW)
    assert assigned is session
    assert apply(session, do.Assign(CLARA), staff(BEN), NOW).rev == session.rev + 1


def test_an_artifact_counts_as_uploaded_only_with_the_right_sum() -> None:
    artifact = Artifact("art-1", ArtifactKind.SNAPSHOT, "snapshot-1.jpg", "image/jpeg", 3, "a" * 64)
    session = apply(completed(), do.AddArtifact(artifact), SYSTEM, NOW)
    assert apply(session, do.Uploaded("art-1", "b" * 64), SYSTEM, NOW) is session
    assert apply(session, do.Uploaded("art-1", "a" * 64), SYSTEM, NOW).artifacts[0].uploaded


def test_an_artifact_that_is_lost_says_why_and_waits_no_longer() -> None:
    artifact = Artifact("art-1", ArtifactKind.SNAPSHOT, "snapshot-1.jpg", "image/jpeg", 3, "a" * 64)
    session = apply(completed(), do.AddArtifact(artifact), SYSTEM, NOW)
    assert apply(session, do.Lost("art-1", "b" * 64, "missing"), SYSTEM, NOW) is session, "it is another one by now"
    lost = apply(session, do.Lost("art-1", "a" * 64, "damaged"), SYSTEM, NOW)
    assert (lost.artifacts[0].lost, lost.artifacts[0].waits) == ("damaged", False)
    with pytest.raises(NotAllowed):
        apply(session, do.Lost("art-1", "a" * 64, "missing"), staff(ANNA), NOW)
    here = apply(lost, do.Uploaded("art-1", "a" * 64), SYSTEM, NOW)
    assert (here.artifacts[0].uploaded, here.artifacts[0].lost) == (True, ""), "the desk had it all the time"
    assert apply(here, do.Lost("art-1", "a" * 64, "missing"), SYSTEM, NOW) is here


def test_snapshots_stop_before_the_document_is_full_and_staff_can_go_on() -> None:
    session = running()
    taken = 0
    while takes_a_snapshot(session):
        taken += 1
        for kind in (ArtifactKind.SNAPSHOT, ArtifactKind.LAYERS, ArtifactKind.FLATTENED):
            name = f"snap-01234567-{taken}-{kind.value}".replace("_", "-")
            file = Artifact(name, kind, f"snapshot-{taken}-flat.jpg", "image/jpeg", 10**7, "a" * 64, "c-0123456789ab")
            session = apply(session, do.AddArtifact(file), SYSTEM, NOW)
    assert taken > 30
    assert len(session.artifacts) == 3 * taken, "none was taken and could then not be told"
    apply(session, do.Assign(CLARA), staff(ANNA), NOW)
    ended = apply(session, do.End(), CODE_USER, NOW)
    apply(ended, do.Reopen(), staff(ANNA), NOW)


def test_tickets_are_linked_unlinked_and_replaced_by_id() -> None:
    session = apply(requested(), do.LinkTicket(Ticket("T-1", "old")), staff(ANNA), NOW)
    session = apply(session, do.LinkTicket(Ticket("T-1", "new")), staff(ANNA), NOW)
    assert session.tickets == (Ticket("T-1", "new"),)
    assert apply(session, do.UnlinkTicket("T-1"), staff(ANNA), NOW).tickets == ()


def test_a_session_is_rated_by_the_code_user_after_its_call() -> None:
    with pytest.raises(WrongState):
        apply(running(), do.Rate(Rating(5)), CODE_USER, NOW)
    rated = apply(completed(), do.Rate(Rating(5)), CODE_USER, NOW)
    assert rated.rating == Rating(5)
