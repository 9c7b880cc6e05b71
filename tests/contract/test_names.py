"""Browsers hide their addresses behind names of mDNS (xxxx.local): nobody waits for them, and nobody needs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from kiosk.session import inputs
from kiosk.session.record import Person
from tests.contract.call_site import a_call
from tests.contract.fakes import Peer, until
from tests.contract.test_call_browser import ARGUMENTS, PAGE

NAME = "3b6a1c6e-3c1b-4b6d-9a51-0d0f6f7c5a11.local"
HIDES = "--enable-features=WebRtcHideLocalIpsWithMdns"


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        arguments = [*ARGUMENTS, HIDES, "--allow-loopback-in-peer-connection"]
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = await browser.new_page()
        await page.evaluate(PAGE + "0;")
        yield page
        await browser.close()


async def test_a_browser_that_names_no_address_is_in_the_call(page: Page, tmp_path: Path) -> None:
    offer: str = await page.evaluate("offer()")
    hosts = [line.split()[4] for line in offer.splitlines() if line.startswith("a=candidate:")]
    assert hosts
    assert all(host.endswith(".local") for host in hosts), hosts
    async with a_call(tmp_path) as stage:
        answer = await stage.call.join("peer-eve", Person("person-eve", "Eve"), offer)
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        await until(lambda: stage.told(inputs.Joined))
        await page.wait_for_function("frames.length > 10")


async def test_a_name_that_nobody_answers_to_holds_nothing_up_and_harms_nothing(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        offer = await ann.offer()
        nobody = f"a=candidate:1 1 udp 2130706431 {NAME} 50000 typ host\r\na=end-of-candidates"
        named = "\r\n".join(
            line for line in offer.splitlines() if not line.startswith(("a=candidate", "a=end-of"))
        ).replace("a=mid:0", f"a=mid:0\r\n{nobody}")
        answer = await stage.call.join(ann.id, ann.person, named + "\r\n")
        trickled = asyncio.create_task(stage.call.candidate(ann.id, nobody.partition("\r\n")[0][2:], "0"))
        await ann.answered(answer)
        await until(lambda: len(ann.frames) > 5)
        await trickled
        await stage.call.leave(ann.id)
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith(f"call-names-{ann.id}")]
