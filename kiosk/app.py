"""Builds the parts in order of need and hands each what it uses; one TaskGroup holds them all.

What the kiosk cannot do without ends the process with its reason; systemd starts it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

from kiosk import signs
from kiosk.book.book import Book
from kiosk.book.timers import close_after_review, give_up_ringing
from kiosk.calls import Calls, Equipment
from kiosk.config import Config
from kiosk.fleet.board import Board
from kiosk.fleet.reported import in_force
from kiosk.hw.build import Parts, build
from kiosk.hw.ports import Picture
from kiosk.link.client import Client, Settings
from kiosk.link.link import Link, presence_will
from kiosk.link.watch import watch
from kiosk.notify import Systemd
from kiosk.progress import Part, Progress, feed
from kiosk.session import inputs as do
from kiosk.session.record import SYSTEM, Person, Session
from kiosk.session.states import State
from kiosk.settings import place_of, read_secret
from kiosk.spooling import Spooling
from kiosk.stage import Stage
from kiosk.ui.consent import consent_shown
from kiosk.ui.show import Show
from kiosk.upload.courier import Courier
from kiosk.upload.spool import Spool
from kiosk.wire import topics
from kiosk.wire.messages import About, Health

log = logging.getLogger(__name__)

HEALTH_S = 60.0

DISPLAY_S = 30.0
"""What stands still longer starves the watchdog. The first frame takes longest: 16 s where software has to draw it."""

FRAMES_S = 20.0
"""Neither a picture of the running call nor a word about why: a camera has 10 s to open, and is found hanging in 3."""

BROKER_S = 150.0
"""Neither an answer of the broker nor a new try to reach it; between two tries lie a minute at most."""

READY_POLL_S = 0.02
GOODBYE_S = 3.0
"""For the end of a call and for the broker; systemd gives us 5 s. What is not said by then, the next start says."""


async def run(config: Config) -> None:
    """The kiosk, until SIGTERM or SIGINT. Raises Trouble where it cannot go on."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    systemd = Systemd()
    settings = client_settings(
        config, boot := f"b-{secrets.token_hex(6)}"
    )  # before anything is opened: it may be wrong
    parts = build(config.hardware, config.call)
    async with AsyncExitStack() as stack:
        show = await stack.enter_async_context(Show(parts.display, config.provider.language))
        # The camera, microphone and speaker are opened by a call, and closed with it.
        for device in (parts.buttons, parts.touchscreen, parts.lamp, parts.panel):
            if device is not None:
                await stack.enter_async_context(device)
        book = await Book.open(
            config.data_folder / "book.json", config.id, config.device, config.provider, clock_ok=config.clock_ok
        )
        stack.push_async_callback(book.close)
        client = await stack.enter_async_context(Client(settings))
        kiosk = Kiosk(config, parts, book, show, client, boot, systemd)
        await kiosk.run(stop)


def client_settings(config: Config, boot: str) -> Settings:
    b = config.broker
    return Settings(
        host=b.host,
        port=b.port,
        client_id=config.id,
        username=config.id,
        password=read_secret(b.password_file),
        ca_file=place_of(b.ca_file),
        certificate_file=place_of(b.certificate_file),
        key_file=place_of(b.key_file),
        keepalive_s=b.keepalive_s,
        filters=(topics.kiosk_filter(config.id),),
        will=presence_will(config.id, boot),
    )


class Kiosk:
    """The parts, wired."""

    def __init__(
        self, config: Config, parts: Parts, book: Book, show: Show, client: Client, boot: str, systemd: Systemd
    ) -> None:
        self._config, self._book, self._show, self._client = config, book, show, client
        self._systemd = systemd
        self._pictures = 0
        self._began_s = time.monotonic()
        self._spool = Spool(config.data_folder / "spool")
        self._health_changed = asyncio.Event()
        self._board = Board(self._parts_changed)
        self._calls = Calls(
            book=book,
            equipment=Equipment(parts.camera, parts.microphone, parts.speaker),
            settings=config.call,
            spool=self._spool,
            board=self._board,
            on_picture=self._picture,
            on_staff_picture=show.staff_picture,
            changed=self._refresh,
        )
        self._spooling = Spooling(book, self._spool, self._board, self._calls)
        self._link = Link(
            client,
            book,
            kiosk=config.id,
            boot=boot,
            about=about(config),
            in_force=in_force(config.provider),
            desk_url=config.desk_url,
            seen=self._seen,
            stored=self._spooling.stored,
            waits=lambda: self._spooling.waits_for_desk,
            changed=self._refresh,
        )
        self._courier = Courier(
            self._spooling.find,
            config.desk_url,
            busy=lambda: self._calls.camera_is_live,
            call_bps=config.upload.call_bps,
            tell_lost=self._spooling.lost,
        )
        self._stage = Stage(
            config=config,
            book=book,
            calls=self._calls,
            display=show,
            size=show.size,
            buttons=parts.buttons,
            touchscreen=parts.touchscreen,
            lamp=parts.lamp,
            board=self._board,
            wording=consent_shown,
            is_sent=self._link.is_sent,
            online=lambda: self._link.online,
            public_link=self._link.public_link,
            staff_online=lambda: self._link.staff_online,
        )
        book.code_user_present = self._stage.code_user_present
        book.disk_changed = self._book_disk
        self._book_disk()
        show.changed = self._display_changed
        self._display_changed()
        self._board.works("kiosk")

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._show.run(), name="display"),
                group.create_task(self._stage.run(), name="stage"),
                group.create_task(self._link.run(), name="link"),
                group.create_task(self._calls.run(self._link.signal, self._link.signals), name="calls"),
                group.create_task(watch(self._client, lambda: self._calls.camera_is_live), name="network"),
                group.create_task(self._courier.run(self._link.grants), name="uploads"),
                group.create_task(close_after_review(self._book.follow(), self._close), name="reviews"),
                group.create_task(
                    give_up_ringing(self._book.follow(), lambda: self._book.provider.ring_s, self._give_up),
                    name="ringing",
                ),
                group.create_task(self._spooling.run(), name="spool"),
                group.create_task(self._book.keep(), name="book"),
                group.create_task(self._tell_health(), name="health"),
                group.create_task(self._ready(), name="ready"),
                group.create_task(self._follow_clock(), name="clock"),
                group.create_task(self._follow_update(), name="update"),
                group.create_task(feed(self._systemd, Progress(self._watched()), self._refresh), name="watchdog"),
            ]
            self._stage.refresh()
            await self._spooling.adopt()
            await stop.wait()
            log.info("stopping")
            self._board.fails("kiosk", "is being stopped")  # the display says so until it goes dark
            self._systemd.stopping()
            try:
                async with asyncio.timeout(GOODBYE_S):
                    await self._end_call()
                    await self._link.goodbye()
            except TimeoutError:
                log.warning("stopping: not everything could be ended in %.0f s", GOODBYE_S)
            for task in tasks:
                task.cancel()

    async def _ready(self) -> None:
        """Somebody who stands before the kiosk sees it."""
        while not self._show.turns:  # noqa: ASYNC110 - a counter is all that the painting thread shows
            await asyncio.sleep(READY_POLL_S)
        self._systemd.ready()
        log.info("ready after %.1f s", time.monotonic() - self._began_s)

    async def _follow_clock(self) -> None:
        if self._config.clock_sign:
            await signs.follow(Path(self._config.clock_sign).exists, self._clock_told)

    async def _follow_update(self) -> None:
        if self._config.update_sign:
            await signs.follow(Path(self._config.update_sign).exists, self._update_told)

    def _update_told(self, on: bool) -> None:
        if on:
            self._board.fails("update", "the software is being updated")
        else:
            self._board.works("update")

    def _clock_told(self, right: bool) -> None:
        log.info("the time is %s", "known" if right else "not known yet")
        self._book.clock_ok = right
        self._refresh()

    def _watched(self) -> tuple[Part, ...]:
        """What must get on; the loop is watched by feeding in it."""
        return (
            Part("display", lambda: self._show.turns, DISPLAY_S),
            Part("frames", lambda: self._pictures if self._sees() else None, FRAMES_S),
            Part("broker", lambda: self._client.stirred, BROKER_S),
        )

    def _sees(self) -> bool:
        """Whether pictures must come: a camera that is lost is known, shown, and waited for."""
        return self._calls.camera_is_live and "camera" not in self._board.failing()

    def _picture(self, picture: Picture) -> None:
        self._pictures += 1
        self._show.picture(picture)

    def _parts_changed(self) -> None:
        self._health_changed.set()
        self._refresh()

    def _display_changed(self) -> None:
        """It was pulled out or is back, perhaps another one: the kiosk goes on without."""
        if self._show.trouble:
            self._board.fails("display", self._show.trouble)
        else:
            self._board.works("display")
        self._stage.resize(self._show.size)

    def _refresh(self) -> None:
        if hasattr(self, "_stage"):  # parts may speak up while the stage is still being built
            self._stage.refresh()

    async def _end_call(self) -> None:
        session = self._book.open_session
        if session and session.state is State.RUNNING:
            await self._book.put(session.id, do.End("kiosk_stopped"), SYSTEM)
            await self._calls.over()

    async def _close(self, session: Session) -> Session:
        return await self._book.put(session.id, do.Close("review_over"), SYSTEM)

    async def _give_up(self, session: Session) -> Session:
        return await self._book.put(session.id, do.GiveUp("no_answer"), SYSTEM)

    async def _seen(self, session_id: str, person: Person) -> None:
        await self._book.put(session_id, do.Seen(person), SYSTEM)

    def _book_disk(self) -> None:
        """A disk that takes nothing stops no session, nor does a book that was damaged; both are said."""
        if why := self._book.trouble or self._book.begun_anew:
            self._board.fails("book", why)
        else:
            self._board.works("book")
        self._calls.book_changed()

    async def _tell_health(self) -> None:
        """Each minute and at each change."""
        while True:
            self._health_changed.clear()
            await self._link.health(Health(time.monotonic() - self._began_s, self._board.parts))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEALTH_S):
                    await self._health_changed.wait()


def about(config: Config) -> About:
    return About(
        device=config.device,
        software=version("machine-video-kiosk"),
        hardware=hardware_name(),
        language=config.provider.language,
        capabilities=("call", "marks", "snapshots", "recording"),
        staff=tuple(person.id for person in config.provider.staff),
    )


def hardware_name() -> str:
    """The board's own name, as the kernel tells it on a Raspberry Pi."""
    model = Path("/proc/device-tree/model")
    return model.read_text(errors="replace").strip("\0 \n")[:200] if model.exists() else "simulated or unknown"
