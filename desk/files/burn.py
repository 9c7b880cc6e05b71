"""A recording with its drawings burned in: `python -m desk.files.burn FOLDER`, a process of its own.

In the folder: `film.mp4`, `timeline.jsonl`, and originals of snapshots as `ID.jpg`. Made: `drawn.mp4`. Said on stdout,
one JSON object a line: {"percent": n}, at last {"error": code} where nothing came of it. A process, because a damaged
film may take libav down, because it is stopped by ending it, and because it leaves the desk's own CPU time alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from kiosk.paint import Canvas, paint_edits, paint_overlay
from kiosk.wire.overlay import Overlay
from kiosk.wire.replay import Replay, SnapshotShown
from kiosk.wire.timeline import Line, PictureStep, read

FILM, TIMELINE, DRAWN = "film.mp4", "timeline.jsonl", "drawn.mp4"
NICE = 10
TELL_S = 1.0
MOST_PX = 4096
RATE = 30
"""What x264 plans with; each frame keeps its own time."""
QUALITY = {"preset": "veryfast", "crf": "22"}
TICK = Fraction(1, 90_000)
SNAPSHOT_SHARE = 0.8
"""While a snapshot is open it is so wide, at the right; the live picture is in what is left, so that neither covers the
other. The page's player does the same."""
GROUND = 16

Size = tuple[int, int]
Tell = Callable[[int], None]


class Unreadable(Exception):
    """There is no picture in it."""


def burn(folder: Path, tell: Tell) -> None:
    """Makes `drawn.mp4`. `tell` gets percents.

    Raises:
        Unreadable: not one frame can be decoded.
        OSError: the disk does not take it.
    """
    with (folder / TIMELINE).open("rb") as file:
        lines, _ = read(file)
    painter = Painter(Replay(lines), folder)
    with av.open(str(folder / FILM)) as source:
        if not source.streams.video:
            raise Unreadable
        size = _size(source.streams.video[0], lines)
        with av.open(str(folder / DRAWN), "w", options={"movflags": "+faststart"}) as target:
            if not _Film(source, target, size, painter).copy(tell):
                raise Unreadable


class _Film:
    """One pass from source to target: pictures are decoded, painted, encoded; sound goes over as it is."""

    def __init__(self, source: InputContainer, target: OutputContainer, size: Size, painter: Painter) -> None:
        self._source, self._target, self._painter, self._size = source, target, painter, size
        self._video = source.streams.video[0]
        self._video.thread_type = "AUTO"
        self._audio = next(iter(source.streams.audio), None)
        self._out = target.add_stream("libx264", rate=RATE, options=QUALITY)
        self._out.width, self._out.height = size
        self._out.pix_fmt = "yuv420p"
        self._out.codec_context.time_base = self._out.time_base = TICK
        self._sound = target.add_stream_from_template(self._audio) if self._audio is not None else None
        self._last_pts = -1

    def copy(self, tell: Tell) -> int:
        """Returns the number of frames."""
        frames = percent = 0
        for packet in _packets(self._source, self._video, self._audio):
            if packet.stream is self._audio:
                if packet.dts is not None and self._sound is not None:
                    packet.stream = self._sound
                    self._target.mux(packet)
                continue
            percent = max(percent, _percent(packet, self._source))
            tell(percent)
            for frame in _decoded(packet):
                frames += self._frame(frame)
        if frames:
            self._target.mux(self._out.encode(None))
        return frames

    def _frame(self, frame: av.VideoFrame) -> int:
        if frame.time is None:
            return 0
        drawn = self._painter.frame(frame, self._size)
        drawn.pts = self._last_pts = max(self._last_pts + 1, round(frame.time / TICK))
        drawn.time_base, drawn.pict_type = TICK, av.video.frame.PictureType.NONE
        self._target.mux(self._out.encode(drawn))
        return 1


class Painter:
    """Lays a timeline over frames; `folder` holds the snapshots' originals."""

    def __init__(self, replay: Replay, folder: Path) -> None:
        self._replay = replay
        self._folder = folder
        self._original = lru_cache(2)(self._read_original)

    def frame(self, frame: av.VideoFrame, size: Size) -> av.VideoFrame:
        """The frame in `size`, with what lies over it at its time; as it is where that is nothing."""
        at_s = float(frame.time or 0.0)
        shown = self._replay.snapshot(at_s)
        overlay = self._replay.overlay(at_s)
        original = self._original(shown.id) if shown else None
        plain = not (overlay.strokes or overlay.marks or overlay.pointers) and original is None
        if plain and (frame.width, frame.height) == size and frame.format.name == "yuv420p":
            return frame
        live = fitted(frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False), size)
        picture = self._paint(live, overlay, shown, original)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")

    @staticmethod
    def _paint(live: Canvas, overlay: Overlay, shown: SnapshotShown | None, original: Canvas | None) -> Canvas:
        if shown is None or original is None:
            return paint_overlay(live, overlay)
        height, width = live.shape[:2]
        picture = np.full_like(live, GROUND)
        wide = round(SNAPSHOT_SHARE * width)
        place = picture[:, width - wide :]
        _lay(place, paint_edits(_shrunk(original, (wide, height)), shown.edits))
        _lay(picture[: round(0.3 * height), : width - wide], _shrunk(live, (width - wide, height)))
        return picture

    def _read_original(self, snapshot: str) -> Canvas | None:
        """None where it is not there or cannot be read: the live picture is shown all along then."""
        data = np.fromfile(path, np.uint8) if (path := self._folder / f"{snapshot}.jpg").is_file() else np.empty(0)
        try:
            picture = cv2.imdecode(data.astype(np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            return None
        return None if picture is None else picture.astype(np.uint8)


def fitted(picture: Canvas, size: Size) -> Canvas:
    """In the middle of a picture of this size, as large as it goes."""
    if picture.shape[1::-1] == size:
        return picture
    paper = np.full((size[1], size[0], 3), GROUND, np.uint8)
    _lay(paper, _shrunk(picture, size))
    return paper


def _shrunk(picture: Canvas, size: Size) -> Canvas:
    """As large as fits into `size`, px."""
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    to = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, to, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR).astype(np.uint8)


def _lay(paper: Canvas, picture: Canvas) -> None:
    """Into the middle of `paper`."""
    height, width = min(picture.shape[0], paper.shape[0]), min(picture.shape[1], paper.shape[1])
    y, x = (paper.shape[0] - height) // 2, (paper.shape[1] - width) // 2
    paper[y : y + height, x : x + width] = picture[:height, :width]


def _size(video: VideoStream, lines: list[Line]) -> Size:
    """The largest that the picture ever has: it changes with the link. Even, as H.264 wants it.

    Raises:
        Unreadable: no picture has such a size.
    """
    sizes = [(line.what.width, line.what.height) for line in lines if isinstance(line.what, PictureStep)]
    own = (video.width, video.height)
    fit = [(w, h) for w, h in (own, *sizes) if 16 <= w <= MOST_PX and 16 <= h <= MOST_PX]
    if not fit or own not in fit:
        raise Unreadable
    width, height = max(fit)
    return width // 2 * 2, height // 2 * 2


def _packets(source: InputContainer, video: VideoStream, audio: AudioStream | None) -> Iterator[av.Packet[Stream]]:
    """Up to where the file is cut off or damaged."""
    streams = (video, audio) if audio is not None else (video,)
    try:
        yield from source.demux(*streams)
    except av.error.FFmpegError:
        return


def _decoded(packet: av.Packet[Stream]) -> list[av.VideoFrame]:
    """A packet that cannot be decoded is a few frames less."""
    try:
        return [f for f in packet.decode() if isinstance(f, av.VideoFrame)]
    except av.error.FFmpegError:
        return []


def _percent(packet: av.Packet[Stream], source: InputContainer) -> int:
    if packet.pos is None or packet.pos < 0 or not source.size:
        return 0
    return min(99, 100 * packet.pos // source.size)


def main(folder: Path) -> int:
    os.nice(NICE)
    told_s = 0.0

    def tell(percent: int) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= TELL_S:
            told_s = time.monotonic()
            print(json.dumps({"percent": percent}), flush=True)

    try:
        burn(folder, tell)
    except BrokenPipeError:  # the desk is gone: nobody waits for it
        return 1
    except (Unreadable, av.error.InvalidDataError, av.error.EOFError):
        print(json.dumps({"error": "damaged"}), flush=True)
        return 1
    except (OSError, av.error.FFmpegError) as error:
        print(json.dumps({"error": "store" if getattr(error, "errno", 0) == 28 else "trouble"}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
