"""Random inputs from everybody in any order, with restarts and power cuts at any point, against a simple model.

The book is the real one on a real file; LIFE_EXAMPLES=5000 makes a long run of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from kiosk import errors
from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage, Tables
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import Actor, Artifact, ArtifactKind, Consent, Device, Person, Rating, Session, Ticket
from kiosk.session.states import TABLE, Role
from kiosk.wire.messages import Answer, Command, Guard
from tests.unit.life_model import TABLE as LIFE
from tests.unit.life_model import Facts, Model, No, facts_of, sum_of

ANNA, BEN, CLARA, MALLORY = (Person(name, name.title()) for name in ("anna", "ben", "clara", "mallory"))
PEOPLE = (ANNA, BEN, CLARA, MALLORY)
DEVICE = Device("press-7", "Press 7")
KINDS: list[type[errors.Refused]] = errors.Refused.__subclasses__()
CODES = {kind.code for kind in KINDS}
MEMORY = Path("/dev/shm")
"""Where there is such a thing the file lies there: what fsync promises is tested elsewhere, here it only takes time."""

REASONS: tuple[Literal["missing", "damaged", "unreadable"], ...] = ("missing", "damaged", "unreadable")

people = st.sampled_from(PEOPLE)
tickets = st.sampled_from(("T-1", "T-2", "T-3")).map(Ticket)
consents = st.booleans().map(lambda given: Consent(given, "2026-11-22T10:00:00Z", "May we?", "en", "call"))
artifact_ids = st.sampled_from(("art-1", "art-2"))
artifacts = artifact_ids.map(
    lambda i: Artifact(i, ArtifactKind.SNAPSHOT, f"{i}.jpg", "image/jpeg", 3, sum_of(i)),
)
life = (
    st.just(do.Confirm())
    | st.just(do.Cancel())
    | st.builds(do.Start)
    | st.just(do.End())
    | st.just(do.Close())
    | st.just(do.Reopen())
)
arrangements = (
    st.just(do.GiveUp())
    | st.builds(do.Assign, people)
    | st.builds(do.Unassign, people.map(lambda p: p.id))
    | st.builds(do.LinkTicket, tickets)
    | st.builds(do.UnlinkTicket, st.sampled_from(("T-1", "T-2", "T-3")))
    | st.builds(do.SetVisibility, st.sampled_from(("public", "internal")))
    | st.just(do.AskRecording())
    | st.just(do.StopRecording())
)
commands = life | arrangements
own: st.SearchStrategy[do.Input] = (
    st.builds(do.GiveConsent, consents)
    | st.builds(do.RecordingRuns, st.booleans())
    | st.builds(do.Joined, people)
    | st.just(do.CallSummary("c-unknown", {"rtt_ms": 3.0}))
    | st.just(do.Muted("c-unknown", True))
    | st.builds(do.AddArtifact, artifacts)
    | st.builds(do.Uploaded, artifact_ids, st.sampled_from(("1" * 64, "2" * 64)))
    | st.builds(do.Lost, artifact_ids, st.sampled_from(("1" * 64, "2" * 64)), st.sampled_from(REASONS))
    | st.builds(do.Seen, people)
    | st.builds(do.Rate, st.integers(1, 5).map(Rating))
    | st.just(do.GiveUp("no_answer"))
    | st.builds(do.Start, st.booleans())
)
actors = st.sampled_from(
    [Actor(Role.CODE_USER), Actor(Role.SYSTEM), Actor(Role.FLEET, "fleet-1")]
    + [Actor(role, p.id, p.name) for p in PEOPLE for role in (Role.STAFF, Role.MODERATOR)]
)
senders = st.sampled_from([Actor(Role.STAFF, p.id, p.name) for p in PEOPLE] * 2 + [Actor(Role.CODE_USER, "anna")])
LIVES: dict[str, do.Command] = {
    "confirm": do.Confirm(),
    "cancel": do.Cancel(),
    "start": do.Start(other_present=True),
    "end": do.End(),
    "close": do.Close(),
    "reopen": do.Reopen(),
}
which = st.integers(0, 3)
"""The newest session, the one before, ...; a session that nobody holds where there are not so many."""


class PowerCut(Exception):
    """Nothing of the process is left."""


@contextlib.contextmanager
def power_cut(*, after_writing: bool) -> Iterator[None]:
    """The power goes at the next write: just before it, or when it is on disk and nobody has been told."""
    write = CrashSafeStorage.write

    def cut(self: CrashSafeStorage, data: Tables) -> None:
        if after_writing:
            write(self, data)
        raise PowerCut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CrashSafeStorage, "write", cut)
        yield


def staff(person: Person) -> Actor:
    return Actor(Role.STAFF, person.id, person.name)


def who_of(actor: Actor) -> str:
    return str(actor.role) if actor.role in (Role.CODE_USER, Role.SYSTEM, Role.FLEET) else actor.id


class Life(RuleBasedStateMachine):
    @initialize(asked=st.booleans())
    def switch_on(self, asked: bool) -> None:
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.provider = Provider(staff=(ANNA, BEN), moderators=(CLARA,), recording_allowed=True)
        self.model = Model(self.provider)
        self.present = False
        self.answered: list[tuple[Command, Answer]] = []
        self.book = self.open()
        if asked:
            self.the_button_is_pressed()

    def open(self) -> Book:
        path = Path(self.folder.name) / "book.json"
        book = self.loop.run(Book.open(path, "kiosk-1", DEVICE, self.provider))
        book.code_user_present = lambda: self.present
        return book

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()
            self.folder.cleanup()

    # --- what happens -------------------------------------------------------------------------------------------------

    @rule(actor=actors, ticket=st.none() | tickets, consent=st.none() | consents, by_staff=st.booleans())
    def somebody_begins(self, actor: Actor, ticket: Ticket | None, consent: Consent | None, by_staff: bool) -> None:
        linked = (ticket,) if ticket else ()
        what = do.Create("Jam", linked) if by_staff else do.Request("Jam", tickets=linked, consent=consent)
        self.put(None, what, actor)

    @rule()
    def the_button_is_pressed(self) -> None:
        self.put(None, do.Request("Jam"), Actor(Role.CODE_USER))

    @rule(pick=which, what=life | own | arrangements, actor=actors)
    def anybody_does_anything(self, pick: int, what: do.Input, actor: Actor) -> None:
        self.put(self.pick(pick), what, actor)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), by_command=st.booleans())
    def life_goes_on(self, data: st.DataObject, by_command: bool) -> None:
        """Something that is possible now, so that sessions get old enough to have a story."""
        session_id = (self.model.in_progress or list(self.model.sessions)[-1:])[0]
        state = self.model.sessions[session_id].state
        ways = [(LIVES[event], r) for (source, event), (_, roles) in LIFE.items() if source == state for r in roles]
        ways = [way for way in ways if not isinstance(way[0], do.Cancel)]
        what, role = data.draw(st.sampled_from(ways))
        if by_command and role == "staff":
            self.send(self.command(session_id, what, staff(ANNA), 1, 0))
        else:
            self.put(session_id, what, {"staff": staff(BEN), "moderator": staff(CLARA)}.get(role, Actor(Role(role))))

    @rule(choice=st.integers(0, 20), pick=which)
    def life_goes_on_with_an_earlier_one(self, choice: int, pick: int) -> None:
        self.put(self.pick(pick), (do.Reopen(), do.Close(), do.Cancel())[choice % 3], staff(ANNA))

    @precondition(lambda self: self.model.in_progress)
    @rule(what=arrangements | own, actor=senders, by_kiosk=st.booleans(), at_machine=st.booleans())
    def something_happens_to_the_open_one(self, what: do.Input, actor: Actor, by_kiosk: bool, at_machine: bool) -> None:
        by = Actor(Role.CODE_USER if at_machine else Role.SYSTEM) if by_kiosk else actor
        self.put(self.model.in_progress[0], what, by)

    @rule(pick=which, what=commands, actor=senders, old_state=st.integers(0, 3), rev_off=st.integers(-1, 4))
    def staff_send(self, pick: int, what: do.Command, actor: Actor, old_state: int, rev_off: int) -> None:
        self.send(self.command(self.pick(pick), what, actor, old_state, rev_off))

    @rule(actor=senders)
    def staff_create(self, actor: Actor) -> None:
        self.send(self.command("", do.Create("check"), actor, 1, 3))

    @precondition(lambda self: self.answered)
    @rule(pick=st.integers(0, 30))
    def a_command_comes_again(self, pick: int) -> None:
        command, answer = self.answered[-1 - pick % len(self.answered)]
        before = self.book.sessions
        assert self.loop.run(self.book.command(command)) == answer
        assert self.book.sessions == before

    @rule(present=st.booleans())
    def somebody_stands_at_the_machine(self, present: bool) -> None:
        self.present = present

    @rule(recording=st.booleans(), requests=st.booleans())
    def restart_with_other_settings(self, recording: bool, requests: bool) -> None:
        self.provider = replace(self.provider, recording_allowed=recording, requests_allowed=requests)
        self.restart()

    @rule(pick=which, what=commands, actor=senders, written=st.booleans())
    def the_power_goes_while_a_command_is_written(
        self, pick: int, what: do.Command, actor: Actor, written: bool
    ) -> None:
        """The sender repeats it; it counts once, and whoever was refused was refused for good."""
        command = self.command(self.pick(pick), what, actor, 1, 3)
        expected = self.verdict(command)
        with power_cut(after_writing=written), pytest.raises(PowerCut):
            self.loop.run(self.book.command(command))
        if written and expected:
            self.model.sessions[command.session] = expected
        self.restart()
        if written:
            answer = self.loop.run(self.book.command(command))
            assert answer.ok == bool(expected)
            self.answered.append((command, answer))
        else:
            self.send(command)

    # --- what must be true --------------------------------------------------------------------------------------------

    @invariant()
    def the_book_is_as_the_model_says(self) -> None:
        if hasattr(self, "book"):
            assert {i: facts_of(s) for i, s in self.book.sessions.items()} == self.model.sessions

    @invariant()
    def never_two_sessions_in_progress(self) -> None:
        if hasattr(self, "book"):
            assert len(self.model.in_progress) <= 1
            assert (self.book.open_session is not None) == bool(self.model.in_progress)

    @invariant()
    def every_history_is_a_path_through_the_table(self) -> None:
        for session in self.book.sessions.values() if hasattr(self, "book") else ():
            state = None
            for change in session.history:
                target, roles = TABLE[state, change.event]
                assert (change.source, change.target) == (state, target)
                assert change.actor.role in roles
                state = target
            assert session.state == state

    @invariant()
    def nothing_records_without_three_times_yes_or_outside_a_call(self) -> None:
        for session in self.book.sessions.values() if hasattr(self, "book") else ():
            assert not session.recording.running or session.call is not None
            assert not (session.recording.wanted and not session.recording.allowed)

    # --- how it is done -----------------------------------------------------------------------------------------------

    def pick(self, number: int) -> str:
        held = list(self.model.sessions)[::-1]
        return held[number] if number < len(held) else "s-unknown"

    def put(self, session_id: str | None, what: do.Input, actor: Actor) -> None:
        before = self.book.sessions
        expected: Facts | None = None
        with contextlib.suppress(No):
            expected = self.expect(session_id, what, who_of(actor))
        if expected is None:
            with pytest.raises(errors.Refused) as refused:
                self.loop.run(self.book.put(session_id, what, actor))
            assert refused.value.code in CODES
            assert self.book.sessions == before
            return
        session = self.loop.run(self.book.put(session_id, what, actor))
        assert facts_of(session) == expected
        self.model.sessions[session.id] = expected

    def send(self, command: Command) -> None:
        before, expected = self.book.sessions, self.verdict(command)
        answer = self.loop.run(self.book.command(command))
        assert answer.ok == (expected is not None), answer
        if expected:
            assert (answer.rev, str(answer.state)) == (expected.rev, expected.state)
            self.model.sessions[answer.session] = expected
        else:
            assert answer.code in CODES
            assert answer.text
            assert self.book.sessions == before
        self.answered.append((command, answer))

    def command(self, session_id: str, what: do.Command, actor: Actor, old_state: int, rev_off: int) -> Command:
        """`rev_off` 0 names the present revision, 3 and more none; `old_state` 0 the state of long ago."""
        session = self.book.sessions.get(session_id)
        guard = Guard()
        if session and rev_off < 3:
            guard = Guard(session.state if old_state else session.history[0].target, session.rev + rev_off)
        return Command(f"cmd-{len(self.answered)}", actor, what, session_id, guard)

    def verdict(self, command: Command) -> Facts | None:
        facts = self.model.sessions.get(command.session)
        if command.actor.role is Role.CODE_USER:
            return None  # a message poses as the button
        if facts and command.guard.state not in (None, facts.state):
            return None
        if facts and command.guard.rev not in (None, facts.rev):
            return None
        what = do.Start(self.present) if isinstance(command.do, do.Start) else command.do
        with contextlib.suppress(No):
            return self.expect(command.session, what, command.actor.id)
        return None

    def expect(self, session_id: str | None, what: do.Input, who: str) -> Facts:
        if isinstance(what, do.Request | do.Create):
            return self.model.begin(what, who)
        return self.model.after(session_id or "", what, who)

    def restart(self) -> None:
        """As after a power cut: the old process says no goodbye."""
        self.model.provider = self.provider
        self.model.restarted()
        told = self.book.sessions
        self.book = self.open()
        for session_id, session in told.items():
            assert later_or_same(self.book.sessions[session_id], session)


def later_or_same(now: Session, told: Session) -> bool:
    return now.epoch == told.epoch and (now == told or now.rev > told.rev)


TestLife = Life.TestCase
TestLife.pytestmark = pytest.mark.timeout(300)  # type: ignore[attr-defined]  # hypothesis runs it as one test
TestLife.settings = settings(
    max_examples=int(os.environ.get("LIFE_EXAMPLES", "200")),
    stateful_step_count=60,
    deadline=None,
    derandomize="LIFE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
