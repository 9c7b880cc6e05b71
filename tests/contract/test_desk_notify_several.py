"""Two desk processes on one PostgreSQL: each request is told once, also when one of them is killed."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from desk.config import signing_secret
from desk.people.links import sign_in_link
from desk.seals import Seals
from kiosk.demo.site import free_ports
from kiosk.session.record import Person
from tests.contract.desk_site import Kiosk, Site, a_session, open_site, until
from tests.contract.postgres_site import Postgres
from tests.contract.push_site import Service

BROWSERS = 6
SETTINGS = """
data = "{folder}/data"
database = "{database}"
[http]
port = {port}
[broker]
port = {broker}
password_file = "{folder}/broker/desk.password"
[notifications]
networks = ["127.0.0.0/8"]
escalate_minutes = 0.02
[[people]]
id = "anna"
name = "Anna Berg"
[[people]]
id = "clara"
name = "Clara Wolf"
role = "moderator"
"""


@contextlib.asynccontextmanager
async def desk_process(site: Site, database: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    place = site.folder / f"desk-{port}.toml"
    place.write_text(SETTINGS.format(folder=site.folder, database=database, port=port, broker=site.port))
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "desk", "run", "--config", str(place))
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(40):
            assert b"ready" in await process.stdout.readline()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def person(site: Site, port: int, name: str) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{port}"
    seals = Seals(signing_secret(site.folder / "data" / "secret"))
    async with httpx.AsyncClient(base_url=url, headers={"Origin": url, "X-Desk": "1"}, timeout=20) as http:
        link = sign_in_link(site.config, seals, name, 5)
        assert (await http.get(url + link.removeprefix(site.url))).status_code == 303
        yield http


async def test_two_processes_tell_once_and_go_on_when_one_of_them_is_killed(
    tmp_path: Path, postgres: Postgres, service: Service
) -> None:
    browsers = [service.browser(f"anna-{n}") for n in range(BROWSERS)]
    moderator = service.browser("clara")
    first, second = free_ports(2)
    asked = (Person("anna", "Anna Berg"),)
    with postgres.database("notify-two") as database:
        async with (
            open_site(tmp_path) as site,
            desk_process(site, database, first) as killed,
            desk_process(site, database, second),
            site.kiosk() as kiosk,
        ):
            async with person(site, first, "anna") as anna, person(site, second, "clara") as clara:
                for browser in browsers:
                    await anna.post("/api/account/notifications/browsers", json=browser.subscription)
                await clara.post("/api/account/notifications/browsers", json=moderator.subscription)
            await tell(kiosk, "s-1", asked)
            await until(lambda: all(browser.got for browser in browsers) and moderator.got)
            killed.kill()
            await tell(kiosk, "s-2", asked)
            await until(lambda: all(len(b.got) == 2 for b in browsers) and len(moderator.got) == 2)
    for browser in browsers:
        assert [pushed.content["tag"] for pushed in browser.got] == ["asks-s-1", "asks-s-2"]
    assert moderator.said == ["Nobody has reacted yet: Press 7"] * 2


async def tell(kiosk: Kiosk, session: str, asked: tuple[Person, ...]) -> None:
    await kiosk.told(a_session(session, asked=asked, assigned=asked))
