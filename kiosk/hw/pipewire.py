"""What PipeWire knows of the sound devices, where it runs: asked by its own tool, and only by `kiosk doctor`."""

from __future__ import annotations

import subprocess
from typing import Any

import msgspec

CANCELLERS = ("kiosk-speaker", "kiosk-microphone")
"""The nodes that image-build/pipewire puts before the devices."""
_ANSWERS_S = 5.0


def bare_speaker() -> str | None:
    """The node of the speaker that PipeWire would take if there were no echo canceller; None: it does not say."""
    try:
        told = subprocess.run(["pw-dump", "--no-colors"], capture_output=True, timeout=_ANSWERS_S, check=True).stdout  # noqa: S607
        return best_sink(msgspec.json.decode(told))
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None


def best_sink(told: list[dict[str, Any]]) -> str | None:
    """Pure: the name of the highest sink in a dump of PipeWire's objects that is no canceller."""
    known = [thing.get("info", {}).get("props", {}) for thing in told if thing.get("info")]
    sinks = [props for props in known if props.get("media.class") == "Audio/Sink"]
    bare = [props for props in sinks if props.get("node.name") not in CANCELLERS]
    best = max(bare, key=lambda props: int(props.get("priority.session", 0)), default=None)
    return str(best["node.name"]) if best else None
