"""Programs of other people join a call through WHEP and WHIP: each has its own WebRTC, and none of it is ours."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web

from benchmarks.senders import SYSTEM_PYTHON
from kiosk.demo.site import Site
from tests.contract.turn_site import SECRET, coturn
from tests.whole.in_call import InCall, in_a_call, until
from tests.whole.rig import chromium

pytestmark = [pytest.mark.whole, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

CLIENTS = Path(__file__).parent / "clients"
INSTALLED = Path(__file__).parents[2] / "build" / "clients"
SILENCE_DBFS = -60.0
GSTREAMER = (
    "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import Gst, GstWebRTC; Gst.init(None);"
    "assert all(Gst.ElementFactory.find(n) for n in ('webrtcbin', 'nicesrc', 'dtlsdec', 'srtpdec', 'rtph264depay'))"
)


def has_gstreamer() -> bool:
    probe = [SYSTEM_PYTHON, "-c", GSTREAMER]
    return Path(SYSTEM_PYTHON).exists() and subprocess.run(probe, check=False, capture_output=True).returncode == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def call(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InCall]:
    """One call that all of them come into, one after the other."""
    assert (INSTALLED / ".ready").exists(), "their programs are not installed: make clients"
    async with in_a_call(tmp_path_factory.mktemp("site")) as call:
        yield call


class Player:
    """One of the programs in clients/, and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []

    async def says(self, good: Callable[[dict[str, Any]], bool], limit_s: float = 75.0) -> dict[str, Any]:
        """The first thing it says from now on that is `good`."""
        assert self._process.stdout
        async with asyncio.timeout(limit_s):
            while line := await self._process.stdout.readline():
                self.said.append(json.loads(line))
                if good(self.said[-1]):
                    return self.said[-1]
        raise AssertionError(f"it ended, having said {self.said[-5:]}")

    async def leaves(self) -> int:
        """Tells it to; what the desk answered."""
        assert self._process.stdin
        self._process.stdin.write(b"leave\n")
        return int((await self.says(lambda what: "left" in what))["left"])


@asynccontextmanager
async def player(program: str, call: InCall) -> AsyncIterator[Player]:
    given = await call.token()
    gstreamer = program == "gstreamer"
    process = await asyncio.create_subprocess_exec(
        *((SYSTEM_PYTHON, "-m", "tests.whole.clients.gstreamer") if gstreamer else ("node", str(CLIENTS / program))),
        *(given["whep_url"], given["token"]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_PATH": str(INSTALLED / "node_modules")},
    )
    try:
        yield Player(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_libwebrtc_in_a_program_of_its_own_sees_and_hears(call: InCall) -> None:
    async with player("wrtc.cjs", call) as viewer:
        seen = await viewer.says(lambda what: what.get("pictures", 0) > 30 and what["loudest"] > 1000)
        assert (seen["width"], seen["height"]) == (640, 360), "it has no H.264: VP8, smaller"
        assert await viewer.leaves() == 200


async def test_a_stack_without_a_line_of_libwebrtc_gets_picture_and_sound(call: InCall) -> None:
    async with player("werift.cjs", call) as viewer:
        seen = await viewer.says(lambda what: what.get("frames", 0) > 30 and what["sound"] > 50)
        assert seen["keyframes"] >= 1, "what it got can be shown from the beginning"
        assert await viewer.leaves() == 200


@pytest.mark.skipif(not has_gstreamer(), reason="GStreamer's webrtcbin is not installed: make gstreamer")
async def test_gstreamer_whose_certificate_has_an_rsa_key_gets_picture_and_sound(call: InCall) -> None:
    async with player("gstreamer", call) as viewer:
        assert (await viewer.says(lambda what: "answered" in what))["setup"] == "actpass"
        await viewer.says(lambda what: what.get("frames", 0) > 30 and what["sound"] > 50)
        assert await viewer.leaves() == 200


async def test_ffmpeg_talks_and_its_picture_is_the_staff_camera_on_the_display(call: InCall) -> None:
    assert (await call.panel())["speaker_dbfs"] < SILENCE_DBFS
    async with ffmpeg(call):
        await until(lambda: shows_green(call), "ffmpeg's green picture on the kiosk's display")

        async def sounds() -> bool:
            return bool((await call.panel())["speaker_dbfs"] > SILENCE_DBFS + 20)

        await until(sounds, "ffmpeg's tone from the kiosk's speaker")

    async def gone() -> bool:
        return not await shows_green(call)

    await until(gone, "the picture going away with ffmpeg")
    assert await call.state() == "RUNNING"


async def shows_green(call: InCall) -> bool:
    """Whether a tenth of a per cent of the display at least is of a green that neither scene nor screens have."""
    b, g, r = (plane.astype(np.int16) for plane in np.moveaxis(await call.display(), 2, 0))
    return float(((g > 180) & (b < 90) & (r < 90)).mean()) > 0.001


async def test_a_kiosk_behind_its_relay_gets_the_credential_from_the_desk_with_the_offer(tmp_path: Path) -> None:
    async with coturn(tmp_path) as turn:
        secret = tmp_path / "turn.secret"
        secret.write_text(SECRET)

        def prepare(site: Site) -> None:
            with site.desk_toml.open("a") as desk:
                desk.write(f'[[call.ice_servers]]\nurls = ["{turn.url("tls")}"]\nsecret_file = "{secret}"\n')
            own = f'[call]\nrelay_only = true\nturn_ca_file = "{turn.ca_file}"\n'
            site.kiosk_toml.write_text(site.kiosk_toml.read_text().replace("[call]\n", own))

        async with in_a_call(tmp_path / "site", prepare=prepare) as call, player("wrtc.cjs", call) as viewer:
            await viewer.says(lambda what: what.get("frames", 0) > 10)


@asynccontextmanager
async def ffmpeg(call: InCall) -> AsyncIterator[None]:
    given = await call.token()
    process = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "warning", "-nostdin"),
        *("-re", "-f", "lavfi", "-i", "color=0x00ff00:size=320x240:rate=15"),
        *("-re", "-f", "lavfi", "-i", "sine=frequency=880:sample_rate=48000"),
        *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15"),
        *("-pix_fmt", "yuv420p", "-b:v", "300k", "-c:a", "libopus", "-ac", "2", "-b:a", "48k"),
        *("-f", "whip", "-authorization", given["token"], given["whip_url"]),
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()  # as Ctrl-C: it says DELETE before it goes
        await process.wait()


PAGE = """<!doctype html><video muted autoplay></video><script>
window.join = async (url, token) => {
  const bearer = { Authorization: "Bearer " + token };
  const connection = new RTCPeerConnection();
  const stream = new MediaStream();
  connection.ontrack = ({ track }) => {
    stream.addTrack(track);
    document.querySelector("video").srcObject = stream;
  };
  for (const kind of ["video", "audio"]) connection.addTransceiver(kind, { direction: "recvonly" });
  await connection.setLocalDescription();
  const headers = { ...bearer, "Content-Type": "application/sdp" };
  const answer = await fetch(url, { method: "POST", headers, body: connection.localDescription.sdp });
  const place = new URL(answer.headers.get("Location"), url);
  let tag = answer.headers.get("ETag");
  const patch = (match, lines) => fetch(place, { method: "PATCH", body: [...lines, ""].join("\\r\\n"),
    headers: { ...bearer, "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": match } });
  connection.onicecandidate = ({ candidate }) => {
    if (!candidate?.candidate) return;
    patch(tag, ["a=ice-ufrag:" + candidate.usernameFragment, "m=video 9 RTP/AVP 0", "a=mid:" + candidate.sdpMid,
      "a=" + candidate.candidate]);
  };
  await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  window.restart = async () => {
    const before = connection.remoteDescription.sdp;
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }));
    const own = connection.localDescription.sdp.match(/a=ice-(ufrag|pwd):.*/g).slice(0, 2);
    const told = await patch("*", [own[0], own[1], "m=video 9 RTP/AVP 0", "a=mid:0"]);
    if (told.status !== 200) throw new Error(told.status + ": " + await told.text());
    tag = told.headers.get("ETag");
    const [ufrag, pwd, ...candidates] = (await told.text()).match(/a=(ice-ufrag|ice-pwd|candidate):.*/g);
    const sdp = before.replace(/a=(candidate:.*|end-of-candidates)\\r\\n/g, "")
      .replace(/a=ice-ufrag:.*/g, ufrag).replace(/a=ice-pwd:.*/g, pwd);
    await connection.setRemoteDescription({ type: "answer", sdp });
    for (const line of candidates) await connection.addIceCandidate({ candidate: line.slice(2), sdpMid: "0" });
  };
  window.ways = async () => {
    const stats = [...(await connection.getStats()).values()];
    const used = stats.find((s) => s.type === "transport").selectedCandidatePairId;
    const pair = stats.find((s) => s.id === used);
    return stats.filter((s) => s.id === pair.remoteCandidateId).map((s) => s.port);
  };
  window.leave = async () => (await fetch(place, { method: "DELETE", headers: bearer })).status;
};
window.frames_seen = () => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames;
</script>"""


async def test_a_page_of_somebody_else_sees_from_another_origin_and_restarts_ice(call: InCall) -> None:
    given = await call.token()
    async with somewhere_else() as address, chromium() as browser:
        page = await browser.new_page()
        await page.goto(address)
        await page.evaluate("([url, token]) => join(url, token)", [given["whep_url"], given["token"]])
        await page.wait_for_function("frames_seen() > 30", timeout=75_000)
        ways = await page.evaluate("ways()")
        await page.evaluate("restart()")

        async def another_way() -> bool:
            return bool(await page.evaluate("ways()") != ways)

        await until(another_way, "packets going another way after the restart of ICE")
        seen = await page.evaluate("frames_seen()")
        await page.wait_for_function(f"frames_seen() > {seen + 30}", timeout=75_000)
        assert await page.evaluate("leave()") == 200


@asynccontextmanager
async def somewhere_else() -> AsyncIterator[str]:
    """A web site of another origin than the desk's."""

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", show)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
