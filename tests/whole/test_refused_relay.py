"""The TURN server's secret was changed, and nobody told the desk: who can mend it reads what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.demo.site import Site
from tests.contract.turn_site import coturn
from tests.whole.in_call import InCall, in_a_call, until
from tests.whole.rig import chromium

pytestmark = [pytest.mark.whole, pytest.mark.timeout(180)]


async def test_a_relay_that_refuses_us_is_named_at_the_page_and_in_the_kiosks_health(tmp_path: Path) -> None:
    async with coturn(tmp_path) as turn:
        secret = tmp_path / "old.secret"
        secret.write_text("south")

        def prepare(site: Site) -> None:
            with site.desk_toml.open("a") as desk:
                desk.write(f'[[call.ice_servers]]\nurls = ["{turn.url("udp")}"]\nsecret_file = "{secret}"\n')
            text = site.kiosk_toml.read_text()
            site.kiosk_toml.write_text(text.replace("[call]\n", "[call]\nrelay_only = true\n"))

        async with in_a_call(tmp_path / "site", prepare=prepare) as call, chromium() as browser:
            page = await browser.new_page()
            await page.goto(await call.system.sign_in_link("anna"))
            await page.goto(f"{call.system.site.desk_url}/sessions/{call.session}")
            await page.locator("#join").click()
            await page.get_by_text("lehnt die Zugangsdaten ab").wait_for(timeout=100_000)
            assert "refuses our credential" in await until(lambda: relay(call), "the kiosk's health")


async def relay(call: InCall) -> str | None:
    """What the kiosk says of its relay, as the desk knows it."""
    (kiosk,) = (await call.ask("GET", "/api/kiosks"))["kiosks"]
    text: str | None = kiosk["parts"].get("relay")
    return text
