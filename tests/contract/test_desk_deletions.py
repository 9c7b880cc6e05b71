"""Files are deleted by rule and by hand: once, whole, with a receipt, and only where nobody needs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import delete

from desk.config import Config, FileSettings, Retention, load
from desk.database import database_url
from desk.files.films_store import FilmRows
from desk.files.store import Files
from desk.keeping.clock import THE_ONE
from desk.keeping.deletions import STALE_S, Cause, Deletions
from desk.keeping.retention import Keeper
from desk.keeping.tables import ClockRow
from desk.sessions.store import Store, StoredFile, open_store
from desk.tables import KioskRow
from kiosk.errors import ConfigError, StoreTrouble
from kiosk.session.record import Artifact, ArtifactKind, Call, Session
from kiosk.session.states import State
from kiosk.wire.messages import PublicLink
from tests.contract.desk_site import AT, KIOSK, Kiosk, Site, a_session, an_artifact, next_rev, until
from tests.contract.s3_site import s3_settings
from tests.contract.test_desk_code_user import invited, over, upload

DAY_S = 86400.0
NOW_S = 1_800_000_000.0
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4
FOREVER = 10_000.0


class ShakyFiles(Files):
    """A store that fails when it is told to, or hangs."""

    fails = 0
    hangs = False

    async def remove(self, name: str) -> None:
        if self.hangs:
            await asyncio.sleep(FOREVER)
        if self.fails:
            self.fails -= 1
            raise StoreTrouble("the store is away")
        await super().remove(name)


class Place:
    """What a desk keeps, without the rest of it."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder, self.now_s = store, folder, NOW_S
        self.files = ShakyFiles(folder, FileSettings())

    def deletions(self) -> Deletions:
        return Deletions(self.store, self.files, lambda: self.now_s)

    def keeper(self, *rules: Retention) -> Keeper:
        return Keeper(self.store, self.deletions(), rules, lambda: self.now_s)

    async def later(self, days: float) -> None:
        """After so many days, all of which a desk has seen."""
        self.now_s += days * DAY_S
        async with self.store.transactions.begin() as db:
            await db.execute(delete(ClockRow))
            db.add(ClockRow(id=THE_ONE, good_s=self.now_s, since_s=None, seen_s=0.0))

    async def put(self, session_id: str = "s-1", state: State = State.CLOSED, **kinds: ArtifactKind) -> Session:
        """A session with a file of each kind, here since `now_s`."""
        files = {name: JPEG + name.encode() for name in kinds}
        artifacts = [an_artifact(files[n], n, kind=kind, group="g") for n, kind in kinds.items()]
        session = a_session(session_id, state=state, artifacts=tuple(artifacts))
        await self.store.take_session(session)
        for artifact in artifacts:
            await self.keep(session, artifact, files[artifact.id])
        return session

    async def keep(self, session: Session, artifact: Artifact, content: bytes) -> str:
        partial = self.folder / artifact.sha256
        partial.write_bytes(content)
        path = await self.files.keep(partial, session.id, artifact.sha256)
        kept = (session.id, artifact.id, artifact.sha256, len(content), artifact.content_type, path)
        await self.store.add_file(StoredFile(*kept), artifact.kind)
        return path

    async def left(self, session: str = "s-1") -> set[str]:
        """The artifacts whose files are there, by the database and on disk alike."""
        rows = await self.store.files(session)
        assert {file.path for file in rows.values()} <= self.on_disk()
        return {artifact for artifact, _ in rows}

    def on_disk(self) -> set[str]:
        kept = self.folder / "files"
        return {str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()}


@pytest.fixture
async def place(database: str, tmp_path: Path) -> AsyncIterator[Place]:
    store = await open_store(database_url(Config(database=database)), now=lambda: found.now_s)
    found = Place(store, tmp_path)
    yield found
    await store.close()


EACH_KIND: dict[str, Any] = {
    "rec": ArtifactKind.RECORDING,
    "line": ArtifactKind.TIMELINE,
    "snap": ArtifactKind.SNAPSHOT,
    "layers": ArtifactKind.LAYERS,
    "data": ArtifactKind.SESSION_DATA,
}


async def test_each_kind_is_kept_for_its_own_days(place: Place) -> None:
    await place.put(**EACH_KIND)
    keeper = place.keeper(Retention(recordings_days=30, snapshots_days=90))
    await place.later(29)
    assert await keeper.look() == 0
    await place.later(2)
    assert await keeper.look() == 2
    assert await place.left() == {"snap", "layers", "data"}
    await place.later(60)
    assert await keeper.look() == 2
    await place.later(10_000)
    assert await keeper.look() == 0
    assert await place.left() == {"data"}, "what no rule names is kept for ever"


async def test_a_provider_has_rules_of_its_own_and_the_others_those_without_a_name(place: Place) -> None:
    await place.put("s-1", rec=ArtifactKind.RECORDING)
    async with place.store.transactions.begin() as db:
        db.add(KioskRow(id=KIOSK, provider="Pump Works"))
    await place.put("s-2", rec2=ArtifactKind.RECORDING)
    ours = Retention(provider="Pump Works", recordings_days=10)
    others = Retention(recordings_days=5)
    await place.later(6)
    assert await place.keeper(others, replace(ours, provider="Somebody")).look() == 2
    await place.put("s-3", rec3=ArtifactKind.RECORDING)
    await place.later(6)
    assert await place.keeper(others, ours).look() == 0
    await place.later(5)
    assert await place.keeper(others, ours).look() == 1
    (receipt,) = await place.deletions().receipts("s-3")
    assert receipt.reason == "recordings are kept for 10 days (Pump Works)"


@pytest.mark.parametrize("state", [State.RUNNING, State.COMPLETED, State.CONFIRMED])
async def test_nothing_of_a_session_that_is_not_over_is_deleted(place: Place, state: State) -> None:
    await place.put(state=state, rec=ArtifactKind.RECORDING)
    await place.later(100)
    assert await place.keeper(Retention(recordings_days=1)).look() == 0
    assert await place.left() == {"rec"}


async def test_a_receipt_says_what_when_and_by_which_rule_and_the_audit_log_too(place: Place) -> None:
    session = await place.put(rec=ArtifactKind.RECORDING)
    await place.later(31)
    await place.keeper(Retention(recordings_days=30)).look()
    (receipt,) = await place.deletions().receipts("s-1")
    assert (receipt.artifact, receipt.kind, receipt.sha256) == ("rec", "recording", session.artifacts[0].sha256)
    assert (receipt.at_s, receipt.done_s, receipt.person) == (place.now_s, place.now_s, "")
    assert receipt.reason == "recordings are kept for 30 days"
    assert await place.store.audited() == [("", "delete_file", "s-1", "recording rec: recordings are kept for 30 days")]
    assert place.on_disk() == set()
    assert not (place.folder / "files" / "s-1").exists(), "nor an empty folder of it"


async def test_desks_that_look_at_once_delete_each_file_once(place: Place) -> None:
    for n in range(12):
        await place.put(f"s-{n}", rec=ArtifactKind.RECORDING)
    await place.later(31)
    desks = [place.keeper(Retention(recordings_days=30)) for _ in range(3)]
    assert sum(await asyncio.gather(*(desk.look() for desk in desks))) == 12
    assert len(await place.store.audited()) == 12
    assert place.on_disk() == set()


async def test_what_a_desk_left_half_done_another_one_finishes(place: Place) -> None:
    await place.put(rec=ArtifactKind.RECORDING, line=ArtifactKind.TIMELINE)
    await place.later(31)
    place.files.hangs = True
    dying = asyncio.create_task(place.keeper(Retention(recordings_days=30)).look())
    while not any(r.done_s == 0 for r in await place.deletions().receipts("s-1")):
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    place.files.hangs = False
    assert await place.left() == set(), "what is decided is nobody's any more"
    assert len(place.on_disk()) == 2
    other = place.keeper()
    first = await other.look()
    place.now_s += STALE_S
    assert first + await other.look() == 2, "the one that was claimed waits until its desk is given up"
    assert place.on_disk() == set()
    assert all(r.done_s for r in await place.deletions().receipts("s-1"))


async def test_a_store_that_is_away_is_tried_again(place: Place) -> None:
    await place.put(rec=ArtifactKind.RECORDING)
    await place.later(31)
    place.files.fails = 2
    keeper, waits = place.keeper(Retention(recordings_days=30)), list[float]()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        place.now_s += seconds
        if len(waits) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keeper.run(wait)
    assert waits == [300, 300, 3600]
    assert place.on_disk() == set()


async def test_a_film_goes_with_its_recording_or_by_its_own_rule(place: Place) -> None:
    session = await place.put(rec=ArtifactKind.RECORDING, line=ArtifactKind.TIMELINE)
    rows = FilmRows(place.store.transactions, lambda: place.now_s)

    async def make(content: bytes) -> None:
        await rows.ask("s-1", "rec", "k" * 64)
        film = await rows.take("desk-1")
        assert film is not None
        drawn = place.folder / "drawn"
        drawn.write_bytes(content)
        path = await place.files.keep(drawn, "s-1", (sha := f"{len(content):064}"))
        assert await rows.done(film, "desk-1", path, sha, len(content))

    await make(b"film")
    await place.later(3)
    assert await place.keeper(Retention(films_days=2)).look() == 1
    assert await rows.find("s-1", "rec") is None
    assert await place.left() == {"rec", "line"}
    await make(b"film again")
    await place.deletions().by_hand(session, ("rec",), Cause("no more needed", "clara"))
    await place.keeper().look()
    kinds = sorted(r.kind for r in await place.deletions().receipts("s-1"))
    assert kinds == ["film", "film", "recording", "timeline"]
    assert place.on_disk() == set()


async def test_bytes_that_another_artifact_has_as_well_stay(place: Place) -> None:
    session = await place.put(one=ArtifactKind.FLATTENED)
    twin = replace(session.artifacts[0], id="two", group="")
    await place.keep(session, twin, JPEG + b"one")
    await place.deletions().by_hand(
        replace(session, artifacts=(*session.artifacts, twin)), ("one",), Cause("x", "clara")
    )
    assert await place.deletions().carry_out() == 1
    assert await place.left() == {"two"}


async def test_files_are_deleted_from_s3_as_well(s3: str, place: Place, tmp_path: Path) -> None:
    place.files = ShakyFiles(tmp_path, s3_settings(s3, tmp_path))
    await place.put(rec=ArtifactKind.RECORDING)
    (file,) = (await place.store.files("s-1")).values()
    await place.later(31)
    assert await place.keeper(Retention(recordings_days=30)).look() == 1
    with pytest.raises(StoreTrouble):
        [piece async for piece in place.files.read(file.path, 0, file.bytes)]
    await place.files.remove(file.path)  # gone is gone


# --- by hand, over HTTP -----------------------------------------------------------------------------------------------


@pytest.fixture
async def clara(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.person("clara") as http:
        yield http


async def ask(http: httpx.AsyncClient, *artifacts: str, reason: str = "by wish of the customer") -> httpx.Response:
    return await http.post("/api/sessions/s-1/deletions", json={"reason": reason, "artifacts": artifacts})


async def gone(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            told = (await http.get("/api/sessions/s-1/deletions")).json()["deletions"]
            if told and all(r["done_s"] for r in told):
                return list(told)
            await asyncio.sleep(0.02)


async def test_a_moderator_deletes_with_a_reason_and_everybody_who_sees_the_session_sees_the_receipt(
    site: Site, kiosk: Kiosk, anna: httpx.AsyncClient, clara: httpx.AsyncClient
) -> None:
    path = await invited(kiosk, over())
    async with httpx.AsyncClient(base_url=site.url) as guest:
        await upload(kiosk, guest, JPEG)
        assert (await guest.get(f"{path}/a-flat")).status_code == 200
        assert (await ask(clara, "a-flat")).status_code == 202
        assert (await guest.get(f"{path}/a-flat")).status_code == 404
        assert "a-flat" not in (await guest.get(path)).text
    (receipt,) = await gone(anna)
    assert (receipt["person_name"], receipt["reason"]) == ("Clara Wolf", "by wish of the customer")
    assert not [p for p in (site.folder / "data" / "files").rglob("*") if p.is_file()]
    told = (await anna.get("/api/sessions/s-1")).json()["artifacts"]["a-flat"]
    assert (told["url"], told["uploaded"], told["deleted_s"] > 0) == ("", False, True)
    assert (await anna.get("/api/sessions/s-1/artifacts/a-flat")).status_code == 404


async def test_a_kiosk_that_still_has_the_file_is_told_to_let_go_and_not_asked_again(
    site: Site, kiosk: Kiosk, clara: httpx.AsyncClient
) -> None:
    session = over()
    await invited(kiosk, session)
    async with httpx.AsyncClient() as courier:
        await upload(kiosk, courier, JPEG)
        assert (await ask(clara, "a-flat")).status_code == 202
        await gone(clara)
        before, granted = len(kiosk.stored), len(kiosk.grants)
        await kiosk.told(next_rev(session))
        await until(lambda: [s for s in kiosk.stored[before:] if s.artifact == "a-flat"])
        await until(lambda: [g for g in kiosk.grants[granted:] if g.artifact == "a-data"])
        assert not [g for g in kiosk.grants[granted:] if g.artifact == "a-flat"]
        late = await courier.head(kiosk.grants[0].url, headers={"Tus-Resumable": "1.0.0"})
        assert late.headers["Upload-Offset"] == late.headers["Upload-Length"], "an old address takes nothing either"


async def test_what_must_not_be_deleted_is_refused(
    kiosk: Kiosk, anna: httpx.AsyncClient, clara: httpx.AsyncClient
) -> None:
    call = Call("c-1", AT)
    await kiosk.told(a_session(state=State.RUNNING, calls=(call,), artifacts=(an_artifact(JPEG),)))
    assert (await ask(anna)).status_code == 403, "staff do not delete"
    for reason in ("", "   ", "x" * 201):
        assert (await ask(clara, reason=reason)).status_code == 400
    running = await ask(clara)
    assert (running.status_code, running.json()["code"]) == (409, "wrong_state")
    await kiosk.told(a_session(state=State.CLOSED, rev=2, calls=(call,), artifacts=(an_artifact(JPEG),)))
    assert (await ask(clara)).status_code == 404, "it is not here (yet)"
    assert (await ask(clara, "a-other")).status_code == 404


async def test_what_was_decided_before_a_desk_was_killed_is_deleted_when_it_is_started_again(
    tmp_path: Path, site: Site, kiosk: Kiosk
) -> None:
    """The first desk decides, and is gone before it could do anything about it."""
    await invited(kiosk, over())
    async with httpx.AsyncClient() as courier:
        await upload(kiosk, courier, JPEG)
    store = await open_store(database_url(site.config))
    dying = Deletions(store, Files(Path(site.config.data)), lambda: NOW_S)
    session = await store.session("s-1")
    assert session is not None
    await dying.by_hand(session, (), Cause("power cut", "clara"))
    await store.close()
    again = replace(site.config, http=replace(site.config.http, port=0))
    from desk.app import run

    stop, ready = asyncio.Event(), asyncio.Event()
    second = asyncio.create_task(run(again, lambda _: ready.set(), stop))
    await ready.wait()
    async with site.person("clara") as clara:
        assert [r["reason"] for r in await gone(clara)] == ["power cut"]
    stop.set()
    await second
    assert kiosk.of(PublicLink)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[retention]]\nrecordings_days = 0", "recordings_days"),
        ("[[retention]]\nfilm_days = 3", "film_days"),
        ('[[retention]]\nprovider = "P"\n[[retention]]\nprovider = "P"', "twice"),
    ],
)
def test_settings_that_are_wrong_are_said_by_name(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "desk.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=named):
        load(file)
