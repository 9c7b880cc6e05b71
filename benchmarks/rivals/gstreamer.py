"""GStreamer's webrtcbin with x264, set as the kiosk's encoder is. Sends the film; talks as benchmarks/senders.py says.

Runs in the system's Python, where GStreamer's bindings are, with the standard library only. One encoder, a tee, and per
participant a payloader and a webrtcbin, whose SSRC is set beforehand, or its answer would name another one. It has no
rate control of its own: the bitrate stays where it is set.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import gi  # type: ignore[import-not-found]  # of the system's Python, not of the project's environment

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found]  # noqa: E402 - needs the versions first

from benchmarks.film import FPS, HEIGHT, PERIOD_S, WIDTH, Film  # noqa: E402 - as above

BPS = 2_500_000
GATHER_LIMIT_S = 5.0
BASELINE = re.compile(r"a=fmtp:(\d+) (?=.*packetization-mode=1)(?=.*profile-level-id=42e0)", re.IGNORECASE)

PIPELINE = (
    f"appsrc name=film is-live=true format=time block=false max-buffers=3 leaky-type=downstream "
    f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1,colorimetry=bt601 ! "
    "x264enc name=encoder speed-preset=ultrafast tune=zerolatency threads=1 sliced-threads=false key-int-max=300 "
    "bframes=0 vbv-buf-capacity=600 option-string=scenecut=0:force-cfr=1 ! "
    "video/x-h264,profile=constrained-baseline,stream-format=byte-stream ! tee name=all allow-not-linked=true"
)
PARTICIPANT = (
    "queue leaky=downstream max-size-buffers=30 max-size-time=0 max-size-bytes=0 ! "
    "rtph264pay config-interval=-1 aggregate-mode=zero-latency ssrc={ssrc} ! "
    "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload={payload},ssrc=(uint){ssrc} ! "
    "webrtcbin name=connection bundle-policy=max-bundle"
)


class Camera:
    def __init__(self, bps: int) -> None:
        self.pipeline = Gst.parse_launch(PIPELINE)
        self.pipeline.get_by_name("encoder").set_property("bitrate", bps // 1000)
        self.pipeline.set_state(Gst.State.PLAYING)
        threading.Thread(target=self._play, name="film", daemon=True).start()

    def _play(self) -> None:
        film, source = Film(), self.pipeline.get_by_name("film")
        began_s, n = time.monotonic(), -1
        while True:
            n = max(n + 1, int((time.monotonic() - began_s) / PERIOD_S))
            time.sleep(max(0.0, began_s + n * PERIOD_S - time.monotonic()))
            buffer = Gst.Buffer.new_wrapped(bytes(film.frame(n)))
            buffer.pts = int(n * PERIOD_S * Gst.SECOND)
            buffer.duration = int(PERIOD_S * Gst.SECOND)
            source.emit("push-buffer", buffer)

    def answer(self, sdp: str) -> str:
        """Called from the thread that reads the input: it may wait."""
        payload = BASELINE.search(sdp)
        if payload is None:
            raise ValueError("the offer has no H.264 constrained baseline")
        branch = Gst.parse_bin_from_description(PARTICIPANT.format(payload=payload[1], ssrc=secrets.randbits(31)), True)
        self.pipeline.add(branch)
        connection = branch.get_by_name("connection")
        transceiver = connection.emit("get-transceiver", 0)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property("do-nack", True)
        tee = self.pipeline.get_by_name("all")
        branch.sync_state_with_parent()
        _negotiate(connection, "set-remote-description", _description("OFFER", sdp))
        promise = _kept(lambda promise: connection.emit("create-answer", None, promise))
        reply = promise.get_reply()  # the description lives in it
        made = reply.get_value("answer")
        gathered = threading.Event()

        def look(*_: object) -> None:
            if connection.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
                gathered.set()

        connection.connect("notify::ice-gathering-state", look)
        candidates: list[str] = []
        connection.connect("on-ice-candidate", lambda _, line, candidate: candidates.append(candidate))
        _negotiate(connection, "set-local-description", made)
        gathered.wait(GATHER_LIMIT_S)
        tee.request_pad_simple("src_%u").link(branch.get_static_pad("sink"))
        return _with(connection.get_property("local-description").sdp.as_text(), candidates)


def _description(kind: str, sdp: str) -> Any:
    _, message = GstSdp.SDPMessage.new_from_text(sdp)
    return GstWebRTC.WebRTCSessionDescription.new(getattr(GstWebRTC.WebRTCSDPType, kind), message)


def _negotiate(connection: Any, signal: str, description: Any) -> None:
    _kept(lambda promise: connection.emit(signal, description, promise))


def _kept(ask: Callable[[Any], object]) -> Any:
    """The promise, once it is kept."""
    promise = Gst.Promise.new()
    ask(promise)
    promise.wait()
    return promise


def _with(sdp: str, candidates: list[str]) -> str:
    if "a=candidate:" in sdp:
        return sdp
    lines = [line if line.startswith("a=") else f"a={line}" for line in candidates if line]
    return sdp + "".join(f"{line}\r\n" for line in lines)


def main() -> None:
    Gst.init(None)
    options = json.loads(sys.argv[1])
    camera = Camera(options.get("bitrate_bps", BPS))
    threading.Thread(target=GLib.MainLoop().run, name="glib", daemon=True).start()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what = json.loads(line)
        print(json.dumps(camera.answer(what["sdp"]) if what["do"] == "offer" else None), flush=True)


if __name__ == "__main__":
    main()
