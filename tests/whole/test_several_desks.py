"""Several desks: what one of them takes in, begins or promises goes on at the others, and one that is killed in the
middle of it loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page

from kiosk.session.record import Session
from kiosk.session.states import State
from kiosk.wire import topics
from kiosk.wire.messages import Answer, AnswerSdp, Bye, Candidate, Command, Offer
from tests.contract.desk_site import ANNA, BEN, Kiosk, a_session, an_artifact, next_rev, until
from tests.contract.film_site import write_film, write_timeline
from tests.contract.postgres_site import Postgres, running_postgres
from tests.contract.test_desk_calls import ANSWER, FRAGMENT, OFFER, SDP, TRICKLED, call
from tests.contract.test_desk_films import a_closed_session
from tests.contract.test_desk_uploads import JPEG, TUS, append, begin, offset_of
from tests.whole.desks_site import NAMES, Desks, several_desks
from tests.whole.rig import chromium
from tests.whole.rig import until as until_seen

ONE, TWO = NAMES


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
async def desks(tmp_path: Path, postgres: Postgres) -> AsyncIterator[Desks]:
    with postgres.database(f"desks-{tmp_path.name}") as url:
        async with several_desks(tmp_path, url) as desks:
            yield desks


@pytest.fixture
async def kiosk(desks: Desks) -> AsyncIterator[Kiosk]:
    async with desks.site.kiosk() as kiosk:
        yield kiosk


@pytest.fixture
async def anna(desks: Desks) -> AsyncIterator[httpx.AsyncClient]:
    async with desks.site.person("anna") as http:
        yield http


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@contextlib.asynccontextmanager
async def told_at(desks: Desks, name: str, http: httpx.AsyncClient) -> AsyncIterator[Any]:
    """What a page that is open at this desk hears: `await next(kind)`."""
    async with http.stream("GET", desks.url_of(name) + "/api/events") as answer:
        assert answer.status_code == 200
        lines = answer.aiter_lines()

        async def heard(kind: str) -> Any:
            async with asyncio.timeout(20):
                while await anext(lines) != f"event: {kind}":
                    pass
                return json.loads((await anext(lines)).removeprefix("data: "))

        await heard("hello")
        yield heard


async def open_page(desks: Desks, browser: Browser, path: str = "/") -> Page:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(desks.site.link("anna") + f"?to={path}")
    return page


async def row(page: Page, session: str) -> None:
    await page.locator(f".session-row[data-id={session}]").wait_for(timeout=20_000)


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_requests_go_round_and_who_signed_in_at_one_desk_is_known_at_the_other(
    anna: httpx.AsyncClient,
) -> None:
    served = {(await anna.get("/api/me")).headers["x-served-by"] for _ in range(4)}
    assert served == set(NAMES)


async def test_pages_at_each_desk_hear_of_what_any_of_them_did(
    desks: Desks, kiosk: Kiosk, anna: httpx.AsyncClient
) -> None:
    async with told_at(desks, ONE, anna) as at_one, told_at(desks, TWO, anna) as at_two:
        await kiosk.online()
        for heard in (at_one, at_two):
            assert (await heard("presence"))["online"]
        session = await kiosk.told(a_session())
        for heard in (at_one, at_two):
            assert (await heard("session"))["session"]["id"] == "s-1"
        await kiosk.told(next_rev(session, state=State.CLOSED, artifacts=(an_artifact(JPEG),)))
        await until(lambda: kiosk.grants)
        for heard in (at_one, at_two):
            assert not (await heard("session"))["artifacts"]["a-1"]["uploaded"]
        path = httpx.URL(kiosk.grants[0].url).path
        async with httpx.AsyncClient(base_url=desks.url_of(ONE), headers=TUS) as http:
            await begin(http, path, len(JPEG))
            assert (await append(http, path, 0, JPEG)).status_code == 204
        for heard in (at_one, at_two):
            assert (await heard("session"))["artifacts"]["a-1"]["uploaded"]


async def test_open_pages_come_back_by_themselves_whichever_desk_dies(
    desks: Desks, kiosk: Kiosk, browser: Browser
) -> None:
    await kiosk.told(a_session())
    page = await open_page(desks, browser)
    await row(page, "s-1")
    for n, (gone, left) in enumerate(((ONE, TWO), (TWO, ONE)), 2):
        await desks.kill(gone)
        await kiosk.told(a_session(f"s-{n}"))  # the other one is enough
        await row(page, f"s-{n}")
        await desks.start(gone)
        await desks.only(ONE, TWO)
        assert left in NAMES


async def test_pages_load_anew_where_the_database_cut_a_desk_off(
    desks: Desks, kiosk: Kiosk, anna: httpx.AsyncClient, postgres: Postgres
) -> None:
    async with told_at(desks, ONE, anna) as heard:
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'desks-%'")
        with pytest.raises((StopAsyncIteration, httpx.RemoteProtocolError)):
            await heard("session")
    await kiosk.told(a_session())
    async with told_at(desks, ONE, anna) as heard:
        await kiosk.told(a_session(rev=2))
        assert (await heard("session"))["session"]["rev"] == 2


# --- what is in the middle of something -------------------------------------------------------------------------------


async def test_a_desk_that_dies_over_a_confirmation_leaves_it_done_once_and_nobody_notices(
    desks: Desks, kiosk: Kiosk, browser: Browser
) -> None:
    session = await kiosk.told(a_session())
    page = await open_page(desks, browser, "/sessions/s-1")
    await page.locator("#confirm").wait_for()
    await desks.only(ONE)
    killed = asyncio.Event()
    known: dict[str, Answer] = {}

    def answer(command: Command) -> Answer | None:
        """As the kiosk does: the first time it is done, afterwards answered from memory."""
        known.setdefault(command.id, Answer(command.id, ok=True, session="s-1", rev=2, state=State.CONFIRMED))
        return known[command.id] if killed.is_set() else None

    kiosk.answers = answer
    await page.locator("#confirm").click()
    await until(lambda: kiosk.commands)
    await desks.kill(ONE)
    await desks.only(TWO)
    killed.set()
    await kiosk.told(next_rev(session, state=State.CONFIRMED))
    await page.locator("#start").wait_for(timeout=20_000)
    assert len({command.id for command in kiosk.commands}) == 1
    assert not await page.locator(".toast[data-tone=error]").count()


async def test_a_join_at_one_desk_goes_on_at_the_other(desks: Desks, kiosk: Kiosk, anna: httpx.AsyncClient) -> None:
    kiosk.signals_back = lambda s: AnswerSdp(peer=s.peer, sdp=ANSWER, offer=s.id) if isinstance(s, Offer) else None
    await kiosk.told(a_session(state=State.RUNNING, assigned=(ANNA, BEN)))
    one, two = desks.url_of(ONE), desks.url_of(TWO)
    joined = await anna.post(one + "/api/sessions/s-1/call", content=OFFER, headers=SDP)
    assert joined.status_code == 201
    place, peer = joined.headers["location"], joined.headers["location"].rpartition("/")[2]
    match = {"If-Match": joined.headers["etag"]}
    assert (await anna.patch(two + place, content=TRICKLED, headers=FRAGMENT | match)).status_code == 204
    await until(lambda: [s for _, s in kiosk.signals if isinstance(s, Candidate)])
    await desks.kill(ONE)
    again = await call(anna, peer=peer)
    assert (again.status_code, again.headers["location"]) == (201, place)
    assert (await anna.patch(place, content=TRICKLED, headers=FRAGMENT | match)).status_code == 412
    await desks.start(ONE)
    async with told_at(desks, ONE, anna) as at_one, told_at(desks, TWO, anna) as at_two:
        await kiosk.say(topics.SIGNAL_UP, Bye(peer=peer, code="device", text="camera gone"), "s-1")
        for heard in (at_one, at_two):
            assert (await heard("gone"))["peer"] == peer
    assert (await anna.delete(two + place)).status_code == 404


async def test_a_desk_that_dies_over_an_offer_is_no_end_of_it(
    desks: Desks, kiosk: Kiosk, anna: httpx.AsyncClient
) -> None:
    await kiosk.told(a_session(state=State.RUNNING, assigned=(ANNA, BEN)))
    await desks.only(ONE)
    asking = asyncio.create_task(call(anna))
    await until(lambda: kiosk.signals)
    await desks.kill(ONE)
    await desks.only(TWO)
    with contextlib.suppress(httpx.TransportError):
        assert (await asking).status_code == 502
    kiosk.signals_back = lambda s: AnswerSdp(peer=s.peer, sdp=ANSWER, offer=s.id) if isinstance(s, Offer) else None
    assert (await call(anna)).status_code == 201


async def test_an_upload_goes_through_all_desks_and_survives_one_that_dies_in_the_middle(
    desks: Desks, kiosk: Kiosk
) -> None:
    film = b"\x00\x00\x00\x18ftypiso5" + bytes(range(256)) * 8000
    artifact = an_artifact(film, kind="recording", name="recording-1.mp4", content_type="video/mp4")
    await kiosk.told(a_session(state=State.CLOSED, artifacts=(artifact,)))
    await until(lambda: kiosk.grants)
    async with httpx.AsyncClient(base_url=desks.url, headers=TUS, timeout=20) as http:
        url = await begin(http, kiosk.grants[0].url, len(film))
        served = set[str]()
        for start in range(0, 400_000, 100_000):
            answer = await append(http, url, start, film[start : start + 100_000])
            assert answer.status_code == 204
            served.add(answer.headers["x-served-by"])
        assert served == set(NAMES)
        await desks.only(ONE)
        with contextlib.suppress(httpx.TransportError):
            answer = await append(http, url, 400_000, half_a_piece(desks, film[400_000:1_700_000]))
            assert answer.status_code >= 500
        await desks.only(TWO)
        offset = await offset_of(http, url)
        assert 400_000 <= offset <= 1_700_000
        assert (await append(http, url, offset, film[offset:])).status_code == 204
    await until(lambda: kiosk.stored)
    async with desks.site.person("anna") as anna:
        assert (await anna.get("/api/sessions/s-1/artifacts/a-1")).content == film


async def half_a_piece(desks: Desks, data: bytes) -> AsyncIterator[bytes]:
    """The desk dies when half of it is on its way."""
    yield data[: len(data) // 2]
    await asyncio.sleep(0.2)
    await desks.kill(ONE)
    yield data[len(data) // 2 :]


async def test_who_comes_back_through_another_desk_takes_his_upload_over(desks: Desks, kiosk: Kiosk) -> None:
    await kiosk.told(a_session(state=State.CLOSED, artifacts=(an_artifact(JPEG),)))
    await until(lambda: kiosk.grants)
    path = httpx.URL(kiosk.grants[0].url).path
    async with (
        httpx.AsyncClient(base_url=desks.url_of(ONE), headers=TUS, timeout=20) as one,
        httpx.AsyncClient(base_url=desks.url_of(TWO), headers=TUS, timeout=20) as two,
    ):
        await begin(one, path, len(JPEG))
        async with link_that_died(desks.ports[ONE], path, JPEG[:1000], len(JPEG)) as answer:
            offset = await offset_of(two, path)
            async with asyncio.timeout(15):  # long before its own time is over
                assert b" 408 " in await answer.readline()
        assert (await append(two, path, offset, JPEG[offset:])).status_code == 204


@contextlib.asynccontextmanager
async def link_that_died(port: int, path: str, data: bytes, length: int) -> AsyncIterator[asyncio.StreamReader]:
    """An upload whose sender says no more, without anybody being told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = {**TUS, "Host": "desk", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(length)}.items()]
    writer.write("\r\n".join([f"PATCH {path} HTTP/1.1", *lines, "", ""]).encode() + data)
    await writer.drain()
    await asyncio.sleep(0.3)
    try:
        yield reader
    finally:
        writer.close()


async def test_a_film_that_a_desk_died_over_is_made_by_the_other_once(
    desks: Desks, kiosk: Kiosk, anna: httpx.AsyncClient, postgres: Postgres, tmp_path: Path
) -> None:
    contents = {
        "film": write_film(tmp_path / "f.mp4", 20.0).read_bytes(),
        "timeline": write_timeline(tmp_path / "t.jsonl").read_bytes(),
    }
    session = a_closed_session(contents)
    await upload_all(kiosk, session, contents)
    place = "/api/sessions/s-1/artifacts/a-film/drawn"
    asked = await asyncio.gather(*(anna.post(desks.url_of(name) + place) for name in NAMES))
    assert [answer.status_code for answer in asked] == [202, 202]

    async def state() -> dict[str, Any]:
        told: dict[str, Any] = (await anna.get(desks.url_of(TWO) + place)).json()
        return told

    async def is_on_its_way() -> bool:
        return bool((await state())["state"] == "running")

    await desks.only(TWO)
    await until_seen(is_on_its_way, "a film on its way")
    database = postgres.sql("SELECT datname FROM pg_database WHERE datname LIKE 'desks-%'").splitlines()[-1]
    await desks.kill(ONE)
    postgres.sql("UPDATE films SET beat_s = beat_s - 100 WHERE state = 'running'", database)  # a minute later

    async def is_made() -> bool:
        return bool((await state())["state"] == "done")

    await until_seen(is_made, "the film", 50)
    assert (await anna.get((await state())["url"])).content[4:8] == b"ftyp"
    assert postgres.sql("SELECT count(*) FROM films", database) == "1"


async def upload_all(kiosk: Kiosk, session: Session, contents: dict[str, bytes]) -> None:
    await kiosk.told(session)
    wanted = {a.sha256: content for a, content in zip(session.artifacts, contents.values(), strict=True)}
    await until(lambda: {grant.sha256 for grant in kiosk.grants} == set(wanted))
    for grant in {grant.sha256: grant for grant in kiosk.grants}.values():
        async with httpx.AsyncClient(headers=TUS, timeout=20) as http:
            url = await begin(http, grant.url, len(wanted[grant.sha256]))
            assert (await append(http, url, 0, wanted[grant.sha256])).status_code == 204
