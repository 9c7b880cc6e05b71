"""The main job, from the press of the button to a second call, as the two people live it: one story, nothing faked.

Broker, desk and kiosk are the real programs; the page is the demo's, in a real Chromium; camera, microphone, buttons
and touch are the simulated kiosk's, behind the same ports as on a Pi.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.async_api import Page

from kiosk.call.author import KIOSK_COLOUR
from kiosk.config import load
from kiosk.demo.site import Choices
from kiosk.hw.sim.scene import Scene
from kiosk.session.flow import Flow, answer, begin
from kiosk.session.provider import Provider
from kiosk.session.record import ArtifactKind, Session
from kiosk.ui.layout import inset, picture_fit
from kiosk.ui.view import View
from tests.whole.rig import CORNER_CODE_JS, SEEN_LAST, Rig, chromium, code_on, has_colour, rig, shows, until

pytestmark = [pytest.mark.whole, pytest.mark.timeout(240)]

Point = tuple[float, float]

AUDIO_ENERGY = """async () => {
  const stats = [...(await window.desk.call.connection.getStats()).values()];
  return stats.find((s) => s.type === 'inbound-rtp' && s.kind === 'audio')?.totalAudioEnergy ?? 0;
}"""

POSES_WITH_NUMBERS = """([source, count]) => new Promise((resolve) => {
  // frames by what they are: number in the picture, and the pose that was told for this very frame
  const read = new Function(source + '; return readCornerCode;')();
  const video = document.getElementById('call-video'), canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const numbers = new Map(), poses = new Map();
  const look = (_, meta) => {
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    const code = read(context, canvas.width, canvas.height);
    if (code) numbers.set(meta.rtpTimestamp, code.number);
    for (const pose of window.desk.call.channels.poses) poses.set(pose.t, pose.marks);
    const both = [...numbers].filter(([t]) => poses.has(t) && poses.get(t).length);
    if (both.length < count) video.requestVideoFrameCallback(look);
    else resolve(both.map(([t, number]) => ({ number, mark: poses.get(t)[0] })));
  };
  video.requestVideoFrameCallback(look);
})"""

PAINTED = """([selector, u, v]) => {
  const canvas = document.querySelector(selector), fit = window.desk.tools.fit();
  const scale = canvas.width / canvas.clientWidth, reach = 4 * scale;
  const x = (fit.x + u * fit.width) * scale, y = (fit.y + v * fit.height) * scale;
  const { data } = canvas.getContext('2d').getImageData(x - reach, y - reach, 2 * reach, 2 * reach);
  const found = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 150) {
    found.add('#' + [0, 1, 2].map((k) => data[i + k].toString(16).padStart(2, '0')).join(''));
  }
  return [...found];
}"""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with chromium() as browser, rig(tmp_path, browser, Choices(review_s=3.0)) as stage:
        yield stage


async def test_the_main_job_from_the_press_to_the_second_call(stage: Rig) -> None:
    story = Story(stage)
    await story.a_code_user_asks()
    await story.the_desk_shows_it_at_once()
    await story.staff_read_it_and_confirm()
    await story.staff_start_the_call()
    await story.both_see_and_hear_each_other()
    await story.staff_draw_and_it_fades()
    await story.the_code_user_draws()
    await story.staff_mark_an_element_and_it_is_tracked()
    await story.both_draw_on_a_snapshot()
    await story.mirrored_drawing_lands_where_it_was_meant()
    await story.it_ends_closes_and_everything_is_found_again()
    await story.a_second_call_under_the_same_session()
    assert stage.troubles == [], "no script of a page broke"


class Story:
    def __init__(self, stage: Rig) -> None:
        self.stage = stage
        config = load(stage.system.site.kiosk_toml)
        self.provider: Provider = config.provider
        self.device = config.device.name
        self.size = (1024, 600)
        self.beside: tuple[int, int] | None = None
        self.session_id = ""
        self.lists: Page | None = None
        self.scene = Scene(1280, 720, 30)

    # --- 1. the button ------------------------------------------------------------------------------------------------

    async def a_code_user_asks(self) -> None:
        self.lists = await self.a_second_tab()
        await self.display_shows(self.view())
        await self.stage.press("camera_plus")
        asking = begin(self.provider)
        await self.display_shows(self.view(flow=asking))
        await self.stage.press("accept")
        asking = answer(asking, self.provider.reasons[0])
        await self.display_shows(self.view(flow=asking))
        await self.stage.press("accept")

    async def a_second_tab(self) -> Page:
        """The desk in a window of its own, where a browser lets pages notify."""
        tab = await self.stage.context.new_page()
        await tab.goto(await self.stage.system.sign_in_link("anna"))
        await tab.evaluate("navigator.serviceWorker.ready.then(() => true)")
        return tab

    async def the_desk_shows_it_at_once(self) -> None:
        row = self.stage.desk.locator(".session-row[data-state=REQUESTED]")
        await row.wait_for()
        self.session_id = await row.get_attribute("data-id") or ""
        await self.stage.desk.locator(".toast").first.wait_for()
        await self.stage.desk.locator("html[data-chimes]").wait_for(state="attached")

        async def notified() -> list[str]:
            assert self.lists
            titles: list[str] = await self.lists.evaluate(
                "navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.map((n) => n.body))"
            )
            return titles

        assert any(self.provider.reasons[0] in body for body in await until(notified, "a notification"))
        assert self.lists
        await self.lists.close()
        session = await self.stage.session(self.session_id)
        await self.display_shows(self.view(session=session))

    # --- 2. confirm, start --------------------------------------------------------------------------------------------

    async def staff_read_it_and_confirm(self) -> None:
        desk = self.stage.desk
        await desk.locator(f".session-row[data-id={self.session_id}] a").click()
        await desk.locator("#confirm").wait_for()
        text = await desk.locator("#session").inner_text()
        assert self.device in text
        assert self.provider.reasons[0] in text
        session = await self.stage.session(self.session_id)
        assert session.recording.consent
        assert session.recording.consent.given
        assert "Zustimmung" in text
        await until(self.seen_by_anna, "seen by Anna, told by the kiosk")
        await desk.locator("#confirm").click()
        confirmed = await self.stage.until_state(self.session_id, "CONFIRMED")
        await self.display_shows(self.view(session=confirmed))

    async def seen_by_anna(self) -> bool:
        return any(p.id == "anna" for p in (await self.stage.session(self.session_id)).seen_by)

    async def staff_start_the_call(self) -> None:
        await self.stage.desk.locator("#start").click()
        await self.call_is_on()

    async def call_is_on(self) -> None:
        await self.stage.desk.locator("#call[data-state=on]").wait_for()
        await until(self.stage.frame_in_page, "the camera's picture in the page")

    # --- 3. picture and sound -----------------------------------------------------------------------------------------

    async def both_see_and_hear_each_other(self) -> None:
        first = await self.number_in_page()
        await until(lambda: self.later_than(first), "moving pictures in the page")
        await until(self.machine_is_heard, "the machine's sound in the page")
        await until(self.staff_are_heard, "the staff's voice at the kiosk")
        await until(self.lamp_is_live, "the lamp says that the camera is live")
        await self.stage.desk.locator("#recording-sign[data-state=on]").wait_for()
        before = self.inset_of(await self.stage.display())
        await self.stage.desk.locator("#toggle-camera").click()

        async def staff_are_seen() -> bool:
            return float(np.abs(self.inset_of(await self.stage.display()) - before).mean()) > 40

        await until(staff_are_seen, "the staff's camera on the kiosk's display")
        assert code_on(await self.stage.display()) is not None, "and the live picture still"

    def inset_of(self, display: Any) -> Any:
        r = inset(self.size, (640, 480))
        return display[r.y + 10 : r.y + r.h - 10, r.x + 10 : r.x + r.w - 10].astype(np.float32)

    async def number_in_page(self) -> int:
        code = await until(self.stage.frame_in_page, "a corner code in the page")
        return int(code["number"])

    async def later_than(self, first: int) -> bool:
        return await self.number_in_page() > first + 10

    async def machine_is_heard(self) -> bool:
        return float(await self.stage.desk.evaluate(AUDIO_ENERGY)) > 1e-4

    async def staff_are_heard(self) -> bool:
        return float((await self.stage.panel_state())["speaker_dbfs"]) > -45

    async def lamp_is_live(self) -> bool:
        return bool((await self.stage.panel_state())["lamp"])

    # --- 4. tools -----------------------------------------------------------------------------------------------------

    async def staff_draw_and_it_fades(self) -> None:
        line = [(0.30, 0.30), (0.45, 0.35), (0.60, 0.30)]
        colour = await self.stage.desk.evaluate("window.desk.tools.colour")
        await self.pen_down_in_page("#overlay", line)
        await until(lambda: self.on_display(between(line), colour), "the stroke on the display while it is drawn")
        await self.stage.page.mouse.up()

        async def faded() -> bool:
            return not await self.any_on_display(between(line), colour)

        await until(faded, "the stroke fades")

    async def the_code_user_draws(self) -> None:
        line = [(0.35, 0.55), (0.50, 0.60), (0.65, 0.55)]
        await self.touch_at_kiosk(line)

        async def in_page() -> bool:
            at = between(line)
            found = [await self.stage.desk.evaluate(PAINTED, ["#overlay", u, v]) for u, v in at]
            return all(any(near(c, KIOSK_COLOUR) for c in colours) for colours in found)

        await until(in_page, "the code user's stroke in the page", pause_s=0.05)
        await self.stage.page.mouse.up()

    async def staff_mark_an_element_and_it_is_tracked(self) -> None:
        desk = self.stage.desk
        await desk.locator("#tool-mark").click()
        await self.click_in_page("#overlay", (0.5, 0.45))
        await desk.locator("#mark-list li[data-state=tracked]").wait_for()
        samples = await desk.evaluate(POSES_WITH_NUMBERS, [CORNER_CODE_JS, 60])
        off_px = self.distance_from_truth(samples)
        assert float(np.median(off_px)) < 8, f"the mark stays on its element: {np.round(off_px, 1)}"
        await until(lambda: self.mark_is_on_display(samples[0]), "the mark around its element on the display")
        await desk.locator("#mark-list li button").click()
        await desk.locator("#mark-list li").wait_for(state="detached")
        await desk.locator("#tool-pen").click()

    def distance_from_truth(self, samples: Sequence[dict[str, Any]]) -> list[float]:
        """How far each mark's centre is from where its element really is in that frame, in px at 720p.

        The scene is a plane: the first frame says which place of it was marked, the camera's path where that is later.
        """
        place = np.linalg.inv(self.scene.pose(samples[0]["number"])) @ homogeneous(centre(samples[0]["mark"]["quad"]))
        truth = [project(self.scene.pose(s["number"]) @ place) for s in samples]
        marked = [homogeneous(centre(s["mark"]["quad"])) for s in samples]
        return [math.dist(t, m[:2]) for t, m in zip(truth, marked, strict=True)]

    async def mark_is_on_display(self, sample: dict[str, Any]) -> bool:
        display = await self.stage.display()
        number = code_on(display)
        if number is None:
            return False
        moved = self.scene.pose(number) @ np.linalg.inv(self.scene.pose(sample["number"]))
        corners = [project(moved @ homogeneous(c)) for c in sample["mark"]["quad"]]
        edges = [
            ((a[0] + b[0]) / 2560, (a[1] + b[1]) / 1440)
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True)
        ]
        colour = await self.stage.desk.evaluate("window.desk.tools.colour")
        return sum(has_colour(display, edge, colour, 12) for edge in edges) >= 3

    async def both_draw_on_a_snapshot(self) -> None:
        desk = self.stage.desk
        await desk.locator("#tool-snapshot").click()
        await desk.locator("#snapshot-view[data-id]").wait_for()
        colour = await desk.evaluate("window.desk.tools.colour")
        self.beside = (1280, 720)
        by_staff = [(0.30, 0.40), (0.45, 0.45), (0.60, 0.40)]
        await self.pen_down_in_page("#snapshot-overlay", by_staff)
        await self.stage.page.mouse.up()
        await until(lambda: self.on_display(between(by_staff), colour), "the staff's line on the display's snapshot")
        by_code_user = [(0.30, 0.70), (0.45, 0.75), (0.60, 0.70)]
        await self.touch_at_kiosk(by_code_user)
        await self.stage.page.mouse.up()
        await desk.locator("#snapshot-view[data-edits='2']").wait_for()
        await until(lambda: self.on_display(between(by_code_user), KIOSK_COLOUR), "the code user's own line")
        await desk.locator("#snapshot-close").click()
        await desk.locator("#snapshot-view").wait_for(state="hidden")
        self.beside = None
        await until(self.live_again, "the live picture on the display")

    async def live_again(self) -> bool:
        return code_on(await self.stage.display()) is not None

    async def mirrored_drawing_lands_where_it_was_meant(self) -> None:
        desk = self.stage.desk
        await desk.locator("#tool-mirror").click()
        colour = await desk.evaluate("window.desk.tools.colour")
        drawn = [(0.70, 0.60), (0.80, 0.65), (0.90, 0.60)]  # where it is seen; in the frame it is on the left
        meant = [(1 - u, v) for u, v in drawn]
        await self.pen_down_in_page("#overlay", drawn)
        await until(lambda: self.on_display(between(meant), colour), "the mirrored stroke where it was meant")
        assert not await self.any_on_display(between(drawn), colour)
        await self.stage.page.mouse.up()

    async def on_display(self, points: Sequence[Point], colour: str) -> bool:
        display = await self.stage.display()
        return all(has_colour(display, p, colour, beside=self.beside) for p in points)

    async def any_on_display(self, points: Sequence[Point], colour: str) -> bool:
        display = await self.stage.display()
        return any(has_colour(display, p, colour, 1) for p in points)

    # --- the hands ----------------------------------------------------------------------------------------------------

    async def in_page(self, canvas: str, point: Point) -> Point:
        """A point of the visible picture in px of the tab."""
        box = await self.stage.desk.locator(canvas).bounding_box()
        assert box
        of = "snapshot" if canvas == "#snapshot-overlay" else "tools"
        fit = await self.stage.desk.evaluate(f"window.desk.{of}.fit()")
        return box["x"] + fit["x"] + point[0] * fit["width"], box["y"] + fit["y"] + point[1] * fit["height"]

    async def pen_down_in_page(self, canvas: str, points: Sequence[Point]) -> None:
        """Draws with the mouse and leaves the button down."""
        await self.draw([await self.in_page(canvas, p) for p in points])

    async def click_in_page(self, canvas: str, point: Point) -> None:
        await self.stage.page.mouse.click(*await self.in_page(canvas, point))

    async def touch_at_kiosk(self, points: Sequence[Point]) -> None:
        """A finger on the kiosk's display, which stays down; points are 0..1 of the camera's picture."""
        box = await self.stage.kiosk.locator("#display").bounding_box()
        assert box
        fit = picture_fit(self.size, (1280, 720), self.beside)
        places = [fit.to_display(*p) for p in points]
        scale = (box["width"] / self.size[0], box["height"] / self.size[1])
        await self.draw([(box["x"] + x * scale[0], box["y"] + y * scale[1]) for x, y in places])

    async def draw(self, places: Sequence[Point]) -> None:
        mouse = self.stage.page.mouse
        await mouse.move(*places[0])
        await mouse.down()
        for place in places[1:]:
            await mouse.move(*place, steps=12)
            await asyncio.sleep(0.05)

    # --- 6. afterwards ------------------------------------------------------------------------------------------------

    async def it_ends_closes_and_everything_is_found_again(self) -> None:
        desk = self.stage.desk
        await desk.locator("#hang-up").click()
        await self.stage.until_state(self.session_id, "COMPLETED")
        await self.stage.until_state(self.session_id, "CLOSED")
        await until(self.all_is_uploaded, "recording, snapshot and session data at the desk", 30)
        await until(self.lamp_is_off, "the lamp is off again")
        video = desk.locator(".artifact[data-kind=recording] video")
        await video.wait_for()
        width = await video.evaluate(
            """(video) => new Promise((resolve, reject) => {
                video.muted = true;
                video.onerror = () => reject(new Error(video.error.message));
                video.ontimeupdate = () => { if (video.currentTime > 1) resolve(video.videoWidth); };
                video.play();
            })"""
        )
        assert width == 1280
        await self.the_code_user_gets_theirs()
        picture = desk.locator(".artifact[data-kind=snapshot] img")
        await picture.scroll_into_view_if_needed()
        await until(
            lambda: picture.evaluate("(image) => image.naturalWidth >= 1280"), "the snapshot on the details page"
        )

    async def the_code_user_gets_theirs(self) -> None:
        """The QR code on the display, read by a phone that has no account."""

        async def scanned() -> str:
            address, *_ = cv2.QRCodeDetector().detectAndDecode(await self.stage.display())
            return address

        address = await until(scanned, "a QR code on the display")
        browser = self.stage.context.browser
        assert browser
        phone = await browser.new_context(viewport={"width": 360, "height": 740})
        try:
            tab = await phone.new_page()
            await tab.goto(address)
            await tab.locator(".artifact[data-kind=recording] video").wait_for()
            await tab.locator(".artifact[data-kind=flattened] img").wait_for()
            await tab.screenshot(path=SEEN_LAST.with_name("code-user.png"), full_page=True)
        finally:
            await phone.close()

    async def all_is_uploaded(self) -> bool:
        artifacts = (await self.stage.session(self.session_id)).artifacts
        kinds = {a.kind for a in artifacts}
        wanted = {
            ArtifactKind.RECORDING,
            ArtifactKind.TIMELINE,
            ArtifactKind.SNAPSHOT,
            ArtifactKind.LAYERS,
            ArtifactKind.FLATTENED,
            ArtifactKind.SESSION_DATA,
        }
        return wanted <= kinds and all(a.uploaded for a in artifacts)

    async def lamp_is_off(self) -> bool:
        return not (await self.stage.panel_state())["lamp"]

    async def a_second_call_under_the_same_session(self) -> None:
        desk = self.stage.desk
        await desk.locator("#reopen").click()
        reopened = await self.stage.until_state(self.session_id, "CONFIRMED")
        await self.display_shows(self.view(session=reopened))
        await self.stage.press("accept")
        await desk.locator("#join").click()
        await self.call_is_on()
        session = await self.stage.until_state(self.session_id, "RUNNING")
        assert len(session.calls) == 2
        assert session.reason == self.provider.reasons[0]
        await desk.locator("#hang-up").click()
        await self.stage.until_state(self.session_id, "CLOSED")

    # --- the display --------------------------------------------------------------------------------------------------

    def view(self, *, session: Session | None = None, flow: Flow | None = None) -> View:
        return View(
            language=self.provider.language,
            device_name=self.device,
            provider=self.provider,
            online=True,
            session=session,
            sent=session is not None,
            flow=flow,
        )

    async def display_shows(self, view: View) -> None:
        async def look() -> bool:
            return shows(await self.stage.display(), view)

        step = view.flow.step if view.flow else None
        await until(look, f"the display's screen for {view.session.state if view.session else step or 'idle'}", 10)


def between(points: Sequence[Point]) -> list[Point]:
    """Points on the way, away from corners and ends."""
    pairs = pairwise(points)
    return [(a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1])) for a, b in pairs for s in (0.3, 0.5, 0.7)]


def centre(quad: Sequence[Sequence[float]]) -> Point:
    return sum(p[0] for p in quad) / 4, sum(p[1] for p in quad) / 4


def homogeneous(point: Sequence[float]) -> Any:
    """0..1 of the frame as px at 720p, with a third coordinate of 1."""
    return np.array([point[0] * 1280, point[1] * 720, 1.0])


def project(point: Any) -> Point:
    return float(point[0] / point[2]), float(point[1] / point[2])


def near(colour: str, wanted: str) -> bool:
    return all(abs(int(colour[i : i + 2], 16) - int(wanted[i : i + 2], 16)) < 50 for i in (1, 3, 5))
