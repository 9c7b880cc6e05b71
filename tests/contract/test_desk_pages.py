"""The desk's pages in a real Chromium, over a stub desk and (for calls) a real aiortc connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from babel.messages.pofile import read_po
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect, sync_playwright

from desk.sessions.consents import ConsentCheck
from desk.sessions.lost import as_lost
from desk.texts import WEB
from kiosk.session import inputs
from kiosk.session.receipts import Fault
from kiosk.session.record import (
    CODE_USER,
    Actor,
    Call,
    Change,
    Consent,
    FileHash,
    Receipt,
    Recording,
    Ringing,
    Session,
    Ticket,
)
from kiosk.session.states import Event, Role, State
from kiosk.wire import channel
from tests.contract.desk_stub import COLLEAGUE, DEVICE, ME, StubDesk, artifact

NASTY = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>\"'&amp;"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 3
KINDS = ("recording", "snapshot", "session_data")
EXPECTED = "Failed to load resource"  # said by the browser itself of refusals that a test asks for


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless=new", *arguments])
        yield browser
        browser.close()


@pytest.fixture
def desk() -> Iterator[StubDesk]:
    desk = StubDesk("en")
    desk.start()
    desk.presence("k-presse-3", True)
    yield desk
    desk.stop()


@pytest.fixture
def open_page(browser: Browser, desk: StubDesk) -> Iterator[Callable[..., Page]]:
    """A page of the desk; whatever its console complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and EXPECTED not in message.text:
            complaints.append(message.text)

    def open_(path: str = "/", width: int = 1280, height: int = 800) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            permissions=["microphone", "camera", "notifications"],
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(desk.url + path)
        if path.partition("?")[0] not in ("/signed-out", "/error"):
            page.wait_for_selector("[aria-busy=false]")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def session(id_: str = "s-1", state: State = State.REQUESTED, **more: Any) -> Session:
    plain: dict[str, Any] = {
        "id": id_,
        "epoch": "epoch",
        "rev": 1,
        "kiosk": "k-presse-3",
        "device": DEVICE,
        "state": state,
        "origin": "code_user",
        "created_at": "2026-11-23T08:00:00Z",
        "reason": "Störung E-217",
        "requester": "Hr. Müller",
        "asked": (ME, COLLEAGUE),
        "assigned": (ME, COLLEAGUE),
        "recording": Recording(allowed=True),
        "history": (Change("2026-11-23T08:00:00Z", CODE_USER, Event.REQUEST, None, State.REQUESTED),),
    }
    return Session(**{**plain, **more})


def until(page: Page, true: Callable[[], Any]) -> Any:
    """Polls from here: the page's CSP forbids what Playwright would poll with inside."""
    for _ in range(500):
        if found := true():
            return found
        page.wait_for_timeout(50)
    raise AssertionError("it never came")


# --- the list ---------------------------------------------------------------------------------------------------------


def test_a_request_appears_without_reload_with_toast_chime_and_number_in_the_title(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    expect(page.locator(".empty")).to_be_visible()
    desk.put(session())
    row = page.locator('.session-row[data-id="s-1"]')
    expect(row).to_contain_text("Störung E-217")
    expect(row).to_have_class(re.compile("unread"))
    expect(page.locator('.toast[data-tone="request"]')).to_contain_text(DEVICE.name)
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    assert page.locator("html").get_attribute("data-chimes") == "1"
    desk.do("s-1", inputs.Confirm(), Actor(Role.STAFF, COLLEAGUE.id, COLLEAGUE.name))
    expect(row).to_have_attribute("data-state", "CONFIRMED")
    expect(page.locator(".toast")).to_have_count(0)
    expect(page).not_to_have_title(re.compile(r"^\("))


def test_a_request_is_notified_by_the_system_and_once_only(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    pages = [open_page(), open_page("/devices")]
    desk.put(session())
    told = "navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.map((n) => n.data.path))"
    expect(pages[0].locator("#notifications-banner")).to_be_hidden()
    until(pages[0], lambda: pages[0].evaluate(told) == ["/sessions/s-1"])
    until(pages[1], lambda: pages[1].evaluate(told) == ["/sessions/s-1"])


def test_what_waits_comes_first_and_filters_narrow_the_list(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    states = [State.CLOSED, State.COMPLETED, State.CONFIRMED, State.RUNNING, State.REQUESTED, State.CANCELLED]
    for number, state in enumerate(states):
        desk.put(session(f"s-{number}", state, reason=f"Grund-{number}"))
    page = open_page()
    shown = [row.get_attribute("data-state") for row in page.locator(".session-row").all()]
    assert shown == ["REQUESTED", "RUNNING", "CONFIRMED", "COMPLETED", "CLOSED", "CANCELLED"]
    ringing = replace(desk.sessions["s-2"], rev=2, ringing=Ringing("code_user"))
    desk.put(ringing)
    expect(page.locator(".session-row").first).to_have_attribute("data-id", "s-2")
    page.locator('[data-filter="CONFIRMED"]').click()
    expect(page.locator(".session-row")).to_have_count(1)
    page.locator('[data-filter=""]').click()
    page.locator("#search").fill("grund-3")
    expect(page.locator(".session-row")).to_have_count(1)
    page.locator("#search").fill("nothing like that")
    expect(page.locator(".empty")).to_be_visible()


def test_a_broken_stream_comes_back_and_brings_what_was_missed(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = open_page()
    desk.break_streams()
    desk.sessions["s-7"] = session("s-7")  # nobody is told: the page must ask
    expect(page.locator('.session-row[data-id="s-7"]')).to_be_visible()
    assert page.locator("html").get_attribute("data-chimes") == "1"


TRIES = """() => {
  Math.random = () => 0;  // tries come 0.35, 0.7 and 1.4 s after what was lost
  window.EventSource = class extends EventSource {
    constructor(...all) {
      super(...all);
      const { dataset } = document.documentElement;
      this.addEventListener("error", () => { dataset.lost = Number(dataset.lost ?? 0) + 1; });
    }
  };
}"""


def test_each_try_that_fails_does_not_put_off_saying_that_the_desk_is_away(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    tries: list[Route] = []
    page.route("**/api/events", lambda route: tries.insert(0, route))
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    page.evaluate(TRIES)
    desk.break_streams()
    for number in (1, 2):
        while len(tries) < number:
            page.clock.run_for(50)
        tries[0].abort()
        page.wait_for_selector(f'html[data-lost="{number}"]')
    page.clock.run_for(500)  # more than a second was lost in the two tries
    expect(page.locator("#connection")).to_be_visible()


def test_a_request_is_announced_once_also_where_an_answer_is_sooner_than_the_event(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    root = page.locator("html")
    desk.sessions["s-7"] = session("s-7")
    page.locator("#search").fill("E-217")
    expect(page.locator('.session-row[data-id="s-7"]')).to_be_visible()
    expect(root).to_have_attribute("data-chimes", "1")
    desk.put(session("s-7"))
    desk.put(session("s-8"))
    expect(page.locator('.session-row[data-id="s-8"]')).to_be_visible()
    expect(root).to_have_attribute("data-chimes", "2")


def test_an_older_document_that_comes_late_changes_nothing(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session(state=State.CONFIRMED, rev=5))
    page = open_page()
    desk.put(session(state=State.REQUESTED, rev=4))
    desk.put(session("s-2"))
    expect(page.locator('[data-id="s-2"]')).to_be_visible()
    expect(page.locator('[data-id="s-1"]')).to_have_attribute("data-state", "CONFIRMED")


def test_staff_create_a_session_from_the_camera_plus_button(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = open_page("/devices", 360, 740)
    page.locator(".thumb-bar [data-new-session]").click()
    page.locator("#new-session-reason").fill("Wartung")
    page.locator("#new-session-create").click()
    expect(page.locator("#start")).to_be_visible()
    assert [s.reason for s in desk.sessions.values()] == ["Wartung"]


def test_a_device_that_goes_offline_says_so(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = open_page("/devices")
    expect(page.locator(".device [data-new-session]")).to_be_enabled()
    desk.presence("k-presse-3", False)
    expect(page.locator(".device [data-new-session]")).to_be_disabled()


@pytest.mark.parametrize(
    ("by", "why", "short", "title"),
    [
        ("code_user", "no_answer", "verpasster Anruf", f"Verpasster Anruf von {DEVICE.name}"),
        ("code_user", "given_up", "verpasster Anruf", f"Verpasster Anruf von {DEVICE.name}"),
        ("staff", "no_answer", "niemand hat geantwortet", "An der Maschine hat niemand geantwortet"),
        ("staff", "declined", "dort abgelehnt", "An der Maschine abgelehnt"),
    ],
)
def test_ringing_that_came_to_nothing_stands_in_the_list_and_in_the_details(
    desk: StubDesk, open_page: Callable[..., Page], by: str, why: str, short: str, title: str
) -> None:
    told = session(state=State.CONFIRMED, rang_in_vain=why, rang_by=by, seen_by=(ME,))
    desk.put(told)
    page = open_page("/?language=de")
    expect(page.locator('.session-row[data-id="s-1"]')).to_contain_text(short)
    page.goto(f"{desk.url}/sessions/s-1?language=de")
    expect(page.locator("#status-title")).to_have_text(title)
    expect(page.locator("#start")).to_be_visible()
    ringing = Ringing("staff", ME.name)
    desk.put(replace(told, rev=9, rang_in_vain="", rang_by="", ringing=ringing))
    expect(page.locator("#status-title")).not_to_have_text(title)


def lost_receipts() -> tuple[Receipt, ...]:
    no = Consent(False, "2026-11-23T08:04:00Z", "words", "de", "call")
    files = (FileHash("recording-1.mp4", "f" * 64, "c-1"),)
    return (
        Receipt(3, "2026-11-23T08:04:00Z", "said", no),
        Receipt(4, "2026-11-23T08:04:01Z", "deleted", files=files),
    )


def test_receipts_that_the_kiosk_lost_stand_on_the_details_page_in_words(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    desk.put(session(state=State.CLOSED))
    desk.consents["s-1"] = ConsentCheck(lost=lost_receipts(), restored=True)
    page = open_page("/sessions/s-1")
    panel = page.locator("#consents-panel")
    expect(panel).to_contain_text("The kiosk has lost receipts about consent")
    expect(panel).to_contain_text("Receipts known here that the kiosk no longer has:")
    expect(panel.locator('[data-n="3"]')).to_contain_text("said no to the recording")
    expect(panel.locator('[data-n="4"]')).to_contain_text("deleted: recording-1.mp4")


def test_receipts_that_were_changed_are_an_alert_in_the_readers_language_and_news_of_it_need_no_reload(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    told = session(state=State.CLOSED)
    desk.put(told)
    page = open_page("/sessions/s-1?language=de")
    panel = page.locator("#consents-panel")
    expect(panel).to_be_hidden()
    desk.consents["s-1"] = ConsentCheck((Fault("changed", receipt=2), Fault("no_receipt", file=NASTY)))
    desk.put(replace(told, rev=9, consents=lost_receipts()))
    expect(panel).to_have_attribute("data-tone", "alert")
    expect(panel).to_contain_text("Die Belege zur Zustimmung stimmen nicht")
    expect(panel).to_contain_text("Beleg 2 wurde verändert")
    expect(panel).to_contain_text(f"Zu {NASTY} gibt es keinen Beleg")


# --- one session ------------------------------------------------------------------------------------------------------


def test_staff_review_confirm_and_are_told_when_somebody_was_faster(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    desk.put(session())
    page = open_page("/sessions/s-1")
    until(page, lambda: desk.seen)
    expect(page.locator("#reason")).to_have_text("Störung E-217")
    told = desk.sessions["s-1"]
    colleague = Actor(Role.STAFF, COLLEAGUE.id, COLLEAGUE.name)
    change = Change("2026-11-23T08:01:00Z", colleague, Event.CANCEL, State.REQUESTED, State.CANCELLED)
    desk.race = replace(told, state=State.CANCELLED, rev=9, history=(*told.history, change))
    page.locator("#confirm").click()
    expect(page.locator('.toast[data-tone="error"]')).to_contain_text(COLLEAGUE.name)
    expect(page.locator("#state")).to_have_attribute("data-state", "CANCELLED")
    expect(page.locator("#reopen")).to_be_visible()


def test_a_session_that_its_kiosk_has_lost_offers_nothing_that_would_be_refused(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    desk.put(as_lost(session(), 1_800_000_000.0))
    page = open_page("/sessions/s-1")
    expect(page.locator("#state")).to_have_attribute("data-state", "CANCELLED")
    expect(page.locator("#actions button")).to_have_count(0)
    expect(page.locator("#assign")).to_be_hidden()
    expect(page.locator("[data-unassign]")).to_have_count(0)


def test_calling_off_asks_back(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session())
    page = open_page("/sessions/s-1")
    page.locator("#cancel").click()
    page.locator("#answer-no").click()
    assert desk.commands == []
    page.locator("#cancel").click()
    page.locator("#answer-yes").click()
    expect(page.locator("#state")).to_have_attribute("data-state", "CANCELLED")


def test_a_code_user_who_rings_is_joined_with_one_press(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session(state=State.CONFIRMED))
    desk.present = False
    page = open_page("/sessions/s-1")
    expect(page.locator("#start")).to_be_visible()
    desk.do("s-1", inputs.Start(), CODE_USER)
    expect(page.locator('#status[data-tone="ring"]')).to_be_visible()
    assert int(page.locator("html").get_attribute("data-chimes") or 0) >= 1
    page.locator("#join").click()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()


def test_start_rings_at_the_machine_and_can_be_given_up(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session(state=State.CONFIRMED))
    desk.present = False
    page = open_page("/sessions/s-1")
    page.locator("#start").click()
    page.locator("#give-up").click()
    expect(page.locator("#start")).to_be_visible()
    desk.do("s-1", inputs.Start(other_present=True), CODE_USER)
    expect(page.locator("#state")).to_have_attribute("data-state", "RUNNING")
    expect(page.locator("#join")).to_be_visible()  # given up is given up: it does not join by itself


@pytest.mark.parametrize(("language", "words"), [("en", "is damaged"), ("de", "ist beschädigt")])
def test_a_file_that_is_lost_says_so_instead_of_being_waited_for(
    desk: StubDesk, open_page: Callable[..., Page], language: str, words: str
) -> None:
    files = (
        artifact("a-1", "recording", "call-1.mp4", uploaded=False),
        artifact("a-2", "session_data", "session.json", uploaded=False),
    )
    told = session(state=State.CLOSED, artifacts=files)
    desk.put(told)
    page = open_page(f"/sessions/s-1?language={language}")
    expect(page.locator('.artifact[data-kind="recording"] progress')).to_have_count(1)
    desk.put(replace(told, rev=9, artifacts=tuple(replace(a, lost="damaged") for a in files)))
    for kind in ("recording", "session_data"):
        expect(page.locator(f'.artifact[data-kind="{kind}"] [data-lost="damaged"]')).to_contain_text(words)
        expect(page.locator(f'.artifact[data-kind="{kind}"] progress')).to_have_count(0)
    expect(page.locator("#on-their-way")).to_be_hidden()


def test_files_say_where_they_are_until_they_are_here(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    files = (
        artifact("a-1", "recording", "call-1.mp4", uploaded=False),
        artifact("a-2", "snapshot", "shot.jpg", "g"),
        artifact("a-3", "flattened", "flat.jpg", "g"),
        artifact("a-4", "session_data", "session.json"),
    )
    desk.put(session(state=State.CLOSED, artifacts=files))
    page = open_page("/sessions/s-1")
    expect(page.locator('.artifact[data-kind="recording"] .waiting')).to_be_visible()
    assert page.locator('.artifact[data-kind="snapshot"] img').get_attribute("src") == "/files/flat.jpg"
    desk.put(replace(desk.sessions["s-1"], rev=9, artifacts=(replace(files[0], uploaded=True), *files[1:])))
    expect(page.locator('.artifact[data-kind="recording"] video')).to_have_attribute("src", "/files/call-1.mp4")


def test_what_is_on_its_way_shows_how_much_of_it_has_come(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    files = (
        artifact("a-1", "recording", "call-1.mp4", uploaded=False, size=1000),
        artifact("a-2", "session_data", "session.json", uploaded=False, size=1000),
    )
    desk.put(session(state=State.CLOSED, artifacts=files))
    page = open_page("/sessions/s-1")
    recording, data = (page.locator(f'.artifact[data-kind="{kind}"]') for kind in ("recording", "session_data"))
    expect(recording).to_contain_text("Still at the kiosk")
    expect(recording.locator("progress")).to_be_hidden()

    def told(views: dict[str, Any]) -> None:
        desk.places["s-1"] = views
        desk.tell("session", {"session": msgspec.to_builtins(desk.sessions["s-1"]), "artifacts": views})

    def received(film: int, line: int) -> None:
        places = {"a-1": film, "a-2": line}
        told({i: {"url": "", "uploaded": False, "received": n} for i, n in places.items()})

    expect(recording).to_contain_text("comes as soon as the network allows it")
    total = page.locator("#on-their-way")
    expect(total).to_contain_text("Files here: 0 of 2. Still to come: 2 kB")
    received(604, 0)
    expect(total).to_contain_text("Still to come: 1.4 kB")
    expect(total.locator("progress")).to_have_attribute("value", "30")
    expect(recording).to_contain_text("On its way: 60 %")
    expect(recording.locator("progress")).to_have_attribute("value", "60")
    expect(data.locator("progress")).to_be_hidden()
    received(1000, 250)
    expect(recording).to_contain_text("Here, being verified")
    expect(data).to_contain_text("On its way: 25 %")
    views = {"a-1": {"url": "/files/call-1.mp4", "uploaded": True, "received": 1000}}
    told(views)
    expect(recording.locator("video")).to_be_visible()
    expect(total).to_contain_text("Files here: 1 of 2")
    views["a-2"] = {"url": "/files/session.json", "uploaded": True, "received": 1000}
    told(views)
    expect(total).to_be_hidden()


def test_assigned_staff_assign_somebody_else_and_take_people_off(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    desk.put(session(assigned=(ME,)))
    page = open_page("/sessions/s-1", width=360)
    expect(page.locator("[data-unassign]")).to_have_count(0)  # the last one has to stay
    page.locator("#assign-who").select_option("mira")
    page.locator("#assign-add").click()
    until(page, lambda: [p.id for p in desk.sessions["s-1"].assigned] == ["anna", "mira"])
    expect(page.locator("#assign-who option")).to_have_count(1)
    page.locator('[data-unassign="mira"]').click()
    until(page, lambda: [p.id for p in desk.sessions["s-1"].assigned] == ["anna"])


def test_tickets_are_linked_and_taken_off_on_the_details_page(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session())
    page = open_page("/sessions/s-1", width=360)
    page.locator("#ticket-add summary").click()
    page.locator("#ticket-id").fill("SR-1042")
    page.locator("#ticket-title").fill(NASTY)
    page.locator("#ticket-link").fill("https://tickets.example/1042")
    page.locator("#ticket-save").click()
    expect(page.locator("#tickets a")).to_have_attribute("href", "https://tickets.example/1042")
    expect(page.locator("#tickets")).to_contain_text(NASTY)
    expect(page.locator("#ticket-id")).to_have_value("")
    page.locator('[data-unlink="SR-1042"]').click()
    until(page, lambda: desk.sessions["s-1"].tickets == ())


def test_somebody_who_is_not_assigned_looks_and_cannot_act(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session(state=State.CONFIRMED, assigned=(COLLEAGUE,)))
    page = open_page("/sessions/s-1")
    expect(page.locator("#status-text")).to_contain_text("not assigned")
    assert page.locator("#actions button").count() == 0
    assert desk.seen == []


# --- the call ---------------------------------------------------------------------------------------------------------


def in_call(desk: StubDesk, open_page: Callable[..., Page], width: int = 1280, height: int = 800) -> Page:
    """A page in the call, with a picture."""
    desk.put(session(state=State.CONFIRMED))
    page = open_page("/sessions/s-1", width, height)
    page.locator("#start").click()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    until(page, lambda: page.evaluate("window.desk.call.frames > 1"))
    return page


def place(page: Page, u: float, v: float) -> tuple[float, float]:
    """Where the point (u, v) of the picture, as it is seen, is on the screen."""
    of, canvas = (
        ("snapshot", "#snapshot-overlay") if page.locator("#snapshot-view").is_visible() else ("tools", "#overlay")
    )
    box = page.locator(canvas).bounding_box()
    fit = page.evaluate(f"window.desk.{of}.fit()")
    assert box
    return box["x"] + fit["x"] + u * fit["width"], box["y"] + fit["y"] + v * fit["height"]


def received(desk: StubDesk, kind: type[Any]) -> list[Any]:
    return [message for message in desk.calls[-1].received if isinstance(message, kind)]


def drag(page: Page, *points: tuple[float, float]) -> None:
    page.mouse.move(*place(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*place(page, *point), steps=4)
    page.mouse.up()


def test_strokes_and_marks_land_where_they_were_meant_also_mirrored(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    drag(page, (0.25, 0.25), (0.5, 0.5))
    until(page, lambda: received(desk, channel.StrokeEnd))
    begin = received(desk, channel.StrokeBegin)[-1]
    assert begin.at == pytest.approx((0.25, 0.25), abs=0.01)
    assert isinstance(begin.t, int)
    assert received(desk, channel.StrokePoints)[-1].points[-1] == pytest.approx((0.5, 0.5), abs=0.01)
    page.keyboard.press("x")
    page.keyboard.press("m")
    page.mouse.click(*place(page, 0.2, 0.6))
    mark = until(page, lambda: received(desk, channel.MarkCreate))[-1]
    assert mark.at == pytest.approx((0.8, 0.6), abs=0.01)
    drag(page, (0.1, 0.1), (0.3, 0.4))
    boxed = until(page, lambda: [m for m in received(desk, channel.MarkCreate) if m.box])[-1]
    assert boxed.box[0] == pytest.approx((0.7, 0.1), abs=0.01)
    assert boxed.box[1] == pytest.approx((0.9, 0.4), abs=0.01)
    expect(page.locator("#mark-list li")).to_have_count(2)
    page.locator("#mark-list button").first.click()
    expect(page.locator("#mark-list li")).to_have_count(1)


def test_strokes_of_others_appear_and_fade(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    desk.say({"kind": "stroke-begin", "id": "stroke-1", "at": [0.2, 0.2], "by": "Halle", "colour": "#4cc9f0"})
    desk.say({"kind": "stroke-points", "id": "stroke-1", "points": [[0.8, 0.8]]})
    until(page, lambda: page.evaluate("[...window.desk.tools.strokes.values()].some((s) => s.points.length === 2)"))
    coloured = """() => { const c = document.getElementById("overlay"), o = new OffscreenCanvas(c.width, c.height);
      const p = o.getContext("2d", { willReadFrequently: true }); p.drawImage(c, 0, 0); let n = 0;
      const d = p.getImageData(0, 0, c.width, c.height).data;
      for (let i = 0; i < d.length; i += 4) n += d[i + 2] > 200 && d[i] < 120 && d[i + 3] > 200; return n; }"""
    until(page, lambda: page.evaluate(coloured) > 100)
    desk.say({"kind": "stroke-end", "id": "stroke-1", "fade_s": 0.2})
    until(page, lambda: page.evaluate("window.desk.tools.strokes.size") == 0)


def test_a_snapshot_is_drawn_on_together_undone_and_closed(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page, 360, 740)
    page.locator("#tool-snapshot").click()
    expect(page.locator('#snapshot-view[data-shown="shot-1"]')).to_be_visible()
    drag(page, (0.3, 0.4), (0.6, 0.6))
    edit = until(page, lambda: received(desk, channel.Edit))[-1]
    assert edit.snapshot == "shot-1"
    assert edit.points[0] == pytest.approx((0.3, 0.4), abs=0.01)
    desk.say({"kind": "edit", "id": "edit-2", "snapshot": "shot-1", "points": [[0.1, 0.1], [0.9, 0.9]], "by": "Halle"})
    expect(page.locator("#snapshot-view")).to_have_attribute("data-edits", "2")
    page.locator("#snapshot-undo").click()
    expect(page.locator("#snapshot-view")).to_have_attribute("data-edits", "1")
    page.locator("#snapshot-close").click()
    expect(page.locator("#snapshot-view")).to_be_hidden()


def test_the_camera_goes_on_and_off_in_the_same_connection(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    assert desk.calls[-1].camera_frames == 0
    page.locator("#toggle-camera").click()
    expect(page.locator("#own-camera")).to_be_visible()
    until(page, lambda: desk.calls[-1].camera_frames > 3)
    page.locator("#toggle-camera").click()
    expect(page.locator("#own-camera")).to_be_hidden()
    until(page, lambda: [message.on for message in received(desk, channel.CameraOn)] == [True, False])
    page.locator("#toggle-mic").click()
    until(page, lambda: [message.on for message in received(desk, channel.Mute)] == [True])
    assert len(desk.calls) == 1
    page.locator("#toggle-recording").click()
    expect(page.locator('#recording-sign[data-state="asked"]')).to_be_visible()
    desk.say({"kind": "recording", "state": "on"})
    expect(page.locator('#recording-sign[data-state="on"]')).to_be_visible()


def test_a_call_that_breaks_or_is_reloaded_is_joined_again_under_the_same_peer(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    page.reload()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    assert (len(desk.calls), len(desk.peers)) == (2, 1)
    desk.tell("gone", {"session": "s-1", "peer": next(iter(desk.peers)), "code": "", "text": ""})
    until(page, lambda: len(desk.calls) == 3)
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    assert len(desk.peers) == 1
    page.locator("#hang-up").click()
    expect(page.locator("#state")).to_have_attribute("data-state", "COMPLETED")
    expect(page.locator("#call")).to_be_hidden()
    assert page.evaluate("window.desk") is None


def test_one_of_two_staff_leaves_and_the_call_goes_on(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    for person in (ME, COLLEAGUE):
        desk.do("s-1", inputs.Joined(person), Actor(Role.SYSTEM))
    desk.say({"kind": "people", "people": [[ME.name, "#ffd23f"], [COLLEAGUE.name, "#4cc9f0"]]})
    expect(page.locator("#call-people li")).to_have_count(2)
    expect(page.locator("#status-text")).to_contain_text(COLLEAGUE.name)
    page.locator("#hang-up").click()
    page.locator("#answer-me").click()
    until(page, lambda: not desk.peers)
    expect(page.locator("#join")).to_be_visible()
    assert desk.sessions["s-1"].state is State.RUNNING


@pytest.mark.parametrize("state", [State.REQUESTED, State.CONFIRMED, State.RUNNING, State.COMPLETED])
def test_staff_call_a_session_off_at_any_time_before_it_is_closed(
    desk: StubDesk, open_page: Callable[..., Page], state: State
) -> None:
    called = state in (State.RUNNING, State.COMPLETED)
    desk.put(session(state=state, calls=(Call("c-1", "2026-11-23T08:05:00Z"),) if called else ()))
    page = open_page("/sessions/s-1")
    page.locator("#cancel").click()
    page.locator("#answer-yes").click()
    expect(page.locator("#state")).to_have_attribute("data-state", "CANCELLED")
    expect(page.locator("#cancel")).to_have_count(0)


def test_who_is_in_the_call_in_two_windows_leaves_with_one_of_them(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    desk.do("s-1", inputs.Joined(ME), Actor(Role.SYSTEM))
    desk.say({"kind": "people", "people": [[ME.name, "#ffd23f"], [ME.name, "#ffd23f"]]})
    expect(page.locator("#call-people li")).to_have_count(2)
    page.locator("#hang-up").click()
    expect(page.locator("#ask-title")).to_contain_text("elsewhere")
    page.locator("#answer-me").click()
    until(page, lambda: not desk.peers)
    assert desk.sessions["s-1"].state is State.RUNNING


def test_staff_see_that_the_recording_was_declined_and_not_that_it_is_still_asked_for(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = in_call(desk, open_page)
    page.locator("#toggle-recording").click()
    expect(page.locator("#recording-sign")).to_contain_text("asked for")
    no = Consent(given=False, at="2026-03-01T10:00:00Z", wording="May it be recorded?", language="en", way="call")
    desk.do("s-1", inputs.GiveConsent(no), CODE_USER)
    expect(page.locator("#recording-sign")).to_contain_text("declined")


def test_what_is_muted_and_that_people_speak_in_turns_is_seen(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page, 360, 740)
    expect(page.locator("#kiosk-muted, #speak-in-turns")).to_have_count(2)
    expect(page.locator("#kiosk-muted")).to_be_hidden()
    desk.say({"kind": "sound", "muted": True, "turns": True, "silent": [ME.name]})
    expect(page.locator("#kiosk-muted")).to_contain_text("Microphone at the machine is off")
    expect(page.locator("#speak-in-turns")).to_contain_text("speak in turns")
    expect(page.locator("#call-people li", has_text=ME.name).locator(".silent")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    desk.say({"kind": "sound"})
    expect(page.locator("#kiosk-muted")).to_be_hidden()
    expect(page.locator("#speak-in-turns")).to_be_hidden()
    expect(page.locator("#call-people .silent")).to_have_count(0)


def test_who_is_muted_stays_so_when_the_page_is_loaded_again(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    page.locator("#toggle-mic").click()
    page.reload()
    expect(page.locator('#call[data-state="on"]')).to_be_visible()
    expect(page.locator("#toggle-mic")).to_have_attribute("aria-pressed", "false")
    until(page, lambda: [message.on for message in received(desk, channel.Mute)] == [True])


def test_the_keyboard_alone_marks_and_points(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    page.keyboard.press("m")
    page.locator("#overlay").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    mark = until(page, lambda: received(desk, channel.MarkCreate))[-1]
    assert mark.at == pytest.approx((0.6, 0.5), abs=0.001)


# --- what holds for all pages -----------------------------------------------------------------------------------------


def test_texts_from_outside_stay_text(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    nasty = session(
        reason=NASTY,
        requester=NASTY,
        note=NASTY,
        device=replace(DEVICE, name=NASTY),
        tickets=(Ticket(NASTY, NASTY, "https://tickets.example/1"),),
        assigned=(ME, replace(COLLEAGUE, name=NASTY)),
        state=State.RUNNING,
        calls=(),
    )
    desk.presence("k-presse-3", True, replace(DEVICE, name=NASTY))
    page = open_page()
    desk.put(replace(nasty, state=State.REQUESTED))
    expect(page.locator(".toast")).to_contain_text("<img src=x")
    expect(page.locator(".session-row")).to_contain_text("<script>")
    page.locator("#video-session").click()
    expect(page.locator("#new-session-devices")).to_contain_text("<img src=x")
    detail = open_page("/sessions/s-1")
    expect(detail.locator("#people")).to_contain_text("<img src=x")
    for one in (page, detail, open_page("/devices")):
        assert one.locator("img[src=x]").count() == 0
        assert "hacked" not in one.title()[:10]
        assert one.evaluate("document.querySelectorAll('main script, .toasts script').length") == 0


def test_a_ticket_link_that_is_no_web_address_is_no_link(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session(tickets=(Ticket("T-1", "title", "javascript:alert(1)"),)))
    page = open_page("/sessions/s-1")
    expect(page.locator("#tickets a")).to_have_count(1)
    assert page.locator("#tickets a").get_attribute("href") is None


@pytest.mark.parametrize("language", ["de", "en"])
def test_nothing_is_wider_than_a_small_phone(desk: StubDesk, open_page: Callable[..., Page], language: str) -> None:
    files = tuple(artifact(f"a-{i}", kind, "file.bin", uploaded=False) for i, kind in enumerate(KINDS))
    for number, state in enumerate(State):
        desk.put(session(f"s-{number}", state, reason=LONG, requester=LONG[:90], artifacts=files,
                         device=replace(DEVICE, name=LONG[:80]), tickets=(Ticket("T" * 90, LONG[:150]),)))  # fmt: skip
    paths = ["/", "/devices", "/signed-out", "/error", *(f"/sessions/s-{n}" for n in range(len(State)))]
    page = open_page("/devices", 360, 740)
    for path in paths:
        page.goto(f"{desk.url}{path}?language={language}")
        if path not in ("/signed-out", "/error"):
            page.wait_for_selector("[aria-busy=false]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


TOUCHING = """() => {
  const labels = [...document.querySelectorAll('#toolbar .tool span')].map((label) => {
    const range = document.createRange();
    range.selectNodeContents(label);
    return { text: label.textContent, box: range.getBoundingClientRect() };
  });
  const apart = (a, b) => a.right + 2 <= b.left || b.right + 2 <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  const pairs = labels.flatMap((one, i) => labels.slice(i + 1).map((other) => [one, other]));
  return pairs.filter(([one, other]) => !apart(one.box, other.box)).map(([one, other]) => one.text + other.text);
}"""


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_call_fits_a_small_phone_with_all_tools_within_reach(
    desk: StubDesk, open_page: Callable[..., Page], language: str
) -> None:
    desk.language = language
    page = in_call(desk, open_page, 360, 740)
    assert page.evaluate(TOUCHING) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for tool in page.locator("#toolbar button").all():
        box = tool.bounding_box()
        assert box
        assert box["y"] > 740 / 2
        assert box["y"] + box["height"] <= 740
        assert min(box["width"], box["height"]) >= 44


def test_everything_can_be_reached_and_pressed_by_keyboard(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session())
    page = open_page()
    focused = "document.activeElement.id || document.activeElement.className"
    reached: list[str] = []
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
    assert {"skip", "video-session", "search", "filter-REQUESTED", "row-s-1"} <= set(reached)
    page.locator("#row-s-1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_visible()
    page.locator("#confirm").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#start")).to_be_visible()


def test_every_control_has_a_name(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    desk.put(session(state=State.CONFIRMED))
    nameless = """() => [...document.querySelectorAll("button, a, input, textarea, video, canvas[role]")].filter((e) =>
      !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length || e.title))
      .map((e) => e.outerHTML.slice(0, 90))"""
    page = open_page()
    for path in ("/", "/devices", "/sessions/s-1"):
        page.goto(desk.url + path)
        page.wait_for_selector("[aria-busy=false]")
        assert page.evaluate(nameless) == []


def test_geometry_maps_points_both_ways(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = open_page("/devices")

    def geometry(expression: str) -> Any:
        return page.evaluate(f"import('/static/js/geometry.js').then((g) => {expression})")

    assert geometry("g.fitContain(1000, 1000, 1280, 720)") == {"x": 0, "y": 218.75, "width": 1000, "height": 562.5}
    assert geometry("g.fitContain(900, 300, 400, 300)") == {"x": 250, "y": 0, "width": 400, "height": 300}
    fit = "{x: 10, y: 20, width: 200, height: 100}"
    assert geometry(f"g.toView([0.25, 0.5], {fit}, false)") == [60, 70]
    assert geometry(f"g.toView([0.25, 0.5], {fit}, true)") == [160, 70]
    assert geometry(f"g.toFrame([160, 70], {fit}, true)") == [0.25, 0.5]
    assert geometry(f"g.toFrame([-9999, 9999], {fit}, false)") == [-0.5, 1.5]
    assert geometry("g.boxOf([0.9, 0.8], [0.2, -0.3])") == [[0.2, 0], [0.9, 0.8]]
    assert geometry("[g.opacity(null, 4), g.opacity(2, 4), g.opacity(3, 4), g.opacity(4, 4)]") == [1, 1, 0.5, 0]
    assert geometry("g.rtpAfter(5, 2 ** 32 - 5)") == 10
    kept = "[{t: 2 ** 32 - 3000, marks: []}, {t: 0, marks: []}, {t: 3000, marks: []}]"
    assert geometry(f"g.posesFor({kept}, 0).t") == 0
    assert geometry(f"g.posesFor({kept}, 2 ** 32 - 2000).t") == 2**32 - 2000  # between both
    assert geometry(f"g.posesFor({kept}, 2 ** 32 - 4000).t") == 2**32 - 3000  # the nearest
    assert geometry(f"g.posesFor({kept}, 900000).t") == 3000  # no frame near: the newest
    assert geometry("g.posesFor([], 1)") is None
    matrix = "[1, 0.1, 0.2, -0.1, 0.9, 0.1, 0.05, -0.1, 1]"
    there = geometry(f"g.carried([[0.3, 0.6]], {matrix})")
    assert geometry(f"g.carried({there}, g.inverse({matrix}))[0]") == pytest.approx([0.3, 0.6])
    twice = geometry(f"g.carried({there}, {matrix})")
    assert geometry(f"g.carried([[0.3, 0.6]], g.product({matrix}, {matrix}))") == [pytest.approx(twice[0])]


def test_poses_are_drawn_between_those_of_the_frames_before_and_after(
    desk: StubDesk, open_page: Callable[..., Page]
) -> None:
    page = open_page("/devices")
    found = page.evaluate(
        """import('/static/js/geometry.js').then((g) => {
          const quad = (x) => [[x, 0], [x + 0.1, 0], [x + 0.1, 0.1], [x, 0.1]];
          const motion = (x) => ({ anchor: 1, matrix: [1, 0, x, 0, 1, 0, 0, 0, 1] });
          const mark = (x) => ({ id: 'm', quad: quad(x), confidence: 1, state: 'tracked' });
          const kept = [0.2, 0.3].map((x, k) => ({ t: 6000 * k, marks: [mark(x)], motion: motion(x) }));
          const { marks, motion: { matrix } } = g.posesFor(kept, 3000);
          return [marks[0].quad[0][0], matrix[2]];
        })"""
    )
    assert found == pytest.approx([0.25, 0.25])


# --- how good the picture is --------------------------------------------------------------------------------------


def test_the_page_says_in_words_how_the_picture_comes(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    desk.calls[-1].quality |= {"step": "smaller", "word": "good"}
    expect(page.locator("#quality")).to_contain_text("Weak connection: smaller picture")
    expect(page.locator("#quality")).to_have_attribute("data-quality", re.compile("fair|poor"))
    expect(page.locator("#quality-told")).to_have_text("Weak connection: smaller picture")
    desk.calls[-1].quality |= {"step": "stills", "word": "poor"}
    expect(page.locator("#quality")).to_contain_text("single pictures only")
    expect(page.locator("#quality")).to_have_attribute("data-quality", "poor")


@pytest.mark.parametrize(
    ("language", "there", "here"),
    [
        ("en", "Jerky picture: too little from the machine", "Jerky picture: this computer is too busy"),
        ("de", "Bild ruckelt: zu wenig von der Maschine", "Bild ruckelt: dieser Computer ist überlastet"),
    ],
)
def test_a_picture_that_jerks_on_a_good_connection_is_not_blamed_on_the_connection(
    desk: StubDesk, open_page: Callable[..., Page], language: str, there: str, here: str
) -> None:
    desk.language = language
    page = in_call(desk, open_page)
    until(page, lambda: page.evaluate("Boolean(document.querySelector('#quality').textContent)"))

    def said(**figures: float) -> list[str]:
        """At once: the page's own figures come each two seconds."""
        good = {"width": 640, "height": 360, "bitrateBps": 1e6, "loss": 0, "roundTripMs": 20, "freezes": 0}
        script = """(figures) => { window.desk.call.tell("figures", { frozenS: 0, ...figures });
            const place = document.querySelector("#quality");
            return [place.firstChild.data, place.dataset.quality]; }"""
        told: list[str] = page.evaluate(script, {**good, **figures})
        return told

    assert said(cameFps=3, fps=3) == [there, "poor"]
    assert said(cameFps=30, fps=7) == [here, "fair"]
    assert said(cameFps=30, fps=30)[1] == "good"
    assert said(cameFps=3, fps=3, loss=0.2)[0] in ("Poor connection", "Schlechte Verbindung")


@pytest.mark.parametrize("width", [1280, 360])
def test_the_connection_in_numbers_opens_by_key_and_fits(
    desk: StubDesk, open_page: Callable[..., Page], width: int
) -> None:
    page = in_call(desk, open_page, width, 740)
    desk.calls[-1].quality |= {"delay_ms": 58.4, "loss": 0.031}
    panel = page.locator("#quality-panel")
    expect(panel).to_be_hidden()
    page.keyboard.press("i")
    expect(panel).to_be_visible()
    expect(page.locator("#quality")).to_have_attribute("aria-expanded", "true")
    for name, text in (("size", "640 × 360"), ("delay", "about 58 ms"), ("loss", "3.1 %"), ("bitrate", "bit/s")):
        expect(page.locator(f"#quality-figures dd[data-name={name}]")).to_contain_text(text)
    box, picture = panel.bounding_box(), page.locator("#picture").bounding_box()
    assert box
    assert picture
    assert box["x"] >= picture["x"]
    assert box["x"] + box["width"] <= picture["x"] + picture["width"]
    page.keyboard.press("i")
    expect(panel).to_be_hidden()


def test_the_page_tells_which_frames_it_has_shown_and_when(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    page = in_call(desk, open_page)
    seen = until(page, lambda: [m for m in received(desk, channel.Seen) if m.frames])[-1]
    beat = until(page, lambda: [m for m in received(desk, channel.Heartbeat) if m.echo_ms is not None])[-1]
    assert beat.held_ms >= 0
    times = [shown_ms for _, shown_ms in seen.frames]
    assert times == sorted(times)
    assert abs(times[-1] - beat.sent_ms) < 60_000
    assert seen.frozen_s >= 0


def test_afterwards_the_page_says_how_the_calls_went(desk: StubDesk, open_page: Callable[..., Page]) -> None:
    summary = {"duration_s": 125.0, "joins": 2.0, "mean_loss": 0.012, "worst_loss": 0.2, "worst_round_trip_ms": 180.0,
               "at_full_s": 100.0, "at_smaller_s": 20.0, "glass_to_glass_ms": 57.0, "glass_to_glass_p95_ms": 92.0,
               "glass_to_glass_uncertain_ms": 3.0, "freezes": 2.0, "frozen_s": 1.5}  # fmt: skip
    old = Call("call-1", "2026-11-23T08:00:00Z", "2026-11-23T08:02:00Z", (ME,), {"duration_s": 9.0})
    new = Call("call-2", "2026-11-23T09:00:00Z", "2026-11-23T09:02:05Z", (ME, COLLEAGUE), summary)
    desk.put(session(state=State.COMPLETED, calls=(old, new)))
    page = open_page("/sessions/s-1", 360)
    first, second = page.locator("#calls > li").all()
    expect(first).to_contain_text("2:05")
    expect(first).to_contain_text(COLLEAGUE.name)
    expect(first.locator("[data-name=delay]")).to_have_text("about 57 ms, mostly below 92 ms (± 3 ms)")
    expect(first.locator("[data-name=steps]")).to_have_text("full size 1:40, smaller 0:20")
    expect(first.locator("[data-name=freezes]")).to_have_text("2 (1.5 s)")
    expect(first.locator("[data-name=loss]")).to_have_text("1.2 % on average, 20 % at worst")
    expect(second.locator("dd")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


# --- the files themselves ---------------------------------------------------------------------------------------------


def used_texts() -> set[str]:
    texts: set[str] = set()
    for template in (WEB / "templates").glob("*.html"):
        texts |= set(re.findall(r'_\("((?:[^"\\]|\\.)*)"\)', template.read_text()))
    for module in (WEB / "static" / "js").glob("*.js"):
        texts |= set(re.findall(r'(?<![\w.])t\("((?:[^"\\]|\\.)*)"', module.read_text()))
    groups = {"Waiting for you", "Waiting for others", "In progress", "To be reviewed", "Earlier"}
    for module in (WEB.parent / "notifications").glob("*.py"):
        texts |= set(re.findall(r'_\("((?:[^"\\]|\\.)*)"\)', module.read_text()))
    return texts | {state.value for state in State} | groups


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_text_is_there_in_both_languages(language: str) -> None:
    with (WEB / "locale" / language / "LC_MESSAGES" / "desk.po").open("rb") as file:
        catalogue = {str(m.id): str(m.string) for m in read_po(file, locale=language) if m.id}
    assert used_texts() == set(catalogue)
    for key, text in catalogue.items():
        assert text, f"{key!r} has no text in {language}"
        assert set(re.findall(r"\{\w+\}", key)) == set(re.findall(r"\{\w+\}", text)), key


def test_templates_have_nothing_that_the_content_security_policy_forbids() -> None:
    for template in (WEB / "templates").glob("*.html"):
        text = template.read_text()
        assert not re.search(r'\sstyle="|<style|\son[a-z]+="|https?://(?!")|javascript:', text), template.name
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag or 'type="application/json"' in tag, template.name
    for module in (WEB / "static" / "js").glob("*.js"):
        assert not re.search(
            r"innerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|outerHTML\s*=", module.read_text()
        )
