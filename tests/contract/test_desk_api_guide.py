"""docs/api.md is true: its examples are run as they stand there, against a desk."""

from __future__ import annotations

import asyncio
import os
import re
import zipfile
from pathlib import Path

import httpx
import pytest

from desk.described import DESCRIBED
from kiosk.session.record import Call, Person
from kiosk.session.states import State
from kiosk.wire.messages import Answer, Command
from tests.contract.desk_site import AT, Kiosk, Site, a_session
from tests.contract.test_desk_code_user import JPEG, over, upload

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
CLARA = Person("clara", "Clara Wolf")
EXAMPLES = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def done(command: Command) -> Answer:
    return Answer(command.id, ok=True, session=command.session or "s-1", rev=1, state=State.CONFIRMED)


@pytest.fixture
async def token(site: Site, kiosk: Kiosk) -> str:
    """Of a moderator who is assigned, while a kiosk has what the examples speak of."""
    kiosk.answers = done
    await kiosk.online()
    await kiosk.told(a_session(asked=(CLARA,), assigned=(CLARA,), state=State.RUNNING, calls=(Call("c-1", AT),)))
    await kiosk.told(over(id="s-2"))
    async with site.person("clara") as clara, httpx.AsyncClient() as courier:
        await upload(kiosk, courier, JPEG)
        made = await clara.post("/api/account/tokens", json={"name": "guide", "scopes": ["read", "write"]})
        return str(made.json()["secret"])


async def test_every_example_does_what_it_says(site: Site, token: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DESK": site.url, "TOKEN": token}
    for example in EXAMPLES:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-e", "-o", "pipefail", "-c", example),
            env=environment,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, f"{example}\n{said.decode()}"
    assert (tmp_path / "picture.jpg").read_bytes() == JPEG
    assert (tmp_path / "first-bytes").read_bytes() == JPEG[:100]
    assert zipfile.is_zipfile(tmp_path / "session.zip")


def test_the_examples_ask_for_what_there_is() -> None:
    """Each address in them is one of the API's."""
    known = [re.sub(r"\{\w+\}", r"[^/\\s\"?]+", key.partition(" ")[2]) for key in DESCRIBED]
    asked = re.findall(r"\$DESK(/[^\s\"?]+)", GUIDE.read_text())
    assert len(asked) > 15
    for path in asked:
        assert any(re.fullmatch(pattern, path) for pattern in known), path
