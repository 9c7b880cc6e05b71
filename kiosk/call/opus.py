"""Opus, mono at 48 kHz, 20 ms a packet: an encoder and a decoder over the C library (RFC 6716).

PyAV's codec gives neither of the two things that a call on a bad link lives by: it cannot decode the forward error
correction that a packet carries of the one before it, and its encoder cannot be told the loss while it runs. So the
library itself is used, the one that came with PyAV. Used from the loop: a block takes some hundredth of the 20 ms
that it lasts, less than handing it to a thread and back.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from kiosk.errors import DeviceTrouble, Malformed
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples

BITRATE_BPS = 32_000
"""Fullband speech, and a machine that one can judge by ear; libwebrtc takes the same for mono."""
COMPLEXITY = 3
FEC_FROM_PERCENT = 6
"""Told of less, libopus 1.6 spends nothing on FEC at this bitrate (measured); told of this, it stays fullband."""
MAX_PACKET = 1275
"""Bytes, RFC 6716, section 3.4."""
MAX_SAMPLES = 5760
"""120 ms, the longest packet."""
TINY = 2
"""Bytes. A packet that short says "still silent" (RFC 7587, section 3.1.3) and need not be sent."""

# opus_defines.h
_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_INBAND_FEC, _SET_PACKET_LOSS, _SET_DTX = 4002, 4010, 4012, 4014, 4016
_RESET_STATE = 4028

_OPUS_LINE = re.compile(r"^a=rtpmap:(\d+) opus/48000/2(?=\r?$)", re.IGNORECASE | re.MULTILINE)


class OpusEncoder:
    """Not shared between threads."""

    def __init__(self, bitrate_bps: int = BITRATE_BPS) -> None:
        """Raises DeviceTrouble: there is no Opus library."""
        self._library = _library()
        error = ctypes.c_int()
        self._state = self._library.opus_encoder_create(SAMPLE_RATE_HZ, 1, _VOIP, ctypes.byref(error))
        if not self._state:
            raise DeviceTrouble(f"no Opus encoder can be made (error {error.value})")
        weakref.finalize(self, self._library.opus_encoder_destroy, self._state)
        self._packet = ctypes.create_string_buffer(MAX_PACKET)
        self._loss_percent = 0
        for what, value in ((_SET_BITRATE, bitrate_bps), (_SET_COMPLEXITY, COMPLEXITY), (_SET_INBAND_FEC, 1)):
            self._set(what, value)

    def encode(self, block: Samples) -> bytes:
        """(960,) int16 -> one packet; of at most TINY bytes where silence goes on."""
        data = np.ascontiguousarray(block, np.int16)
        size = self._library.opus_encode(self._state, data.ctypes.data, len(data), self._packet, MAX_PACKET)
        if size < 0:
            raise ValueError(f"{len(data)} samples are no block (Opus error {size})")
        return self._packet.raw[:size]

    def expect_loss(self, share: float) -> None:
        """0..1 of the packets are lost on the way: so much is spent on what a packet tells of the one before it."""
        percent = 0 if share < 0.01 else max(FEC_FROM_PERCENT, round(100 * min(1.0, share)))
        if percent != self._loss_percent:
            self._loss_percent = percent
            self._set(_SET_PACKET_LOSS, percent)

    def expect_silence(self, on: bool) -> None:
        """While on, what sounds like background noise is no longer sent (DTX)."""
        self._set(_SET_DTX, int(on))

    def reset(self) -> None:
        """As if nothing had been encoded before."""
        self._library.opus_encoder_ctl(self._state, _RESET_STATE)

    def _set(self, what: int, value: int) -> None:
        self._library.opus_encoder_ctl(self._state, what, ctypes.c_int(value))


class OpusDecoder:
    """Of one sender, whatever it sends: stereo is mixed down. Not shared between threads."""

    def __init__(self) -> None:
        """Raises DeviceTrouble: there is no Opus library."""
        self._library = _library()
        error = ctypes.c_int()
        self._state = self._library.opus_decoder_create(SAMPLE_RATE_HZ, 1, ctypes.byref(error))
        if not self._state:
            raise DeviceTrouble(f"no Opus decoder can be made (error {error.value})")
        weakref.finalize(self, self._library.opus_decoder_destroy, self._state)
        self._samples = np.zeros(MAX_SAMPLES, np.int16)

    def decode(self, packet: bytes) -> Samples:
        """(N,) int16, N up to 5760. Raises Malformed."""
        return self._decode(packet, MAX_SAMPLES, fec=False)

    def recover(self, following: bytes, count: int = SAMPLES_PER_BLOCK) -> Samples:
        """The `count` samples lost just before `following`, out of what that packet carries of them; if it carries
        nothing, as `conceal`. The packet itself is to be decoded after that. Raises Malformed."""
        return self._decode(following, count, fec=True)

    def conceal(self, count: int = SAMPLES_PER_BLOCK) -> Samples:
        """What may have sounded in the place of `count` lost samples (a multiple of 120): goes on, and fades."""
        return self._decode(None, count, fec=False)

    def _decode(self, packet: bytes | None, room: int, *, fec: bool) -> Samples:
        size = len(packet) if packet is not None else 0
        count = self._library.opus_decode(self._state, packet, size, self._samples.ctypes.data, room, int(fec))
        if count < 0:
            raise Malformed(f"not an Opus packet (error {count})")
        return self._samples[:count].copy()


def with_opus_wishes(answer: str) -> str:
    """An SDP answer of aiortc's in which each Opus line says what we would like to be sent: mono, with FEC, nothing in
    silence. To the sender these are wishes about its encoder (RFC 7587, section 6.1); nothing of ours changes by them.
    """
    return _OPUS_LINE.sub(r"\g<0>\r\na=fmtp:\g<1> minptime=10;useinbandfec=1;usedtx=1;stereo=0", answer)


@cache
def _library() -> Any:
    """Declared once: on 64-bit machines ctypes would cut the pointers off otherwise."""
    name = _bundled() or ctypes.util.find_library("opus")
    if not name:
        raise DeviceTrouble("no Opus library (libopus) is installed")
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise DeviceTrouble(f"the Opus library does not load: {error}") from error
    pointer, number = ctypes.c_void_p, ctypes.c_int
    error_at = ctypes.POINTER(number)
    library.opus_encoder_create.argtypes = [ctypes.c_int32, number, number, error_at]
    library.opus_encoder_create.restype = pointer
    library.opus_encoder_destroy.argtypes = [pointer]
    library.opus_encode.argtypes = [pointer, pointer, number, pointer, ctypes.c_int32]
    library.opus_encoder_ctl.argtypes = [pointer, number]  # the rest is variadic
    library.opus_decoder_create.argtypes = [ctypes.c_int32, number, error_at]
    library.opus_decoder_create.restype = pointer
    library.opus_decoder_destroy.argtypes = [pointer]
    library.opus_decode.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int32, pointer, number, number]
    return library


def _bundled() -> str:
    """Beside PyAV: av.libs on Linux, av/.dylibs on a Mac; empty where PyAV was built on the system's library."""
    folder = Path(av.__file__).parent
    found = [*folder.parent.glob("av.libs/libopus*"), *folder.glob(".dylibs/libopus*")]
    return str(found[0]) if found else ""
