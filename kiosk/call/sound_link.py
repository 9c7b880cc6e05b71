"""One participant's sound, both ways: what it says becomes a voice in the mix, what it hears leaves as packets."""

from __future__ import annotations

from aiortc import RTCRtpTransceiver

from kiosk.call.aiortc_hooks_sound import divert_sound, follow_sound_reports
from kiosk.call.sound_track import SoundTrack
from kiosk.call.voice import Voice

SMOOTH = 0.3
"""The newest report's share: one comes each second or so, and forward error correction should not flap with it."""


class SoundLink:
    """Used from the loop only."""

    def __init__(self) -> None:
        """Raises DeviceTrouble: there is no Opus library."""
        self.track = SoundTrack()
        self.voice = Voice()
        self.loss = 0.0
        """0..1 of what we send, lately."""

    def attach(self, transceiver: RTCRtpTransceiver) -> None:
        """To a sound section of the connection. Before the remote description is applied."""
        divert_sound(transceiver.receiver, self.voice.put)
        follow_sound_reports(transceiver.sender, self._reported)

    def _reported(self, loss: float) -> None:
        self.loss += SMOOTH * (loss - self.loss)
        if self.loss < 0.005:
            self.loss = 0.0
