"""The kiosk's end of a call for tests of the desk's pages: a real aiortc connection that behaves like the wire says."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack
from PIL import Image, ImageDraw

from kiosk.wire.channel import FromParticipant
from kiosk.wire.codec import MAX_EVENT, decode

WIDTH, HEIGHT, FPS = 640, 360, 12
CHUNK = 12_000
COLOUR = "#ffd23f"
OTHER = "#4cc9f0"


def scene(n: int = 0) -> Image.Image:
    """A machine front drawn with panels, a display, valves and a lamp that moves with `n`; 640 x 360."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "#3a4750")
    pen = ImageDraw.Draw(picture)
    for x in range(0, WIDTH, 80):
        pen.rectangle((x + 4, 8, x + 76, HEIGHT - 8), fill="#5d6d78" if x // 80 % 2 else "#52616b", outline="#2a343b")
    pen.rectangle((60, 50, 300, 190), fill="#16212b", outline="#aab7c2", width=5)
    for row in range(5):
        pen.rectangle((80, 70 + 22 * row, 120 + (37 * (row + n // 12)) % 150, 80 + 22 * row), fill="#31c48d")
    for i in range(4):
        x = 350 + 68 * i
        pen.ellipse((x, 60, x + 52, 112), fill="#c9d3da", outline="#20292f", width=4)
        pen.line((x + 26, 86, x + 26 + 18 * np.cos(i + n / 9), 86 + 18 * np.sin(i + n / 9)), fill="#b3261e", width=4)
    pen.rectangle((350, 150, 600, 300), fill="#8a6d3b", outline="#20292f", width=4)
    pen.ellipse((430, 180, 520, 270), fill="#f0c14b", outline="#20292f", width=6)
    pen.ellipse((90 + n % 60 * 3, 240, 140 + n % 60 * 3, 290), fill="#e5484d")
    return picture


class SceneTrack(MediaStreamTrack):
    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._n = 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(1 / FPS)
        self._n += 1
        frame = av.VideoFrame.from_ndarray(np.asarray(scene(self._n)), format="rgb24")
        frame.pts, frame.time_base = self._n, Fraction(1, FPS)
        return frame


class StubCall:
    """One participant. `received` holds what the page said, decoded by the kiosk's own schema."""

    def __init__(self, name: str, session: str, call: str) -> None:
        self.received: list[Any] = []
        self.silent = False
        self.deaf = False
        """Edits arrive and are not acknowledged, as when the link is lost at that moment."""
        self.camera_frames = 0
        self.quality: dict[str, Any] = {
            "bitrate_bps": 1_800_000,
            "loss": 0.0,
            "round_trip_ms": 12.0,
            "step": "full",
            "word": "good",
        }
        self._hello = {"kind": "hello", "you": name, "colour": COLOUR, "session": session, "call": call}
        self._name = name
        self._connection = RTCPeerConnection()
        self._channels: dict[str, Any] = {}
        self._marks: dict[str, tuple[float, float, float, float]] = {}
        self._edits: list[str] = []
        self._snapshots = 0
        self._early: list[str] = []
        """By whom snapshots were taken before there was a channel: a page is in the call sooner than that."""
        self._tasks: list[asyncio.Task[None]] = []

    async def answer(self, sdp: str) -> str:
        pc = self._connection
        pc.on("datachannel", self._channel)
        pc.on("track", lambda track: self._tasks.append(asyncio.ensure_future(self._drain(track))))
        await pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        pc.addTrack(AudioStreamTrack())
        pc.addTrack(SceneTrack())
        await pc.setLocalDescription(await pc.createAnswer())
        return str(pc.localDescription.sdp)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.close()

    async def _drain(self, track: Any) -> None:
        from aiortc.mediastreams import MediaStreamError

        try:
            while True:
                await track.recv()
                self.camera_frames += track.kind == "video"
        except MediaStreamError:
            return

    def _channel(self, channel: Any) -> None:
        self._channels[channel.label] = channel
        if channel.label != "events":
            return
        channel.on("message", self._take)
        self.say(self._hello)
        self.say({"kind": "people", "people": [[self._name, COLOUR], ["Halle 3", OTHER]]})
        self._tasks.append(asyncio.ensure_future(self._live()))
        for by in self._early:
            self.snapshot(by)

    async def _live(self) -> None:
        """Heartbeats, quality and poses."""
        for n in range(1_000_000):
            if not self.silent and n % 10 == 0:
                self.say({"kind": "heartbeat", "n": n // 10, "sent_ms": 0.0})
                self.say({"kind": "quality", **self.quality})
            self._tell_poses(n)
            await asyncio.sleep(0.1)

    def _tell_poses(self, n: int) -> None:
        states = {"lost": "lost", "unsure": "unsure"}
        marks = [
            {
                "id": id_,
                "quad": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]],
                "confidence": 0.9,
                "state": next((s for s in states if id_.startswith(s)), "tracked"),
            }
            for id_, (x0, y0, x1, y1) in self._marks.items()
        ]
        if marks and "poses" in self._channels and self._channels["poses"].readyState == "open":
            self._channels["poses"].send(json.dumps({"t": n, "marks": marks}))

    def say(self, message: dict[str, Any]) -> None:
        channel = self._channels.get("events")
        if channel is not None and channel.readyState == "open":
            channel.send(json.dumps(message))

    def _take(self, data: str) -> None:
        message = decode(data, FromParticipant, MAX_EVENT)
        self.received.append(message)
        plain = json.loads(data)
        handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "mark-create": self._mark,
            "mark-remove": self._unmark,
            "snapshot-take": lambda _: self.snapshot(self._name),
            "snapshot-close": self.say,
            "edit": self._edit,
            "edit-delete": self._delete,
            "undo": self._undo,
        }
        if plain["kind"] in handlers:
            handlers[plain["kind"]](plain)

    def _mark(self, told: dict[str, Any]) -> None:
        if "box" in told:
            (x0, y0), (x1, y1) = told["box"]
        else:
            x, y = told["at"]
            x0, y0, x1, y1 = x - 0.07, y - 0.12, x + 0.07, y + 0.12
        self.put_mark(told["id"], (x0, y0, x1, y1), self._name, COLOUR)

    def put_mark(
        self, id_: str, box: tuple[float, float, float, float], by: str, colour: str = OTHER, label: str = ""
    ) -> None:
        self._marks[id_] = box
        self.say({"kind": "mark", "id": id_, "by": by, "colour": colour, "label": label, "state": "tracked"})

    def _unmark(self, told: dict[str, Any]) -> None:
        self._marks.pop(told["id"], None)
        self.say({"kind": "mark-gone", "id": told["id"]})

    def snapshot(self, by: str) -> None:
        if "events" not in self._channels:
            self._early.append(by)
            return
        body = io.BytesIO()
        scene(20).resize((1280, 720)).save(body, "JPEG", quality=88)
        data = body.getvalue()
        pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
        self._snapshots += 1
        self._edits.clear()
        id_ = f"shot-{self._snapshots}"
        opened = {"id": id_, "by": by, "width": 1280, "height": 720, "bytes": len(data), "chunks": len(pieces)}
        self.say({"kind": "snapshot-open", **opened})
        for index, piece in enumerate(pieces):
            self._channels["events"].send(id_.encode().ljust(16) + index.to_bytes(4, "big") + piece)

    def _edit(self, told: dict[str, Any]) -> None:
        if self.deaf:
            return
        self._edits.append(told["id"])
        n = {"n": len(self._edits)} if told.get("tool") == "step" else {}
        self.say({**told, **n, "by": self._name, "colour": COLOUR})

    def _undo(self, told: dict[str, Any]) -> None:
        gone = self._edits.pop() if self._edits else ""
        self.say({**told, "id": gone})

    def _delete(self, told: dict[str, Any]) -> None:
        self._edits = [e for e in self._edits if e != told["id"]]
        self.say({"kind": "undo", "snapshot": told["snapshot"], "id": told["id"]})
