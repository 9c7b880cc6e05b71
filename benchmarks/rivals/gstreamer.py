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
from typing import Any

from benchmarks.film import FPS, HEIGHT, PERIOD_S, WIDTH, Film
from benchmarks.rivals import gst
from benchmarks.rivals.gst import Gst, GstWebRTC

BPS = 2_500_000
BASELINE = re.compile(r"a=fmtp:(\d+) (?=.*packetization-mode=1)(?=.*profile-level-id=42e0)", re.IGNORECASE)
OPUS = re.compile(r"a=rtpmap:(\d+) opus/48000", re.IGNORECASE)

PIPELINE = (
    f"appsrc name=film is-live=true format=time block=false max-buffers=3 leaky-type=downstream "
    f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1,colorimetry=bt601 ! "
    "x264enc name=encoder speed-preset=ultrafast tune=zerolatency threads=1 sliced-threads=false key-int-max=300 "
    "bframes=0 vbv-buf-capacity=200 option-string=scenecut=0:force-cfr=1:subme=1:no-deblock=0:nr=60 ! "
    "video/x-h264,profile=constrained-baseline,stream-format=byte-stream ! tee name=pictures allow-not-linked=true "
    "audiotestsrc is-live=true wave=silence samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=1 ! "
    "opusenc audio-type=voice inband-fec=true dtx=true frame-size=20 bitrate=32000 ! "
    "tee name=sounds allow-not-linked=true"
)
QUEUE = "queue name={name} leaky=downstream max-size-buffers=30 max-size-time=0 max-size-bytes=0"
PICTURE = (
    QUEUE + " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency ssrc={ssrc} ! "
    "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload={payload},ssrc=(uint){ssrc} ! "
    "webrtcbin name=connection bundle-policy=max-bundle "
)
SOUND = (
    QUEUE + " ! rtpopuspay ssrc={ssrc} ! "
    "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload={payload},ssrc=(uint){ssrc} ! "
    "connection. "
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
        branch = Gst.parse_bin_from_description(_participant(sdp), False)
        self.pipeline.add(branch)
        connection = branch.get_by_name("connection")
        transceiver = connection.emit("get-transceiver", 0)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property("do-nack", True)
        branch.sync_state_with_parent()
        gst.negotiate(connection, "set-remote-description", gst.remote("OFFER", sdp))
        answer = gst.local(connection, "answer")
        for name in ("picture", "sound"):
            self._link(branch, name)
        return answer

    def _link(self, branch: Any, name: str) -> None:
        queue = branch.get_by_name(name)
        if queue is None:
            return
        pad = Gst.GhostPad.new(name, queue.get_static_pad("sink"))
        pad.set_active(True)
        branch.add_pad(pad)
        self.pipeline.get_by_name(f"{name}s").request_pad_simple("src_%u").link(pad)


def _participant(sdp: str) -> str:
    """The pipeline for what the offer wants: a picture, and sound if it has a section for it."""
    baseline, opus = BASELINE.search(sdp), OPUS.search(sdp)
    if baseline is None:
        raise ValueError("the offer has no H.264 constrained baseline")
    picture = PICTURE.format(name="picture", payload=baseline[1], ssrc=secrets.randbits(31))
    return picture + (SOUND.format(name="sound", payload=opus[1], ssrc=secrets.randbits(31)) if opus else "")


def main() -> None:
    gst.begin()
    options = json.loads(sys.argv[1])
    camera = Camera(options.get("bitrate_bps", BPS))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what = json.loads(line)
        print(json.dumps(camera.answer(what["sdp"]) if what["do"] == "offer" else None), flush=True)


if __name__ == "__main__":
    main()
