"""The file store is tried at the start: what is wrong with its settings is said then, and in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from desk.app import run
from desk.files.store import Files
from kiosk.demo.site import free_ports
from kiosk.errors import ConfigError, StoreTrouble
from tests.contract.desk_site import Site, open_site
from tests.contract.s3_site import s3_settings

DENIED = b"<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"


@pytest.fixture
async def quiet_site(tmp_path: Path) -> AsyncIterator[Site]:
    """A broker; the desk is not started."""
    async with open_site(tmp_path) as site:
        yield site


@pytest.fixture
async def denying() -> AsyncIterator[str]:
    """An S3 that takes nobody's keys."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        head = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(DENIED)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + DENIED)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_store_that_works_is_left_as_it_was(s3: str, tmp_path: Path) -> None:
    await Files(tmp_path).check()
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    await Files(tmp_path, s3_settings(s3, tmp_path)).check()


async def test_a_bucket_that_is_not_there_ends_the_start_with_its_name(
    quiet_site: Site, s3: str, tmp_path: Path
) -> None:
    config = replace(quiet_site.config, files=s3_settings(s3, tmp_path, "s3://no-such-bucket/videos"))
    with pytest.raises(ExceptionGroup) as ended:
        await run(config, lambda _: None, asyncio.Event())
    (error,) = ended.value.exceptions
    assert isinstance(error, ConfigError)
    assert f"s3://no-such-bucket/videos at {s3}" in error.text
    assert "there is no such bucket (NoSuchBucket)" in error.text


async def test_keys_that_are_refused_are_said_to_be_without_being_said(denying: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"may not write, read and delete there \(SignatureDoesNotMatch\)") as error:
        await Files(tmp_path, s3_settings(denying, tmp_path)).check()
    assert "testing" not in error.value.text


async def test_a_desk_starts_without_its_store_and_says_so(
    quiet_site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    nowhere = s3_settings(f"http://127.0.0.1:{port}", tmp_path)
    with pytest.raises(StoreTrouble, match="it cannot be reached"):
        await Files(tmp_path, nowhere).check()
    quiet_site.config = replace(quiet_site.config, files=nowhere)
    async with quiet_site.desk(), quiet_site.person("anna") as anna:
        assert (await anna.get("/api/sessions")).status_code == 200
    assert "it cannot be reached; files wait on the desk's own disk until it can" in caplog.text


async def test_a_bucket_that_is_gone_is_no_proof_that_a_file_is(s3: str, tmp_path: Path) -> None:
    files = Files(tmp_path, s3_settings(s3, tmp_path, "s3://no-such-bucket"))
    with pytest.raises(StoreTrouble):
        await files.remove("s-1/abc")
