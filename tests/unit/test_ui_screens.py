"""Which screen is shown in which state, and what can be chosen on it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from kiosk.session.flow import Flow, begin
from kiosk.session.record import Rating, Recording, Ringing
from kiosk.session.states import State
from kiosk.ui.fit import grown, overlap
from kiosk.ui.gallery import SIZES, sample_picture
from kiosk.ui.gallery_views import ANNA, YELLOW, provider, sample_views, session
from kiosk.ui.layout import KEY_GAP, arrange, measures, picture_area
from kiosk.ui.local import Front
from kiosk.ui.screens import HINT_S, Screen, screen
from kiosk.ui.theme import TOUCH_MM, px_per_mm
from kiosk.ui.view import CallView, SnapshotView, View

FRONT = Front()
BASE = View("en", "Press 7", provider("en"), online=True, now_s=75.0)
LIVE = sample_picture(64, 36, 10)
CALL = CallView(people=(("Anna", YELLOW),))


def ids(shown: Screen) -> list[str]:
    return [c.id for c in shown.choices]


def shown(state: State, **more: object) -> Screen:
    view = {k: v for k, v in more.items() if k in ("sent", "call", "qr", "online")}
    rest = {k: v for k, v in more.items() if k not in view}
    return screen(replace(BASE, session=session("en", state, **rest), **view), FRONT)  # type: ignore[arg-type]  # a test's own words


def running(call: CallView) -> Screen:
    return shown(State.RUNNING, call=call)


def test_idle_offers_the_camera_plus_button_first_and_the_articles() -> None:
    idle = screen(BASE, FRONT)
    assert idle.name == "idle"
    assert ids(idle) == ["ask", "article", "article"]
    assert idle.focus == 0
    assert idle.heading == "Press 7"


@pytest.mark.parametrize(
    ("online", "staff", "said"),
    [
        (True, True, ["Online", "Service available"]),
        (True, False, ["Online", "Service not at the desk"]),
        (True, None, ["Online"]),
        (False, True, ["No network"]),
    ],
)
def test_idle_says_whether_the_service_is_at_the_desk_where_that_is_known(
    online: bool, staff: bool | None, said: list[str]
) -> None:
    view = replace(BASE, online=online, staff_online=staff)
    assert [chip.text for chip in screen(view, FRONT).status] == said


def test_where_requests_are_off_there_is_no_way_to_ask() -> None:
    off = replace(BASE, provider=msgspec.structs.replace(BASE.provider, requests_allowed=False))
    for view in (off, replace(off, article="a-0"), replace(off, flow_discarded=True)):
        assert not {"ask", "ask-with-reason"} & set(ids(screen(view, FRONT)))


def test_a_trouble_is_said_in_words_on_every_screen() -> None:
    troubled = replace(BASE, troubles=("no_camera", "disk_full"))
    assert "camera" in screen(troubled, FRONT).banner
    assert "camera" in screen(replace(troubled, flow=begin(BASE.provider)), FRONT).banner


@pytest.mark.parametrize(
    ("step", "choices"),
    [
        ("reason", {"answer", "other", "leave", "page"}),
        ("requester", {"answer", "type", "erase", "shift", "symbols", "leave"}),
        ("consent", {"consent-yes", "consent-no", "leave"}),
        ("ticket", {"ticket", "other", "next", "leave"}),
        ("note", {"next", "leave"}),
    ],
)
def test_every_step_of_the_flow_has_its_choices(step: str, choices: set[str]) -> None:
    flow = Flow((step,))  # type: ignore[arg-type]  # from the parameters
    assert set(ids(screen(replace(BASE, flow=flow), FRONT))) == choices


def test_only_a_later_step_leads_back() -> None:
    flow = begin(BASE.provider)
    assert "back" not in ids(screen(replace(BASE, flow=flow), FRONT))
    assert "back" in ids(screen(replace(BASE, flow=msgspec.structs.replace(flow, at=1)), FRONT))


def test_all_reasons_are_reached_page_by_page() -> None:
    view = replace(BASE, flow=begin(BASE.provider))
    key = screen(view, FRONT).key
    seen = {
        c.arg
        for page in range(2)
        for c in screen(view, replace(FRONT, screen=key, page=page)).choices
        if c.id == "answer"
    }
    assert seen == set(BASE.provider.reasons)


def test_a_discarded_flow_is_said() -> None:
    assert "discarded" in screen(replace(BASE, flow_discarded=True), FRONT).title


def test_waiting_says_honestly_whether_it_was_sent() -> None:
    assert shown(State.REQUESTED, sent=True).name == "waiting"
    assert shown(State.REQUESTED, sent=False, online=True).name == "request-sending"
    assert shown(State.REQUESTED, sent=False, online=False).name == "waiting-for-network"


def test_waiting_says_who_has_seen_it() -> None:
    seen = shown(State.REQUESTED, sent=True, seen_by=(ANNA,))
    assert any("Anna Schmidt" in line for line in seen.lines)
    assert shown(State.REQUESTED, sent=False, seen_by=(ANNA,)).name == "seen", "that she has is not told back yet"


def test_confirmed_offers_start_first() -> None:
    assert ids(shown(State.CONFIRMED)) == ["start", "cancel"]


def test_whoever_did_not_ask_is_not_told_that_a_request_was_confirmed() -> None:
    assert shown(State.CONFIRMED).title == "Request confirmed"
    assert shown(State.CONFIRMED, origin="staff").title == "A video call is ready"


def test_ringing_can_be_answered_or_given_up() -> None:
    assert ids(shown(State.CONFIRMED, ringing=Ringing("code_user"))) == ["give-up"]
    calling = shown(State.CONFIRMED, ringing=Ringing("staff", "Anna"))
    assert ids(calling) == ["accept", "decline"]
    assert "Anna" in calling.title


@pytest.mark.parametrize(
    ("by", "why", "title"),
    [
        ("code_user", "no_answer", "Niemand hat geantwortet"),
        ("code_user", "declined", "Der Service kann gerade nicht sprechen"),
        ("code_user", "restart", "Der Anruf wurde unterbrochen"),
        ("code_user", "given_up", "Anfrage bestätigt"),  # he knows
        ("staff", "no_answer", "Verpasster Anruf"),
        ("staff", "given_up", "Verpasster Anruf"),
        ("staff", "declined", "Anfrage bestätigt"),
        ("", "", "Anfrage bestätigt"),
    ],
)
def test_ringing_that_came_to_nothing_is_said_and_start_stays(by: str, why: str, title: str) -> None:
    told = session("de", State.CONFIRMED, rang_in_vain=why, rang_by=by)
    over = screen(replace(BASE, language="de", session=told), FRONT)
    assert over.title == title
    assert ids(over) == ["start", "cancel"]


def test_a_call_that_rings_goes_before_an_open_article_and_a_flow() -> None:
    ringing = session("en", State.CONFIRMED, ringing=Ringing("staff", "Anna"))
    busy = replace(BASE, article="a-0", flow=begin(BASE.provider), session=ringing)
    assert screen(busy, FRONT).name == "ringing"


def test_the_call_has_its_tools() -> None:
    assert ids(running(CALL)) == ["snapshot", "live-tool", "mute", "hang-up"]
    assert ids(running(replace(CALL, muted=True)))[2] == "unmute"
    assert running(CALL).mode == "call"


def test_the_call_says_how_the_button_is_used_for_a_while_after_its_beginning_and_each_press() -> None:
    view = replace(BASE, session=session("en", State.RUNNING), call=CALL)

    def said(now_s: float, touched_s: float, front: Front = FRONT) -> bool:
        shown = screen(replace(view, now_s=now_s, touched_s=touched_s), front)
        return "Button: short = next, hold = choose" in [chip.text for chip in shown.chips]

    assert said(HINT_S / 2, -300.0)
    assert not said(2 * HINT_S, -300.0)
    assert said(500.0, 499.0)
    assert not said(500.0, 499.0, replace(FRONT, by_touch=True))


def test_a_running_session_without_its_call_yet_says_so_and_can_be_left() -> None:
    assert ids(shown(State.RUNNING)) == ["hang-up"]


def test_the_camera_sign_is_always_there_in_a_call() -> None:
    assert running(CALL).chips[0].icon == "camera"


def test_recording_shows_its_sign_and_can_be_withdrawn() -> None:
    on = running(replace(CALL, recording="on"))
    assert "withdraw" in ids(on)
    assert any(c.text == "RECORDING" for c in on.chips)
    assert not any(c.text == "RECORDING" for c in running(CALL).chips)


def test_asked_for_consent_the_call_shows_the_wording_and_both_answers() -> None:
    asked = running(replace(CALL, recording="asked"))
    assert ids(asked) == ["consent-yes", "consent-no", "hang-up"]
    assert "recorded" in asked.lines[0]


def test_a_snapshot_can_be_edited_and_left() -> None:
    open_ = running(replace(CALL, snapshot=SnapshotView("sn-1", LIVE)))
    assert open_.mode == "snapshot"
    assert ids(open_)[:2] == ["live", "undo"]


def test_the_end_is_rated_but_leaving_is_the_first_choice() -> None:
    for state in (State.COMPLETED, State.CLOSED):
        end = shown(state)
        assert ids(end) == ["done", *["rate"] * 5]
        assert [c.arg for c in end.choices[1:]] == ["1", "2", "3", "4", "5"]
    assert shown(State.CLOSED, rating=Rating(4)).stars == 4


def test_closed_shows_the_code_where_there_is_an_address() -> None:
    assert shown(State.CLOSED, qr="https://desk.example/s/x").qr == "https://desk.example/s/x"


def test_cancelled_says_by_whom() -> None:
    assert "Anna Schmidt" in shown(State.CANCELLED).lines[0]


def test_time_in_the_call_is_counted() -> None:
    assert any(c.text == "01:15" for c in running(CALL).chips)


def test_no_recording_sign_without_recording_whatever_the_session_says() -> None:
    recorded = Recording(allowed=True, asked=True, running=True)
    assert not any(c.text == "RECORDING" for c in shown(State.RUNNING, call=CALL, recording=recorded).chips)


@pytest.mark.parametrize("size", [*SIZES, (800, 480)])
@pytest.mark.parametrize("language", ["de", "en"])
def test_on_every_screen_choices_are_large_enough_inside_and_apart(size: tuple[int, int], language: str) -> None:
    for name, view, front in sample_views(language, size, LIVE):
        what = screen(view, front)
        rects = arrange(what, size).choices
        least = TOUCH_MM * px_per_mm(size)
        for i, (choice, rect) in enumerate(zip(what.choices, rects, strict=True)):
            touched = rect
            if choice.place == "key":
                touched = grown(rect, measures(size).px(KEY_GAP) // 2)  # gaps as well
                if measures(size).portrait:
                    least = 8 * px_per_mm(size)  # as on a telephone: ten keys side by side on an upright panel
            assert min(touched.w, touched.h) >= least, (name, choice)
            assert rect.x >= 0, (name, choice)
            assert rect.x + rect.w <= size[0], (name, choice)
            assert rect.y >= 0, (name, choice)
            assert rect.y + rect.h <= size[1], (name, choice)
            for other in rects[:i]:
                assert overlap(rect, other) is None, (name, choice)
        if what.mode != "page":
            assert all(overlap(r, picture_area(size)) is None for r in rects), name


@pytest.mark.parametrize(
    ("step", "quality", "words"),
    [
        ("full", "good", "Good picture"),
        ("full", "poor", "Poor connection"),
        ("smaller", "fair", "Weak connection: smaller picture"),
        ("small", "poor", "Weak connection: small, jerky picture"),
        ("stills", "poor", "Very weak connection: stills only"),
    ],
)
def test_the_call_says_in_words_how_the_picture_is_sent(step: str, quality: str, words: str) -> None:
    call = replace(CALL, people=(("Anna", YELLOW),), quality=quality, step=step)
    assert [c.text for c in running(call).chips if c.icon == "network"] == [words]


def test_who_gets_single_pictures_alone_is_named_and_with_nobody_there_nothing_is_said() -> None:
    call = replace(CALL, people=(("Anna", YELLOW), ("Ben", YELLOW)), quality="poor", step="full", on_stills=("Ben",))
    assert "Single pictures only: Ben" in [c.text for c in running(call).chips]
    assert not [c for c in running(replace(CALL, people=(), quality="good")).chips if c.icon == "network"]
