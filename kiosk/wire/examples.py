"""One example at least of each message on the wire. They stand in docs/wire/asyncapi.json, and tests send them."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from kiosk.session import inputs as do
from kiosk.session.record import (
    CODE_USER,
    Actor,
    Artifact,
    ArtifactKind,
    Change,
    Consent,
    Device,
    Person,
    Recording,
    Session,
    Ticket,
)
from kiosk.session.states import Event, Role, State
from kiosk.wire import channel, messages, topics

KIOSK: Final = "kiosk-1"
SESSION: Final = "s-0123456789abcdef"
PEER: Final = "9f86d081884c7d659a2feaa0c55ad015"
SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ANNA, BEN = Person("anna", "Anna Berg"), Person("ben", "Ben Okoye")
STAFF = Actor(Role.STAFF, "anna", "Anna Berg")
PRESS = Device("press-7", "Press 7, hall 2")
TICKET = Ticket("T-1", "Noise in the drive", "https://tickets.example/T-1")
FRAGMENT: Final = "a=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
SDP: Final = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
OFFER: Final = "5d41402abc4b2a76"
ICE: Final = (
    messages.Ice(("stun:turn.example:3478",)),
    messages.Ice(("turn:turn.example:3478", "turns:turn.example:443"), "1772359200:kiosk-1", "8w5Z0Rr0wJVL2zCwY1l7b3="),
)
SECOND: Final = 90_000  # RTP time of video

_TOLD = Session(
    id=SESSION,
    epoch="e-5b1d7c",
    rev=7,
    kiosk=KIOSK,
    device=PRESS,
    state=State.CLOSED,
    origin="code_user",
    created_at="2026-03-01T10:00:00.000Z",
    reason="The machine has stopped",
    requester="Line 3",
    tickets=(TICKET,),
    asked=(ANNA, BEN),
    assigned=(ANNA,),
    seen_by=(ANNA,),
    recording=Recording(
        allowed=True,
        asked=True,
        consent=Consent(True, "2026-03-01T10:00:00.000Z", "May this call be recorded?", "en", "creation_flow"),
        look_back_s=20,
    ),
    artifacts=(Artifact("a-1", ArtifactKind.SNAPSHOT, "snapshot-1.jpg", "image/jpeg", 183_211, SHA256),),
    history=(
        Change("2026-03-01T10:00:00.000Z", CODE_USER, Event.REQUEST, None, State.REQUESTED),
        Change("2026-03-01T10:01:12.500Z", STAFF, Event.CONFIRM, State.REQUESTED, State.CONFIRMED),
    ),
)

_WISHES: tuple[do.Command, ...] = (
    do.Create("Yearly check", (TICKET,)),
    do.Confirm(),
    do.Cancel("solved by telephone"),
    do.Start(),
    do.GiveUp(),
    do.End(),
    do.Close(),
    do.Reopen(),
    do.Assign(BEN),
    do.Unassign("ben"),
    do.LinkTicket(TICKET),
    do.UnlinkTicket("T-1"),
    do.SetVisibility("internal"),
    do.AskRecording(),
    do.StopRecording(),
)


def _command(n: int, wish: do.Command) -> messages.Command:
    if isinstance(wish, do.Create):
        return messages.Command(f"cmd-{n}", STAFF, wish)
    return messages.Command(f"cmd-{n}", STAFF, wish, SESSION, messages.Guard(rev=6 + n))


BY_TOPIC: dict[str, tuple[Struct, ...]] = {
    topics.PRESENCE: (
        messages.Presence(True, "b-3f2a", 1, n=2, held=("s-1c9a", "s-77f0")),
        messages.Presence(False, "b-3f2a", 1),
    ),
    topics.ABOUT: (messages.About(PRESS, "0.1.0", "Raspberry Pi 5", "de", ("touch",), ("anna", "ben")),),
    topics.CONFIG_REPORTED: (
        messages.InForce(
            name="Example Ltd",
            recording_allowed=True,
            reasons=("It leaks", "It is loud"),
            staff=(Person("ben-okoye", "Ben Okoye"),),
            articles=(messages.ArticleTold("oil", "Topping up oil", "1. Switch it off …", "Help with the oil", "Oil"),),
        ),
    ),
    topics.HEALTH: (messages.Health(86_400.5, {"camera": "ok", "speaker": "the speaker is not there"}),),
    topics.SESSION: (messages.SessionTold(_TOLD),),
    topics.COMMAND: tuple(_command(n, wish) for n, wish in enumerate(_WISHES, 1)),
    topics.ANSWER: (
        messages.Answer("cmd-2", True, SESSION, 8, State.CONFIRMED),
        messages.Answer("cmd-2", False, SESSION, 8, State.CONFIRMED, "wrong_state", "Ben Okoye was faster"),
    ),
    topics.SIGNAL_DOWN: (
        messages.Offer(peer=PEER, actor=STAFF, sdp=SDP),
        messages.Offer(peer=PEER, actor=STAFF, sdp=SDP, ice=ICE, id=OFFER),
        messages.Candidate(peer=PEER, candidate="candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host", mid="0"),
        messages.Restart(peer=PEER, fragment=FRAGMENT, id=OFFER),
        messages.Bye(peer=PEER),
    ),
    topics.SIGNAL_UP: (
        messages.AnswerSdp(peer=PEER, sdp=SDP, offer=OFFER),
        messages.Bye(peer=PEER, code="not_assigned", text="Ben Okoye is not assigned"),
    ),
    topics.RECEIPT: (
        messages.Stored(session=SESSION, epoch="e-5b1d7c", rev=7),
        messages.Outdated(session=SESSION, epoch="e-5b1d7c"),
        messages.UploadGrant(session=SESSION, artifact="a-1", sha256=SHA256, url="https://desk.example/tus/token"),
        messages.ArtifactStored(session=SESSION, artifact="a-1", sha256=SHA256),
        messages.PublicLink(session=SESSION, url="https://desk.example/s/body.signature"),
        messages.SeenBy(session=SESSION, person=ANNA),
    ),
    topics.STAFF: (messages.StaffTold("desk-5f3a", 2), messages.StaffTold("desk-5f3a", 0)),
}

FROM_PARTICIPANT: tuple[channel.FromParticipant, ...] = (
    channel.StrokeBegin(id="p-1", at=(0.25, 0.5), t=SECOND),
    channel.StrokeBegin(id="p-2", at=(0.25, 0.5), t=SECOND, pinned=True),
    channel.StrokePoints(id="p-1", points=((0.26, 0.5), (0.27, 0.51)), t=SECOND),
    channel.StrokeEnd(id="p-1", t=SECOND),
    channel.Pointer(at=(0.5, 0.5), t=SECOND),
    channel.Edit(id="e-1", snapshot="shot-1", points=((0.1, 0.1), (0.2, 0.2))),
    channel.Edit(id="e-2", snapshot="shot-1", tool="text", points=((0.3, 0.1),), text="Turn this"),
    channel.Undo(snapshot="shot-1", op="u-1"),
    channel.EditDelete(snapshot="shot-1", id="e-1"),
    channel.SnapshotClose(),
    channel.Heartbeat(n=12, sent_ms=12_000.0, echo_ms=345_000.0, held_ms=412.5),
    channel.MarkCreate(id="m-1", t=SECOND, at=(0.4, 0.6), label="valve"),
    channel.MarkRemove(id="m-1"),
    channel.SnapshotTake(t=SECOND),
    channel.Mute(on=True),
    channel.HangUp(),
    channel.CameraOn(on=True),
    channel.Seen(frames=((SECOND, 12_033.4),), freezes=1, frozen_s=0.3),
)

FROM_KIOSK: tuple[channel.FromKiosk, ...] = (
    channel.StrokeBegin(id="p-1", at=(0.25, 0.5), t=SECOND, by="Anna Berg", colour="#ffb000"),
    channel.StrokePoints(id="p-1", points=((0.26, 0.5), (0.27, 0.51))),
    channel.StrokeEnd(id="p-1", fade_s=4.0),
    channel.Pointer(at=(0.5, 0.5), by="Anna Berg", colour="#ffb000"),
    channel.Edit(id="e-1", snapshot="shot-1", points=((0.1, 0.1), (0.2, 0.2)), by="Anna Berg", colour="#ffb000"),
    channel.Edit(id="e-3", snapshot="shot-1", tool="step", points=((0.3, 0.6),), n=2, by="Anna Berg", colour="#ffb000"),
    channel.StrokePin(id="p-2", anchor=1, matrix=(1.0, 0.0, -0.01, 0.0, 1.0, 0.02, 0.0, 0.0, 1.0)),
    channel.Undo(snapshot="shot-1", id="e-1", op="u-1"),
    channel.SnapshotClose(),
    channel.Heartbeat(n=12, sent_ms=345_000.0, echo_ms=12_000.0, held_ms=20.0),
    channel.Hello(you="anna", colour="#ffb000", session=SESSION, call="c-1234", fade_s=2.5),
    channel.Mark(id="m-1", by="Anna Berg", colour="#ffb000", label="valve", state="tracked"),
    channel.MarkGone(id="m-1", text="taken away"),
    channel.SnapshotOpen(id="shot-1", by="Anna Berg", width=1920, height=1080, bytes=183_211, chunks=12),
    channel.RecordingTold(state="on"),
    channel.Quality(
        bitrate_bps=600_000,
        loss=0.01,
        round_trip_ms=42.0,
        step="smaller",
        width=960,
        height=540,
        fps=30,
        word="fair",
        delay_ms=58.0,
    ),
    channel.People(people=(("Anna Berg", "#ffb000"), ("Ben Okoye", "#00b0ff"))),
    channel.DeviceTold(name="camera", works=False),
    channel.SoundTold(muted=True, silent=("Ben Okoye",)),
    channel.Trouble(code="full", text="there are too many marks", about="m-1"),
)

POSES = channel.Poses(
    SECOND,
    (channel.MarkPose("m-1", ((0.4, 0.4), (0.5, 0.4), (0.5, 0.5), (0.4, 0.5)), 0.93, "tracked"),),
    channel.Motion(1, (1.0, 0.0, 0.012, 0.0, 1.0, -0.004, 0.0, 0.0, 1.0)),
)
