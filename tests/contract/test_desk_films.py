"""Films with drawings: asked for, made by the desk in the background, kept, downloaded; and all that may go wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from msgspec.structs import replace

from desk.config import FileSettings
from desk.files.films import Films
from desk.files.films_store import MOST_TRIES, MOST_WAITING, STALE_S, FilmRows
from desk.files.store import Files
from desk.problems import Problem
from desk.sessions.store import Store, StoredFile, open_store
from kiosk.errors import Full
from kiosk.session.record import ArtifactKind, Session
from kiosk.session.states import State
from tests.contract.desk_site import Kiosk, Site, a_session, an_artifact
from tests.contract.film_site import write_film, write_timeline
from tests.contract.test_desk_uploads import append, begin

PATH = "/api/sessions/s-1/artifacts/a-film/drawn"


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("contents")
    film, timeline = write_film(folder / "f.mp4", 2.0), write_timeline(folder / "t.jsonl")
    return {"film": film.read_bytes(), "timeline": timeline.read_bytes()}


def a_closed_session(contents: dict[str, bytes], **more: Any) -> Session:
    film: dict[str, Any] = {"kind": ArtifactKind.RECORDING, "name": "recording-1.mp4", "content_type": "video/mp4"}
    timeline: dict[str, Any] = {"kind": ArtifactKind.TIMELINE, "name": "recording-1.timeline.jsonl"}
    artifacts = (
        an_artifact(contents["film"], "a-film", group="a-film", **film),
        an_artifact(contents["timeline"], "a-lines", group="a-film", content_type="application/x-ndjson", **timeline),
    )
    return a_session(state=State.CLOSED, artifacts=artifacts, **more)


class Bench:
    """Films over a real database and a real folder; the command is given. `now_s` is set by the test."""

    def __init__(self, store: Store, files: Files, folder: Path) -> None:
        self.store, self.files, self.folder = store, files, folder
        self.now_s = 1000.0
        self.rows = FilmRows(store.transactions, lambda: self.now_s)
        self.session = a_session()

    def films(self, *command: str) -> Films:
        return Films(self.rows, self.store, self.files, self.folder / "films", command or (sys.executable, "-c", ""))

    async def put(self, session: Session, contents: dict[str, bytes]) -> None:
        self.session = session
        await self.store.take_session(session)
        for artifact, content in zip(session.artifacts, contents.values(), strict=True):
            partial = self.folder / artifact.id
            partial.write_bytes(content)
            path = await self.files.keep(partial, session.id, artifact.sha256)
            kept = (session.id, artifact.id, artifact.sha256, len(content), artifact.content_type, path)
            await self.store.add_file(StoredFile(*kept), artifact.kind)

    async def state(self, films: Films) -> tuple[str, str]:
        told = await films.told(self.session, "a-film")
        return told.state, told.error


@pytest.fixture
async def bench(tmp_path: Path, contents: dict[str, bytes]) -> AsyncIterator[Bench]:
    store = await open_store(f"sqlite+aiosqlite:///{tmp_path / 'desk.sqlite'}")
    bench = Bench(store, Files(tmp_path, FileSettings()), tmp_path)
    await bench.put(a_closed_session(contents), contents)
    yield bench
    await store.close()


async def until_is(bench: Bench, films: Films, *states: str) -> tuple[str, str]:
    async with asyncio.timeout(40):
        while (told := await bench.state(films))[0] not in states:
            await asyncio.sleep(0.02)
    return told


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# --- the whole way ----------------------------------------------------------------------------------------------------


async def upload(site: Site, kiosk: Kiosk, contents: dict[str, bytes]) -> None:
    session = await kiosk.told(a_closed_session(contents))
    async with httpx.AsyncClient(base_url=site.url, headers={"Tus-Resumable": "1.0.0"}, timeout=20) as http:
        async with asyncio.timeout(20):
            while len(kiosk.grants) < len(session.artifacts):
                await asyncio.sleep(0.01)
        by_artifact = {grant.artifact: grant.url for grant in kiosk.grants}
        for artifact, content in zip(session.artifacts, contents.values(), strict=True):
            url = await begin(http, by_artifact[artifact.id], len(content))
            assert (await append(http, url, 0, content)).status_code == 204


async def test_a_film_is_asked_for_made_and_downloaded_and_asking_again_makes_it_no_second_time(
    site: Site, contents: dict[str, bytes], tmp_path: Path
) -> None:
    async with site.kiosk() as kiosk, site.person("anna") as anna, site.person("ben") as ben:
        await upload(site, kiosk, contents)
        assert (await anna.get(PATH)).json()["state"] == "none"
        assert (await anna.get(PATH + "/file")).status_code == 404
        assert (await ben.post(PATH)).status_code == 403
        asked = await anna.post(PATH)
        assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
        async with asyncio.timeout(50):
            while (told := (await anna.get(PATH)).json())["state"] != "done":
                assert told["state"] != "failed", told
                await asyncio.sleep(0.1)
        made = await anna.get(told["url"])
        assert made.headers["Content-Disposition"] == 'attachment; filename="recording-1-drawn.mp4"'
        assert len(made.content) == told["bytes"]
        assert (await ben.get(told["url"])).status_code == 403
        part = await anna.get(told["url"], headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert (await anna.post(PATH)).json() == told
        assert (await anna.get("/api/sessions/s-1/artifacts/a-lines/drawn")).json()["state"] == "none"
        assert (await anna.post("/api/sessions/s-1/artifacts/a-lines/drawn")).status_code == 404
    path = tmp_path / "made.mp4"
    path.write_bytes(made.content)
    with av.open(str(path)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 30
    assert list((tmp_path / "data" / "films").iterdir()) == []


# --- what may go wrong ------------------------------------------------------------------------------------------------


async def test_new_drawings_make_a_new_film(bench: Bench, contents: dict[str, bytes]) -> None:
    films = bench.films(sys.executable, "-m", "desk.files.burn")
    running = asyncio.create_task(films.run())
    await films.ask(bench.session, "a-film")
    assert (await until_is(bench, films, "done", "failed"))[0] == "done"
    later = {**contents, "timeline": contents["timeline"][:100]}
    await bench.put(replace(a_closed_session(later), rev=2), later)
    assert await bench.state(films) == ("none", "")
    with pytest.raises(Problem):
        await films.file(bench.session, "a-film")
    await films.ask(bench.session, "a-film")
    assert (await until_is(bench, films, "done", "failed"))[0] == "done"
    await ended(running)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ('print(\'{"error": "damaged"}\'); raise SystemExit(1)', "damaged"),
        ("import os; os.abort()", "trouble"),
        ("print('no JSON'); print('x' * 100_000)", "trouble"),
        ("raise SystemExit(0)", "trouble"),  # says it is made, and nothing is there
    ],
)
async def test_why_a_film_was_not_made_is_told_and_it_may_be_asked_for_again(
    bench: Bench, code: str, error: str
) -> None:
    films = bench.films(sys.executable, "-c", code)
    running = asyncio.create_task(films.run())
    await films.ask(bench.session, "a-film")
    assert await until_is(bench, films, "done", "failed") == ("failed", error)
    assert list((bench.folder / "films").iterdir()) == []
    await films.ask(bench.session, "a-film")
    assert (await until_is(bench, films, "waiting", "running", "failed"))[0] in ("waiting", "running", "failed")
    await ended(running)


SLOW = "import time\nwhile True: print('{\"percent\": 7}', flush=True); time.sleep(0.05)"


async def test_one_that_is_cancelled_ends_its_process(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desk.files.films.BEAT_S", 0.0)
    films = bench.films(sys.executable, "-c", SLOW)
    running = asyncio.create_task(films.run())
    await films.ask(bench.session, "a-film")
    await until_is(bench, films, "running")
    await films.cancel(bench.session, "a-film")
    async with asyncio.timeout(20):
        while list((bench.folder / "films").iterdir()):
            await asyncio.sleep(0.02)
    assert await bench.state(films) == ("none", "")
    await ended(running)


async def test_a_desk_that_ends_leaves_the_film_to_whoever_is_next(bench: Bench) -> None:
    films = bench.films(sys.executable, "-c", SLOW)
    running = asyncio.create_task(films.run())
    await films.ask(bench.session, "a-film")
    await until_is(bench, films, "running")
    await ended(running)
    assert await bench.state(films) == ("waiting", "")
    again = bench.films(sys.executable, "-m", "desk.files.burn")
    running = asyncio.create_task(again.run())
    assert (await until_is(bench, again, "done", "failed"))[0] == "done"
    await ended(running)


async def test_one_whose_desk_was_killed_is_begun_anew_after_a_while_but_not_for_ever(bench: Bench) -> None:
    await bench.films().ask(bench.session, "a-film")
    for n in range(MOST_TRIES):
        film = await bench.rows.take(f"desk-{n}")
        assert film is not None
        assert await bench.rows.take("other") is None, "somebody makes it"
        bench.now_s += STALE_S - 1
        assert await bench.rows.goes_on(film, f"desk-{n}", 50)
        assert not await bench.rows.goes_on(film, "other", 50)
        bench.now_s += STALE_S
    assert await bench.rows.take("last") is None
    assert await bench.state(bench.films()) == ("failed", "trouble")


async def test_of_a_session_one_film_is_made_at_a_time_and_others_meanwhile(
    bench: Bench, contents: dict[str, bytes]
) -> None:
    await bench.store.take_session(replace(a_closed_session(contents), id="s-2"))
    for session, artifact in (("s-1", "a-film"), ("s-1", "a-other"), ("s-2", "a-film")):
        await bench.rows.ask(session, artifact, "key")
        bench.now_s += 1
    first, second = await bench.rows.take("desk-1"), await bench.rows.take("desk-2")
    assert first is not None
    assert second is not None
    assert [(f.session, f.artifact) for f in (first, second)] == [("s-1", "a-film"), ("s-2", "a-film")]
    assert await bench.rows.take("desk-3") is None
    await bench.rows.failed(first, "desk-1", "damaged")
    third = await bench.rows.take("desk-3")
    assert third is not None
    assert third.artifact == "a-other"


async def test_not_more_wait_than_are_made_in_reasonable_time(bench: Bench) -> None:
    for n in range(MOST_WAITING):
        await bench.rows.ask("s-1", f"a-{n}", "key")
    with pytest.raises(Full):
        await bench.rows.ask("s-1", "a-more", "key")


async def test_a_recording_that_is_gone_meanwhile_is_said_to_be(bench: Bench, contents: dict[str, bytes]) -> None:
    films = bench.films()
    await films.ask(bench.session, "a-film")
    await bench.store.take_session(replace(a_closed_session(contents), rev=2, artifacts=()))
    running = asyncio.create_task(films.run())
    async with asyncio.timeout(20):
        while (film := await bench.rows.find("s-1", "a-film")) is None or film.state != "failed":
            await asyncio.sleep(0.02)
    assert film.error == "gone"
    await ended(running)
