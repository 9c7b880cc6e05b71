"""Uploads by tus: whole or not at all, resumed where they broke off, receipted when they are on disk for good."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from msgspec.structs import replace

from desk.config import FileSettings, load, signing_secret
from desk.files.store import Files
from desk.files.uploads import Uploads
from desk.seals import Grant, Seals
from kiosk.errors import ConfigError
from kiosk.session.record import ArtifactKind, Session
from kiosk.session.states import State
from tests.contract.desk_site import Kiosk, Site, a_session, an_artifact, next_rev, until

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, headers=TUS, timeout=20) as http:
        yield http


async def ended(kiosk: Kiosk, *contents: bytes, **more: Any) -> Session:
    """A closed session with an artifact for each content; waits for the grants."""
    artifacts = tuple(an_artifact(c, f"a-{n}", **more) for n, c in enumerate(contents, 1))
    session = await kiosk.told(a_session(state=State.CLOSED, artifacts=artifacts))
    await until(lambda: len(kiosk.grants) == len(contents))
    return session


async def begin(http: httpx.AsyncClient, url: str, length: int) -> str:
    answer = await http.post(url, headers={"Upload-Length": str(length)})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def append(
    http: httpx.AsyncClient, url: str, offset: int, data: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    all_headers = {
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
        **(headers or {}),
    }
    return await http.patch(url, content=data, headers=all_headers)


async def offset_of(http: httpx.AsyncClient, url: str) -> int:
    answer = await http.head(url)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def checksum(data: bytes, name: str = "sha256") -> dict[str, str]:
    return {"Upload-Checksum": f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"}


async def test_a_file_arrives_whole_is_receipted_and_served(site: Site, kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    assert url.startswith(site.url)
    answer = await append(http, url, 0, JPEG, checksum(JPEG))
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(JPEG)))
    (stored,) = await until(lambda: kiosk.stored)
    assert (stored.artifact, stored.sha256) == ("a-1", hashlib.sha256(JPEG).hexdigest())
    assert (site.folder / "data" / "files" / "s-1" / stored.sha256).read_bytes() == JPEG
    assert not list((site.folder / "data" / "partial").iterdir())
    async with site.person("anna") as anna:
        view = (await anna.get("/api/sessions/s-1")).json()["artifacts"]["a-1"]
        assert view["uploaded"]
        file = await anna.get(view["url"])
        assert (file.content, file.headers["content-type"]) == (JPEG, "image/jpeg")


async def test_a_cut_upload_goes_on_where_it_broke_off(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))

    async def half() -> AsyncIterator[bytes]:
        yield JPEG[:4000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await append(http, url, 0, half(), {"Content-Length": str(len(JPEG))})
    offset = await offset_of(http, url)
    assert 0 <= offset <= 4000
    assert await begin(http, kiosk.grants[0].url, len(JPEG)) == url
    assert (await append(http, url, offset, JPEG[offset:])).status_code == 204
    await until(lambda: kiosk.stored)


async def test_how_much_has_come_is_told(site: Site, kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    async with site.person("anna") as anna:
        for end in (4000, 9000, len(JPEG)):
            assert (await append(http, url, start := await offset_of(http, url), JPEG[start:end])).status_code == 204
            view = (await anna.get("/api/sessions/s-1")).json()["artifacts"]["a-1"]
            assert (view["received"], view["uploaded"]) == (end, end == len(JPEG))


async def test_pages_are_told_at_most_once_a_second_of_what_comes(tmp_path: Path) -> None:
    clock, told = 50.0, list[tuple[str, float]]()
    seals = Seals(b"x" * 32)
    uploads = Uploads(cast(Any, None), Files(tmp_path), cast(Any, None), seals, "http://desk", lambda: clock)

    async def follow(session: str) -> None:
        told.append((session, clock))

    uploads.followers.append(follow)
    for session in ("s-1", "s-2"):
        grant = Grant("k", session, "a-1", "0" * 64, 9, ArtifactKind.SNAPSHOT, "image/jpeg", int(time.time()) + 60)
        upload = uploads.enter(seals.seal("upload", grant))
        clock = 50.0
        for _ in range(25):
            await uploads.progressed(upload)
            clock += 0.125
    assert told == [(s, t) for s in ("s-1", "s-2") for t in (50.0, 51.0, 52.0, 53.0)]


DAY_S = 86400.0


async def test_what_nobody_goes_on_with_is_removed_two_weeks_after_its_grant_was_over(tmp_path: Path) -> None:
    now, files, seals = 1e9, Files(tmp_path), Seals(b"x" * 32)
    uploads = Uploads(cast(Any, None), files, cast(Any, None), seals, "http://desk", wall=lambda: now)
    for name in ("left", "renewed", "in-use"):
        files.partial("s-1", name, "0" * 64).write_bytes(b"half")
        files.renew("s-1", name, "0" * 64, now)
    grant = Grant("k", "s-1", "in-use", "0" * 64, 9, ArtifactKind.SNAPSHOT, "image/jpeg", int(time.time()) + 60)
    uploads.enter(seals.seal("upload", grant))
    start = now
    for days, gone in ((0, 0), (13, 0), (14.9, 0), (15.1, 1), (16, 0)):
        now = start + days * DAY_S
        if days == 13:
            files.renew("s-1", "renewed", "0" * 64, now)
            files.renew("s-1", "never-begun", "0" * 64, now)
        assert await uploads.tidy() == gone, days
    left = {path.name.split(".")[1] for path in (tmp_path / "partial").iterdir()}
    assert left == {"renewed", "in-use"}


async def test_tidying_up_goes_on_each_hour_whatever_the_disk_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slept = list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    uploads = Uploads(cast(Any, None), Files(tmp_path), cast(Any, None), Seals(b"x" * 32), "http://desk")
    (tmp_path / "partial").rmdir()
    with pytest.raises(asyncio.CancelledError):
        await uploads.keep_tidy(sleep)
    assert slept == [3600.0] * 3
    assert caplog.text.count("cannot be tidied up") == 2


async def test_a_kiosk_that_is_back_after_a_month_goes_on_where_it_was(
    site: Site, kiosk: Kiosk, http: httpx.AsyncClient
) -> None:
    session = await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    await append(http, url, 0, JPEG[:4000])
    (partial,) = (site.folder / "data" / "partial").iterdir()
    long_ago = time.time() - 30 * DAY_S
    os.utime(partial, (long_ago, long_ago))
    await kiosk.told(session)  # as at each connect
    await until(lambda: len(kiosk.grants) == 2)
    assert time.time() - partial.stat().st_mtime < DAY_S, "asked for anew: not to be tidied away"
    assert await offset_of(http, kiosk.grants[1].url) == 4000
    assert (await append(http, kiosk.grants[1].url, 4000, JPEG[4000:])).status_code == 204
    await until(lambda: kiosk.stored)


async def test_somebody_who_comes_back_takes_over_from_his_dead_link(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    sent = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield JPEG[:1000]
        sent.set()
        await asyncio.sleep(60)

    hanging = asyncio.create_task(append(http, url, 0, stuck(), {"Content-Length": str(len(JPEG))}))
    await sent.wait()
    offset = await offset_of(http, url)
    assert (await append(http, url, offset, JPEG[offset:])).status_code == 204
    await until(lambda: kiosk.stored)
    hanging.cancel()  # still sending, and none the wiser


async def test_a_piece_with_a_wrong_checksum_leaves_nothing(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    assert (await append(http, url, 0, JPEG[:100], checksum(JPEG[:100], "sha1"))).status_code == 204
    refused = await append(http, url, 100, JPEG[100:], checksum(b"other"))
    assert (refused.status_code, refused.json()["code"]) == (460, "wrong_checksum")
    assert await offset_of(http, url) == 100
    assert (await append(http, url, 100, b"x", {"Upload-Checksum": "md5 AAAA"})).status_code == 400


async def test_a_file_that_is_not_what_was_announced_starts_again(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    refused = await append(http, url, 0, JPEG[:-1] + b"!")
    assert (refused.status_code, refused.headers["Upload-Offset"]) == (460, "0")
    assert await offset_of(http, url) == 0
    assert not kiosk.stored
    assert (await append(http, url, 0, JPEG)).status_code == 204


async def test_a_picture_that_is_none_is_refused(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    page = b"<script>alert(1)</script>"
    await ended(kiosk, page)
    url = await begin(http, kiosk.grants[0].url, len(page))
    assert (await append(http, url, 0, page)).status_code == 460
    assert not kiosk.stored


async def test_offsets_and_lengths_are_held(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    grant = kiosk.grants[0].url
    assert (await http.head(grant)).status_code == 404
    assert (await http.post(grant, headers={"Upload-Length": "7"})).status_code == 400
    assert (await http.post(grant, headers={"Upload-Length": "999999999"})).status_code == 413
    assert (await http.post(grant, headers={"Upload-Length": "-1"})).status_code == 400
    url = await begin(http, grant, len(JPEG))
    ahead = await append(http, url, 5, b"x")
    assert (ahead.status_code, ahead.headers["Upload-Offset"]) == (409, "0")
    assert (await append(http, url, 0, JPEG + b"more")).status_code == 413

    async def without_length() -> AsyncIterator[bytes]:
        yield JPEG + b"more"

    assert (await append(http, url, 0, without_length())).status_code == 413
    assert await offset_of(http, url) == 0
    wrong = await http.patch(url, content=b"x", headers={"Upload-Offset": "0", "Content-Type": "text/plain"})
    assert wrong.status_code == 415


async def test_what_tus_this_is(http: httpx.AsyncClient, kiosk: Kiosk) -> None:
    await ended(kiosk, JPEG)
    url = kiosk.grants[0].url
    offered = await http.options(url)
    assert offered.status_code == 204
    assert offered.headers["Tus-Extension"] == "creation,termination,checksum"
    other = await http.head(url, headers={"Tus-Resumable": "0.2.2"})
    assert (other.status_code, other.headers["Tus-Version"]) == (412, "1.0.0")


async def test_an_ended_upload_is_gone(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    assert (await http.delete(url)).status_code == 204
    assert (await http.head(url)).status_code == 404


async def test_forged_foreign_and_expired_tokens_open_nothing(
    site: Site, kiosk: Kiosk, http: httpx.AsyncClient
) -> None:
    await ended(kiosk, JPEG)
    token = kiosk.grants[0].url.rpartition("/")[2]
    secret = signing_secret(site.config.secret_path)
    sha256 = hashlib.sha256(JPEG).hexdigest()
    grant = Grant(
        "kiosk-1", "s-1", "a-1", sha256, len(JPEG), ArtifactKind.SNAPSHOT, "image/jpeg", int(time.time()) + 60
    )
    forged = Seals(b"another secret" * 4).seal("upload", grant)
    other_purpose = Seals(secret).seal("known", grant)
    expired = Seals(secret).seal("upload", replace(grant, expires_s=int(time.time()) - 1))
    for bad in (token[:-1], token + "A", token.swapcase(), "x", "a.b", forged, other_purpose, expired):
        answers = (
            await http.post(f"/uploads/{bad}", headers={"Upload-Length": str(len(JPEG))}),
            await append(http, f"/uploads/{bad}", 0, JPEG),
            await http.head(f"/uploads/{bad}"),
            await http.delete(f"/uploads/{bad}"),
        )
        assert [a.status_code for a in answers] == [401] * 4, bad
    assert not list((site.folder / "data" / "partial").iterdir())


async def test_names_of_the_sender_lead_nowhere(site: Site, kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, JPEG)
    name = base64.b64encode(b"../../../evil").decode()
    headers = {"Upload-Length": str(len(JPEG)), "Upload-Metadata": f"filename {name}"}
    url = (await http.post(kiosk.grants[0].url, headers=headers)).headers["Location"]
    assert (await append(http, url, 0, JPEG)).status_code == 204
    for path in ("/uploads/../../etc/passwd", "/uploads/..%2f..%2fsecret", "/uploads/%00"):
        assert (await http.head(path)).status_code in (400, 401, 404)
    assert not [p for p in site.folder.rglob("*") if "evil" in p.name]


async def test_a_file_that_is_here_is_receipted_instead_of_asked_for_again(
    kiosk: Kiosk, http: httpx.AsyncClient
) -> None:
    session = await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    await append(http, url, 0, JPEG)
    await until(lambda: len(kiosk.stored) == 1)
    await kiosk.told(session)
    await until(lambda: len(kiosk.stored) == 2)
    assert len(kiosk.grants) == 1
    assert await begin(http, kiosk.grants[0].url, len(JPEG)) == url
    assert await offset_of(http, url) == len(JPEG)
    assert (await http.delete(url)).status_code == 403


async def test_layers_that_changed_are_asked_for_anew(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    session = await ended(kiosk, b"<svg/>", content_type="image/svg+xml", name="layers.svg")
    url = await begin(http, kiosk.grants[0].url, 6)
    await append(http, url, 0, b"<svg/>")
    await until(lambda: kiosk.stored)
    newer = an_artifact(b"<svg></svg>", content_type="image/svg+xml", name="layers.svg")
    await kiosk.told(next_rev(session, artifacts=(newer,)))
    await until(lambda: len(kiosk.grants) == 2)
    assert kiosk.grants[1].sha256 == newer.sha256


async def test_a_file_whose_last_byte_came_before_the_power_went_is_finished(
    site: Site, kiosk: Kiosk, http: httpx.AsyncClient
) -> None:
    await ended(kiosk, JPEG)
    url = await begin(http, kiosk.grants[0].url, len(JPEG))
    (partial,) = (site.folder / "data" / "partial").iterdir()
    partial.write_bytes(JPEG)  # as it lies there when the desk died before it looked at it
    assert await offset_of(http, url) == len(JPEG)
    await until(lambda: kiosk.stored)


async def test_an_empty_file_is_whole_when_it_is_begun(kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    await ended(kiosk, b"", content_type="application/x-ndjson", name="timeline.ndjson")
    await begin(http, kiosk.grants[0].url, 0)
    await until(lambda: kiosk.stored)


async def test_files_may_lie_in_a_folder_elsewhere(tmp_path: Path) -> None:
    files = Files(tmp_path / "data", FileSettings(url=f"file://{tmp_path}/elsewhere"))
    partial = files.partial("s-1", "a-1", "0" * 64)
    partial.write_bytes(JPEG)
    name = await files.keep(partial, "s-1", "0" * 64)
    assert b"".join([piece async for piece in files.read(name, 2, 500)]) == JPEG[2:500]
    assert (tmp_path / "elsewhere" / "s-1" / ("0" * 64)).read_bytes() == JPEG


@pytest.mark.parametrize("url", ["s3:bucket", "s3://", "s3://BAD_", "http://x", "file://relative", "folder"])
def test_a_place_for_files_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(f'[files]\nurl = "{url}"\n')
    with pytest.raises(ConfigError, match=r"files\.url"):
        load(tmp_path / "desk.toml")


async def kept(site: Site, kiosk: Kiosk, http: httpx.AsyncClient, content: bytes, **more: Any) -> str:
    await ended(kiosk, content, **more)
    url = await begin(http, kiosk.grants[0].url, len(content))
    await append(http, url, 0, content)
    return "/api/sessions/s-1/artifacts/a-1"


async def test_a_player_may_seek(site: Site, kiosk: Kiosk, http: httpx.AsyncClient) -> None:
    film = b"\x00\x00\x00\x18ftypiso5" + bytes(5000)
    path = await kept(site, kiosk, http, film, content_type="video/mp4", name="recording-1.mp4")
    async with site.person("anna") as anna:
        whole = await anna.get(path)
        assert (whole.status_code, whole.headers["accept-ranges"], whole.content) == (200, "bytes", film)
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert whole.headers["content-security-policy"].startswith("sandbox")
        for asked, start, end in (("0-3", 0, 4), ("4-", 4, 5012), ("-12", 5000, 5012), ("5000-9999", 5000, 5012)):
            part = await anna.get(path, headers={"Range": f"bytes={asked}"})
            assert (part.status_code, part.content) == (206, film[start:end])
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(film)}"
        outside = await anna.get(path, headers={"Range": "bytes=9000-"})
        assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{len(film)}")
        for ignored in ("bytes=0-1,5-6", "items=0-1", "bytes=-", "bytes=a-b"):
            assert (await anna.get(path, headers={"Range": ignored})).status_code == 200
        other = await anna.get(path, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
        assert other.status_code == 200


async def test_a_browser_that_has_the_file_is_not_sent_it_again(
    site: Site, kiosk: Kiosk, http: httpx.AsyncClient
) -> None:
    path = await kept(site, kiosk, http, JPEG)
    async with site.person("anna") as anna, site.person("ben") as ben:
        etag = (await anna.get(path)).headers["etag"]
        assert (await anna.get(path, headers={"If-None-Match": etag})).status_code == 304
        download = await anna.get(path, params={"download": "1"})
        assert download.headers["content-disposition"] == 'attachment; filename="snapshot-1.jpg"'
        assert (await ben.get(path)).status_code == 403
        assert (await anna.get("/api/sessions/s-1/artifacts/a-9")).status_code == 404
    async with httpx.AsyncClient(base_url=site.url) as stranger:
        assert (await stranger.get(path)).status_code == 401
