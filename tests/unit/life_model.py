"""What a kiosk's sessions should be, said a second time and as plainly as possible, for test_life to compare with.

Shares nothing with kiosk.session.rules but the inputs. A session is a few facts; an input changes them or is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kiosk.session import inputs as do
from kiosk.session.provider import Provider
from kiosk.session.record import Session

LIFE = """
REQUESTED  confirm  CONFIRMED  staff
REQUESTED  cancel   CANCELLED  code_user staff
CONFIRMED  cancel   CANCELLED  code_user staff
CONFIRMED  start    RUNNING    code_user staff
RUNNING    end      COMPLETED  code_user staff system
RUNNING    cancel   CANCELLED  staff
COMPLETED  close    CLOSED     staff system
COMPLETED  cancel   CANCELLED  staff
COMPLETED  reopen   CONFIRMED  staff moderator
CLOSED     reopen   CONFIRMED  staff moderator
CANCELLED  reopen   CONFIRMED  staff moderator
"""
TABLE = {(line.split()[0], line.split()[1]): (line.split()[2], line.split()[3:]) for line in LIFE.strip().splitlines()}
IN_PROGRESS = ("REQUESTED", "CONFIRMED", "RUNNING")

STAFF_OR_MODERATOR = (do.Assign, do.Unassign, do.LinkTicket, do.UnlinkTicket, do.SetVisibility)
KIOSK_ITSELF = (do.RecordingRuns, do.Joined, do.Muted, do.CallSummary, do.AddArtifact, do.Uploaded, do.Lost, do.Seen)


class No(Exception):
    """The model refuses."""


@dataclass(frozen=True)
class Facts:
    """What the model knows of a session; `rev` grows by one with each change of any other fact."""

    state: str
    rev: int = 1
    moves: int = 1
    ringing: str = ""
    in_vain: str = ""
    assigned: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    tickets: frozenset[str] = frozenset()
    visibility: str = "public"
    allowed: bool = False
    asked: bool = False
    consent: bool | None = None
    running: bool = False
    calls: tuple[tuple[str, ...], ...] = ()  # who joined each
    files: dict[str, str] = field(default_factory=dict)  # artifact -> waits, uploaded, or why it is lost
    stars: int = 0


def facts_of(s: Session) -> Facts:
    """The same facts, read from the real thing."""
    return Facts(
        state=str(s.state),
        rev=s.rev,
        moves=len(s.history),
        ringing=s.ringing.by if s.ringing else "",
        in_vain=s.rang_in_vain,
        assigned=tuple(p.id for p in s.assigned),
        seen=tuple(p.id for p in s.seen_by),
        tickets=frozenset(t.id for t in s.tickets),
        visibility=s.visibility,
        allowed=s.recording.allowed,
        asked=s.recording.asked,
        consent=s.recording.consent.given if s.recording.consent else None,
        running=s.recording.running,
        calls=tuple(tuple(p.id for p in c.participants) for c in s.calls),
        files={a.id: "uploaded" if a.uploaded else a.lost or "waits" for a in s.artifacts},
        stars=s.rating.stars if s.rating else 0,
    )


@dataclass
class Model:
    """`who` is "code_user", "system", "fleet", or the id of a person."""

    provider: Provider
    sessions: dict[str, Facts] = field(default_factory=dict)

    @property
    def in_progress(self) -> list[str]:
        return [i for i, f in self.sessions.items() if f.state in IN_PROGRESS]

    def begin(self, what: do.Request | do.Create, who: str) -> Facts:
        """A new session's facts. Raises No."""
        responsible = tuple(p.id for p in self.provider.staff)
        by_code_user = isinstance(what, do.Request)
        role = self.role(who, responsible)
        if role not in (("code_user",) if by_code_user else ("staff", "moderator")):
            raise No
        if (by_code_user and not self.provider.requests_allowed) or self.in_progress:
            raise No
        allowed = self.provider.recording_allowed
        consent = what.consent.given if isinstance(what, do.Request) and what.consent and allowed else None
        return Facts(
            state="REQUESTED" if by_code_user else "CONFIRMED",
            assigned=responsible if by_code_user or who in responsible else (*responsible, who),
            tickets=frozenset(t.id for t in what.tickets),
            visibility=self.provider.visibility,
            allowed=allowed,
            asked=allowed and self.provider.recording_wanted,
            consent=consent,
        )

    def after(self, session_id: str, what: do.Input, who: str) -> Facts:
        """The facts after `what`; equal to those before where it means nothing new. Raises No."""
        if session_id not in self.sessions:
            raise No
        before = self.sessions[session_id]
        role = self.role(who, before.assigned)
        changed = self._after(session_id, before, what, role)
        return before if changed == before else replace(changed, rev=before.rev + 1)

    def role(self, who: str, assigned: tuple[str, ...]) -> str:
        if who in ("code_user", "system", "fleet"):
            return who
        if who in assigned:
            return "staff"
        return "moderator" if any(p.id == who for p in self.provider.moderators) else "outsider"

    def restarted(self) -> None:
        """A call does not outlive the kiosk's process, nor does ringing."""
        for session_id, f in self.sessions.items():
            if f.state == "RUNNING":
                self.sessions[session_id] = replace(self._move(f, "end", "system"), rev=f.rev + 1)
            elif f.ringing:
                self.sessions[session_id] = replace(f, ringing="", in_vain="restart", rev=f.rev + 1)

    def _after(self, session_id: str, f: Facts, what: do.Input, role: str) -> Facts:  # noqa: PLR0911 - a line per input
        if isinstance(what, STAFF_OR_MODERATOR):
            need(role in ("staff", "moderator"))
            return self._arranged(f, what)
        if isinstance(what, KIOSK_ITSELF):
            need(role == "system")
            return self._told_by_the_kiosk(f, what)
        match what:
            case do.Start(other_present):
                return self._start(f, role, other_present)
            case do.Reopen():
                need(all(i == session_id for i in self.in_progress))
                return self._move(f, "reopen", role)
            case do.Confirm() | do.Cancel() | do.End() | do.Close():
                return self._move(f, type(what).__name__.lower(), role)
            case do.GiveUp(cause):
                need(role in ("code_user", "staff", "system") and f.ringing)
                said = "given_up" if role == f.ringing else "declined"
                return replace(f, ringing="", in_vain=cause if role == "system" else said)
            case do.AskRecording() | do.GiveConsent():
                need(role == ("staff" if isinstance(what, do.AskRecording) else "code_user"))
                need(f.allowed and f.state not in ("CLOSED", "CANCELLED"))
                return (
                    replace(f, consent=what.consent.given)
                    if isinstance(what, do.GiveConsent)
                    else replace(f, asked=True)
                )
            case do.StopRecording():
                need(role in ("staff", "code_user"))
                return replace(f, asked=False)
            case do.Rate(rating):
                need(role == "code_user" and f.state not in IN_PROGRESS)
                return replace(f, stars=rating.stars)
        raise AssertionError(what)

    def _move(self, f: Facts, event: str, role: str) -> Facts:
        need((f.state, event) in TABLE)
        target, roles = TABLE[f.state, event]
        need(role in roles)
        after = replace(f, state=target, moves=f.moves + 1, ringing="", in_vain="", running=False)
        if target == "RUNNING":
            after = replace(after, calls=(*f.calls, ()), allowed=f.allowed and self.provider.recording_allowed)
        if event == "reopen":
            allowed = self.provider.recording_allowed
            asked = f.asked if f.allowed else self.provider.recording_wanted
            after = replace(after, allowed=allowed, asked=allowed and asked)
        return after

    def _start(self, f: Facts, role: str, other_present: bool) -> Facts:
        need(role in ("code_user", "staff"))
        if f.state == "RUNNING" or (f.ringing == role and not other_present):
            return f
        if f.state == "CONFIRMED" and not other_present and not f.ringing:
            return replace(f, ringing=role, in_vain="")
        return self._move(f, "start", role)

    @staticmethod
    def _arranged(f: Facts, what: do.Input) -> Facts:
        match what:
            case do.Assign(person):
                return f if person.id in f.assigned else replace(f, assigned=(*f.assigned, person.id))
            case do.Unassign(person_id):
                left = tuple(p for p in f.assigned if p != person_id)
                need(left)
                return replace(f, assigned=left)
            case do.LinkTicket(ticket):
                return replace(f, tickets=f.tickets | {ticket.id})
            case do.UnlinkTicket(ticket_id):
                return replace(f, tickets=f.tickets - {ticket_id})
            case do.SetVisibility(visibility):
                return replace(f, visibility=visibility)
        raise AssertionError(what)

    @staticmethod
    def _told_by_the_kiosk(f: Facts, what: do.Input) -> Facts:
        match what:
            case do.RecordingRuns(running):
                return replace(f, running=running and f.state == "RUNNING")
            case do.Joined(person):
                need(f.state == "RUNNING")
                here = f.calls[-1] if person.id in f.calls[-1] else (*f.calls[-1], person.id)
                return replace(f, calls=(*f.calls[:-1], here))
            case do.AddArtifact() | do.Uploaded() | do.Lost():
                return replace(f, files={**f.files, **_file_news(f.files, what)})
            case do.Seen(person):
                return f if person.id in f.seen else replace(f, seen=(*f.seen, person.id))
            case do.CallSummary() | do.Muted():
                return f  # of a call that the session does not have
        raise AssertionError(what)


def _file_news(files: dict[str, str], what: do.AddArtifact | do.Uploaded | do.Lost) -> dict[str, str]:
    """Only of the very file that is named; one that the desk has is never lost."""
    if isinstance(what, do.AddArtifact):
        return {what.artifact.id: "waits"}
    known = files.get(what.artifact_id)
    if known is None or what.sha256 != sum_of(what.artifact_id):
        return {}
    if isinstance(what, do.Uploaded):
        return {what.artifact_id: "uploaded"}
    return {what.artifact_id: what.reason} if known == "waits" else {}


def need(condition: object) -> None:
    if not condition:
        raise No


def sum_of(artifact_id: str) -> str:
    """The SHA-256 of the test's artifacts: one digit, 64 times."""
    return artifact_id[-1] * 64
