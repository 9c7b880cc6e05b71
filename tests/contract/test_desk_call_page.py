"""The call page's comforts, in a real Chromium: keys and their help, devices tried before the call, nothing lost on a
reload."""

# ruff: noqa: F811 - pytest's fixtures are imported, and named again where they are asked for

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Page, expect

from kiosk.session.states import State
from kiosk.wire import channel
from tests.contract.desk_stub import StubDesk
from tests.contract.test_desk_pages import (  # noqa: F401 - fixtures
    browser,
    desk,
    drag,
    in_call,
    open_page,
    received,
    session,
    until,
)

OpenPage = Callable[..., Page]

REFUSED = """(name) => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", name)); }"""


# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "words"), [("en", "Keyboard shortcuts"), ("de", "Tastenkürzel")])
def test_a_question_mark_shows_every_key_and_escape_puts_the_list_away(
    desk: StubDesk, open_page: OpenPage, language: str, words: str
) -> None:
    desk.put(session(state=State.CONFIRMED))
    page = open_page(f"/sessions/s-1?language={language}")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text(words)
    listed = set(page.locator("#keys kbd").all_inner_texts())
    keys = page.evaluate("[...document.querySelectorAll('#call [aria-keyshortcuts]')].map((e) => e.ariaKeyShortcuts)")
    assert {key.replace("Shift+", "⇧ ") for key in keys} - listed == {"?"}
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_keys_choose_tools_but_not_while_something_is_typed_or_asked(desk: StubDesk, open_page: OpenPage) -> None:
    page = in_call(desk, open_page)
    page.keyboard.press("l")
    expect(page.locator("#tool-pointer")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("f")
    expect(page.locator("body")).to_have_class(re.compile("full-screen"))
    page.keyboard.press("f")
    page.keyboard.press("s")
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    page.keyboard.press("4")
    expect(page.locator("#snapshot-view")).to_have_attribute("data-tool", "text")
    page.locator("#snapshot-overlay").click(position={"x": 300, "y": 200})
    page.locator("#snapshot-text").press_sequentially("amps?")  # a, m, p and s are keys
    assert received(desk, channel.Mute) == []
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#snapshot-view")).to_have_attribute("data-edits", "1")
    page.keyboard.press("Control+z")
    expect(page.locator("#snapshot-view")).to_have_attribute("data-edits", "0")
    page.keyboard.press("?")
    page.keyboard.press("a")  # the list is in front: nothing is muted behind it
    page.keyboard.press("Escape")
    expect(page.locator("#snapshot-view")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#snapshot-view")).to_be_hidden()
    assert received(desk, channel.Mute) == []


# --- what must not hide what ----------------------------------------------------------------------------------------


def box_of(page: Page, place: str) -> FloatRect:
    box = page.locator(place).bounding_box()
    assert box is not None
    return box


def test_the_own_camera_leaves_the_connection_in_numbers_free_on_a_phone(desk: StubDesk, open_page: OpenPage) -> None:
    page = in_call(desk, open_page, 360, 740)
    page.keyboard.press("v")
    expect(page.locator("#own-camera")).to_be_visible()
    page.keyboard.press("i")
    expect(page.locator("#quality-figures [data-name=freezes]")).to_be_visible()
    panel, own, picture = (box_of(page, place) for place in ("#quality-panel", "#own-camera", "#picture"))
    assert panel["y"] + panel["height"] <= own["y"]
    assert own["y"] + own["height"] <= picture["y"] + picture["height"]
    page.keyboard.press("i")
    assert box_of(page, "#own-camera")["y"] == picture["y"] + 10


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (768, 900), (360, 740)])
@pytest.mark.parametrize("language", ["de", "en"])
def test_the_tools_stay_where_they_are_while_the_page_says_that_the_desk_is_away(
    desk: StubDesk, open_page: OpenPage, width: int, height: int, language: str
) -> None:
    desk.put(session(state=State.CONFIRMED))
    page = open_page(f"/sessions/s-1?language={language}", width, height)
    page.locator("#start").click()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    page.evaluate("scrollTo(0, 0)")

    def lower_edge() -> float:
        box = box_of(page, "#hang-up")
        return round(box["y"] + box["height"])

    before = lower_edge()
    page.route("**/api/events", lambda route: route.abort())
    desk.break_streams()
    expect(page.locator("#connection")).to_be_in_viewport(ratio=1)
    until(page, lambda: lower_edge() == before)
    assert before <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# --- microphone and camera ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 360])
def test_camera_and_microphone_are_tried_before_anybody_sees_them(
    desk: StubDesk, open_page: OpenPage, width: int
) -> None:
    desk.put(session(state=State.CONFIRMED))
    page = open_page("/sessions/s-1", width, 740)
    page.locator("#gear-before").click()
    expect(page.locator('#gear-video[data-works="true"]')).to_be_visible()
    until(page, lambda: page.evaluate("document.querySelector('#gear-video').videoWidth"))
    until(page, lambda: page.evaluate("document.querySelector('#gear-level').value > 0.01"))  # its own tone
    assert page.locator("#gear-camera option").count() >= 2
    assert desk.calls == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#gear-camera").select_option(index=1)
    page.locator("#gear-camera-on").check()
    live = "document.querySelector('#gear-video').srcObject?.getTracks().some((t) => t.readyState === 'live') ?? false"
    until(page, lambda: page.evaluate(live))
    page.locator("#gear .primary").click()
    until(page, lambda: page.evaluate(live) is False)  # nobody is watched by a dialog that is closed
    expect(page.locator("#pre-camera")).to_have_attribute("aria-pressed", "true")
    page.locator("#start").click()
    until(page, lambda: desk.calls and desk.calls[-1].camera_frames > 3)
    picked = page.evaluate("[localStorage['desk.videoinput'], window.desk.call.cameraTrack.getSettings().deviceId]")
    assert picked[0] == picked[1]


@pytest.mark.parametrize(
    ("trouble", "camera", "microphone"),
    [
        ("NotAllowedError", "The camera is not allowed", "The microphone is not allowed"),
        ("NotFoundError", "There is no camera.", "There is no microphone."),
        ("NotReadableError", "The camera does not answer", "The microphone does not answer"),
    ],
)
def test_what_is_wrong_with_a_device_is_said_in_words_and_the_call_works_without(
    desk: StubDesk, open_page: OpenPage, trouble: str, camera: str, microphone: str
) -> None:
    desk.put(session(state=State.CONFIRMED))
    page = open_page("/sessions/s-1")
    page.evaluate(REFUSED, trouble)
    page.locator("#gear-before").click()
    expect(page.locator("#gear-video-why")).to_contain_text(camera)
    expect(page.locator("#gear-microphone-why")).to_contain_text(microphone)
    page.locator("#gear .primary").click()
    page.locator("#start").click()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    expect(page.locator(".toast", has_text="You are only listening")).to_contain_text(microphone)
    page.keyboard.press("v")
    expect(page.locator('.toast[data-tone="error"]')).to_contain_text(camera)
    expect(page.locator("#toggle-camera")).to_have_attribute("aria-pressed", "false")


def test_a_device_that_is_not_plugged_in_any_more_is_replaced_and_that_is_said(
    desk: StubDesk, open_page: OpenPage
) -> None:
    desk.put(session(state=State.CONFIRMED))
    page = open_page("/sessions/s-1")
    page.evaluate("localStorage['desk.audioinput'] = 'a-headset-of-last-week'")
    page.locator("#gear-before").click()
    expect(page.locator("#gear-microphone-why")).to_contain_text("not plugged in: another one is used")
    expect(page.locator("#gear-microphone")).to_have_value("")


def test_a_microphone_that_is_pulled_out_in_the_call_is_said_and_the_next_one_is_taken(
    desk: StubDesk, open_page: OpenPage
) -> None:
    page = in_call(desk, open_page)
    until(page, lambda: page.evaluate("Boolean(window.desk.call.micTrack)"))
    page.evaluate("() => { window.real = navigator.mediaDevices.getUserMedia; }")
    page.evaluate(REFUSED, "NotFoundError")
    page.evaluate("() => { window.old = window.desk.call.micTrack; window.old.dispatchEvent(new Event('ended')); }")
    expect(page.locator(".toast", has_text="You are only listening")).to_contain_text("There is no microphone.")
    expect(page.locator("#toggle-mic")).to_have_attribute("aria-pressed", "false")
    page.evaluate("() => { navigator.mediaDevices.getUserMedia = window.real; }")
    page.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")  # plugged in again
    expect(page.locator("#toggle-mic")).to_have_attribute("aria-pressed", "true")
    sent = "window.desk.call.senderOf('audio').track === window.desk.call.micTrack && window.desk.call.micTrack !== old"
    until(page, lambda: page.evaluate(sent))


def test_a_browser_without_h264_says_what_that_means(desk: StubDesk, open_page: OpenPage) -> None:
    page = in_call(desk, open_page)
    expect(page.locator("#no-h264")).to_be_hidden()
    page.evaluate("window.desk.call.hasH264 = false; window.desk.call.tell('codec')")
    expect(page.locator("#no-h264")).to_contain_text("smaller picture")
    expect(page.locator(".toast", has_text="H.264")).to_contain_text("OpenH264")
    page.keyboard.press("v")
    expect(page.locator('.toast[data-tone="error"]')).to_contain_text("cannot be shown at the machine")


# --- a reload -----------------------------------------------------------------------------------------------------


def test_nothing_is_lost_on_a_reload(desk: StubDesk, open_page: OpenPage) -> None:
    """The same place in the call, the way the picture is seen, the camera, and edits that were not acknowledged."""
    page = in_call(desk, open_page)
    for key in ("x", "t", "n", "v"):
        page.keyboard.press(key)
    expect(page.locator("#own-camera")).to_be_visible()
    page.keyboard.press("l")
    page.locator("#tool-snapshot").click()
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    desk.calls[-1].deaf = True
    drag(page, (0.5, 0.2), (0.7, 0.4))
    expect(page.locator("#snapshot-view")).to_have_attribute("data-unsent", "1")
    lost = until(page, lambda: received(desk, channel.Edit))[-1]
    page.reload()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    assert (len(desk.calls), len(desk.peers)) == (2, 1)
    seen = page.evaluate("(({tool, mirrored, turn, pinned}) => [tool, mirrored, turn, pinned])(window.desk.tools)")
    assert seen == ["pointer", True, 90, True]
    expect(page.locator("#own-camera")).to_be_visible()

    async def tell() -> None:
        desk.calls[-1].snapshot("Anna")

    desk.run(tell())
    again: list[Any] = until(page, lambda: received(desk, channel.Edit))
    assert [edit.id for edit in again] == [lost.id]
    expect(page.locator("#snapshot-view")).to_have_attribute("data-unsent", "0")


def test_edits_of_a_snapshot_that_was_closed_while_the_page_was_loaded_again_are_said_to_be_lost(
    desk: StubDesk, open_page: OpenPage
) -> None:
    page = in_call(desk, open_page)
    page.locator("#tool-snapshot").click()
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    desk.calls[-1].deaf = True
    drag(page, (0.5, 0.2), (0.7, 0.4))
    expect(page.locator("#snapshot-view")).to_have_attribute("data-unsent", "1")
    page.reload()
    expect(page.locator(".toast", has_text="Not everything was kept")).to_be_visible()
    page.reload()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    assert page.evaluate("window.desk.snapshot.kept") is None


def test_the_way_back_into_the_call_waits_for_nothing_but_the_desk_and_the_kiosk(
    desk: StubDesk, open_page: OpenPage
) -> None:
    """What takes its time on any machine is named here; the seconds are measured elsewhere."""
    page = in_call(desk, open_page)
    page.add_init_script(
        """window.waits = []; const set = window.setTimeout;
        window.setTimeout = (act, ms, ...more) => {
          if (!window.joined) window.waits.push(ms ?? 0);
          return set(act, ms, ...more);
        };
        document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
          if (document.querySelector("#call").dataset.state === "on") window.joined = true;
        }).observe(document.querySelector("#call"), { attributes: true }));"""
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url.removeprefix(desk.url)}"))
    page.reload()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    joining = next(n for n, line in enumerate(asked) if line.startswith("POST /api/sessions/s-1/call"))
    before = [line for line in asked[:joining] if "/static/" not in line]
    assert len([line for line in before if "/api/" in line]) <= 6, before
    limits = {8000, 5000}  # of the connection and of an answer: they end nothing that goes well
    assert max(ms for ms in page.evaluate("window.waits") if ms not in limits) <= 1500


# --- hanging up -----------------------------------------------------------------------------------------------------


def test_who_hangs_up_while_the_desk_is_dead_tells_the_kiosk_and_is_out(desk: StubDesk, open_page: OpenPage) -> None:
    page = in_call(desk, open_page)
    page.route("**/api/**", lambda route: route.abort())
    desk.break_streams()
    page.locator("#hang-up").click()
    expect(page.locator("#call")).to_be_hidden()
    until(page, lambda: received(desk, channel.HangUp))
    assert page.evaluate("Boolean(window.desk)") is False
    expect(page.locator('.toast[data-tone="error"]')).to_contain_text("The desk cannot be reached")
