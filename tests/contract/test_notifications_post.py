"""The process that sends, for real: to a push service that decrypts, to a web hook and a mail server; and what people's
addresses cannot make it do."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from desk.notifications.jobs import Look, Push, Tell
from desk.notifications.keys import b64
from desk.notifications.sender import Sender
from tests.contract.push_site import Browser, Service, running_mail_server

OPENED = ("--people", "127.0.0.0/8")
KEY = b64(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big"))


@asynccontextmanager
async def sending(*arguments: str, limit_s: float = 30.0) -> AsyncIterator[Sender]:
    async with Sender(arguments, limit_s=limit_s) as sender:
        yield sender


def push(browser: Browser, text: str = '{"title":"New request: Press 7"}') -> Push:
    return Push(
        **browser.subscription, key=KEY, contact="https://desk.example", topic="asks-s-1", payload=text, lasts_s=60
    )


async def test_a_push_is_signed_and_reads_as_it_was_written_in_the_browser_alone(service: Service) -> None:
    browser = service.browser("anna")
    async with sending(*OPENED) as sender:
        assert (await sender.send(push(browser))).code == "ok"
    (pushed,) = browser.got
    assert pushed.content == {"title": "New request: Press 7"}
    assert pushed.claims["sub"] == "https://desk.example"
    wanted = {"ttl": "60", "urgency": "high", "topic": "asks-s-1", "content-encoding": "aes128gcm"}
    assert wanted.items() <= pushed.headers.items()


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "gone"), (410, "gone"), (400, "refused"), (403, "refused"), (413, "refused"), (500, "later")],
)
async def test_what_a_push_service_answers_is_told(service: Service, status: int, code: str) -> None:
    browser = service.browser("anna")
    browser.answer = status
    async with sending(*OPENED) as sender:
        assert (await sender.send(push(browser))).code == code


async def test_a_push_service_that_wants_a_pause_says_for_how_long(service: Service) -> None:
    browser = service.browser("anna")
    browser.answer, browser.more = 429, {"Retry-After": "77"}
    async with sending(*OPENED) as sender:
        outcome = await sender.send(push(browser))
        assert (outcome.code, outcome.wait_s) == ("later", 77.0)
        browser.more = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
        assert (await sender.send(push(browser))).wait_s == 0.0


async def test_a_service_that_never_answers_holds_nobody_else_up(service: Service) -> None:
    slow, quick = service.browser("slow"), service.browser("quick")
    slow.stalls_s = 30.0
    async with sending(*OPENED, limit_s=3.0) as sender:
        waiting = asyncio.create_task(sender.send(push(slow)))
        assert (await sender.send(push(quick))).code == "ok"
        assert not waiting.done()
        assert (await waiting).code == "late"
        assert (await sender.send(push(quick))).code == "ok", "the process is begun anew"


async def test_nobody_at_all_is_reached_and_it_is_tried_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    browser = Browser(f"https://127.0.0.1:{port}/push/anna")
    async with sending(*OPENED) as sender:
        assert (await sender.send(push(browser))).code == "later"
        assert (await sender.send(Tell(f"json://127.0.0.1:{port}/", "title", "text"))).code == "later"


async def test_a_process_that_does_not_start_or_ends_at_once_costs_no_more_than_the_message(service: Service) -> None:
    job = push(service.browser("anna"))
    async with Sender((), command=("/nowhere/post",)) as sender:
        assert (await sender.send(job)).code == "later"
    async with Sender((), command=("/bin/true",)) as sender:
        assert (await sender.send(job)).code == "later"
        assert (await sender.send(job)).code == "later"


# --- Apprise ----------------------------------------------------------------------------------------------------------


async def test_apprise_tells_a_web_hook(service: Service) -> None:
    async with sending(*OPENED) as sender:
        assert (await sender.send(Tell(service.hook, "New request", "It is hot\n\nhttp://desk/"))).code == "ok"
    (told,) = service.hooked
    assert told["title"] == "New request"
    assert told["message"] == "It is hot\n\nhttp://desk/"


async def test_apprise_writes_a_mail(service: Service) -> None:
    nasty = "It <b>burns</b> & smokes"
    with running_mail_server() as server:
        async with sending() as sender:
            address = f"{server.address}&to=anna%40site.example"
            assert (await sender.send(Tell(address, "New request: Press 7", nasty))).code == "ok"
        ((to, mail),) = server.mails
    assert to == ["anna@site.example"]
    assert mail["subject"] == "New request: Press 7"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().strip() == nasty


async def test_an_address_is_understood_or_not_without_telling_anybody(service: Service) -> None:
    async with sending(*OPENED) as sender:
        assert (await sender.send(Look(service.hook))).service == "JSON"
        assert (await sender.send(Look("mailto://user:pass@example.com"))).service == "E-Mail"
        for bad in ("jsons://", "nonsense://x", "mailto://", "slack://x", "", "a b c", "jsons://[::1"):
            assert (await sender.send(Look(bad))).code == "bad", bad
    assert service.hooked == []


# --- what people's addresses cannot make it do ------------------------------------------------------------------------


async def test_what_only_the_desk_can_reach_is_not_reached_for_anybody(service: Service) -> None:
    browser = service.browser("anna")
    by_name = Browser(browser.endpoint.replace("127.0.0.1", "localhost"))
    with running_mail_server() as server:
        async with sending("--people") as sender:
            for job in (
                push(browser),
                push(by_name),
                Tell(service.hook, "a", "b"),
                Tell(service.hook.replace("127.0.0.1", "localhost"), "a", "b"),
                Tell(f"{server.address}&to=a@b.example", "a", "b"),
            ):
                assert (await sender.send(job)).code == "private", job
        assert server.mails == []
    assert (service.hooked, browser.tried) == ([], 0)


async def test_a_redirection_leads_nowhere_else(service: Service) -> None:
    with socket.create_server(("127.0.0.2", 0)) as inside:
        inside.settimeout(0.2)
        service.leads_to = f"http://127.0.0.2:{inside.getsockname()[1]}/"
        browser = Browser(f"{service.url}/away")
        async with sending("--people", "127.0.0.1/32") as sender:
            assert (await sender.send(push(browser))).code == "private"
            told = await sender.send(Tell(service.hook.replace("/hook", "/away") + "?redirect=yes", "a", "b"))
            assert told.code == "later", "not even followed"
        with pytest.raises(TimeoutError):
            inside.accept()


async def test_no_file_is_read_for_anybody(service: Service, tmp_path: Path) -> None:
    """Some of Apprise's addresses name files: templates, keys, attachments."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"@type": "MessageCard", "text": "the secret"}')
    address = f"workflows://127.0.0.1:{service.port}/workflow/signature/?template={secret}"
    async with sending(*OPENED) as sender:
        assert (await sender.send(Tell(address, "a", "b"))).code != "ok"
    async with sending() as sender:
        outcome = await sender.send(Tell(address, "a", "b"))
        assert outcome.code in ("ok", "later")
    assert "secret" not in str(service.hooked)


async def test_an_address_cannot_ask_for_long_waits(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began_s = time.monotonic()
        async with sending(*OPENED) as sender:
            outcome = await sender.send(Tell(f"json://127.0.0.1:{port}/?rto=300&cto=300&retry=9", "a", "b"))
        assert outcome.code in ("later", "late")
        assert time.monotonic() - began_s < 35
