"""What was told over the picture in the seconds before a recording: in memory, until the recording begins. Pure.

What is over by the time that a recording would begin is forgotten; what is still on the picture then is not, however
old it is.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.wire import channel
from kiosk.wire.timeline import PictureStep, What

MOST = 20_000
FORGET_EACH_S = 1.0


class HeldLines:
    """(capture time, what was told) of the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._things: dict[str, list[tuple[float, What]]] = {}
        self._forgot_s = float("-inf")

    def put(self, at_s: float, what: What) -> None:
        if len(self) >= MOST:
            return
        self._things.setdefault(_thing(what), []).append((at_s, what))
        if at_s - self._forgot_s > FORGET_EACH_S:
            self._forgot_s = at_s
            self._forget(at_s - self._seconds)

    def __len__(self) -> int:
        return sum(len(lines) for lines in self._things.values())

    def since(self, begin_s: float) -> list[tuple[float, What]]:
        """In order; what was on the picture at `begin_s` already stands at that time."""
        self._forget(begin_s)
        lines = [
            (max(at_s, begin_s), _left(at_s, what, begin_s)) for line in self._things.values() for at_s, what in line
        ]
        return sorted(lines, key=lambda timed: timed[0])

    def _forget(self, before_s: float) -> None:
        for thing, lines in tuple(self._things.items()):
            over = max((n for n, line in enumerate(lines, 1) if _over_s(*line) < before_s), default=0)
            latest = max((n for n, (at_s, what) in enumerate(lines) if _is_whole(what) and at_s < before_s), default=0)
            del lines[: max(over, latest)]
            if not lines:
                del self._things[thing]


def _thing(what: What) -> str:
    """What a line is about."""
    match what:
        case channel.StrokeBegin(id=id_) | channel.StrokePoints(id=id_) | channel.StrokeEnd(id=id_):
            return f"stroke {id_}"
        case channel.Mark(id=id_) | channel.MarkGone(id=id_):
            return f"mark {id_}"
        case channel.SnapshotOpen() | channel.SnapshotClose() | channel.Edit() | channel.Undo():
            return "snapshot"
    return type(what).__name__


def _over_s(at_s: float, what: What) -> float:
    """When this line, and all before it about the same thing, show nothing any more."""
    match what:
        case channel.StrokeEnd(fade_s=fade_s):
            return at_s + fade_s
        case channel.StrokeBegin() | channel.StrokePoints() | channel.Mark():
            return float("inf")
        case channel.SnapshotOpen() | channel.Edit() | channel.Undo() | PictureStep():
            return float("inf")
    return at_s


def _is_whole(what: What) -> bool:
    """Whether it says all there is to say of its thing, so that lines before it are of no use."""
    return isinstance(what, channel.Mark | channel.SnapshotOpen | PictureStep)


def _left(at_s: float, what: What, begin_s: float) -> What:
    """A stroke that was fading already fades for the time it has left."""
    if isinstance(what, channel.StrokeEnd) and at_s < begin_s:
        return replace(what, fade_s=max(0.0, at_s + what.fade_s - begin_s))
    return what
