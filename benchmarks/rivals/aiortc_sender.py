"""aiortc as it comes: its own encoder, its own control. Sends the film; talks as benchmarks/senders.py says.

Its control is the receiver's estimate (REMB). Where the receivers give none, `bitrate_bps` stands for it, H.264 only:
else it would stay at the 1 Mbit/s that it begins with. Chromium's takes it to 1.9 Mbit/s within 40 s of a clean link.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import AudioStreamTrack, MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.codecs import h264

from benchmarks.film import HEIGHT, PERIOD_S, WIDTH, Film

CLOCK_HZ = 90_000


class FilmTrack(MediaStreamTrack):
    kind = "video"

    def __init__(self, film: Film) -> None:
        super().__init__()
        self._film = film
        self._began_s = time.monotonic()
        self._n = -1

    async def recv(self) -> av.VideoFrame:
        self._n = max(self._n + 1, int((time.monotonic() - self._began_s) / PERIOD_S))
        await asyncio.sleep(max(0.0, self._began_s + self._n * PERIOD_S - time.monotonic()))
        flat = np.frombuffer(self._film.frame(self._n), np.uint8)
        frame = av.VideoFrame.from_ndarray(flat.reshape(HEIGHT * 3 // 2, WIDTH), "yuv420p")
        frame.pts, frame.time_base = round(self._n * PERIOD_S * CLOCK_HZ), Fraction(1, CLOCK_HZ)
        return frame


class Peers:
    """codec: "H264" or "VP8" only, or "" for what the offer prefers."""

    def __init__(self, codec: str) -> None:
        self._film, self._codec = Film(), codec
        self._connections: dict[str, RTCPeerConnection] = {}

    async def answer(self, peer: str, sdp: str) -> str:
        connection = self._connections[peer] = RTCPeerConnection()
        transceiver = connection.addTransceiver(FilmTrack(self._film), "sendonly")
        if self._codec:
            codecs = RTCRtpSender.getCapabilities("video").codecs
            transceiver.setCodecPreferences([c for c in codecs if c.name in (self._codec, "rtx")])
        if "m=audio" in sdp:
            connection.addTrack(AudioStreamTrack())
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    async def do(self, what: dict[str, Any]) -> object:
        if what["do"] == "offer":
            return await self.answer(what["peer"], what["sdp"])
        await self._connections.pop(what["peer"]).close()
        return None

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))


async def serve(options: dict[str, Any]) -> None:
    h264.DEFAULT_BITRATE = options.get("bitrate_bps", h264.DEFAULT_BITRATE)
    peers = Peers(options.get("codec", ""))
    lines = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(json.dumps("ready"), flush=True)
    while line := await lines.readline():
        print(json.dumps(await peers.do(json.loads(line))), flush=True)
    await peers.close()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
