"""One participant's connection: our video and sound to it, its sound and camera from it, and the data channels.

aiortc's RTCPeerConnection answers the participant's offer. Whatever the participant sends is judged here and in
channels.py; what it means for the call is the host's (the Call's) business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Protocol

import av
from aiortc import RTCRtpTransceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from msgspec import Struct

from kiosk.call.aiortc_hooks_dtls import CallCertificate
from kiosk.call.aiortc_hooks_names import FrameNames
from kiosk.call.aiortc_hooks_sound import CameraGate
from kiosk.call.author import Author
from kiosk.call.channels import Channels
from kiosk.call.ice import Ways
from kiosk.call.mixer import Mixer
from kiosk.call.offer import Offer, codecs, read_offer
from kiosk.call.opus import with_opus_wishes
from kiosk.call.peer_clock import PeerClock
from kiosk.call.picture_link import PictureLink
from kiosk.call.plain_picture import PlainPicture
from kiosk.call.rate import Figures
from kiosk.call.relay import Relay
from kiosk.call.sound_link import SoundLink
from kiosk.call.way import Way
from kiosk.config import CallSettings
from kiosk.errors import Malformed
from kiosk.hw.ports import Picture
from kiosk.mailbox import Queue
from kiosk.session.record import Person
from kiosk.wire import channel

log = logging.getLogger(__name__)

CONNECT_LIMIT_S = 30.0
SILENT_LIMIT_S = 4.0
"""Looked at each second: known within five."""
ASKED_AFTER_S = 1.5
"""Reports come each second from browsers, from others each five or so: whoever says nothing for so long is asked."""


class Host(Protocol):
    """What a participant tells the call it is in."""

    def connected(self, participant: Participant) -> None: ...
    def away(self, participant: Participant) -> None:
        """`is_away` has changed: nothing comes from it any more, or it is back."""

    def channel_opened(self, participant: Participant) -> None: ...
    def staff_frame(self, participant: Participant, frame: av.VideoFrame) -> None: ...
    def sends_camera(self, participant: Participant) -> None:
        """Pictures come from it that nobody watches; called for each packet of them."""

    async def said(self, participant: Participant, event: Any) -> None: ...
    def relays(self, trouble: str) -> None:
        """What is wrong with the TURN servers, as somebody who can mend it needs it; empty where one works."""

    def link_changed(self) -> None:
        """The rate of a link has moved: the encoder shall follow now."""


class Participant:
    """Made, asked once for its `answer`, then `run` until it is gone, and `close`d whatever happened."""

    def __init__(
        self,
        peer: str,
        person: Person,
        author: Author,
        *,
        host: Host,
        relay: Relay,
        mixer: Mixer,
        settings: CallSettings,
        ways: Ways,
        certificate: CallCertificate,
        begin_s: float,
        now: Callable[[], float],
    ) -> None:
        self.peer, self.person, self.author = peer, person, author
        self.camera_on = False
        self.is_away = False
        self.why_gone = ""
        self._has_connected = False
        self._host, self._relay, self._mixer, self._now = host, relay, mixer, now
        self._way = Way(peer, ways, certificate, now)
        bounds_bps = (settings.bitrate_min_bps, settings.bitrate_max_bps)
        self._picture = PictureLink(relay, bounds_bps, begin_s, now, host.link_changed)
        self.sound = SoundLink()
        self._inbox: Queue[Any] = Queue(500)
        self.channels = Channels(self._inbox.put, lambda: host.channel_opened(self), now, peer)
        self._begin_s = begin_s
        self._plain: PlainPicture | None = None
        self._names: FrameNames | None = None
        self._tracks: list[MediaStreamTrack] = []
        self._cameras: list[CameraGate] = []
        self._late: tuple[tuple[str, str], ...] = ()
        self._began_s = now()
        self._gone = asyncio.Event()

    # --- the connection ---------------------------------------------------------------------------------------------

    async def answer(self, sdp: str) -> str:
        """Our SDP with all candidates.

        Raises:
            Malformed: no offer that we can answer; the sentence says why.
        """
        offer = read_offer(sdp)
        self._late = offer.late
        connection = self._way.connection
        connection.on("track", self._tracks.append)
        connection.on("datachannel", self.channels.adopt)
        connection.on("connectionstatechange", self._state_changed)
        try:
            picture, sound = self._add_transceivers(offer)
            await connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            if picture is not None and self._plain is not None:
                self._names = FrameNames(picture)
            elif picture is not None:
                self._picture.attach(connection, picture, sound)
            self._way.gather(self._host.relays)
            await connection.setLocalDescription(await connection.createAnswer())
        except Exception as error:  # named place: aiortc breaks on a strange SDP wherever it happens to
            raise Malformed(f"the offer cannot be answered: {error or type(error).__name__}") from error
        return with_opus_wishes(str(connection.localDescription.sdp))

    def _add_transceivers(self, offer: Offer) -> tuple[RTCRtpTransceiver | None, RTCRtpTransceiver | None]:
        """Ours in the offer's order; our video and sound go where they are first received. Returns these two."""
        sends: dict[str, RTCRtpTransceiver] = {}
        for media in offer.media:
            own: MediaStreamTrack = self._picture.track if media.kind == "video" else self.sound.track
            if media.codec == "vp8":
                own = self._plain = self._plain or PlainPicture(self._begin_s)
            if media.receives and media.kind not in sends:
                transceiver = self._way.connection.addTransceiver(own, "sendrecv" if media.sends else "sendonly")
                sends[media.kind] = transceiver
            else:
                transceiver = self._way.connection.addTransceiver(media.kind, "recvonly" if media.sends else "inactive")
            if media.kind == "video":
                self._cameras.append(CameraGate(transceiver.receiver, lambda: self._host.sends_camera(self)))
            else:
                self.sound.attach(transceiver)
            transceiver.setCodecPreferences(codecs(media.codec))
        return sends.get("video"), sends.get("audio")

    async def add_candidate(self, candidate: str, mid: str) -> None:
        """A trickled candidate; an empty one is the end of them. May wait for a name to be resolved.

        Raises:
            Malformed: it is none.
        """
        await self._way.add_candidate(candidate, mid)

    async def restart(self, fragment: str) -> str:
        """Another way for the same connection: the participant's fragment answered by ours.

        Raises:
            Malformed: it is none that asks for that.
            WrongState: there is no connection yet, or not any more.
        """
        return await self._way.restart(fragment)

    async def run(self) -> None:
        """Until the participant is gone; `why_gone` says why."""
        self._mixer.add(self.peer, self.sound.voice)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._work(), name=f"call-inbox-{self.peer}")]
            cameras = [track for track in self._tracks if track.kind == "video"]
            tasks += [group.create_task(self._watch(track), name=f"call-video-{self.peer}") for track in cameras]
            tasks.append(group.create_task(self._picture.run(), name=f"call-picture-{self.peer}"))
            tasks.append(group.create_task(self._resolve_late(), name=f"call-names-{self.peer}"))
            tasks.append(group.create_task(self._way.run(), name=f"call-asks-{self.peer}"))
            await self._gone.wait()
            for task in tasks:
                task.cancel()

    def drop(self, why: str) -> None:
        """It is gone, or shall be. The first reason counts."""
        if not self._gone.is_set():
            self.why_gone = why
            self._gone.set()

    async def close(self) -> None:
        """Frees everything, within two seconds."""
        self.drop("closed")
        self._mixer.remove(self.peer, self.sound.voice)
        self._picture.track.stop()
        if self._plain is not None:
            self._plain.stop()
        self.sound.track.stop()
        await self._way.close()

    def _state_changed(self) -> None:
        state = self._way.connection.connectionState
        if state == "connected" and not self._has_connected:
            self._has_connected = True
            self._host.connected(self)
        elif state in ("failed", "closed"):
            self.drop(f"connection {state}")

    async def _resolve_late(self) -> None:
        for candidate, mid in self._late:
            with contextlib.suppress(Malformed):
                await self.add_candidate(candidate, mid)

    # --- what comes from it -----------------------------------------------------------------------------------------

    async def _work(self) -> None:
        async for event in self._inbox:
            await self._host.said(self, event)

    async def _watch(self, track: MediaStreamTrack) -> None:
        """Reads always: the last frames may still be decoded when nobody watches any more, and would be kept."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self._host.staff_frame(self, frame)

    def watch(self, on: bool) -> None:
        """Whether its camera's pictures are decoded, and handed to the host."""
        for camera in self._cameras:
            camera.open(on)

    # --- what goes to it --------------------------------------------------------------------------------------------

    def see(self, picture: Picture) -> None:
        """Each picture of the camera, for those who cannot have its encoded ones."""
        if self._plain is not None:
            self._plain.put(picture)

    def hear(self, packet: bytes | None) -> None:
        """20 ms of what it is to hear, as Opus; None where that is still silence."""
        self.sound.track.put(packet)

    def tell_poses(
        self, captured_s: float, marks: tuple[channel.MarkPose, ...], motion: channel.Motion | None = None
    ) -> None:
        if self._plain is None or self._names is None:
            t = self._picture.to_wire(captured_s)
        else:
            t = self._names.to_wire(self._plain.pts(captured_s))
        if t is not None:
            self.channels.tell_poses(channel.Poses(t=t, marks=marks, motion=motion))

    def captured_s(self, t: int | None) -> float | None:
        """When the frame was captured that reached this participant with the RTP timestamp `t`; None if unknown."""
        if t is None or self._plain is None or self._names is None:
            return None if t is None else self._picture.captured_s(t)
        pts = self._names.from_wire(t)
        return None if pts is None else self._plain.captured_s(pts)

    # --- the link ---------------------------------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        return self._has_connected and not self.is_away

    @property
    def figures(self) -> Figures | None:
        """What is known of its link; None where it gets no video."""
        return self._picture.figures if self._picture.sender and self.is_connected else None

    @property
    def says_camera(self) -> bool:
        return self.channels.has_events

    @property
    def dropped_frames(self) -> int:
        return self._picture.track.dropped

    def tick(self) -> None:
        """Once a second: says that we live, and looks whether it does."""
        now_s = self._now()
        self._picture.tick()
        if not self._has_connected:
            if now_s - self._began_s > CONNECT_LIMIT_S:
                self.drop("never connected")
            return
        silent_s = now_s - self._heard_s
        if self.channels.has_events:
            self._look_at_channels(silent_s)
        elif silent_s > ASKED_AFTER_S:
            self._way.doubt()
        self._note_away(silent_s > SILENT_LIMIT_S and not self.channels.has_events)

    def _look_at_channels(self, silent_s: float) -> None:
        """Whoever has a heartbeat misses ours as well, and joins anew by itself."""
        self.channels.beat()
        if silent_s > SILENT_LIMIT_S:
            self.drop("silent")
        elif self.channels.overflows:
            self.drop("does not follow")

    def _note_away(self, is_away: bool) -> None:
        """A plain client would not join anew: its connection waits for it, for as long as ICE has patience (30 s)."""
        if is_away != self.is_away:
            self.is_away = is_away
            self._host.away(self)

    @property
    def _heard_s(self) -> float:
        """When anything came last. After a gap heartbeats come late: SCTP waits ever longer before it repeats them."""
        return max(self.channels.heard_s, self._way.heard_s)

    def follow(self, relay: Relay, *, stills: bool) -> None:
        """Gets the pictures of another relay from its next keyframe on."""
        self._picture.follow(relay, stills=stills)

    @property
    def sent_bps(self) -> float:
        return self._picture.sent_bps

    @property
    def clock(self) -> PeerClock:
        """What its clock shows, by the heartbeats."""
        return self.channels.clock

    def tell(self, what: Struct | bytes | str) -> None:
        self.channels.tell(what)
