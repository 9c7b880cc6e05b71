"""What bad luck does to the whole system in the middle of a call: said, survived, nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kiosk.demo.site import Choices
from kiosk.session.record import ArtifactKind, Session
from kiosk.session.states import State
from tests.whole.rig import Rig, chromium, rig, until

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Rig]:
    async with chromium() as browser, rig(tmp_path, browser, Choices(review_s=600.0, steps=("consent",))) as stage:
        yield stage


async def in_a_call(stage: Rig) -> str:
    """A recorded call between the kiosk and the page; returns the session's id."""
    await stage.press_and_see("camera_plus")
    await stage.press("accept")
    row = stage.desk.locator(".session-row[data-state=REQUESTED]")
    await row.wait_for()
    session_id = await row.get_attribute("data-id") or ""
    await stage.command(session_id, "confirm")
    await stage.open_session(session_id)
    await stage.desk.locator("#start").click()
    await stage.desk.locator("#recording-sign[data-state=on]").wait_for()
    await moving(stage)
    return session_id


async def moving(stage: Rig) -> int:
    """Waits until the page shows new frames; the number of the last one."""
    first = await until(stage.frame_in_page, "the camera's picture in the page")

    async def later() -> int | None:
        code = await stage.frame_in_page()
        return int(code["number"]) if code and code["number"] > first["number"] + 20 else None

    return await until(later, "moving pictures in the page", 30)


async def test_a_camera_that_is_unplugged_is_announced_and_comes_back(stage: Rig) -> None:
    session_id = await in_a_call(stage)
    await stage.kiosk.locator("label:has(#plugged)").click()
    await stage.desk.locator("#camera-lost").wait_for()
    assert (await stage.session(session_id)).state is State.RUNNING
    await stage.kiosk.locator("label:has(#plugged)").click()
    await stage.desk.locator("#camera-lost").wait_for(state="hidden")
    await moving(stage)
    assert (await stage.panel_state())["lamp"], "whenever the camera is live"


async def test_the_desk_and_the_broker_may_die_and_the_call_goes_on(stage: Rig) -> None:
    session_id = await in_a_call(stage)
    system = stage.system
    connection = "window.desk.call.connection"
    await stage.desk.evaluate(f"window.before = {connection}")
    await system.kill("desk")
    await system.kill("broker")
    await moving(stage)
    await system.start("broker")
    await system.start("desk")
    await system.ready()
    await moving(stage)
    assert await stage.desk.evaluate(f"window.before === {connection}"), "the very same connection"
    await stage.desk.locator("#hang-up").click()
    completed = await stage.until_state(session_id, "COMPLETED")
    assert len(completed.calls) == 1


async def test_a_call_that_is_hung_up_while_the_desk_is_dead_is_over_at_once(stage: Rig) -> None:
    session_id = await in_a_call(stage)
    await stage.system.kill("desk")
    await stage.desk.locator("#hang-up").click()

    async def dark() -> bool:
        return not (await stage.panel_state())["lamp"]

    await until(dark, "the camera's light out", 30)  # of 90 s in which somebody who was lost may return
    await stage.system.start("desk")
    await stage.system.ready()
    completed = await stage.until_state(session_id, "COMPLETED")
    assert completed.history[-1].cause == "hung_up"


async def test_a_kiosk_that_loses_power_comes_back_with_the_call_over_and_its_recording_kept(stage: Rig) -> None:
    session_id = await in_a_call(stage)
    await moving(stage)
    await stage.system.kill("kiosk")
    await stage.system.start("kiosk")
    completed = await stage.until_state(session_id, "COMPLETED", 90)
    assert completed.history[-1].cause == "restart"
    await stage.command(session_id, "close")

    async def uploaded() -> Session | None:
        session = await stage.session(session_id)
        recording = [a for a in session.artifacts if a.kind is ArtifactKind.RECORDING]
        return session if recording and all(a.uploaded for a in session.artifacts) else None

    session = await until(uploaded, "the recording that was cut off, at the desk", 90)
    video = stage.desk.locator(".artifact[data-kind=recording] video")
    await video.wait_for()
    length_s = await video.evaluate(
        """(video) => new Promise((resolve, reject) => {
            video.onerror = () => reject(new Error(video.error.message));
            if (video.readyState) resolve(video.duration);
            else video.onloadedmetadata = () => resolve(video.duration);
        })"""
    )
    assert length_s > 0
    assert session.state is State.CLOSED
