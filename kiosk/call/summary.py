"""What a call was like, in a few figures, for the session record and one line of the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kiosk.call.rate import Figures


@dataclass
class Summary:
    """Fed once a second."""

    begin_s: float
    joins: int = 0
    most_at_once: int = 0
    frames: int = 0
    bytes: int = 0
    worst_loss: float = 0.0
    worst_round_trip_s: float = 0.0
    camera_losses: int = 0

    def sample(self, connected: int, links: Iterable[Figures]) -> None:
        self.most_at_once = max(self.most_at_once, connected)
        for link in links:
            self.worst_loss = max(self.worst_loss, link.loss)
            self.worst_round_trip_s = max(self.worst_round_trip_s, link.round_trip_s)

    def figures(self, now_s: float) -> dict[str, float]:
        lasted_s = max(now_s - self.begin_s, 0.001)
        return {
            "duration_s": round(lasted_s, 1),
            "joins": float(self.joins),
            "participants": float(self.most_at_once),
            "frames": float(self.frames),
            "bitrate_bps": float(round(8 * self.bytes / lasted_s)),
            "worst_loss": round(self.worst_loss, 3),
            "worst_round_trip_ms": round(1000 * self.worst_round_trip_s, 1),
            "camera_losses": float(self.camera_losses),
        }

    def line(self, now_s: float) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.figures(now_s).items())
