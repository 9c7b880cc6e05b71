"""What sound costs, and how long it takes from a mouth to an ear.

1. CPU of the kiosk's process for sound alone, by participants who listen and by participants who all speak at once;
   rival: aiortc as it comes, which mixes nothing.
2. Mouth to ear both ways between the kiosk and Chromium on loopback, by bursts of a tone: from the first
   sample that was spoken to the same at the listening program's output. Sound
   cards' own buffers come on top (60 ms for ours at most).

SECONDS (8) is the length of one measurement of CPU, BURSTS (20) the number of bursts each way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from playwright.async_api import Page, async_playwright

from benchmarks.report import median, percentile, tell
from benchmarks.sound_server import BLOCK_S, DarkCamera
from kiosk.call.aiortc_hooks_ice import gather_over
from kiosk.call.aiortc_hooks_sound import divert_sound
from kiosk.call.call import Call
from kiosk.call.ice import Ways
from kiosk.call.opus import OpusEncoder
from kiosk.call.sound_track import SoundTrack
from kiosk.config import CallSettings
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.session.record import Person
from tests.contract.call_site import SESSION
from tests.contract.fakes import FakeTools
from tests.speech import speech

FEW, MANY = 2, 10
SETTLE_S = 3.0
FURTHER_BAR = 2.0
RIVAL_BAR = 0.6
DELAY_BAR_MS = 150.0
"""ITU-T G.114: what people do not notice."""
EACH_S = 0.7
LOUD = 2000

CHROMIUM = ["--headless=new", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]

PAGE = """
window.heard = []; window.spoken = [];
window.offer = async () => {
  const pc = window.pc = new RTCPeerConnection();
  const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  await context.resume();
  const code = `
    registerProcessor("ear", class extends AudioWorkletProcessor {
      process([[x]]) {
        for (const one of x ?? []) {
          this.quiet = (this.quiet ?? 0) + 1;
          if (Math.abs(one) < 0.06) continue;
          if (this.quiet > 9600) this.port.postMessage(Date.now());
          this.quiet = 0;
        }
        return true;
      }
    });
    registerProcessor("mouth", class extends AudioWorkletProcessor {
      constructor() { super(); this.left = 0; this.port.onmessage = () => { this.left = 7200; }; }
      process(_inputs, [[x]]) {
        if (this.left === 7200) this.port.postMessage(Date.now());
        for (let i = 0; i < x.length; i += 1) {
          if (this.left > 0) this.left -= 1;
          x[i] = this.left ? 0.5 * Math.sin(2 * Math.PI * 800 * this.left / 48000) : 0;
        }
        return true;
      }
    });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const mouth = window.mouth = new AudioWorkletNode(context, "mouth", { outputChannelCount: [1] });
  mouth.port.onmessage = ({ data }) => window.spoken.push(data);
  const microphone = context.createMediaStreamDestination();
  mouth.connect(microphone);
  pc.addTransceiver(microphone.stream.getAudioTracks()[0], { direction: "sendrecv" });
  const events = pc.createDataChannel("events");
  setInterval(() => events.readyState === "open" && events.send('{"kind": "heartbeat", "n": 1}'), 1000);
  pc.ontrack = ({ track, receiver }) => {
    receiver.jitterBufferTarget = 0;
    const stream = new MediaStream([track]);
    const player = new Audio(); player.srcObject = stream; player.muted = true; player.play();
    const ear = new AudioWorkletNode(context, "ear");
    ear.port.onmessage = ({ data }) => window.heard.push(data);
    context.createMediaStreamSource(stream).connect(ear);
  };
  await pc.setLocalDescription();
  await new Promise((done) => setTimeout(done, 500));
  return pc.localDescription.sdp;
};
"""


# --- CPU --------------------------------------------------------------------------------------------------------------


class Server:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def answer(self, peer: str, sdp: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"peer": peer, "sdp": sdp}).encode() + b"\n")
        return str(json.loads(await self._process.stdout.readline()))

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serving(what: str) -> AsyncIterator[Server]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "benchmarks.sound_server", what)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=2**20)
    try:
        yield Server(process)
    finally:
        process.terminate()
        await process.wait()


async def guest(server: Server, number: int, speaks: bool) -> tuple[RTCPeerConnection, SoundTrack | None]:
    """Listens without decoding, and sends what it is given."""
    connection = RTCPeerConnection(RTCConfiguration([]))
    track = SoundTrack() if speaks else None
    transceiver = connection.addTransceiver(track or "audio", "sendrecv" if track else "recvonly")
    divert_sound(transceiver.receiver, lambda timestamp, packet: None)
    gather_over(connection, Ways(loopback=True), 1.0)
    await connection.setLocalDescription(await connection.createOffer())
    answer = await server.answer(f"peer-{number}", connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return connection, track


async def cost(what: str, count: int, speak: bool, seconds: float) -> float:
    """Percent of a core."""
    encoder = OpusEncoder()
    packets = [encoder.encode(block) for block in speech(200).reshape(-1, SAMPLES_PER_BLOCK)]
    async with serving(what) as server, asyncio.TaskGroup() as group:
        guests = [await guest(server, n, speak) for n in range(count)]
        talking = group.create_task(_talk([track for _, track in guests if track], packets))
        await asyncio.sleep(SETTLE_S)
        cpu_s, at_s = server.cpu_s(), time.monotonic()
        await asyncio.sleep(seconds)
        used = 100 * (server.cpu_s() - cpu_s) / (time.monotonic() - at_s)
        talking.cancel()
        for connection, _ in guests:
            await connection.close()
    return used


async def _talk(tracks: list[SoundTrack], packets: list[bytes]) -> None:
    begin_s, count = time.monotonic(), 0
    while True:
        for track in tracks:
            track.put(packets[count % len(packets)])
        count += 1
        await asyncio.sleep(max(0.0, begin_s + count * BLOCK_S - time.monotonic()))


async def further(what: str, speak: bool, seconds: float) -> tuple[float, float]:
    """Percent of a core of each further participant, and of MANY."""
    few, many = await cost(what, FEW, speak, seconds), await cost(what, MANY, speak, seconds)
    return (many - few) / (MANY - FEW), many


# --- mouth to ear -----------------------------------------------------------------------------------------------------


class Mouth:
    """A microphone into which somebody says a short tone now and then."""

    def __init__(self) -> None:
        self.spoken_ms: list[float] = []
        tone = 0.5 * np.sin(2 * np.pi * 800 * np.arange(8 * SAMPLES_PER_BLOCK) / SAMPLE_RATE_HZ)
        self._tone: Samples = (32767 * tone).astype(np.int16)
        self._left = np.zeros(0, np.int16)

    async def __aenter__(self) -> Mouth:
        return self

    async def __aexit__(self, *args: object) -> None:
        """Nothing was opened."""

    def speak(self) -> None:
        self._left = self._tone

    async def blocks(self) -> AsyncIterator[Samples]:
        begin_s, count = time.monotonic(), 0
        while True:
            block, self._left = self._left[:SAMPLES_PER_BLOCK], self._left[SAMPLES_PER_BLOCK:]
            if len(block) and len(self._left) == len(self._tone) - SAMPLES_PER_BLOCK:
                self.spoken_ms.append(1000 * (time.time() - BLOCK_S))  # a block is there when its last sample is
            yield block if len(block) else np.zeros(SAMPLES_PER_BLOCK, np.int16)
            count += 1
            await asyncio.sleep(max(0.0, begin_s + count * BLOCK_S - time.monotonic()))


class Ear:
    """A speaker that knows when a tone begins."""

    def __init__(self) -> None:
        self.heard_ms: list[float] = []
        self._quiet = 0

    async def __aenter__(self) -> Ear:
        return self

    async def __aexit__(self, *args: object) -> None:
        """Nothing was opened."""

    async def lost(self) -> None:
        await asyncio.Event().wait()

    def play(self, block: Samples) -> None:
        loud = np.flatnonzero(np.abs(block.astype(int)) > LOUD)
        if not len(loud):
            self._quiet += 1
            return
        if self._quiet > 8:
            self.heard_ms.append(1000 * (time.time() + loud[0] / SAMPLE_RATE_HZ))
        self._quiet = 0


async def mouth_to_ear(bursts: int) -> tuple[list[float], list[float]]:
    """(kiosk to Chromium, Chromium to kiosk), each in ms."""
    mouth, ear = Mouth(), Ear()
    with tempfile.TemporaryDirectory() as folder:
        call = Call(
            session=SESSION,
            call_id="call-bench",
            camera=DarkCamera(),
            microphone=mouth,
            speaker=ear,
            settings=CallSettings(loopback=True),
            make_tools=FakeTools,
            folder=Path(folder),
        )
        async with call, _page() as page:
            answer = await call.join("peer-1", Person("person-1", "Eve"), await page.evaluate("offer()"))
            await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
            await page.wait_for_function("pc.connectionState === 'connected'")
            await asyncio.sleep(SETTLE_S)
            await page.evaluate("heard = []")
            for _ in range(bursts):
                mouth.speak()
                await asyncio.sleep(EACH_S)
                await page.evaluate("mouth.port.postMessage(0)")
                await asyncio.sleep(EACH_S)
            heard, spoken = await page.evaluate("[heard, spoken]")
    return _delays(mouth.spoken_ms, heard), _delays(spoken, ear.heard_ms)


def _delays(spoken_ms: list[float], heard_ms: list[float]) -> list[float]:
    """Each burst's own, where it was heard before the next was spoken."""
    found = []
    for said in spoken_ms:
        after = [heard - said for heard in heard_ms if 0 <= heard - said < 1000 * EACH_S]
        found += after[:1]
    return found


@asynccontextmanager
async def _page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        path = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        page = await browser.new_page()
        # an audio worklet needs a secure context, which about:blank is not
        await page.route(
            "https://desk.test/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
        )
        await page.goto("https://desk.test/")
        await page.evaluate(PAGE + "0;")
        yield page
        await browser.close()


# --- the whole --------------------------------------------------------------------------------------------------------


async def main() -> int:
    seconds, bursts = float(os.environ.get("SECONDS", "8")), int(os.environ.get("BURSTS", "20"))
    listen, many_listen = await further("kiosk", False, seconds)
    speak, many_speak = await further("kiosk", True, seconds)
    rival, _ = await further("aiortc", True, seconds)
    out, back = await mouth_to_ear(bursts)
    figures: dict[str, Any] = {
        "further_listener_percent": round(listen, 2),
        "further_speaker_percent": round(speak, 2),
        "further_speaker_aiortc_percent": round(rival, 2),
        f"cpu_{MANY}_listen_percent": round(many_listen, 1),
        f"cpu_{MANY}_speak_percent": round(many_speak, 1),
        "kiosk_to_chromium_ms": [round(median(out), 1), round(percentile(out, 0.95), 1)],
        "chromium_to_kiosk_ms": [round(median(back), 1), round(percentile(back, 0.95), 1)],
        "bursts_heard": [len(out), len(back)],
    }
    met = {
        "listener": listen <= FURTHER_BAR,
        "speaker": speak <= FURTHER_BAR and speak <= RIVAL_BAR * rival,
        "delay": max(median(out), median(back)) <= DELAY_BAR_MS,
        "heard": min(len(out), len(back)) >= 0.9 * bursts,
    }
    figures["met"] = met
    both = [f"{median(delays):.0f} / {percentile(delays, 0.95):.0f} ms" for delays in (out, back)]
    rows = (
        ("each further listener", f"{listen:.2f} % of a core", f"bar {FURTHER_BAR} %"),
        ("each further speaker", f"{speak:.2f} % of a core", f"bar {FURTHER_BAR} %, and {RIVAL_BAR} x aiortc's"),
        ("the same, aiortc as it comes", f"{rival:.2f} % of a core", "mixes nothing"),
        ("kiosk's microphone to Chromium's ear", both[0], f"median / p95, bar {DELAY_BAR_MS:.0f} ms"),
        ("Chromium's mouth to kiosk's speaker", both[1], f"median / p95, bar {DELAY_BAR_MS:.0f} ms"),
    )
    tell("sound", rows, figures)
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(main()))
