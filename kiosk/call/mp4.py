"""A recording on disk: fragmented MP4 of the camera's own packets and Opus. For one thread; blocks.

A fragment of half a second is whole on disk (fsync) as soon as it is over: whatever happens to the power or the
process, everything but the last second at most plays. Nothing is encoded but the sound.

The picture may change its size at any keyframe (a thin link, another camera): each keyframe bears its own parameter
sets in the stream, and players take them from there (tests/contract/test_recording_plays.py). The track is called
"avc1" all the same, with the first keyframe's sets in its header: "avc3" would be more to the letter (ISO 14496-15),
but fewer players know it, and most recordings have one size.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet

from kiosk.call.in_step import InStep
from kiosk.disk import RECORDINGS_LEAVE, demand_spare, make_folder, sync_folder
from kiosk.errors import StoreTrouble
from kiosk.hw.ports import SAMPLE_RATE_HZ, AccessUnit, Samples

VIDEO_TIME_BASE = Fraction(1, 90_000)
SOUND_TIME_BASE = Fraction(1, SAMPLE_RATE_HZ)
SOUND_BPS = 48_000
SOUND_OPTIONS = {"application": "audio", "compression_level": "0"}
"""A quarter of the CPU of libopus' defaults (0.05 instead of 0.22 ms a block), at a rate that is ample for speech."""
FRAGMENT_US = 500_000
HELD_BACK_US = 250_000
"""A stream that has stopped keeps the other from the disk for so long: less than a second together with a fragment."""
OPUS_LEAD = 312
"""Samples that libopus begins before the sound. A time before 0 would make the muxer move the picture instead."""
OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_keyframe",
    "frag_duration": str(FRAGMENT_US),
    "min_frag_duration": "300000",  # keyframes on request may come close together
    "flush_packets": "1",
    "max_interleave_delta": str(HELD_BACK_US),
}


class _File:
    """What the muxer writes into: append only (nothing to seek in), counted and hashed as it grows.

    A fragment is gathered and goes to the disk in one piece: killed in between, a process hardly leaves a half one.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)  # the disk may have taken none when the call began
        demand_spare(path.parent, leave=RECORDINGS_LEAVE)
        self._file = path.open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self._gathered = bytearray()
        self._broken: OSError | None = None
        self._whole = 0
        self._hurry = False
        sync_folder(path.parent)

    def write(self, data: bytes) -> int:
        if self._broken is not None:  # nothing behind a hole, not even the muxer's farewell
            raise self._broken
        self._gathered += data
        return len(data)

    def hurry(self, on: bool) -> None:
        """While on, `sync` does not wait for the disk. Once it is off, all that was written is safe."""
        was, self._hurry = self._hurry, on
        if was and not on and self._broken is None:
            os.fsync(self._file.fileno())

    def sync(self) -> None:
        """All that was written so far is whole, and from now on safe."""
        if not self._gathered or self._broken is not None:
            return
        data, self._gathered = self._gathered, bytearray()
        view = memoryview(data)
        try:
            demand_spare(
                self._file.fileno(), len(data), RECORDINGS_LEAVE
            )  # a recording never takes the room that the book needs
            while view:
                view = view[self._file.write(view) :]
            if not self._hurry:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._broken = error
            raise
        self._hash.update(data)
        self._whole += len(data)

    def close(self) -> tuple[int, str]:
        """(bytes, sha256) of what is left: a half fragment, which the disk did not take, is cut off."""
        if self._broken is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(self._whole)
                os.fsync(self._file.fileno())
        self._file.close()
        return self._whole, self._hash.hexdigest()


class Mp4:
    """Begins with the first keyframe given; that is time 0 for picture and sound.

    Raises (all methods but close): StoreTrouble, the disk does not take it; what it took before plays.
    """

    def __init__(self, path: Path, keyframe: AccessUnit) -> None:
        self._begin_s = keyframe.captured_s
        self._last_pts = -1
        self._in_step = InStep()
        self._heard = False
        self._held: dict[int, Packet[Any]] = {}
        with _disk_trouble():
            self._file = _File(path)
            self._container = av.open(self._file, "w", format="mp4", options=OPTIONS)
            self._add_streams(keyframe)
        self.video(keyframe)

    def _add_streams(self, keyframe: AccessUnit) -> None:
        container: OutputContainer = self._container
        with av.open(io.BytesIO(keyframe.data), format="h264") as probe:
            self._video = container.add_stream_from_template(probe.streams.video[0])
        self._video.time_base = VIDEO_TIME_BASE
        self._sound = container.add_stream("libopus", rate=SAMPLE_RATE_HZ, layout="mono")
        self._sound.bit_rate = SOUND_BPS
        self._sound.codec_context.options = SOUND_OPTIONS

    def video(self, unit: AccessUnit) -> None:
        packet: Packet[Any] = Packet(unit.data)
        pts = max(self._last_pts + 1, round((unit.captured_s - self._begin_s) / VIDEO_TIME_BASE))
        self._last_pts = pts
        packet.pts = packet.dts = pts
        packet.time_base = VIDEO_TIME_BASE
        packet.is_keyframe = unit.keyframe
        packet.stream = self._video
        self._mux(packet)

    def sound(self, block: Samples, at_s: float) -> None:
        """(960,) int16 mono whose first sample was heard at `at_s`, as well as the caller knows."""
        due = round((at_s - self._begin_s) * SAMPLE_RATE_HZ)
        if due < 0:
            return
        for at, whole in self._in_step.put(block, due):
            self._encode(whole, at)

    def _encode(self, block: Samples, at: int) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE_HZ, SOUND_TIME_BASE
        frame.pts = at + OPUS_LEAD
        self._heard = True
        with _disk_trouble():
            packets = self._sound.encode(frame)
        for packet in packets:
            self._mux(packet)

    def _mux(self, packet: Packet[Any]) -> None:
        """Writes the one before it in its stream, whose duration is known now.

        Where a fragment ends in a gap (no camera for a while), the muxer guesses the length of its last frame, and puts
        what comes after the gap right behind it: too early.
        """
        held, self._held[packet.stream_index] = self._held.get(packet.stream_index), packet
        if held is None:
            return
        held.duration = (packet.pts or 0) - (held.pts or 0)
        self._write(held)

    def _write(self, packet: Packet[Any]) -> None:
        with _disk_trouble():
            self._container.mux_one(packet)
            self._file.sync()

    def hurry(self, on: bool) -> None:
        """While on, fragments are given to the disk without waiting for it; once it is off they are all safe."""
        with _disk_trouble():
            self._file.hurry(on)

    def close(self) -> tuple[int, str]:
        """(bytes, sha256) of the file. A disk that is full by now costs the last second, no more."""
        with contextlib.suppress(StoreTrouble), _disk_trouble():
            for packet in self._sound.encode(None) if self._heard else ():
                self._mux(packet)
            for packet in self._held.values():
                self._write(packet)
        with contextlib.suppress(StoreTrouble), _disk_trouble():
            self._container.close()
        with contextlib.suppress(StoreTrouble), _disk_trouble():
            self._file.sync()
        return self._file.close()


def mend(path: Path) -> None:
    """Cuts off what a power cut left half written at the end: boxes are whole up to the last complete `mdat`. All of
    it, where there is none: no player opens that.

    Raises OSError.
    """
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        at = whole = 0
        film = False
        while at + 8 <= end:
            file.seek(at)
            size, kind = struct.unpack("!I4s", file.read(8))
            at += size
            if size < 8 or at > end or (kind == b"mdat" and _is_unwritten(file, at)):
                break
            film = film or kind == b"mdat"
            if film and kind != b"moof":  # worth nothing without the data that follows it
                whole = at
        if whole < end:
            file.truncate(whole)
            os.fsync(file.fileno())


def _is_unwritten(file: BinaryIO, end: int) -> bool:
    """Whether zeros lie before `end`, where a file system gave the file its length before its content. No slice of
    H.264 ends with them (7.4.1), nor does a frame of sound with so many."""
    file.seek(end - 8)
    return file.read(8) == bytes(8)


@contextlib.contextmanager
def _disk_trouble() -> Iterator[None]:
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        raise StoreTrouble(f"the recording cannot be written: {error.strerror or error}") from error
