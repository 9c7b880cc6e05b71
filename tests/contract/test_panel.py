"""The simulated kiosk's front: what a visitor sees, what their hands do, and who is let in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import cv2
import numpy as np
import pytest
from playwright.async_api import Page, async_playwright

from kiosk.errors import DeviceTrouble
from kiosk.hw.buttons import GpioButtons
from kiosk.hw.lamp import GpioLamp
from kiosk.hw.ports import ButtonName, Pixels, Press, Touch
from kiosk.hw.sim.camera import SceneSource
from kiosk.hw.sim.panel import Panel
from kiosk.hw.sim.pins import SimPins
from kiosk.hw.sim.scene import Scene
from kiosk.hw.sim.sound import SILENCE_DBFS, MeterSpeaker

PINS: dict[ButtonName, int] = {"camera_plus": 17, "accept": 22, "decline": 23}


@dataclass
class Showing:
    """A display and touchscreen that behave like the simulated ones."""

    size: tuple[int, int] = (320, 180)
    generation: int = 0
    on_present: Callable[[], None] | None = None
    level: int = 0
    touches: list[Touch] = field(default_factory=list)

    def grab(self) -> Pixels:
        return np.full((self.size[1], self.size[0], 3), self.level, np.uint8)

    def show(self, level: int) -> None:
        self.level, self.generation = level, self.generation + 1
        if self.on_present:
            self.on_present()

    def feed(self, touch: Touch) -> None:
        self.touches.append(touch)


@dataclass
class Front:
    panel: Panel
    display: Showing
    pins: SimPins
    camera: SceneSource
    http: aiohttp.ClientSession

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        url = self.panel.url
        async with self.http.ws_connect(f"{url}/socket", headers={"Origin": url}) as socket:
            yield socket


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    display, pins = Showing(), SimPins(PINS, 27)
    camera = SceneSource(Scene(320, 180), preload=False)
    panel = Panel(0, display, display, pins, pins.lamp_on, MeterSpeaker(), camera, lambda: True)
    async with panel, aiohttp.ClientSession() as http:
        yield Front(panel, display, pins, camera, http)


# --- what is seen -----------------------------------------------------------------------------------------------------


async def test_the_newest_picture_comes_and_the_next_one_only_when_it_was_painted(front: Front) -> None:
    async with front.visit() as socket:
        assert await shade(socket) == pytest.approx(0, abs=3)
        for level in (60, 120, 180):
            front.display.show(level)
        await socket.send_json({"type": "ack"})
        assert await shade(socket) == pytest.approx(180, abs=3)


async def test_a_narrow_page_is_sent_no_more_than_it_paints(front: Front) -> None:
    async with front.visit() as socket:
        await picture(socket)
        await socket.send_json({"type": "view", "width": 160})
        await socket.send_json({"type": "ack"})
        assert (await picture(socket)).shape == (90, 160, 3)


async def test_the_lamp_and_the_camera_s_plug_are_told_when_they_change(front: Front) -> None:
    async with front.visit() as socket, GpioLamp(27, front.pins.factory) as lamp:
        assert not (await state(socket))["lamp"]
        lamp.show("live")
        assert (await state(socket))["lamp"]
        await socket.send_json({"type": "camera", "plugged": False})
        assert not (await state(socket))["camera_plugged"]
        assert not front.camera.plugged


async def test_tests_can_ask_for_state_and_picture(front: Front) -> None:
    front.display.show(200)
    async with front.http.get(f"{front.panel.url}/state.json") as answer:
        assert await answer.json() == {
            "lamp": False,
            "speaker_dbfs": SILENCE_DBFS,
            "camera_open": True,
            "camera_plugged": True,
            "generation": 1,
            "size": [320, 180],
            "buttons": ["camera_plus", "accept", "decline"],
        }
    async with front.http.get(f"{front.panel.url}/display.png") as answer:
        image = cv2.imdecode(np.frombuffer(await answer.read(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (180, 320, 3)
    assert (image == 200).all()


@pytest.mark.parametrize(
    ("accepted", "words"), [("de-DE,de;q=0.9", "Annehmen"), ("fr, en;q=0.5", "Accept"), ("", "Accept")]
)
async def test_the_page_speaks_german_and_english(front: Front, accepted: str, words: str) -> None:
    async with front.http.get(front.panel.url, headers={"Accept-Language": accepted}) as answer:
        html = await answer.text()
    assert words in html
    assert "{{" not in html


# --- what hands do ----------------------------------------------------------------------------------------------------


async def test_buttons_go_through_the_pins_and_are_let_go_by_who_leaves(front: Front) -> None:
    async with GpioButtons(PINS, front.pins.factory, 5.0) as buttons:
        presses = buttons.presses()
        async with front.visit() as socket:
            await socket.send_json({"type": "button", "name": "camera_plus", "down": True})
            assert await anext(presses) == Press("camera_plus", "down")
        assert await anext(presses) == Press("camera_plus", "short")


async def test_a_press_whose_end_comes_at_once_is_a_press_all_the_same(front: Front) -> None:
    async with GpioButtons(PINS, front.pins.factory, 5.0) as buttons, front.visit() as socket:
        for down in (True, False):
            await socket.send_json({"type": "button", "name": "decline", "down": down})
        presses = buttons.presses()
        assert [(await anext(presses)).phase for _ in range(3)] == ["down", "short", "up"]


async def test_fingers_are_fed_to_the_touchscreen_and_lifted_by_who_leaves(front: Front) -> None:
    async with front.visit() as socket:
        await socket.send_json({"type": "touch", "phase": "down", "x": 0.25, "y": 0.5, "finger": 1})
        await socket.send_json({"type": "touch", "phase": "move", "x": 0.5, "y": 0.5, "finger": 1})
        await eventually(lambda: len(front.display.touches) == 2)
    await eventually(lambda: len(front.display.touches) == 3)
    assert front.display.touches == [
        Touch("down", 0.25, 0.5, 1),
        Touch("move", 0.5, 0.5, 1),
        Touch("up", 0.5, 0.5, 1),
    ]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        '{"type": "reboot"}',
        '{"type": "touch", "phase": "down", "x": 1.5, "y": 0}',
        '{"type": "touch", "phase": "down", "x": 0.5, "y": 0.5, "finger": 99}',
        '{"type": "button", "name": "power", "down": true}',
        '{"type": "view", "width": 1000000}',
    ],
)
async def test_nonsense_changes_nothing_and_the_visit_goes_on(front: Front, said: str) -> None:
    async with front.visit() as socket:
        await picture(socket)
        await socket.send_str(said)
        await socket.send_json({"type": "ack"})
        front.display.show(90)
        assert await shade(socket) == pytest.approx(90, abs=3)
    assert front.display.touches == []


# --- who is let in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
async def test_pages_of_other_origins_cannot_press_buttons(front: Front, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await front.http.ws_connect(f"{front.panel.url}/socket", headers=headers)
    assert refused.value.status == 403


async def test_another_name_for_this_address_gets_nothing(front: Front) -> None:
    async with front.http.get(f"{front.panel.url}/state.json", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421


async def test_the_page_may_load_nothing_from_elsewhere_and_be_framed_from_loopback_only(front: Front) -> None:
    async with front.http.get(front.panel.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*" in policy


async def test_a_taken_port_is_told_as_device_trouble(front: Front) -> None:
    port = int(front.panel.url.rpartition(":")[2])
    other = Panel(port, Showing(), Showing(), SimPins(PINS, 27), lambda: False)
    with pytest.raises(DeviceTrouble, match=str(port)):
        await other.__aenter__()


# --- in a real browser ------------------------------------------------------------------------------------------------


async def test_a_person_presses_touches_and_sees_in_a_browser(front: Front) -> None:
    front.display.show(150)
    async with GpioButtons(PINS, front.pins.factory, 0.3) as buttons, a_page(front.panel.url) as (page, troubles):
        presses = buttons.presses()
        async with asyncio.timeout(10):
            while await page.evaluate("document.getElementById('display').width") == 1280:  # as drawn empty
                await asyncio.sleep(0.01)
        await page.locator("[data-button=camera_plus]").hover()
        await page.mouse.down()
        assert [(await anext(presses)).phase for _ in range(2)] == ["down", "long"]
        await page.mouse.up()
        assert (await anext(presses)).phase == "up"
        await page.keyboard.press("a")
        assert await anext(presses) == Press("accept", "down")
        await page.locator("#display").click(position={"x": 10, "y": 10})
        await eventually(lambda: [t.phase for t in front.display.touches] == ["down", "up"])
        await page.locator("label:has(#plugged)").click()
        await eventually(lambda: not front.camera.plugged)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert troubles == []


@asynccontextmanager
async def a_page(url: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page 360 px wide, and what its console complains of."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--headless=new", "--no-sandbox"],
            ignore_default_args=["--headless=old"],
        )
        try:
            page = await browser.new_page(viewport={"width": 360, "height": 700})
            troubles: list[str] = []
            page.on("console", lambda message: troubles.append(message.text))
            page.on("pageerror", lambda error: troubles.append(str(error)))
            await page.goto(url)
            yield page, troubles
        finally:
            await browser.close()


async def picture(socket: aiohttp.ClientWebSocketResponse) -> Pixels:
    """The next picture of the display: (H, W, 3) uint8 BGR."""
    async with asyncio.timeout(10):
        while (message := await socket.receive()).type is not aiohttp.WSMsgType.BINARY:
            assert message.type is aiohttp.WSMsgType.TEXT
    image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


async def shade(socket: aiohttp.ClientWebSocketResponse) -> float:
    return float((await picture(socket)).mean())


async def state(socket: aiohttp.ClientWebSocketResponse) -> dict[str, object]:
    async with asyncio.timeout(10):
        while (message := await socket.receive()).type is not aiohttp.WSMsgType.TEXT:
            assert message.type is aiohttp.WSMsgType.BINARY
    told: dict[str, object] = json.loads(message.data)
    return told


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)
