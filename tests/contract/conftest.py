"""Both kinds of database, for tests that say `database`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.postgres_site import Postgres, running_postgres


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
