"""A session as one ZIP: complete, safe to unpack, readable without the desk, and never whole in memory."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import pytest
from playwright.async_api import async_playwright

from desk.config import Config
from desk.database import database_url
from desk.files.store import Files
from desk.keeping.deletions import Deletions
from desk.keeping.export import Exports
from desk.sessions.store import Store, StoredFile, open_store
from kiosk.errors import StoreTrouble
from kiosk.session.record import Artifact, ArtifactKind, Call, Consent, Rating, Receipt, Session, Ticket
from kiosk.session.states import State
from tests.contract.desk_site import AT, BEN, Kiosk, Site, a_session, an_artifact
from tests.contract.s3_site import s3_settings
from tests.contract.test_desk_code_user import upload

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
PIXEL = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a1c"
    "1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001400010000000000000000"
    "00000000000000000009ffc40014100100000000000000000000000000000000ffda0008010100003f002a7fffd9"
)
CONTENTS = {
    ArtifactKind.RECORDING: ("recording-1.mp4", b"\0\0\0\x18ftypiso5" + bytes(3_000_000), "video/mp4"),
    ArtifactKind.TIMELINE: ("recording-1.timeline.jsonl", b"{}\n", "application/x-ndjson"),
    ArtifactKind.SNAPSHOT: ("snapshot-1.jpg", PIXEL, "image/jpeg"),
    ArtifactKind.LAYERS: ("snapshot-1.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    ArtifactKind.FLATTENED: ("snapshot-1-drawn.jpg", PIXEL + b"2", "image/jpeg"),
    ArtifactKind.SESSION_DATA: ("session.json", b"{}", "application/json"),
}


def artifact(kind: ArtifactKind) -> Artifact:
    name, content, content_type = CONTENTS[kind]
    return an_artifact(content, f"a-{kind.value.replace('_', '-')}", kind=kind, name=name, content_type=content_type)


def a_full_session(**more: Any) -> Session:
    consent = Consent(True, AT, EVIL, "de", "call")
    values: dict[str, Any] = {
        "state": State.CLOSED,
        "reason": EVIL,
        "requester": EVIL,
        "tickets": (Ticket("T-1", EVIL, "https://tickets.example/1"),),
        "rating": Rating(4, EVIL),
        "calls": (Call("c-1", AT, AT, (BEN,)),),
        "consents": (Receipt(1, AT, "said", consent, hash="ab" * 32),),
        "artifacts": tuple(artifact(kind) for kind in CONTENTS),
    }
    return a_session(**{**values, **more})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(database_url(Config(database=str(tmp_path / "desk.sqlite"))))
    yield store
    await store.close()


async def fill(store: Store, files: Files, session: Session, folder: Path) -> None:
    await store.take_session(session)
    for one in session.artifacts:
        partial = folder / one.id
        partial.write_bytes(CONTENTS[one.kind][1])
        path = await files.keep(partial, session.id, one.sha256)
        kept = StoredFile(session.id, one.id, one.sha256, one.bytes, one.content_type, path)
        await store.add_file(kept, one.kind)


def exports(store: Store, files: Files) -> Exports:
    return Exports(store, files, Deletions(store, files, lambda: 1_800_000_000.0), lambda: 1_800_000_000.0)


async def whole(store: Store, files: Files, session: Session, language: str = "en") -> tuple[zipfile.ZipFile, int]:
    """The ZIP, and how long its longest piece was."""
    pieces = [piece async for piece in exports(store, files).stream(session, language)]
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces))), max(map(len, pieces))


async def test_everything_of_a_session_is_in_it_and_nothing_is_held_in_memory(store: Store, tmp_path: Path) -> None:
    files, session = Files(tmp_path), a_full_session()
    await fill(store, files, session, tmp_path)
    made, longest = await whole(store, files, session)
    assert made.testzip() is None
    assert longest < 1_100_000, "in pieces"
    names = set(made.namelist())
    assert {"index.html", "session.json", "history.json", "consents.json", "deletions.json", "SHA256SUMS"} <= names
    for one in session.artifacts:
        (name,) = [n for n in names if n.endswith(f"{one.id}-{one.name}")]
        assert hashlib.sha256(made.read(name)).hexdigest() == one.sha256
        assert f"{one.sha256}  {name}" in made.read("SHA256SUMS").decode().splitlines()
    assert json.loads(made.read("session.json"))["reason"] == EVIL
    assert json.loads(made.read("consents.json"))[0]["hash"] == "ab" * 32
    assert len(json.loads(made.read("history.json"))) == len(session.history)


async def test_it_comes_from_s3_as_well(store: Store, s3: str, tmp_path: Path) -> None:
    files, session = Files(tmp_path, s3_settings(s3, tmp_path)), a_full_session()
    await fill(store, files, session, tmp_path)
    made, _ = await whole(store, files, session)
    assert made.testzip() is None
    assert len(made.namelist()) == 7 + len(session.artifacts)


async def test_no_name_leads_out_of_the_folder_it_is_unpacked_to(store: Store, tmp_path: Path) -> None:
    files = Files(tmp_path)
    odd = [a_named(f"a-{n}", name) for n, name in enumerate(("con", "a...", "0.svg.exe", "nul.txt"))]
    session = a_session(state=State.CLOSED, artifacts=tuple(odd))
    await fill(store, files, session, tmp_path)
    made, _ = await whole(store, files, session)
    for name in made.namelist():
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert not name.endswith((".", " "))
        assert path.stem.lower() not in {"con", "nul", "aux", "prn"}
    assert len(set(made.namelist())) == 7 + len(odd)


def a_named(artifact_id: str, name: str) -> Artifact:
    return an_artifact(PIXEL, artifact_id, name=name, kind=ArtifactKind.SNAPSHOT)


async def test_a_file_that_cannot_be_had_breaks_the_zip_off_instead_of_leaving_a_wrong_one(
    store: Store, tmp_path: Path
) -> None:
    files, session = Files(tmp_path), a_full_session()
    await fill(store, files, session, tmp_path)
    (tmp_path / "files" / session.id / session.artifacts[0].sha256).unlink()
    pieces = list[bytes]()

    async def read() -> None:
        async for piece in exports(store, files).stream(session, "en"):
            pieces.append(piece)

    with pytest.raises(StoreTrouble):
        await read()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


@pytest.mark.parametrize("language", ["de", "en"])
async def test_the_index_is_read_in_a_browser_without_desk_and_scripts(
    store: Store, tmp_path: Path, language: str
) -> None:
    files, session = Files(tmp_path), a_full_session()
    await fill(store, files, session, tmp_path)
    made, _ = await whole(store, files, session, language)
    made.extractall(out := tmp_path / "unpacked")
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless=new", "--no-sandbox"]
        )
        page = await browser.new_page(viewport={"width": 360, "height": 740})
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"file://{out}/index.html")
        state = "GESCHLOSSEN" if language == "de" else "CLOSED"
        assert await page.locator("h1").inner_text() == f"Press 7 · {state}"
        assert await page.locator("script").count() == 0
        assert await page.evaluate("getComputedStyle(document.querySelector('dl')).display") == "grid"
        if pictures := os.environ.get("PICTURES"):
            await page.screenshot(path=f"{pictures}/export-{language}-360.png", full_page=True)
            await page.set_viewport_size({"width": 1280, "height": 800})
            await page.screenshot(path=f"{pictures}/export-{language}-1280.png", full_page=True)
            await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.locator("img").count() == 2
        assert await page.evaluate("document.images[0].naturalWidth") == 1, "the picture is shown"
        assert await page.evaluate("document.documentElement.scrollWidth <= 360")
        await browser.close()
    assert all(url.startswith(f"file://{out}/") for url in asked)
    assert EVIL not in made.read("index.html").decode()


async def test_whoever_sees_the_session_gets_it_and_nobody_else(
    site: Site, kiosk: Kiosk, anna: httpx.AsyncClient
) -> None:
    picture = artifact(ArtifactKind.FLATTENED)
    await kiosk.told(a_full_session(artifacts=(picture, artifact(ArtifactKind.SESSION_DATA))))
    async with httpx.AsyncClient() as courier:
        await upload(kiosk, courier, CONTENTS[ArtifactKind.FLATTENED][1], picture.id)
        assert (await courier.get(f"{site.url}/api/sessions/s-1/export")).status_code == 401
    answer = await anna.get("/api/sessions/s-1/export")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="session-s-1.zip"'
    made = zipfile.ZipFile(io.BytesIO(answer.content))
    assert "snapshots/a-flattened-snapshot-1-drawn.jpg" in made.namelist()
    assert "nicht hier" in made.read("index.html").decode(), "in her language; one file is still at the kiosk"
    async with site.person("ben") as ben:
        assert (await ben.get("/api/sessions/s-1/export")).status_code == 403
