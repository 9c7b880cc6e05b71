"""`kiosk doctor`: each part is tried, and what is found is said on the display, at the terminal and over MQTT."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as changed

from kiosk.config import Config, load
from kiosk.demo.run import running
from kiosk.demo.site import Choices, lay_out
from kiosk.doctor import CHECKS, Finding, as_json, examine
from kiosk.errors import DeviceTrouble
from kiosk.hw.build import Parts, build
from kiosk.hw.camera_frames import FramesCamera
from kiosk.hw.encoder import X264Encoder
from kiosk.hw.ports import ButtonName, Picture, Pixels, Touch
from kiosk.hw.sim.camera import SceneSource
from kiosk.hw.sim.display import MemoryDisplay, SimTouchscreen
from kiosk.hw.sim.panel import Panel
from kiosk.hw.sim.scene import Scene, canvas
from kiosk.wire.codec import decode
from kiosk.wire.messages import Health

HARDWARE = ("display", "lamp", "buttons", "touch", "camera", "microphone", "speaker", "echo")


@pytest.fixture(scope="module", autouse=True)
def _drawn() -> None:
    """The simulated camera has its ten seconds to open; a busy machine may need them for the scene."""
    canvas()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.timeout(120)
async def test_each_part_of_a_running_site_works_and_the_desk_hears_of_it(tmp_path: Path) -> None:
    async with running(tmp_path, Choices()) as system:
        await system.kill("kiosk")  # the doctor wants its hardware and its place at the broker
        doctor = ("kiosk", "doctor", "--json", "--config", str(system.site.kiosk_toml))
        said = await asyncio.to_thread(run, *doctor)
        health = await told(tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr
    found = json.loads(said.stdout)
    assert found["works"]
    assert [part["part"] for part in found["parts"]] == list(CHECKS)
    assert {part["state"] for part in found["parts"]} == {"works"}
    assert health.parts == dict.fromkeys(CHECKS, "ok")


def test_what_does_not_work_is_named_in_the_installers_language(tmp_path: Path) -> None:
    site = a_site(tmp_path, Choices(camera="v4l2:/dev/video-nowhere"))
    said = run("kiosk", "doctor", "--config", str(site))
    assert said.returncode == 1
    rows = said.stdout.splitlines()
    for part, state in (("Kamera", "GEHT NICHT"), ("Leitstand", "GEHT NICHT"), ("Lautsprecher", "geht")):
        assert state in next(row for row in rows if row.startswith(part)), said.stdout
    assert "video-nowhere" in said.stdout
    english = run("kiosk", "doctor", "--language", "en", "--only", "camera", "--config", str(site))
    assert english.stdout.startswith("Camera")
    assert "Speaker" not in english.stdout


async def test_the_lamp_is_lit_before_the_camera_is_opened_and_until_it_is_closed(tmp_path: Path) -> None:
    config, parts = a_kiosk(tmp_path)
    seen: list[tuple[bool, bool]] = []

    async def look() -> None:
        while True:
            seen.append((camera(parts).opened, panel(parts).pins.lamp_on()))
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    found = by_part(await examine(config, parts=parts, only=("lamp", "camera")))
    looking.cancel()
    assert found["camera"].state == "works"
    assert (True, True) in seen
    assert (True, False) not in seen
    assert not panel(parts).pins.lamp_on()


async def test_without_its_lamp_the_camera_stays_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, parts = a_kiosk(tmp_path)

    async def broken(_: object) -> None:
        raise DeviceTrouble("lamp: the pin is taken")

    monkeypatch.setattr(type(parts.lamp), "__aenter__", broken)
    monkeypatch.setattr(type(parts.lamp), "show", lambda lamp, state: None)
    found = by_part(await examine(config, parts=parts, only=("lamp", "camera")))
    assert found["lamp"].state == found["camera"].state == "fails"
    assert "dark" in found["camera"].words("en")


async def test_an_unplugged_camera_is_named(tmp_path: Path) -> None:
    config, parts = a_kiosk(tmp_path)
    source = panel(parts).camera
    assert source is not None
    source.unplug()
    assert "unplugged" in by_part(await examine(config, parts=parts, only=("camera",)))["camera"].words("en")


class Covered(SceneSource):
    def _take(self) -> Picture:
        picture = super()._take()
        return replace(picture, y=np.full_like(picture.y, 17))


async def test_a_covered_camera_is_told_from_one_that_works(tmp_path: Path) -> None:
    config, parts = a_kiosk(tmp_path)
    dark = FramesCamera(Covered(Scene(320, 180, 30)), lambda bps: X264Encoder(320, 180, 30, bps), 500_000)
    found = by_part(await examine(config, parts=replace(parts, camera=dark), only=("camera",)))
    assert found["camera"].said.code == "camera_dark"


async def test_the_checklist_fills_in_on_the_display(tmp_path: Path) -> None:
    config, parts = a_kiosk(tmp_path)
    pictures: list[Pixels] = []

    def grab(_: Finding) -> None:
        pictures.append(display(parts).grab())

    await examine(config, parts=parts, only=("display", "lamp", "disk", "versions"), told=grab)
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(pictures))


async def test_a_display_that_takes_no_picture_is_named_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, parts = a_kiosk(tmp_path)

    def broken(*_: object) -> None:
        raise DeviceTrouble("display: switched off")

    monkeypatch.setattr(parts.display, "present", broken)
    found = by_part(await examine(config, parts=parts, only=("display", "disk")))
    assert "switched off" in found["display"].words("en")
    assert found["disk"].works


# --- with an installer ------------------------------------------------------------------------------------------------


async def test_an_installer_goes_through_it_with_the_one_button(tmp_path: Path) -> None:
    config, parts = a_kiosk(tmp_path)
    async with a_finger(parts, 0.0) as finger:
        found = by_part(await examine(config, installer=True, parts=parts, only=HARDWARE, told=finger.at))
    assert found["buttons"].said.code == "buttons_pressed"
    assert found["lamp"].said.code == "lamp_seen"
    assert found["touch"].state == "left_out"  # nobody touched it, and the button went on
    assert found["camera"].state == found["speaker"].state == "works"
    assert finger.presses >= 5


async def test_what_the_installer_does_not_see_does_not_work(tmp_path: Path) -> None:
    config, parts = a_kiosk(tmp_path)
    async with a_finger(parts, 1.0) as finger:
        only = ("lamp", "buttons", "camera")
        found = by_part(await examine(config, installer=True, parts=parts, only=only, told=finger.at))
    assert found["lamp"].said.code == found["camera"].said.code == "wrong"
    assert found["buttons"].state == "left_out"  # another one was held


async def test_a_touch_is_seen_where_it_is(tmp_path: Path) -> None:
    config, parts = a_kiosk(tmp_path)
    touchscreen = parts.touchscreen
    assert isinstance(touchscreen, SimTouchscreen)
    async with a_finger(parts, 0.0) as finger:

        def at(finding: Finding) -> None:
            finger.at(finding)
            finger.rests = finding.part == "buttons"
            if finger.rests:
                asyncio.get_running_loop().call_later(0.5, touchscreen.feed, Touch("down", 0.25, 0.5))

        found = by_part(await examine(config, installer=True, parts=parts, only=("lamp", "buttons", "touch"), told=at))
    assert found["touch"].said.values == {"x": 25, "y": 50}


# --- helpers ----------------------------------------------------------------------------------------------------------


def a_site(folder: Path, choices: Choices) -> Path:
    """Settings of a kiosk whose broker and desk do not run."""
    site = lay_out(folder, choices)
    (folder / "broker").mkdir()
    (folder / "broker" / "kiosk-1.password").write_text("unused")
    return site.kiosk_toml


def a_kiosk(folder: Path) -> tuple[Config, Parts]:
    config = load(a_site(folder, Choices(display="640x360")))
    config = changed(config, call=changed(config.call, width=320, height=180))
    return config, build(config.hardware, config.call)


class Finger:
    """Presses again and again what it is asked for, as long as it does not rest."""

    def __init__(self, parts: Parts, held_s: float) -> None:
        self._pins, self._held_s = panel(parts).pins, held_s
        self.rests = False
        self.presses = 0
        self._names: tuple[ButtonName, ...] = ("camera_plus",)

    def at(self, finding: Finding) -> None:
        """Each button while they are asked for; else the one that says yes."""
        self._names = self._pins.names if finding.part == "lamp" else ("camera_plus",)

    async def press(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            if not self.rests:
                self.presses += 1
                name = self._names[self.presses % len(self._names)]
                self._pins.press(name)
                await asyncio.sleep(self._held_s + 0.1)
                self._pins.release(name)


@asynccontextmanager
async def a_finger(parts: Parts, held_s: float) -> AsyncIterator[Finger]:
    finger = Finger(parts, held_s)
    task = asyncio.create_task(finger.press())
    yield finger
    task.cancel()


def by_part(findings: list[Finding]) -> dict[str, Finding]:
    assert [finding.part for finding in findings] == [part for part in CHECKS if part in {f.part for f in findings}]
    assert json.loads(as_json(findings))["works"] == all(finding.works for finding in findings)
    return {finding.part: finding for finding in findings}


def panel(parts: Parts) -> Panel:
    assert parts.panel is not None
    return parts.panel


def camera(parts: Parts) -> FramesCamera:
    assert isinstance(parts.camera, FramesCamera)
    return parts.camera


def display(parts: Parts) -> MemoryDisplay:
    assert isinstance(parts.display, MemoryDisplay)
    return parts.display


async def told(folder: Path) -> Health:
    """What the desk has of the doctor's."""

    def stored() -> Health | None:
        with contextlib.closing(sqlite3.connect(f"file:{folder / 'desk' / 'desk.sqlite'}?mode=ro", uri=True)) as db:
            for (health,) in db.execute("select health from kiosks where health is not null"):
                found: Health = decode(health, Health)
                return found if "versions" in found.parts else None
        return None

    async with asyncio.timeout(20):
        while (health := await asyncio.to_thread(stored)) is None:
            await asyncio.sleep(0.05)
    return health
