"""Both kinds of database, for tests that say `database`; and a desk that runs, with one kiosk and Anna signed in."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, async_playwright

from tests.contract.desk_site import Kiosk, Site, open_site
from tests.contract.postgres_site import Postgres, running_postgres
from tests.contract.push_site import Service, ca_of, running_service
from tests.contract.s3_site import moto, running_s3


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """What stands in the settings under `database`: a new, empty one."""
    if request.param == "sqlite":
        yield str(tmp_path / "desk.sqlite")
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database(f"desk-{secrets.token_hex(4)}") as url:
        yield url


@pytest.fixture
async def s3() -> AsyncIterator[str]:
    """The address of an S3-compatible server with the bucket `help`."""
    if (program := moto()) is None:
        pytest.skip("no S3-compatible server here: moto_server is missing (pip install 'moto[server]')")
    async with running_s3(program) as url:
        yield url


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A broker and a desk; files that want other settings have their own."""
    async with open_site(tmp_path) as site, site.desk():
        yield site


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A push service that desks of this test believe."""
    with running_service(tmp_path) as service:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_of(tmp_path)))
        yield service


@pytest.fixture
async def kiosk(site: Site) -> AsyncIterator[Kiosk]:
    async with site.kiosk() as kiosk:
        yield kiosk


@pytest.fixture
async def anna(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.person("anna") as http:
        yield http


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = ["--headless=new", "--no-sandbox"]
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield browser
        await browser.close()
