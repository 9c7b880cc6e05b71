"""One running call of a session: participants, picture, sound, recording, and the way to the tools.

`async with Call(...)` opens the camera, the microphone and the speaker and closes them; it is not open longer than the
session is RUNNING. What it has to tell the book comes out of `news`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from msgspec import Struct
from msgspec.structs import replace

from kiosk import memory
from kiosk.call import channels
from kiosk.call.aiortc_hooks_dtls import CallCertificate
from kiosk.call.attendance import Attendance
from kiosk.call.author import Author
from kiosk.call.devices import DeviceName, Hearing, Seeing, Speaking, in_time
from kiosk.call.ducking import Ducker
from kiosk.call.ending import HUNG_UP, LEFT, Ending
from kiosk.call.ice import own_ways
from kiosk.call.ladder import Step
from kiosk.call.links import Links
from kiosk.call.mixer import SILENCE, Mixer
from kiosk.call.participant import Participant
from kiosk.call.rate import Code, quality
from kiosk.call.recording import Recordings, Timeline
from kiosk.call.relay import Keyframes, Relay
from kiosk.call.sound_out import SoundOut
from kiosk.call.staff_camera import StaffCamera
from kiosk.call.summary import Summary
from kiosk.call.tools_port import Tell, TellPoses, Tools
from kiosk.config import CallSettings
from kiosk.errors import DeviceTrouble, Trouble
from kiosk.hw.ports import (
    SAMPLE_RATE_HZ,
    SAMPLES_PER_BLOCK,
    AccessUnit,
    Camera,
    Microphone,
    Picture,
    Samples,
    Speaker,
)
from kiosk.mailbox import Queue
from kiosk.session import inputs
from kiosk.session.record import Person, Session
from kiosk.wire import channel
from kiosk.wire.messages import Ice
from kiosk.wire.timeline import PictureStep

log = logging.getLogger(__name__)

CLOSE_LIMIT_S = 1.5
TRIM_EVERY_S = 30
"""What a moment of load took of C's heap (some frames more at once: up to 16 MB) is not kept for the whole call."""


class Call:
    """All methods from the loop; `async with` from one task, which is cancelled where something in the call breaks."""

    def __init__(
        self,
        *,
        session: Session,
        call_id: str,
        camera: Camera,
        microphone: Microphone,
        speaker: Speaker,
        settings: CallSettings,
        make_tools: Callable[[Tell, TellPoses], Tools],
        folder: Path,
        timeline: Timeline | None = None,
        on_picture: Callable[[Picture], None] = lambda picture: None,
        on_staff_picture: Callable[[Picture | None], None] = lambda picture: None,
        on_device: Callable[[str, DeviceTrouble | None], None] = lambda name, trouble: None,
        on_gone: Callable[[str, str], None] = lambda peer, why: None,
        on_relays: Callable[[str], None] = lambda trouble: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """folder: where the session's files are. on_*: called in the loop; must not block.

        on_gone: (peer, why) of a participant whom the call has lost. on_relays: what is wrong with TURN, or "".
        on_device: (name, trouble) when "camera", "microphone" or "speaker" is lost, (name, None) when it is back;
            "disk" when a recording cannot be written.
        """
        self._session, self._id = session, call_id
        self._camera, self._microphone, self._speaker = camera, microphone, speaker
        self._settings, self._now = settings, now
        self._on_picture, self._on_device = on_picture, on_device
        self._on_gone, self.relays = on_gone, on_relays
        self._make_tools = make_tools
        self._folder, self._timeline = folder, timeline
        self._staff_camera = StaffCamera(on_staff_picture, now)
        self._mixer = Mixer(Ducker() if settings.echo == "duck" else None)
        self._mixer.muted = any(call.muted for call in session.calls if call.id == call_id)
        self._sound_out = SoundOut()
        self.participants = Attendance(self._make_participant, self._spawn, self._parted)
        self.tell = self.participants.tell
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = Ending(settings.lost_s)
        self._lost: set[DeviceName] = set()
        self._size = (0, 0)

    # --- from its beginning to its end ------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Raises ConfigError: the TURN password's file, or the certificate's, cannot be read."""
        self._begin_s = self._now()
        self._summary = Summary(self._begin_s)
        self._ways = own_ways(self._settings)
        self._certificate = CallCertificate.generateCertificate()
        self._news: Queue[inputs.Input] = Queue(1000)
        loop = asyncio.get_running_loop()
        self._relay = Relay(Keyframes(self._camera.request_keyframe, loop.time, loop.call_later))
        self._links = Links(
            self._camera, self._relay, self._settings, self._summary, lambda: self.participants, self._now
        )
        self.tools = await self._make_tools(self.tell, self.participants.tell_poses).__aenter__()
        self._recordings = Recordings(
            self._session,
            self._id,
            self._folder,
            self._relay,
            self._tell_recording,
            timeline=self._timeline,
            already=self._on_the_picture,
        )
        self._group = await asyncio.TaskGroup().__aenter__()
        self._start_tasks()
        self.record(self._session.recording.wanted, self._session.recording.asked, self._session.withdrawals)
        return self

    def _start_tasks(self) -> None:
        hearing = Hearing(self._microphone, self._device)
        self._spawn("seeing", Seeing(self._camera, self._device).run(self._unit, self._picture))
        self._spawn("hearing", hearing.run(self._tick_sound, SILENCE))
        self._spawn("speaking", Speaking(self._speaker, self._device).run())
        self._spawn("links", self._links.run())
        self._spawn("seconds", self._count_seconds())
        # not of the group: what broke must not keep the last file from being finished
        self._recording = asyncio.create_task(self._recordings.run(), name="call-recordings")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.participants.end()
        finishing = asyncio.create_task(in_time(self._recordings.finish(), CLOSE_LIMIT_S, "finishing the recording"))
        for task in tuple(self._tasks):
            task.cancel()
        try:
            # only a cancellation is the group's to judge; another error of the caller passes as it is
            cancelled = isinstance(error, asyncio.CancelledError)
            await (self._group.__aexit__(kind, error, trace) if cancelled else self._group.__aexit__(None, None, None))
        finally:
            await self.participants.freed()
            await in_time(self.tools.__aexit__(None, None, None), CLOSE_LIMIT_S, "closing the tools")
            await finishing
            self._recording.cancel()
            self._relay.close()
            self._links.close()
            self._staff_camera.close()
            self._news.put(inputs.CallSummary(self._id, self._summary.figures(self._now())))
            self._news.close()
            log.info("call %s: %s", self._id, self._summary.line(self._now()))

    def news(self) -> AsyncIterator[inputs.Input]:
        """What the book must hear; ends once the call has ended and everything was told. For one reader."""
        return self._news

    # --- participants -----------------------------------------------------------------------------------------------

    async def join(self, peer: str, person: Person, sdp: str, ice: tuple[Ice, ...] = ()) -> str:
        """Answers a participant's offer: SDP with all our candidates. The same peer again replaces its connection.

        ice: the servers that the desk told for this connection; our own settings go before them.

        Raises:
            Malformed: an offer that cannot be answered.
            Full: 32 participants are there.
            Unreachable: the call ended meanwhile.
        """
        return await self.participants.join(peer, person, sdp, ice)

    async def candidate(self, peer: str, candidate: str, mid: str) -> None:
        """A trickled candidate of a participant; one for somebody who has left is of no use and no harm.

        Raises:
            Malformed: it is none.
        """
        await self.participants.candidate(peer, candidate, mid)

    async def restart(self, peer: str, fragment: str) -> str:
        """ICE anew under the same connection: a participant's fragment answered by ours.

        Raises:
            Malformed: it is none that asks for that.
            WrongState: it has no connection.
        """
        return await self.participants.restart(peer, fragment)

    async def leave(self, peer: str) -> None:
        """Returns once everything of its connection is freed."""
        await self.participants.leave(peer)

    def _make_participant(self, author: Author, person: Person, ice: tuple[Ice, ...]) -> Participant:
        return Participant(
            author.id,
            person,
            author,
            host=self,
            relay=self._relay,
            mixer=self._mixer,
            settings=self._settings,
            ways=self._ways.told(ice),
            certificate=self._certificate,
            begin_s=self._begin_s,
            now=self._now,
        )

    def _parted(self, participant: Participant, replaced: bool) -> None:
        self._staff_camera.gone(participant)
        if replaced:
            return
        self._ending.parted(participant.peer, participant.why_gone, self._now())
        if not self.participants.ended and participant.why_gone != LEFT:
            self._on_gone(participant.peer, participant.why_gone)
        if participant.is_connected:
            self.tools.leave(participant.author)
            self._tell_people()

    # --- what participants tell us (participant.Host) ---------------------------------------------------------------

    def connected(self, participant: Participant) -> None:
        log.info("participant %s: connected", participant.peer)
        self._summary.joins += 1
        self._ending.came(participant.peer)
        self.tools.join(participant.author)
        self._news.put(inputs.Joined(participant.person))
        self._tell_people()

    def away(self, participant: Participant) -> None:
        log.info("participant %s: %s", participant.peer, "not heard any more" if participant.is_away else "back")
        if participant.is_away:
            self._staff_camera.gone(participant)
            self.tools.leave(participant.author)
        else:
            self._ending.came(participant.peer)
            self.tools.join(participant.author)
        self._links.look()
        self._tell_people()

    def channel_opened(self, participant: Participant) -> None:
        author = participant.author
        tell = participant.channels.tell
        session, fade_s = self._session.id, self._settings.fade_s
        tell(channel.Hello(you=author.name, colour=author.colour, session=session, call=self._id, fade_s=fade_s))
        tell(self._people_event())
        tell(channel.RecordingTold(state=self._recordings.state))
        for name in sorted(self._lost):
            tell(channel.DeviceTold(name=name, works=False))
        tell(self._sound_event())
        for what in self.tools.greet():
            tell(what)

    def link_changed(self) -> None:
        self._links.look()

    def staff_frame(self, participant: Participant, frame: av.VideoFrame) -> None:
        self._staff_camera.frame(participant, frame)

    def sends_camera(self, participant: Participant) -> None:
        self._staff_camera.sends(participant)

    async def said(self, participant: Participant, event: Any) -> None:
        match event:
            case channel.Mute(on=on):
                participant.sound.voice.muted = on
                self.tell(self._sound_event())
            case channel.CameraOn(on=on):
                self._staff_camera.switched(participant, on)
            case channel.HangUp():
                participant.drop(HUNG_UP)
            case channel.Seen():
                self._links.seen(participant, event)
            case _:
                await self._use_tools(participant, event)

    async def _use_tools(self, participant: Participant, event: Any) -> None:
        frame_s = participant.captured_s(getattr(event, "t", None))
        try:
            await self.tools.handle(participant.author, event, frame_s)
        except Trouble as error:
            about = getattr(event, "op", "") or getattr(event, "id", "")
            participant.channels.tell(replace(channels.of(error), about=about))
        except Exception:  # named place: a call can do without its tools
            log.exception("tools: %s failed", type(event).__name__)
            participant.channels.tell(channels.trouble("tools", "that did not work"))

    # --- what we tell participants ----------------------------------------------------------------------------------

    def _tell_people(self) -> None:
        self.tell(self._people_event())

    def _people_event(self) -> channel.People:
        return channel.People(people=self.people)

    def _sound_event(self) -> channel.SoundTold:
        return channel.SoundTold(muted=self.muted, turns=self.turns, silent=self.silent)

    def _device(self, name: DeviceName, trouble: DeviceTrouble | None) -> None:
        self._on_device(name, trouble)
        self._summary.camera_losses += name == "camera" and trouble is not None
        (self._lost.discard if trouble is None else self._lost.add)(name)
        told = channel.DeviceTold(name=name, works=trouble is None)
        self.tell(told)
        if self._timeline is not None:
            self._timeline.write(time.monotonic(), told)

    # --- what the kiosk's display shows -----------------------------------------------------------------------------

    @property
    def people(self) -> tuple[tuple[str, str], ...]:
        """(name, colour) of everybody connected."""
        return tuple((p.author.name, p.author.colour) for p in self.participants if p.is_connected)

    @property
    def quality(self) -> Code:
        """Of the worst link: "good", "fair" or "poor"; "" without participants."""
        return quality(f for p in self.participants if (f := p.figures))

    @property
    def step(self) -> Step | None:
        """Which rung of the ladder those are on who get video; "stills" where nobody does, None where nobody is."""
        return self._links.step

    @property
    def on_stills(self) -> tuple[str, ...]:
        """The names of those whose links carry single pictures only."""
        return tuple(p.author.name for p in self.participants if self._links.on_stills(p))

    @property
    def staff_camera(self) -> bool:
        """Whether a staff member's picture is there to be shown."""
        return self._staff_camera.on

    @property
    def muted(self) -> bool:
        return self._mixer.muted

    @property
    def silent(self) -> tuple[str, ...]:
        """The names of those connected who have switched their microphones off."""
        return tuple(p.author.name for p in self.participants if p.is_connected and p.sound.voice.muted)

    @property
    def turns(self) -> bool:
        """Whether the microphone is turned down while a participant speaks (half-duplex)."""
        return self._settings.echo == "duck"

    @property
    def recording(self) -> bool:
        """Whether packets go to disk now."""
        return self._recordings.running

    def mute(self, on: bool) -> None:
        """Takes the kiosk's microphone out of the call, and out of the recording. The session remembers it: whoever has
        switched it off must not be heard because the power was gone for a moment."""
        if on != self._mixer.muted:
            self._mixer.muted = on
            self._news.put(inputs.Muted(self._id, on))
            self.tell(self._sound_event())

    def record(self, wanted: bool, asked: bool = False, withdrawals: int = 0) -> None:
        """Follows session.recording: `wanted`, whether staff have `asked` and wait for consent, and how often the code
        user has said no so far."""
        self._recordings.want(wanted, asked, withdrawals)

    def withdraw(self) -> None:
        """The code user has just said no: not one more frame, even before the session says so."""
        self._recordings.withdraw()

    # --- the streams ------------------------------------------------------------------------------------------------

    def _unit(self, unit: AccessUnit) -> None:
        self._summary.frames += 1
        self._summary.bytes += len(unit.data)
        self._note_size(unit)
        self._relay.pass_on(unit)
        self._links.passes(unit)

    def _note_size(self, unit: AccessUnit) -> None:
        if unit.keyframe and any(unit.size) and unit.size != self._size and self._timeline is not None:
            self._timeline.write(unit.captured_s, PictureStep(*unit.size))
        self._size = unit.size

    def _on_the_picture(self) -> tuple[Struct | bytes, ...]:
        """What a timeline begins with."""
        return (*((PictureStep(*self._size),) if any(self._size) else ()), *self.tools.greet())

    def _picture(self, picture: Picture) -> None:
        self._on_picture(picture)
        self.tools.feed(picture)
        for participant in self.participants:
            participant.see(picture)

    def _tick_sound(self, block: Samples) -> None:
        mixed = self._mixer.tick(block)
        self._speaker.play(mixed.speaker)
        there = {p.peer: p for p in self.participants if p.peer in mixed.participants}
        heard = {peer: mixed.participants[peer] for peer in there}
        packets = self._sound_out.packets(heard, mixed.recording, {peer: p.sound.loss for peer, p in there.items()})
        for peer, packet in packets.items():
            there[peer].hear(packet)
        self._recordings.sound(mixed.recording, self._now() - SAMPLES_PER_BLOCK / SAMPLE_RATE_HZ)

    async def _count_seconds(self) -> None:
        for second in itertools.count(1):
            await asyncio.sleep(1)
            self.tick()
            if second % TRIM_EVERY_S == 0:
                await asyncio.to_thread(memory.trim)

    def tick(self) -> None:
        """Once a second: everything that time alone brings about."""
        self.participants.tick()
        self._staff_camera.tick()
        self._links.tick(len(self.people))
        if why := self._ending.tick(bool(self.people), self._now()):
            self._news.put(inputs.End(why))

    def _tell_recording(self, news: inputs.Input | channel.RecordingTold | channel.Trouble) -> None:
        if isinstance(news, channel.Trouble):
            self._on_device("disk", DeviceTrouble(news.text))
        elif isinstance(news, channel.RecordingTold) and news.state == "on":
            self._on_device("disk", None)
        if isinstance(news, channel.RecordingTold | channel.Trouble):
            self.tell(news)
        else:
            self._news.put(news)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work, name=f"call-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
