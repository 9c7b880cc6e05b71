"""Consent: nothing is on disk without it, in whatever order things happen; and its receipts show later changes."""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.call.recording import Recordings, discard
from kiosk.call.relay import Keyframes, Relay
from kiosk.call.timeline import Timeline
from kiosk.errors import Refused
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import AccessUnit
from kiosk.session import inputs as do
from kiosk.session import receipts
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
    Session,
)
from kiosk.session.rules import Now, apply
from kiosk.session.states import Role
from tests.contract.fakes import HEIGHT, WIDTH, bars, tone

ANNA = Person("anna", "Anna Berg")
STAFF = Actor(Role.STAFF, "anna", "Anna Berg")
MARKER = re.compile(rb"frame-(\d{6})-")


def provider(**what: Any) -> Provider:
    return replace(Provider(staff=(ANNA,), recording_allowed=True, recording_wanted=False), **what)


def now(settings_: Provider, second: int = 0) -> Now:
    at = f"2026-11-22T10:{second // 60 % 60:02}:{second % 60:02}.000Z"
    return Now(at, True, "e1", "kiosk-1", Device("press-7", "Press 7"), settings_, "s-1", "c-1", None)


def answer(given_: bool, second: int = 0) -> Consent:
    return Consent(given_, now(provider(), second).at, "May this call be recorded?", "en", "call")


def running(settings_: Provider, consent: Consent | None = None) -> Session:
    session = apply(None, do.Request(consent=consent), CODE_USER, now(settings_))
    session = apply(session, do.Confirm(), STAFF, now(settings_))
    return apply(session, do.Start(other_present=True), CODE_USER, now(settings_))


def a_keyframe() -> bytes:
    unit = X264Encoder(WIDTH, HEIGHT, 30, 400_000).encode(bars(0, 1.0))
    assert unit is not None
    return unit.data


KEYFRAME = a_keyframe()


class OneCall:
    """Rules, recorder and disk as they are; the camera's relay is fed by hand with frames that can be found again."""

    def __init__(self, settings_: Provider, folder: Path) -> None:
        self._settings, self.folder, self._second = settings_, folder, 0
        self.session = running(settings_)
        loop = asyncio.get_running_loop()
        self._relay = Relay(Keyframes(lambda: None, loop.time, loop.call_later))
        self._recordings = Recordings(
            self.session, "c-1", folder, self._relay, self._told, timeline=Timeline("c-1", flush_s=0.001)
        )
        self._number = 0
        self._looks_back = bool(self.session.look_back_s)
        self._pressed = False
        self.permitted: dict[int, int] = {}
        """Frames that may be on disk, by number, and how often had been withdrawn when they were captured."""
        self.moment = 0

    def put(self, what: do.Input, actor: Actor) -> None:
        """Into the book, and the call follows at once."""
        self._second += 1
        try:
            self.session = apply(self.session, what, actor, now(self._settings, self._second))
        except Refused:
            return
        recording = self.session.recording
        if self.session.withdrawals:
            self._looks_back = False  # for good
        if recording.wanted and self._looks_back:
            self._looks_back = False  # before the first recording only
            oldest = self._number - round(self.session.look_back_s * 30)
            self.permitted |= dict.fromkeys(range(max(0, oldest), self._number), self.session.withdrawals)
        self._recordings.want(recording.wanted, recording.asked, self.session.withdrawals)

    def frames(self, count: int = 3) -> None:
        for _ in range(count):
            if self.session.recording.wanted and not self._pressed:
                self.permitted[self._number] = self.session.withdrawals
            sei = b"\x00\x00\x00\x01\x06\x05\x0dframe-%06d-\x80" % self._number  # user data in an SEI (H.264, D.1.6)
            self._relay.pass_on(AccessUnit(KEYFRAME + sei, 100 + self._number / 30, keyframe=True))
            self._recordings.sound(tone(440, self._number), 100 + self._number / 30)
            self._number += 1

    async def settle(self) -> None:
        """Until nothing moves any more that was set going by what happened so far."""
        for _ in range(20):
            await asyncio.sleep(0.0005)
        async with asyncio.timeout(20):
            wanted = self.session.recording.wanted and not self._pressed
            while wanted and not self._recordings.running:
                await asyncio.sleep(0.0005)
            if not wanted:
                await self._recordings._idle.wait()

    def consent(self, yes: bool) -> None:
        self.put(do.GiveConsent(answer(yes, self._second)), CODE_USER)
        self._pressed = self._pressed and yes

    def press_no(self) -> None:
        """The book has not written it down yet, and may tell older news first."""
        self._pressed, self._looks_back = True, False
        self._recordings.withdraw()

    async def play(self, events: list[str]) -> None:
        task = asyncio.create_task(self._recordings.run())
        for event in events:
            match event:
                case "ask":
                    self.put(do.AskRecording(), STAFF)
                case "stop":
                    self.put(do.StopRecording(), STAFF)
                case "agree" | "withdraw":
                    self.consent(event == "agree")
                case "press no":
                    self.press_no()
                case "old news":
                    self.put(do.Joined(ANNA), SYSTEM)
                case "frames":
                    self.frames()
                case "time":
                    await self.settle()
            self.check()
        await self._recordings.finish()
        task.cancel()
        await asyncio.wait({task})

    @property
    def outlets(self) -> int:
        return len(self._relay)

    def on_disk(self) -> set[int]:
        return {int(n) for path in self.folder.iterdir() for n in MARKER.findall(path.read_bytes())}

    def check(self) -> None:
        recording = self.session.recording
        assert self.on_disk() <= set(self.permitted), "a frame without consent"
        if recording.deletes:
            assert list(self.folder.glob("*.mp4")) == [], "withdrawn, and still there"

    def _told(self, news: Any) -> None:
        if isinstance(news, do.RecordingRuns | do.AddArtifact | do.RecordingDeleted):
            self.session = apply(self.session, news, SYSTEM, now(self._settings, self._second))


async def one_call(settings_: Provider, events: list[str], folder: Path) -> OneCall:
    call = OneCall(settings_, folder)
    await call.play(events)
    return call


RECORDED = ["ask", "agree", "time", "frames", "time"]
EVENTS = st.lists(
    st.sampled_from(
        [RECORDED, RECORDED]
        + [[event] for event in ("withdraw", "withdraw", "press no", "ask", "stop", "agree", "frames", "time")]
    ),
    min_size=2,
    max_size=10,
).map(lambda parts: [event for part in parts for event in part])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    EVENTS, st.sampled_from([True, True, True, False]), st.sampled_from(["keep", "delete"]), st.sampled_from([0, 1, 30])
)
def test_not_one_frame_is_on_disk_without_consent_in_any_order_of_events(
    events: list[str], allowed: bool, on_withdrawal: str, look_back_s: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings_ = provider(recording_allowed=allowed, on_withdrawal=on_withdrawal, look_back_s=look_back_s)
        call = asyncio.run(one_call(settings_, events, Path(folder)))
        there = call.on_disk()
        assert there <= set(call.permitted)
        if not allowed:
            assert list(Path(folder).iterdir()) == []
        if on_withdrawal == "delete":
            withdrawals = call.session.withdrawals
            assert all(call.permitted[number] == withdrawals for number in there), "of a recording that was withdrawn"
        agree_with_disk(call.session, Path(folder))


def agree_with_disk(session: Session, folder: Path) -> None:
    """What the session tells is what is there, to the bit."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert {a.name: a.sha256 for a in session.artifacts} == files
    assert receipts.faults(session) == ()
    assert not session.recording.running


async def test_with_all_three_a_yes_the_frames_are_there(tmp_path: Path) -> None:
    call = await one_call(provider(), ["ask", "agree", "time", "frames", "time", "frames", "time"], tmp_path)
    assert call.on_disk() == {0, 1, 2, 3, 4, 5}
    assert sorted(a.kind for a in call.session.artifacts) == [ArtifactKind.RECORDING, ArtifactKind.TIMELINE]


async def test_with_a_look_back_the_frames_before_consent_are_there_and_in_the_timeline_too(tmp_path: Path) -> None:
    events = ["ask", "frames", "time", "frames", "agree", "time", "frames", "time"]
    call = await one_call(provider(look_back_s=30), events, tmp_path)
    assert call.on_disk() == set(range(9))
    assert list(leading(tmp_path)) == list(range(9)), "in order, and none twice"
    assert sorted(a.kind for a in call.session.artifacts) == [ArtifactKind.RECORDING, ArtifactKind.TIMELINE]
    agree_with_disk(call.session, tmp_path)


async def test_a_look_back_is_off_unless_the_provider_switches_it_on(tmp_path: Path) -> None:
    call = await one_call(provider(), ["ask", "frames", "time", "agree", "time", "frames", "time"], tmp_path)
    assert call.on_disk() == {3, 4, 5}


async def test_a_look_back_reaches_no_further_than_its_seconds(tmp_path: Path) -> None:
    events = ["ask", *["frames"] * 20, "time", "agree", "time", "frames", "time"]
    call = await one_call(provider(look_back_s=1), events, tmp_path)
    assert min(call.on_disk()) in range(30, 34)
    assert max(call.on_disk()) == 62


@pytest.mark.parametrize("on_withdrawal", ["keep", "delete"])
async def test_the_first_no_lets_go_of_the_look_back_for_good(tmp_path: Path, on_withdrawal: str) -> None:
    settings_ = provider(look_back_s=30, on_withdrawal=on_withdrawal)
    events = ["ask", "frames", "time", "withdraw", "frames", "agree", "time", "frames", "time"]
    call = await one_call(settings_, events, tmp_path)
    assert call.on_disk() == {6, 7, 8}


async def test_what_was_not_recorded_between_two_recordings_stays_so(tmp_path: Path) -> None:
    events = ["frames", *RECORDED, "stop", "time", "frames", "time", "ask", "time", "frames", "time"]
    call = await one_call(provider(look_back_s=30), events, tmp_path)
    assert call.on_disk() == {0, 1, 2, 3, 4, 5, 9, 10, 11}


async def test_what_was_looked_back_on_goes_with_the_withdrawal(tmp_path: Path) -> None:
    events = ["ask", "frames", "time", "agree", "withdraw", "time", "frames", "agree", "time", "withdraw", "time"]
    call = await one_call(provider(look_back_s=30), events, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert call.session.artifacts == ()


async def test_a_call_that_ends_without_consent_leaves_nothing_of_its_look_back(tmp_path: Path) -> None:
    call = await one_call(provider(look_back_s=30), ["ask", "frames", "time", "frames"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert call.outlets == 0


def leading(folder: Path) -> Iterator[int]:
    """The frames' numbers, in the order they stand in the first file."""
    return (int(n) for n in MARKER.findall((folder / "recording-1.mp4").read_bytes()))


@pytest.mark.parametrize("missing", ["ask", "agree", "allowed"])
async def test_with_one_of_the_three_missing_nothing_is_there(tmp_path: Path, missing: str) -> None:
    events = [e for e in ("ask", "agree", "time", "frames", "time") if e != missing]
    call = await one_call(provider(recording_allowed=missing != "allowed"), events, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert call.session.artifacts == ()


async def test_withdrawn_and_kept_the_file_ends_with_the_last_frame_before(tmp_path: Path) -> None:
    call = await one_call(provider(on_withdrawal="keep"), [*RECORDED, "withdraw", "frames", "time"], tmp_path)
    assert call.on_disk() == {0, 1, 2}
    assert [r.what for r in call.session.consents] == ["said", "said", "kept", "kept"]


async def test_withdrawn_and_deleted_nothing_is_left_but_a_line_in_the_session(tmp_path: Path) -> None:
    call = await one_call(provider(on_withdrawal="delete"), [*RECORDED, "withdraw", "frames", "time"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert call.session.artifacts == ()
    assert [r.what for r in call.session.consents] == ["said", "said", "deleted"]
    assert call.session.consents[-1].files[0].name == "recording-1.mp4"


async def test_a_recording_that_staff_had_stopped_goes_with_the_withdrawal_as_well(tmp_path: Path) -> None:
    call = await one_call(provider(), [*RECORDED, "stop", "time", "withdraw", "time"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert [r.what for r in call.session.consents] == ["said", "kept", "kept", "said", "deleted"]
    deleted = call.session.consents[-1].files
    assert all(f.sha256 for f in deleted), "what was deleted is said by its checksum"


async def test_not_one_more_frame_is_taken_while_a_slow_disk_notes_the_withdrawal(tmp_path: Path) -> None:
    events = [*RECORDED, "press no", "frames", "time", "old news", "time", "frames", "withdraw", "time"]
    call = await one_call(provider(on_withdrawal="keep"), events, tmp_path)
    assert call.on_disk() == {0, 1, 2}
    assert [p.name for p in tmp_path.glob("*.mp4")] == ["recording-1.mp4"]
    agree_with_disk(call.session, tmp_path)


async def test_agreed_again_after_it_a_new_recording_begins(tmp_path: Path) -> None:
    events = [*RECORDED, "press no", "time", "withdraw", "time", "agree", "time", "frames", "time"]
    call = await one_call(provider(on_withdrawal="keep"), events, tmp_path)
    assert call.on_disk() == {0, 1, 2, 3, 4, 5}
    assert sorted(p.name for p in tmp_path.glob("*.mp4")) == ["recording-1.mp4", "recording-2.mp4"]


@pytest.mark.parametrize("on_withdrawal", ["keep", "delete"])
async def test_agreed_again_in_the_same_instant_it_was_withdrawn_all_the_same(
    tmp_path: Path, on_withdrawal: str
) -> None:
    call = OneCall(provider(on_withdrawal=on_withdrawal), tmp_path)
    task = asyncio.create_task(call._recordings.run())
    call.put(do.AskRecording(), STAFF)
    call.consent(True)
    await call.settle()
    call.frames()
    await call.settle()
    no, yes = do.GiveConsent(answer(False, 50)), do.GiveConsent(answer(True, 51))
    call.session = apply(call.session, no, CODE_USER, now(provider(), 50))  # the call does not hear of this one
    call.put(yes, CODE_USER)
    await call.settle()
    call.frames()
    await call.settle()
    await call._recordings.finish()
    task.cancel()
    await asyncio.wait({task})
    assert call.on_disk() == ({3, 4, 5} if on_withdrawal == "delete" else {0, 1, 2, 3, 4, 5})
    recordings = [a.name for a in call.session.artifacts if a.kind is ArtifactKind.RECORDING]
    assert recordings == ["recording-1.mp4", "recording-2.mp4"][on_withdrawal == "delete" :]


def test_what_a_power_cut_left_of_a_withdrawn_recording_is_found_and_deleted(tmp_path: Path) -> None:
    for name in ("recording-1.mp4", "recording-1.timeline.jsonl", "snapshot-1.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert discard(tmp_path) == ("recording-1.mp4", "recording-1.timeline.jsonl")
    assert [p.name for p in tmp_path.iterdir()] == ["snapshot-1.jpg"]
    assert discard(tmp_path / "not there") == ()


# --- receipts ---------------------------------------------------------------------------------------------------------


def recording(number: int, kind: ArtifactKind = ArtifactKind.RECORDING) -> Artifact:
    sha256 = hashlib.sha256(bytes([number])).hexdigest()
    return Artifact(f"rec-{number}", kind, f"recording-{number}.mp4", "video/mp4", 100, sha256, call="c-1")


def receipted() -> Session:
    """Agreed, two files, withdrawn, agreed again, a third."""
    session = running(provider(on_withdrawal="keep"), answer(True))
    story: tuple[do.Input, ...] = (
        do.AddArtifact(recording(1)),
        do.AddArtifact(recording(2)),
        do.GiveConsent(answer(False, 3)),
        do.GiveConsent(answer(True, 4)),
        do.AddArtifact(recording(3)),
    )
    for second, what in enumerate(story, 1):
        actor = CODE_USER if isinstance(what, do.GiveConsent) else SYSTEM
        session = apply(session, what, actor, now(provider(), second))
    return session


def test_a_receipt_says_when_to_which_words_and_which_files() -> None:
    session = receipted()
    first, second = session.consents[:2]
    assert first.consent == answer(True)
    assert (first.at, first.n) == ("2026-11-22T10:00:00.000Z", 1)
    assert [(f.name, f.sha256, f.call) for f in second.files] == [("recording-1.mp4", recording(1).sha256, "c-1")]
    assert all(after.previous == before.hash for before, after in pairwise(session.consents))
    assert receipts.faults(session) == ()


def test_receipts_cross_the_wire_and_a_session_told_before_there_were_any_still_reads() -> None:
    session = receipted()
    data = msgspec.json.encode(session)
    assert receipts.faults(msgspec.json.decode(data, type=Session)) == ()
    old = msgspec.json.decode(data)
    del old["consents"], old["recording"]["on_withdrawal"]
    assert msgspec.convert(old, Session).consents == ()


def test_a_file_told_twice_is_receipted_once_and_other_files_not_at_all() -> None:
    session = receipted()
    again = apply(session, do.AddArtifact(replace(recording(3), uploaded=True)), SYSTEM, now(provider(), 9))
    assert again.consents == session.consents
    snapshot = replace(recording(9), kind=ArtifactKind.SNAPSHOT)
    assert apply(session, do.AddArtifact(snapshot), SYSTEM, now(provider(), 9)).consents == session.consents


def test_a_deleted_file_told_late_does_not_come_back() -> None:
    session = running(provider(), answer(True))
    session = apply(session, do.RecordingDeleted("c-1", ("recording-1.mp4",)), SYSTEM, now(provider(), 1))
    late = apply(session, do.AddArtifact(recording(1)), SYSTEM, now(provider(), 2))
    assert late == session
    assert apply(session, do.RecordingDeleted("c-1", ("recording-1.mp4",)), SYSTEM, now(provider(), 3)) is session


def test_what_is_told_between_withdrawal_and_deletion_is_not_taken_and_an_earlier_calls_files_are() -> None:
    session = apply(running(provider(), answer(True)), do.GiveConsent(answer(False, 1)), CODE_USER, now(provider(), 1))
    assert apply(session, do.AddArtifact(recording(1)), SYSTEM, now(provider(), 2)) is session
    earlier = replace(recording(2), call="c-0")
    assert apply(session, do.AddArtifact(earlier), SYSTEM, now(provider(), 2)).artifacts == (earlier,)


@st.composite
def tampered(draw: st.DrawFn) -> Session:  # noqa: PLR0911 - a line per kind of change
    """One later change of what the receipts speak of."""
    session = receipted()
    chain = session.consents
    at = draw(st.integers(0, len(chain) - 1))
    kinds = ["remove", "swap", "time", "words", "file", "artifact", "missing", "consent", "double"]
    match draw(st.sampled_from(kinds)):
        case "remove":
            return replace(session, consents=chain[:at] + chain[at + 1 :])
        case "swap":
            other = draw(st.integers(0, len(chain) - 1).filter(lambda n: n != at))
            moved = list(chain)
            moved[at], moved[other] = moved[other], moved[at]
            return replace(session, consents=tuple(moved))
        case "double":
            return replace(session, consents=(*chain[: at + 1], *chain[at:]))
        case "time":
            return _with(session, at, replace(chain[at], at="2026-11-22T11:00:00.000Z"))
        case "words":
            said = replace(answer(True), wording=draw(st.text(max_size=20)))
            return _with(session, at, replace(chain[at], consent=said))
        case "file":
            files = tuple(replace(f, sha256=recording(8).sha256) for f in recording_files())
            return _with(session, at, replace(chain[at], files=files))
        case "artifact":
            changed = replace(session.artifacts[-1], sha256=recording(8).sha256)
            return replace(session, artifacts=(*session.artifacts[:-1], changed))
        case "missing":
            return replace(session, artifacts=session.artifacts[1:])
    return replace(session, recording=replace(session.recording, consent=answer(True, 59)))


def recording_files() -> tuple[Any, ...]:
    return receipted().consents[1].files


def _with(session: Session, at: int, receipt: Any) -> Session:
    return replace(session, consents=(*session.consents[:at], receipt, *session.consents[at + 1 :]))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of ours
@given(tampered())
def test_any_later_change_shows(session: Session) -> None:
    assert receipts.faults(session) != ()


def test_a_whole_new_chain_shows_to_whoever_was_told_the_old_one() -> None:
    session = receipted()
    told = session.consents[-1].hash
    rewritten = replace(session, consents=(), recording=replace(session.recording, consent=None), artifacts=())
    rewritten = receipts.said(rewritten, answer(True, 30), now(provider(), 30).at)
    assert receipts.faults(rewritten) == ()
    assert receipts.faults(rewritten, head=told) != ()


def test_a_chain_does_not_fit_another_session() -> None:
    assert receipts.faults(replace(receipted(), id="s-2")) != ()
