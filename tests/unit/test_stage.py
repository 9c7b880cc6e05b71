"""The code user's side: what a press leads to, also when the disk is full, time passes or others were faster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from msgspec.structs import replace

from kiosk.book.book import Book
from kiosk.book.storage import CrashSafeStorage
from kiosk.calls import Calls, Equipment
from kiosk.config import Config
from kiosk.errors import StoreTrouble
from kiosk.fleet.board import Board
from kiosk.hw.ports import Key, LampState, Press, Touch
from kiosk.mailbox import Queue
from kiosk.session import inputs as do
from kiosk.session.provider import Article, Provider
from kiosk.session.record import Actor, Device, Person, Ticket
from kiosk.session.states import Role, State
from kiosk.stage import Stage
from kiosk.ui.consent import consent_shown, wording
from kiosk.ui.local import Front
from kiosk.ui.screens import screen
from kiosk.ui.view import View
from kiosk.upload.spool import Spool

ANNA = Person("anna", "Anna Berg")
PROVIDER = Provider(language="en", staff=(ANNA,), recording_allowed=True, reasons=("Jam", "Question"))


class Hardware:
    """Buttons, touch, lamp and display in one: pressed by the test, looked at by the test."""

    def __init__(self) -> None:
        self._presses: Queue[Press] = Queue(50)
        self._touches: Queue[Touch] = Queue(50)
        self._keys: Queue[Key] = Queue(500)
        self.lamp: LampState = "idle"
        self.trouble: str | None = None
        self.view: View | None = None
        self.front: Front | None = None

    async def __aenter__(self) -> Hardware:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def presses(self) -> AsyncIterator[Press]:
        return aiter(self._presses)

    def touches(self) -> AsyncIterator[Touch]:
        return aiter(self._touches)

    def keys(self) -> AsyncIterator[Key]:
        return aiter(self._keys)

    def show(self, state: LampState) -> None:
        self.lamp = state

    def set(self, view: View, front: Front) -> None:
        self.view, self.front = view, front

    def press(self, phase: str = "short") -> None:
        for part in ("down", phase, "up"):
            self._presses.put(Press("camera_plus", cast(Any, part)))

    def touch(self, touch: Touch) -> None:
        self._touches.put(touch)

    def scan(self, code: str) -> None:
        for n, name in enumerate([*code, "enter"]):
            self._keys.put(Key(name, 10.0 + n * 0.008))


class Kiosk:
    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder, self.provider = folder, provider
        self.hardware, self.board = Hardware(), Board()
        self.now_s = 1000.0

    async def open(self) -> None:
        device = Device("press-7", "Press 7")
        self.book = await Book.open(self.folder / "book.json", "kiosk-1", device, self.provider)
        config = Config(id="kiosk-1", device=device, provider=self.provider)
        nothing = cast(Any, None)
        calls = Calls(
            book=self.book,
            equipment=Equipment(nothing, nothing, nothing),  # no call is made here
            settings=config.call,
            spool=Spool(self.folder / "spool"),
            board=self.board,
            on_picture=lambda _: None,
            on_staff_picture=lambda _: None,
            changed=lambda: None,
        )
        self.stage = Stage(
            config=config,
            book=self.book,
            calls=calls,
            display=self.hardware,
            size=(1024, 600),
            buttons=self.hardware,
            touchscreen=self.hardware,
            lamp=self.hardware,
            board=self.board,
            wording=consent_shown,
            is_sent=lambda _: False,
            online=lambda: True,
            public_link=lambda _: "",
            now=lambda: self.now_s,
        )
        self.stage.refresh()

    @property
    def view(self) -> View:
        assert self.hardware.view is not None
        return self.hardware.view

    @property
    def step(self) -> str | None:
        return self.view.flow.step if self.view.flow else None


@contextlib.asynccontextmanager
async def kiosk_with(folder: Path, provider: Provider = PROVIDER) -> AsyncIterator[Kiosk]:
    kiosk = Kiosk(folder, provider)
    await kiosk.open()
    task = asyncio.create_task(kiosk.stage.run())
    yield kiosk
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await kiosk.book.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def full(self: CrashSafeStorage, data: object) -> None:
    raise StoreTrouble("no space left")


async def to_consent(kiosk: Kiosk) -> None:
    kiosk.hardware.press()
    await until(lambda: kiosk.step == "reason")
    kiosk.hardware.press("long")
    await until(lambda: kiosk.step == "consent")


async def test_one_button_leads_through_the_steps_to_one_request(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        await to_consent(kiosk)
        kiosk.hardware.press("long")
        await until(lambda: kiosk.view.session)
        session = kiosk.book.open_session
        assert session is not None
        assert (session.state, session.reason) == (State.REQUESTED, "Jam")
        assert session.recording.consent is not None
        assert session.recording.consent.wording == " ".join(wording("en", "delete", 0))
        await until(lambda: kiosk.hardware.lamp == "waiting")


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("on_withdrawal", ["keep", "delete"])
@pytest.mark.parametrize("look_back_s", [0, 20])
async def test_the_receipt_names_the_words_that_stood_on_the_display(
    tmp_path: Path, language: Literal["de", "en"], on_withdrawal: Literal["keep", "delete"], look_back_s: int
) -> None:
    settings = replace(PROVIDER, language=language, on_withdrawal=on_withdrawal, look_back_s=look_back_s)
    async with kiosk_with(tmp_path, settings) as kiosk:
        await to_consent(kiosk)
        assert kiosk.hardware.front is not None
        lines = screen(kiosk.view, kiosk.hardware.front).lines
        kiosk.hardware.press("long")
        await until(lambda: kiosk.view.session)
        session = kiosk.book.open_session
        assert session is not None
        [receipt] = session.consents
        assert receipt.consent is not None
        assert receipt.consent.wording == " ".join(lines)
        assert lines == wording(language, on_withdrawal, look_back_s)


async def test_with_no_steps_the_press_is_the_request_and_pressed_often_it_is_one(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path, Provider(steps=(), staff=(ANNA,))) as kiosk:
        for _ in range(3):
            kiosk.hardware.press()
        await until(lambda: kiosk.view.session)
        assert len(kiosk.book.sessions) == 1


async def test_a_kiosk_that_may_not_request_does_nothing_when_pressed(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path, Provider(requests_allowed=False, staff=(ANNA,))) as kiosk:
        kiosk.hardware.press()
        await asyncio.sleep(0.05)
        assert kiosk.book.sessions == {}
        assert kiosk.view.flow is None


async def test_walking_away_discards_what_was_begun_and_says_so(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        await to_consent(kiosk)
        kiosk.now_s += PROVIDER.flow_timeout_s + 1
        await until(lambda: kiosk.view.flow_discarded)
        assert kiosk.view.flow is None
        assert kiosk.book.sessions == {}


async def test_a_request_goes_out_though_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        await to_consent(kiosk)
        with monkeypatch.context() as broken:
            broken.setattr(CrashSafeStorage, "write", full)
            kiosk.hardware.press("long")
            await until(lambda: kiosk.view.session)
        session = kiosk.book.open_session
        assert session is not None
        assert session.reason == "Jam"
        assert kiosk.view.flow is None


async def test_staff_who_were_faster_end_the_flow_and_their_session_is_shown(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        await to_consent(kiosk)
        session = await kiosk.book.put(None, do.Create(), Actor(Role.STAFF, "anna", "Anna Berg"))
        await until(lambda: kiosk.view.session == session)
        assert kiosk.view.flow is None
        assert len(kiosk.book.sessions) == 1


# --- nobody is there --------------------------------------------------------------------------------------------------


async def test_the_display_sleeps_when_nobody_is_there_and_a_touch_only_wakes_it(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        await until(lambda: kiosk.hardware.view)
        kiosk.now_s += 601
        await until(lambda: kiosk.view.asleep)
        for phase in ("down", "up"):
            kiosk.hardware.touch(Touch(cast(Any, phase), 0.3, 0.5))
        await until(lambda: not kiosk.view.asleep)
        await asyncio.sleep(0.05)
        assert kiosk.view.flow is None
        kiosk.now_s += 601
        await until(lambda: kiosk.view.asleep)
        kiosk.hardware.press()
        await until(lambda: kiosk.step == "reason")


async def test_an_incoming_session_wakes_the_display_and_keeps_it_awake(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        kiosk.now_s += 601
        await until(lambda: kiosk.hardware.view and kiosk.view.asleep)
        await kiosk.book.put(None, do.Create(), Actor(Role.STAFF, "anna", "Anna Berg"))
        await until(lambda: kiosk.view.session)
        kiosk.now_s += 3600
        kiosk.stage.refresh()
        assert not kiosk.view.asleep


async def test_what_must_be_seen_keeps_the_display_awake(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        kiosk.board.fails("update", "installing 2.0")
        kiosk.now_s += 601
        kiosk.stage.refresh()
        assert kiosk.view.troubles == ("updating",)
        assert not kiosk.view.asleep


async def test_an_article_that_was_left_open_is_closed(tmp_path: Path) -> None:
    article = Article("a-1", "Filter", "Change it.")
    async with kiosk_with(tmp_path, replace(PROVIDER, articles=(article,))) as kiosk:
        kiosk.hardware.press("long")
        kiosk.hardware.press("long")
        await until(lambda: kiosk.hardware.view and kiosk.view.article)
        kiosk.now_s += 181
        await until(lambda: not kiosk.view.article)


async def test_a_session_that_was_put_away_too_early_can_be_looked_at_again_for_a_while(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        session = await kiosk.book.put(None, do.Create(), Actor(Role.STAFF, "anna", "Anna Berg"))
        await until(lambda: kiosk.view.session == session)
        ended = await kiosk.book.put(session.id, do.Cancel("changed_mind"), Actor(Role.STAFF, "anna", "Anna Berg"))
        await until(lambda: kiosk.view.session == ended)
        kiosk.hardware.press("long")
        await until(lambda: kiosk.view.recall)
        kiosk.hardware.press("long")  # to what the single button walks through
        kiosk.hardware.press("long")
        await until(lambda: kiosk.view.session == ended)
        kiosk.hardware.press("long")
        await until(lambda: kiosk.view.recall)
        kiosk.now_s += 121
        await until(lambda: not kiosk.view.recall)


# --- scanners ---------------------------------------------------------------------------------------------------------


async def test_a_stuck_button_is_told_and_taken_back_when_it_is_free(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        kiosk.hardware.trouble = "button stuck: camera_plus"
        await until(lambda: kiosk.board.parts.get("buttons") == "button stuck: camera_plus")
        kiosk.stage.refresh()
        assert kiosk.view.troubles == ("stuck_button",)
        kiosk.hardware.trouble = None
        await until(lambda: kiosk.board.parts["buttons"] == "ok")


async def test_a_ticket_that_is_scanned_begins_the_flow_and_is_in_the_request(tmp_path: Path) -> None:
    known = Ticket("SR-1042", "Spindle vibrates", "https://tickets.example/SR-1042")
    settings = replace(PROVIDER, steps=("ticket", "reason"), tickets=(known,))
    async with kiosk_with(tmp_path, settings) as kiosk:
        kiosk.hardware.scan("sr-1042")
        await until(lambda: kiosk.step == "reason")
        kiosk.hardware.press("long")
        await until(lambda: kiosk.view.session)
        assert kiosk.book.open_session is not None
        assert kiosk.book.open_session.tickets == (known,)


async def test_the_devices_own_code_asks_for_help(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path) as kiosk:
        kiosk.hardware.scan("PRESS-7")
        await until(lambda: kiosk.step == "reason")
        kiosk.hardware.scan("4711-0815")
        await asyncio.sleep(0.05)
        assert kiosk.step == "reason", "a code is no answer to another question"


async def test_a_ticket_is_scanned_in_its_step(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path, replace(PROVIDER, steps=("ticket", "reason"))) as kiosk:
        kiosk.hardware.press()
        await until(lambda: kiosk.step == "ticket")
        kiosk.hardware.scan("4711-0815")
        await until(lambda: kiosk.step == "reason")
        assert kiosk.view.flow is not None
        assert kiosk.view.flow.request.tickets == (Ticket("4711-0815"),)


async def test_where_nothing_may_be_requested_a_code_is_refused_in_words_for_a_moment(tmp_path: Path) -> None:
    async with kiosk_with(tmp_path, replace(PROVIDER, requests_allowed=False)) as kiosk:
        kiosk.hardware.scan("4711-0815")
        await until(lambda: kiosk.hardware.view and kiosk.view.troubles == ("unknown_code",))
        kiosk.now_s += 6
        await until(lambda: kiosk.view.troubles == ())
        assert kiosk.book.sessions == {}
