"""A call with a real Chromium as participant: what only a browser can show."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import Page, async_playwright

from kiosk.call.voice import MAX_DELAY
from kiosk.hw.ports import Picture
from kiosk.session import inputs
from kiosk.session.record import Person, Recording
from kiosk.wire import channel
from tests.contract.call_site import CONSENT, SESSION, Stage, a_call
from tests.contract.fakes import bar_of, strength, until

ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]

PAGE = """
window.events = [];
window.frames = [];
window.poses = [];
window.offer = async () => {
  const pc = window.pc = new RTCPeerConnection();
  const canvas = document.createElement("canvas");
  canvas.width = 320; canvas.height = 192;
  const pen = canvas.getContext("2d");
  let n = 0;
  setInterval(() => {
    pen.fillStyle = "#3c3c3c"; pen.fillRect(0, 0, 320, 192);
    pen.fillStyle = "#ffffff"; pen.fillRect(100, 0, 20, 192);
    n += 1;
  }, 100);
  window.camera = canvas.captureStream(10).getVideoTracks()[0];
  const context = new AudioContext();
  const tone = context.createOscillator();
  tone.frequency.value = 1000;
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  window.video = pc.addTransceiver("video", {direction: "sendrecv"});
  pc.addTransceiver(out.stream.getAudioTracks()[0], {direction: "sendrecv"});
  const events = window.channel = pc.createDataChannel("events");
  events.onmessage = (m) => window.events.push(JSON.parse(m.data));
  setInterval(() => events.readyState === "open" && events.send('{"kind": "heartbeat", "n": 1}'), 1000);
  pc.createDataChannel("poses", {ordered: false, maxRetransmits: 0}).onmessage = (m) => {
    const {t, marks} = JSON.parse(m.data);
    window.poses.push({t, left: marks[0].quad[0][0]});
  };
  const player = document.createElement("video");
  player.muted = true;
  document.body.append(player);
  pc.ontrack = (e) => {
    if (e.track.kind === "audio") {
      const ear = new Audio();
      ear.srcObject = new MediaStream([e.track]);
      ear.play();
      return;
    }
    player.srcObject = new MediaStream([e.track]);
    player.play();
    const shot = document.createElement("canvas");
    const look = (now, data) => {
      shot.width = data.width; shot.height = data.height;
      const brush = shot.getContext("2d", {willReadFrequently: true});
      brush.drawImage(player, 0, 0);
      const line = brush.getImageData(0, 90, data.width, 1).data;
      let best = 0, at = 0;
      for (let s = 0; s < 16; s += 1) {
        let sum = 0;
        for (let x = 0; x < data.width / 16; x += 1) sum += line[4 * (s * data.width / 16 + x)];
        if (sum > best) { best = sum; at = s; }
      }
      window.frames.push({t: data.rtpTimestamp, bar: at, width: data.width});
      player.requestVideoFrameCallback(look);
    };
    player.requestVideoFrameCallback(look);
  };
  await pc.setLocalDescription();
  if (pc.iceGatheringState !== "complete") {
    await new Promise((done) => {
      pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && done());
      setTimeout(done, 1000);  // where there is no network but loopback, gathering never ends
    });
  }
  return pc.localDescription.sdp;
};
window.stats = async () => {
  const found = {};
  (await window.pc.getStats()).forEach((s) => { if (s.type === "inbound-rtp") found[s.kind] = s; });
  return found;
};
window.play = async (data) => {
  const player = document.createElement("video");
  player.muted = true;
  player.src = "data:video/mp4;base64," + data;
  await new Promise((done, failed) => {
    player.onloadeddata = done;
    player.onerror = () => failed(player.error.message);
  });
  await player.play();
  await new Promise((done) => { player.onended = done; });
  const quality = player.getVideoPlaybackQuality();
  return {duration: player.duration, frames: quality.totalVideoFrames, width: player.videoWidth};
};
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        page = await browser.new_page()
        await page.evaluate(PAGE + "0;")
        yield page
        await browser.close()


async def test_a_browser_sees_hears_draws_and_is_seen_and_heard(page: Page, tmp_path: Path) -> None:
    recording = Recording(allowed=True, asked=True, consent=CONSENT)
    async with a_call(tmp_path, msgspec.structs.replace(SESSION, recording=recording)) as stage:
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), await page.evaluate("offer()"))
        assert "playout-delay" in answer
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        await until(lambda: stage.told(inputs.Joined))
        await page.wait_for_function("frames.length > 20 && events.some(e => e.kind === 'recording')")

        seen: dict[str, Any] = await page.evaluate("frames[frames.length - 1]")
        stroke = {"kind": "stroke-begin", "id": "stroke-1", "at": [0.5, 0.5], "t": seen["t"]}
        await page.evaluate("stroke => channel.send(JSON.stringify(stroke))", stroke)
        await until(lambda: stage.tools.heard)
        _, _, captured_s = stage.tools.heard[0]
        assert captured_s is not None
        assert stage.camera.numbers[captured_s] == seen["bar"]

        await until(lambda: strength(stage.speaker.last_second, 1000) > 1000)
        await page.wait_for_function("stats().then(s => s.audio.totalAudioEnergy > 0.001)")

        assert stage.staff_pictures == []
        await page.evaluate("video.sender.replaceTrack(camera)")
        await page.evaluate("channel.send(JSON.stringify({kind: 'camera', on: true}))")
        await until(lambda: len(stage.staff_pictures) > 5)
        assert shown(stage.staff_pictures) == 5
    artifact = stage.told(inputs.AddArtifact)[0].artifact
    data = base64.b64encode((tmp_path / artifact.name).read_bytes()).decode()
    played = await page.evaluate("data => play(data)", data)
    assert played["width"] == 320
    assert played["frames"] > 20
    assert played["duration"] > 1


async def test_a_browser_reports_what_arrives_and_asks_for_repairs_in_their_own_stream(
    page: Page, tmp_path: Path
) -> None:
    async with a_call(tmp_path) as stage:
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), await page.evaluate("offer()"))
        for offered in ("transport-wide-cc", "a=rtcp-fb:103 transport-cc", "rtx/90000", "a=ssrc-group:FID"):
            assert offered.replace("103", answer.split("m=video")[1].split()[2]) in answer
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        (participant,) = stage.call.participants
        await until(lambda: (f := participant.figures) is not None and f.acknowledged_bps > 0)
        assert participant.figures is not None
        assert participant.figures.loss == 0
        assert 0 < participant.figures.round_trip_s < 1


async def test_a_browser_that_is_muted_sends_next_to_nothing_and_is_heard_again_at_once(
    page: Page, tmp_path: Path
) -> None:
    """usedtx=1 in the answer is what a browser goes by."""
    async with a_call(tmp_path) as stage:
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), await page.evaluate("offer()"))
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        await until(lambda: len(stage.speaker.played) > 50 and strength(stage.speaker.last_second, 1000) > 1000)
        voice = stage.call.participants.of("peer-eve").sound.voice
        sound = "pc.getSenders().find(s => s.track?.kind === 'audio')"
        await page.evaluate(f"{sound}.track.enabled = false")
        await until(lambda: not stage.speaker.last_second.any())
        count = f"{sound}.getStats().then(r => [...r.values()].find(s => s.type === 'outbound-rtp').packetsSent)"
        sent = await page.evaluate(count)
        await page.evaluate("new Promise(done => setTimeout(done, 2000))")
        assert await page.evaluate(count) - sent < 40  # 100 without DTX
        await page.evaluate(f"{sound}.track.enabled = true")
        await until(lambda: strength(stage.speaker.last_second, 1000) > 1000)
        assert voice.delay <= MAX_DELAY


async def test_marks_stay_on_their_element_when_the_picture_changes_its_size(page: Page, tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage:
        marking = asyncio.create_task(mark_the_bar(stage))
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), await page.evaluate("offer()"))
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        for width, height, fps in ((320, 192, 30), (240, 144, 30), (160, 96, 15), (320, 192, 30)):
            stage.camera.insist(width, height, fps)
            await page.wait_for_function("w => frames.slice(-12).filter(f => f.width === w).length === 12", arg=width)
        marking.cancel()
    seen: list[dict[str, Any]] = await page.evaluate("frames")
    marks = {pose["t"]: pose["left"] for pose in await page.evaluate("poses")}
    both = [(frame, marks[frame["t"]]) for frame in seen if frame["t"] in marks]
    assert {frame["width"] for frame, _ in both} == {160, 240, 320}
    assert len(both) > 0.8 * len(seen)
    assert [frame["bar"] for frame, _ in both] == [round(16 * left) for _, left in both]


async def test_every_gesture_names_its_frame_when_the_picture_changes_its_size(page: Page, tmp_path: Path) -> None:
    send = """gesture => { const frame = frames[frames.length - 1];
      channel.send(JSON.stringify({...gesture, t: frame.t})); return frame; }"""
    gestures: list[dict[str, Any]] = [
        {"kind": "stroke-begin", "id": "stroke-1", "at": [0.5, 0.5]},
        {"kind": "stroke-points", "id": "stroke-1", "points": [[0.6, 0.5]]},
        {"kind": "pointer", "at": [0.5, 0.5]},
        {"kind": "stroke-end", "id": "stroke-1"},
        {"kind": "snapshot-take"},
    ]
    async with a_call(tmp_path) as stage:
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), await page.evaluate("offer()"))
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        for width, height, fps in ((320, 192, 30), (240, 144, 30), (160, 96, 15)):
            stage.camera.insist(width, height, fps)
            await page.wait_for_function("w => frames.slice(-12).filter(f => f.width === w).length === 12", arg=width)
            for gesture in gestures:
                stage.tools.heard.clear()
                seen = await page.evaluate(send, gesture)
                await until(lambda: stage.tools.heard)
                _, event, captured_s = stage.tools.heard[0]
                assert captured_s is not None, (width, event)
                assert stage.camera.numbers[captured_s] == seen["bar"], (width, event)


def vp8_only(sdp: str) -> str:
    """As Firefox offers it that has no H.264, with bundlePolicy max-bundle: port 0 is not off."""
    head, *sections = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
    return head + "".join(_vp8_section(s) if s.startswith("m=video") else s for s in sections)


def _vp8_section(section: str) -> str:
    found = re.search(r"a=rtpmap:(\d+) VP8", section)
    assert found
    other = re.compile(rf"a=(rtpmap|fmtp|rtcp-fb):(?!{found[1]} )")
    kept = [line for line in section.splitlines() if not other.match(line)]
    kept[0] = re.sub(r"^m=video \d+ (\S+) .*", rf"m=video 0 \1 {found[1]}", kept[0])
    return "\r\n".join([*kept, f"a=fmtp:{found[1]} max-fs=12288;max-fr=60", "a=bundle-only", ""])


async def test_frames_have_their_names_also_where_the_browser_has_no_h264(page: Page, tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage:
        offer = vp8_only(await page.evaluate("offer()"))
        assert "H264" not in offer
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), offer)
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        await page.wait_for_function("frames.length > 5")
        marking = asyncio.create_task(mark_the_bar(stage))
        await page.wait_for_function("poses.length > 60 && frames.length > 30")
        marking.cancel()
        marks = {pose["t"]: pose["left"] for pose in await page.evaluate("poses")}
        shown = (await page.evaluate("frames"))[1:]  # the first is told of before it can be drawn
        both = [(f, marks[f["t"]]) for f in shown if f["t"] in marks]
        assert len(both) > 10
        assert [frame["bar"] for frame, _ in both] == [round(16 * left) for _, left in both]
        seen = await page.evaluate(
            """() => { const frame = frames[frames.length - 1];
            channel.send(JSON.stringify({kind: "mark-create", id: "mark-1", at: [0.5, 0.5], t: frame.t}));
            return frame; }"""
        )
        await until(lambda: stage.tools.heard)
        _, _, captured_s = stage.tools.heard[0]
        assert captured_s is not None
        assert stage.camera.numbers[captured_s] == seen["bar"]


async def mark_the_bar(stage: Stage) -> None:
    """In each picture, for ever."""
    done = 0
    while True:
        for picture in stage.pictures[done:]:
            left = bar_of(picture.y) / 16
            quad = ((left, 0.4), (left + 1 / 16, 0.4), (left + 1 / 16, 0.6), (left, 0.6))
            stage.call.participants.tell_poses(picture.captured_s, (channel.MarkPose("mark-1", quad, 1.0, "tracked"),))
            done += 1
        await asyncio.sleep(0.005)


def shown(pictures: list[Picture | None]) -> int:
    picture = pictures[-1]
    assert picture is not None
    width = picture.size[0]
    return bar_of(picture.y[:, : width // 16 * 16].repeat(320 // width, axis=1))
