"""A desk for programs that do not wait (schemathesis): in a thread with a loop of its own, with a broker, a kiosk that
answers all it is asked, sessions of several states, and people of several rights."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from msgspec.structs import replace

from desk.config import Member, Rank
from kiosk.session.record import ArtifactKind, Call, Ticket
from kiosk.session.states import State
from kiosk.wire.messages import Answer, AnswerSdp, Command, Offer, PublicLink
from tests.contract.desk_site import AT, BEN, PEOPLE, Kiosk, Site, a_session, an_artifact, open_site, until

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4
OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:abcd\r\na=recvonly\r\n"
SDP = "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\ns=-\r\n"
FRAGMENT = "a=ice-ufrag:abcd\r\na=ice-pwd:x\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\na=end-of-candidates\r\n"
ADMINISTRATOR = Member(id="ada", name="Ada Stern", role=Rank.ADMINISTRATOR)
FLEET_MANAGER = Member(id="flo", name="Flo Brandt", role=Rank.FLEET_MANAGER)


@dataclass
class FuzzSite:
    """`guest`, `grant`: the tokens of a code user's page and of an upload."""

    site: Site
    guest: str = ""
    grant: str = ""

    @property
    def url(self) -> str:
        return self.site.url


@contextlib.contextmanager
def running(folder: Path) -> Iterator[FuzzSite]:
    loop, stop, found = asyncio.new_event_loop(), asyncio.Event(), list[FuzzSite]()
    begun = threading.Event()

    def live() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(_live(folder, found, begun, stop))

    thread = threading.Thread(target=live, name="desk")
    thread.start()
    try:
        assert begun.wait(50), "the desk did not come up"
        assert found, "the desk ended at its start"
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _live(folder: Path, found: list[FuzzSite], begun: threading.Event, stop: asyncio.Event) -> None:
    try:
        async with open_site(folder) as site:
            site.config = replace(site.config, people=(*PEOPLE, ADMINISTRATOR, FLEET_MANAGER))
            async with site.desk(), site.kiosk() as kiosk:
                here = FuzzSite(site)
                await _furnish(here, kiosk)
                found.append(here)
                begun.set()
                await stop.wait()
    finally:
        begun.set()


async def _furnish(here: FuzzSite, kiosk: Kiosk) -> None:
    kiosk.answers = _answer
    kiosk.signals_back = lambda s: AnswerSdp(peer=s.peer, sdp=SDP) if isinstance(s, Offer) else None
    await kiosk.online()
    call = Call("c-1", AT, AT, participants=(BEN,))
    picture = an_artifact(JPEG, "a-flat", kind=ArtifactKind.FLATTENED)
    later = an_artifact(JPEG + b"2", "a-late", kind=ArtifactKind.FLATTENED)
    tickets = (Ticket("T-1", "Leck", "https://tickets.example/T-1"),)
    await kiosk.told(a_session("s-open", reason="Öl läuft aus", tickets=tickets))
    await kiosk.told(a_session("s-running", state=State.RUNNING, calls=(Call("c-2", AT),)))
    await kiosk.told(a_session("s-foreign", asked=(BEN,), assigned=(BEN,)))
    await kiosk.told(a_session("s-over", state=State.CLOSED, calls=(call,), artifacts=(picture, later)))
    async with httpx.AsyncClient() as courier:
        await _upload(kiosk, courier, JPEG, "a-flat")
    here.grant = kiosk.grants[-1].url.rpartition("/")[2]
    links = await until(lambda: kiosk.of(PublicLink))
    here.guest = str(urlsplit(links[-1].url).path).rpartition("/")[2]


async def _upload(kiosk: Kiosk, courier: httpx.AsyncClient, content: bytes, artifact: str) -> None:
    grants = await until(lambda: [g for g in kiosk.grants if g.artifact == artifact])
    tus = {"Tus-Resumable": "1.0.0"}
    begun = await courier.post(grants[0].url, headers={**tus, "Upload-Length": str(len(content))})
    headers = {**tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    await courier.patch(begun.headers["Location"], content=content, headers=headers)
    await until(lambda: artifact in [stored.artifact for stored in kiosk.stored])


def _answer(command: Command) -> Answer:
    return Answer(command.id, ok=True, session=command.session or "s-open", rev=1, state=State.CONFIRMED)
