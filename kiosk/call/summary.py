"""What a call was like, in a few figures, for the session record and one line of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from kiosk.call.ladder import Step
from kiosk.call.rate import Figures

LONGEST_DELAY_S = 10.0
"""Beyond it, clocks were compared wrongly."""


@dataclass
class Delays:
    """From the camera to a participant's screen, as estimated: in classes of a millisecond, so of bounded size."""

    counted: Counter[int] = field(default_factory=Counter)
    uncertain_s: float = 0.0

    def add(self, delay_s: float, uncertain_s: float) -> bool:
        """`uncertain_s`: how wrong it may be. False: it cannot be true, and is not taken."""
        if not -uncertain_s <= delay_s < LONGEST_DELAY_S:
            return False
        self.counted[round(1000 * max(0.0, delay_s))] += 1
        self.uncertain_s = max(self.uncertain_s, uncertain_s)
        return True

    def at_ms(self, share: float) -> int:
        """The delay that `share` (0..1) of the frames did not exceed."""
        left = share * self.counted.total()
        for delay_ms in sorted(self.counted):
            left -= self.counted[delay_ms]
            if left <= 0:
                return delay_ms
        return 0


@dataclass
class Summary:
    """Sampled once a second.

    figures: `worst_...` are those of the worst link in its worst second, `mean_loss` the mean over all links and
    seconds. `at_..._s`: seconds on each rung of the ladder, that of the participant who had it worst; `steps_down` and
    `steps_up` are the encoder's. `glass_to_glass_...`: from the camera to a browser's screen, an estimate that may be
    wrong by `glass_to_glass_uncertain_ms`, without the camera's exposure and the screen's own time; only there when a
    participant told what it saw. `freezes`, `frozen_s`: as participants' browsers count them, together.
    """

    begin_s: float
    joins: int = 0
    most_at_once: int = 0
    frames: int = 0
    bytes: int = 0
    worst_loss: float = 0.0
    worst_round_trip_s: float = 0.0
    camera_losses: int = 0
    steps_down: int = 0
    steps_up: int = 0
    freezes: int = 0
    frozen_s: float = 0.0
    delays: Delays = field(default_factory=Delays)
    _rungs_s: Counter[Step] = field(default_factory=Counter)
    _loss: float = 0.0
    _samples: int = 0

    def sample(self, connected: int, links: Iterable[Figures], step: Step | None = None) -> None:
        """`step`: the worst rung that a participant is on; None without participants."""
        self.most_at_once = max(self.most_at_once, connected)
        if step is not None:
            self._rungs_s[step] += 1
        for link in links:
            self.worst_loss = max(self.worst_loss, link.loss)
            self.worst_round_trip_s = max(self.worst_round_trip_s, link.round_trip_s)
            self._loss += link.loss
            self._samples += 1

    def figures(self, now_s: float) -> dict[str, float]:
        lasted_s = max(now_s - self.begin_s, 0.001)
        return {
            "duration_s": round(lasted_s, 1),
            "joins": float(self.joins),
            "participants": float(self.most_at_once),
            "frames": float(self.frames),
            "bitrate_bps": float(round(8 * self.bytes / lasted_s)),
            "mean_loss": round(self._loss / max(1, self._samples), 4),
            "worst_loss": round(self.worst_loss, 3),
            "worst_round_trip_ms": round(1000 * self.worst_round_trip_s, 1),
            "camera_losses": float(self.camera_losses),
            **{f"at_{step}_s": float(seconds) for step, seconds in self._rungs_s.items()},
            "steps_down": float(self.steps_down),
            "steps_up": float(self.steps_up),
            **self._as_seen(),
        }

    def _as_seen(self) -> dict[str, float]:
        if not self.delays.counted:
            return {}
        return {
            "glass_to_glass_ms": float(self.delays.at_ms(0.5)),
            "glass_to_glass_p95_ms": float(self.delays.at_ms(0.95)),
            "glass_to_glass_uncertain_ms": round(1000 * self.delays.uncertain_s, 1),
            "freezes": float(self.freezes),
            "frozen_s": round(self.frozen_s, 1),
        }

    def line(self, now_s: float) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.figures(now_s).items())
