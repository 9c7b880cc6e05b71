"""GStreamer from Python, as far as the benchmarks need it. For the system's Python, where its bindings are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gi  # type: ignore[import-not-found]  # of the system's Python, not of the project's environment

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found]  # noqa: E402 - needs the versions first

__all__ = ["Gst", "GstWebRTC", "begin", "local", "negotiate", "remote"]

GATHER_LIMIT_S = 5.0


def begin() -> None:
    """Once, before anything else."""
    Gst.init(None)
    for talker in ("gupnp-context", "gupnp-context-manager"):  # libnice looks for a router with UPnP; there is none
        GLib.log_set_handler(talker, GLib.LogLevelFlags.LEVEL_WARNING, lambda *_: None, None)
    threading.Thread(target=GLib.MainLoop().run, name="glib", daemon=True).start()


def negotiate(connection: Any, signal: str, description: Any) -> None:
    """signal: set-remote-description or set-local-description; returns once it is done."""
    _kept(lambda promise: connection.emit(signal, description, promise))


def remote(kind: str, sdp: str) -> Any:
    """kind: OFFER or ANSWER."""
    _, message = GstSdp.SDPMessage.new_from_text(sdp)
    return GstWebRTC.WebRTCSessionDescription.new(getattr(GstWebRTC.WebRTCSDPType, kind), message)


def local(connection: Any, kind: str) -> str:
    """Makes an "offer" or "answer", sets it, and returns it with all candidates."""
    promise = _kept(lambda promise: connection.emit(f"create-{kind}", None, promise))
    reply = promise.get_reply()  # the description lives in it, and it in the promise
    gathered = threading.Event()

    def look(*_: object) -> None:
        if connection.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            gathered.set()

    connection.connect("notify::ice-gathering-state", look)
    negotiate(connection, "set-local-description", reply.get_value(kind))
    gathered.wait(GATHER_LIMIT_S)
    return str(connection.get_property("local-description").sdp.as_text())


def _kept(ask: Callable[[Any], object]) -> Any:
    """The promise, once it is kept."""
    promise = Gst.Promise.new()
    ask(promise)
    promise.wait()
    return promise
