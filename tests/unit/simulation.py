"""A kiosk, desks and their staff over a network that drops, copies and reorders; all of them crash. Pure, by a seed.

The kiosk decides with the real rules (kiosk.session.rules.apply). What is asked of everybody on the wire is written out
here with a switch for each rule, so that a test can show what each is good for.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from kiosk.errors import Refused
from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import CODE_USER, SYSTEM, Actor, Device, Person, Session
from kiosk.session.rules import Now, apply
from kiosk.session.states import OPEN, Role, State

STAFF = (Person("anna", "Anna"), Person("ben", "Ben"), Person("cem", "Cem"))
PROVIDER = Provider(staff=STAFF)
DEVICE = Device("press-7", "Press 7")

STEPS = 120
ROUNDS_TO_HEAL = 12


@dataclass(frozen=True)
class Rules:
    """The rules of wire.md, each with its switch."""

    dedupe: bool = True  # a command that comes again is answered from memory
    answers_on_disk: bool = True  # that memory is saved together with the state
    guard: bool = True  # a command says what its sender saw
    rev_check: bool = True  # who follows accepts only a higher rev
    disk_first: bool = True  # nobody hears of what is not saved
    tell_again: bool = True  # state is told until receipted
    repeat: bool = True  # a command is sent until answered


class Command(Struct, frozen=True):
    id: str
    desk: int
    actor: Actor
    what: do.Command
    session: str
    state: State | None
    rev: int


class Answer(Struct, frozen=True):
    id: str
    ok: bool


class Told(Struct, frozen=True):
    session: Session


class Receipt(Struct, frozen=True):
    desk: int
    session: str
    rev: int


Message = Command | Answer | Told | Receipt
KIOSK = -1


@dataclass
class Disk:
    """What outlives the kiosk's process."""

    sessions: dict[str, Session] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    effects: list[Command] = field(default_factory=list)  # commands that count, as a judge would find them here
    drawn: int = 0


class Crash(Exception):
    pass


@dataclass
class Desk:
    """`shown` is in the database; `pending` in the process only."""

    shown: dict[str, Session] = field(default_factory=dict)
    pending: dict[str, Command] = field(default_factory=dict)


class World:
    def __init__(self, seed: int, rules: Rules) -> None:
        self.rules, self.random = rules, random.Random(seed)
        self.disk = Disk()
        self.sessions: dict[str, Session] = {}
        self.answers: dict[str, Answer] = {}
        self.receipted: dict[tuple[int, str], int] = {}
        self.desks = [Desk() for _ in STAFF]
        self.network: list[tuple[int, Message]] = []
        self.wrongs: list[str] = []
        self.unsure = 0.3  # of being lost, and as much of coming twice
        self.count = 0

    def run(self) -> list[str]:
        """What went wrong, in words; nothing, one hopes."""
        for _ in range(STEPS):
            self._step()
        self.unsure = 0.0
        for _ in range(ROUNDS_TO_HEAL):
            self._everybody_again()
            while self.network:
                self._deliver()
        self._judge()
        return self.wrongs

    def _step(self) -> None:
        """Mostly the network carries something; else somebody acts, or is struck."""
        dice = self.random.random()
        if self.network and dice < 0.5:
            self._deliver()
        elif dice < 0.75:
            self._staff_act(self.random.randrange(len(self.desks)))
        elif dice < 0.87:
            self._at_the_machine()
        elif dice < 0.94:
            self._everybody_again()
        elif dice < 0.97:
            self._restart()
        else:
            self.random.choice(self.desks).pending.clear()

    # --- the network --------------------------------------------------------------------------------------------------

    def _send(self, to: int, message: Message) -> None:
        if self.random.random() >= self.unsure:
            self.network.append((to, message))
        if self.random.random() < self.unsure:
            self.network.append((to, message))

    def _deliver(self) -> None:
        at = self.random.randrange(len(self.network))
        to, message = self.network.pop(at)
        if to == KIOSK:
            self._kiosk_hears(message)
        else:
            self._desk_hears(to, message)

    def _everybody_again(self) -> None:
        for desk in self.desks:
            for command in desk.pending.values() if self.rules.repeat else ():
                self._send(KIOSK, command)
        for session in self.sessions.values() if self.rules.tell_again else ():
            for number in range(len(self.desks)):
                if self.receipted.get((number, session.id), 0) < session.rev:
                    self._send(number, Told(session))

    # --- the kiosk ----------------------------------------------------------------------------------------------------

    def _at_the_machine(self) -> None:
        session = next((s for s in self.sessions.values() if s.state in OPEN), None)
        what = self.random.choice((do.Start(self.random.random() < 0.5), do.Cancel(), do.End(), do.GiveUp()))
        self._guarded(lambda: self._do(session.id if session else "", what if session else do.Request(), CODE_USER))

    def _guarded(self, act: Callable[[], None]) -> None:
        """Something at the kiosk, which may lose its power in the middle of it."""
        try:
            act()
        except Crash:
            self._restart()
        except Refused:
            pass

    def _kiosk_hears(self, message: Message) -> None:
        if isinstance(message, Receipt):
            key = message.desk, message.session
            self.receipted[key] = max(message.rev, self.receipted.get(key, 0))
        elif isinstance(message, Command):
            self._guarded(lambda: self._command(message))

    def _command(self, command: Command) -> None:
        known = self.answers.get(command.id)
        if known is not None and self.rules.dedupe:
            self._send(command.desk, known)
            return
        try:
            self._check(command)
            self._do(command.session, command.what, command.actor, command)
        except Refused:
            self._keep(None, Answer(command.id, ok=False), None)
            self._send(command.desk, Answer(command.id, ok=False))

    def _check(self, command: Command) -> None:
        session = self.sessions.get(command.session)
        if session and self.rules.guard and (command.state, command.rev) != (session.state, session.rev):
            raise Refused("not what you saw")

    def _do(self, session_id: str, what: do.Input, actor: Actor, command: Command | None = None) -> None:
        before = self.sessions.get(session_id)
        after = apply(before, what, actor, self._now())
        if command and before and command.state is not before.state:
            self.wrongs.append("obeyed in a state that its sender had not seen")
        answer = Answer(command.id, ok=True) if command else None
        steps: list[Callable[[], None]] = [
            lambda: self._keep(after, answer, command),
            lambda: self._tell(after, answer, command),
        ]
        for step in steps if self.rules.disk_first else steps[::-1]:
            if self.random.random() < 0.1 * self.unsure:
                raise Crash
            step()

    def _keep(self, session: Session | None, answer: Answer | None, command: Command | None) -> None:
        """One generation of the file."""
        if session:
            self.sessions[session.id] = self.disk.sessions[session.id] = session
            self.disk.drawn = self.count
        if answer:
            self.answers[answer.id] = answer
            if self.rules.answers_on_disk:
                self.disk.answers[answer.id] = answer
        if command:
            self.disk.effects.append(command)

    def _tell(self, session: Session, answer: Answer | None, command: Command | None) -> None:
        for number in range(len(self.desks)):
            self._send(number, Told(session))
        if answer and command:
            self._send(command.desk, answer)

    def _restart(self) -> None:
        """Back to what was saved; a call does not outlive the process."""
        self.sessions, self.answers = dict(self.disk.sessions), dict(self.disk.answers)
        self.receipted = {}
        for session in list(self.sessions.values()):
            if session.state is State.RUNNING:
                self._keep(apply(session, do.End("restart"), SYSTEM, self._now()), None, None)

    def _now(self) -> Now:
        self.count += 1
        open_id = next((s.id for s in self.sessions.values() if s.state in OPEN), None)
        at = f"2026-11-22T10:00:{self.count:06}Z"
        return Now(at, True, "e-1", "kiosk-1", DEVICE, PROVIDER, f"s-{self.count}", f"c-{self.count}", open_id)

    # --- the desks ----------------------------------------------------------------------------------------------------

    def _desk_hears(self, number: int, message: Message) -> None:
        desk = self.desks[number]
        if isinstance(message, Told):
            session = message.session
            shown = desk.shown.get(session.id)
            if shown is None or session.rev > shown.rev or not self.rules.rev_check:
                if shown and session.rev < shown.rev:
                    self.wrongs.append("somebody who follows went back")
                desk.shown[session.id] = session
            self._send(KIOSK, Receipt(number, session.id, session.rev))
        elif isinstance(message, Answer) and message.id in desk.pending:
            del desk.pending[message.id]
            self._told(message)

    def _told(self, answer: Answer) -> None:
        counts = any(c.id == answer.id for c in self.disk.effects)
        if counts and not answer.ok:
            self.wrongs.append("told 'refused' though applied")
        if answer.ok and not counts:
            self.wrongs.append("told 'done' though not applied")

    def _staff_act(self, number: int) -> None:
        """By what this desk shows; the newest session, or one that staff create."""
        desk, person = self.desks[number], STAFF[number]
        seen = max(desk.shown.values(), key=lambda s: s.created_at, default=None)
        what = self.random.choice(WISHES[seen.state]) if seen else do.Create()
        self.count += 1
        session = seen if seen and not isinstance(what, do.Create) else None
        command = Command(
            f"cmd-{self.count}",
            number,
            Actor(Role.STAFF, person.id, person.name),
            what,
            session.id if session else "",
            session.state if session else None,
            session.rev if session else 0,
        )
        desk.pending[command.id] = command
        self._send(KIOSK, command)

    # --- in the end ---------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        ids = [c.id for c in self.disk.effects]
        confirms = [c.session for c in self.disk.effects if isinstance(c.what, do.Confirm)]
        wrong = {
            "a command applied twice": len(ids) != len(set(ids)),
            "two who own one request": len(confirms) != len(set(confirms)),
            "two sessions in progress": sum(s.state in OPEN for s in self.sessions.values()) > 1,
            "a session lost": self.sessions.keys() != self.disk.sessions.keys(),
            "somebody never got an answer": any(d.pending for d in self.desks),
            "somebody shows something else than the kiosk": any(d.shown != self.sessions for d in self.desks),
            "a story with a gap": any(not whole(s) for s in self.sessions.values()),
        }
        self.wrongs += [words for words, is_so in wrong.items() if is_so]


WISHES: dict[State, tuple[do.Command, ...]] = {
    State.REQUESTED: (do.Confirm(), do.Confirm(), do.Confirm(), do.Cancel()),
    State.CONFIRMED: (do.Start(True), do.Start(True), do.Cancel(), do.SetVisibility("internal")),
    State.RUNNING: (do.End(), do.SetVisibility("public"), do.Cancel()),
    State.COMPLETED: (do.Close(), do.Reopen(), do.Cancel()),
    State.CLOSED: (do.Reopen(), do.Create()),
    State.CANCELLED: (do.Reopen(), do.Create()),
}


def whole(session: Session) -> bool:
    """Each line of the history goes on where the one before stopped."""
    targets = [None, *(c.target for c in session.history)]
    return [c.source for c in session.history] == targets[:-1] and session.state == targets[-1]


def without(rule: str) -> Rules:
    return Rules(**{rule: False})
