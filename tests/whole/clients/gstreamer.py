"""GStreamer's webrtcbin as a WHEP player, its offer as it comes: `a=setup:actpass`, and a certificate with an RSA key.

Counts whole frames and the sound's packets, and decodes nothing. For the system's Python, where GStreamer's bindings
are; talks with the test as the programs of Node beside it do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request
from typing import Any
from urllib.parse import urljoin

from benchmarks.rivals import gst
from benchmarks.rivals.gst import Gst, GstWebRTC

PICTURE = (
    "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload=102,packetization-mode=(string)1,"
    "profile-level-id=(string)42e01f"
)
SOUND = "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=111,encoding-params=(string)2"
FRAMES = "rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=au ! fakesink name=end sync=false async=false"
PACKETS = "fakesink name=end sync=false async=false"
TELL_S = 0.1
LIMIT_S = 90.0


class Player:
    def __init__(self) -> None:
        self.seen = {"frames": 0, "sound": 0}
        self._pipeline = Gst.Pipeline()
        self.connection = Gst.ElementFactory.make("webrtcbin")
        self.connection.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self._pipeline.add(self.connection)
        self.connection.connect("pad-added", self._added)
        self._pipeline.set_state(Gst.State.PLAYING)
        for caps in (PICTURE, SOUND):
            direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.connection.emit("add-transceiver", direction, Gst.Caps.from_string(caps))

    def close(self) -> None:
        self._pipeline.set_state(Gst.State.NULL)

    def _added(self, _: object, pad: Any) -> None:
        sound = pad.get_current_caps().get_structure(0).get_string("media") == "audio"
        branch = Gst.parse_bin_from_description(PACKETS if sound else FRAMES, True)
        count = "sound" if sound else "frames"
        branch.get_by_name("end").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self._count, count)
        self._pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def _count(self, _pad: object, _info: object, what: str) -> Any:
        self.seen[what] += 1
        return Gst.PadProbeReturn.OK


def ask(method: str, url: str, token: str, body: str = "") -> tuple[int, Any, str]:
    """(status, headers, body) of the answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    request = urllib.request.Request(url, body.encode() or None, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.status, answer.headers, answer.read().decode()


def tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


def until_told(told: threading.Event) -> None:
    sys.stdin.readline()
    told.set()


def main() -> None:
    url, token = sys.argv[1:]
    gst.begin()
    player = Player()
    offer = gst.local(player.connection, "offer")
    _, headers, answer = ask("POST", url, token, offer)
    tell(answered=True, setup="actpass" if "a=setup:actpass" in offer else "")
    gst.negotiate(player.connection, "set-remote-description", gst.remote("ANSWER", answer))
    told = threading.Event()
    threading.Thread(target=until_told, args=(told,), daemon=True).start()
    ends_s = time.monotonic() + LIMIT_S
    while not told.wait(TELL_S) and time.monotonic() < ends_s:
        tell(**player.seen)
    tell(left=ask("DELETE", urljoin(url, headers["Location"]), token)[0])
    player.close()
    sys.stdout.flush()
    os._exit(0)  # GStreamer's threads would have to be waited for


if __name__ == "__main__":
    main()
