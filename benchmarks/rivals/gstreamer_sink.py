"""Cheap receivers: ICE, DTLS, SRTP and whole frames counted, nothing decoded. Any number of them in one process.

Each line of JSON on the input is answered by one: {"do": "offer", "peer": …} by an SDP, {"do": "answer", "peer": …,
"sdp": …} and {"do": "leave", "peer": …} by null, {"do": "frames"} by {peer: frames received so far}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.rivals import gst
from benchmarks.rivals.gst import Gst, GstWebRTC

H264 = (
    "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload=102,packetization-mode=(string)1,"
    "profile-level-id=(string)42e01f"
)
OPUS = "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=111,encoding-params=(string)2"
FRAMES = "rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=au ! fakesink name=end sync=false async=false"
SOUND = "fakesink sync=false async=false"


class Peer:
    def __init__(self) -> None:
        self.frames = 0
        self._pipeline = Gst.Pipeline()
        self._connection = Gst.ElementFactory.make("webrtcbin")
        self._connection.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self._connection.set_property("latency", 50)
        self._pipeline.add(self._connection)
        self._connection.connect("pad-added", self._added)
        self._pipeline.set_state(Gst.State.PLAYING)
        receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        for caps in (H264, OPUS):
            self._connection.emit("add-transceiver", receive, Gst.Caps.from_string(caps))

    def offer(self) -> str:
        """As the DTLS client: as the server, GStreamer's RSA certificate goes with no cipher that aiortc would take."""
        return gst.local(self._connection, "offer").replace("a=setup:actpass", "a=setup:active")

    def answer(self, sdp: str) -> None:
        gst.negotiate(self._connection, "set-remote-description", gst.remote("ANSWER", sdp))

    def close(self) -> None:
        self._pipeline.set_state(Gst.State.NULL)

    def _added(self, _: object, pad: Any) -> None:
        sound = pad.get_current_caps().get_structure(0).get_string("media") == "audio"
        branch = Gst.parse_bin_from_description(SOUND if sound else FRAMES, True)
        if not sound:
            branch.get_by_name("end").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self._count)
        self._pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def _count(self, *_: object) -> Any:
        self.frames += 1
        return Gst.PadProbeReturn.OK


def do(peers: dict[str, Peer], what: dict[str, str]) -> object:
    match what["do"]:
        case "offer":
            peers[what["peer"]] = Peer()
            return peers[what["peer"]].offer()
        case "answer":
            peers[what["peer"]].answer(what["sdp"])
            return None
        case "leave":
            peers.pop(what["peer"]).close()
            return None
    return {name: peer.frames for name, peer in peers.items()}


def main() -> None:
    gst.begin()
    peers: dict[str, Peer] = {}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(do(peers, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
