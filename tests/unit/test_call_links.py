"""What the links of a call come to: the encoder's request, who gets stills, what each is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from kiosk.call.links import Links
from kiosk.call.peer_clock import PeerClock
from kiosk.call.rate import START_BPS, Figures
from kiosk.call.relay import Keyframes, Outlet, Relay
from kiosk.call.summary import Summary
from kiosk.config import CallSettings
from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import AccessUnit, Encoding
from kiosk.wire import channel
from tests.contract.fakes import FakeCamera
from tests.unit.test_peer_clock import AHEAD_S, a_beat
from tests.unit.test_relay import Clock

GOOD = Figures(2_000_000, 0.0, 0.02)
HOPELESS = Figures(80_000, 0.3, 0.9, hopeless=True)


class Camera(FakeCamera):
    """Never opened: what it is asked for, and stills of which it says how large they were to be."""

    def __init__(self) -> None:
        super().__init__()
        self.bits: list[int] = []
        self.works = True

    def set_encoding(self, encoding: Encoding) -> None:
        self.encodings.append(encoding)

    async def sharp(self, bits: int) -> AccessUnit:
        if not self.works:
            raise DeviceTrouble("unplugged")
        self.bits.append(bits)
        return AccessUnit(b"still", 1.0, True, (960, 540))


@dataclass(eq=False)
class Link:
    """A participant's."""

    figures: Figures | None = GOOD
    sent_bps: float = 1_900_000.0
    clock: PeerClock = field(default_factory=PeerClock)
    relays: list[Relay] = field(default_factory=list)
    told: list[channel.Quality] = field(default_factory=list)

    def follow(self, relay: Relay, *, stills: bool) -> None:
        if relay not in self.relays[-1:]:
            self.relays.append(relay)

    def captured_s(self, t: int | None) -> float | None:
        return None if t is None else t / 90_000

    def tell(self, event: channel.Quality) -> None:
        self.told.append(event)


class Stage:
    def __init__(self, *links: Link) -> None:
        self.links, self.camera, self.clock, self.summary = list(links), Camera(), Clock(), Summary(0.0)
        self.relay = Relay(Keyframes(lambda: None, self.clock, self.clock.call_later))
        self.call = Links(self.camera, self.relay, CallSettings(), self.summary, lambda: self.links, self.clock)

    @property
    def asked(self) -> Encoding:
        return self.camera.encodings[-1]

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.clock.jump(1.0)
            self.call.tick(len(self.links))


async def test_the_encoder_follows_the_worst_link_that_carries_video() -> None:
    stage = Stage(Link(), Link(replace(GOOD, target_bps=500_000)), Link(HOPELESS), Link(None))
    stage.call.look()
    assert stage.asked == Encoding(960, 540, 30, 500_000)
    assert stage.call.step == "smaller"


async def test_a_fall_is_asked_for_at_once_and_a_small_change_is_not() -> None:
    link = Link()
    stage = Stage(link)
    stage.call.look()
    link.figures = replace(GOOD, target_bps=1_970_000)
    stage.call.look()
    assert len(stage.camera.encodings) == 1
    link.figures = replace(GOOD, target_bps=250_000)
    stage.call.look()
    assert stage.asked == Encoding(960, 540, 30, 250_000)
    stage.seconds(1)
    assert stage.asked == Encoding(640, 360, 15, 250_000)


async def test_one_thin_link_does_not_take_the_others_below_the_floor_and_alone_it_is_followed() -> None:
    stage = Stage(Link(), thin := Link(replace(GOOD, target_bps=120_000)))
    stage.call.look()
    assert stage.asked.bps == CallSettings().bitrate_min_bps
    stage.links = [thin]
    stage.call.look()
    assert stage.asked.bps == 120_000


async def test_a_hopeless_link_is_led_to_stills_alone_and_back() -> None:
    good, bad = Link(), Link(HOPELESS)
    stage = Stage(good, bad)
    stage.call.look()
    assert good.relays == [stage.relay]
    assert len(bad.relays) == 1
    assert bad.relays[0] is not stage.relay
    assert stage.asked.bps == 2_000_000
    assert (stage.call.on_stills(good), stage.call.on_stills(bad)) == (False, True)
    bad.figures = replace(GOOD, target_bps=700_000)
    stage.call.look()
    assert bad.relays[-1] is stage.relay
    assert stage.asked.bps == 700_000


async def test_with_everybody_hopeless_stills_are_the_last_rung_and_nobody_there_is_no_rung() -> None:
    stage = Stage(Link(HOPELESS), Link(HOPELESS))
    stage.call.look()
    assert stage.call.step == "stills"
    assert stage.asked.bps == START_BPS  # for the recording; nobody is sent it
    stage.links = []
    assert stage.call.step is None


async def test_stills_are_made_while_somebody_follows_and_not_otherwise() -> None:
    bad = Link(HOPELESS)
    stage = Stage(bad)
    running = asyncio.create_task(stage.call.run())
    await asyncio.sleep(0)
    stage.call.look()
    assert not stage.camera.bits
    outlet: Outlet = bad.relays[0].open(1)
    unit = await asyncio.wait_for(outlet.get(), 5)
    assert unit.size == (960, 540)
    assert stage.camera.bits == [90_000]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_camera_that_is_lost_ends_no_stills(caplog: pytest.LogCaptureFixture) -> None:
    bad = Link(HOPELESS)
    stage = Stage(bad)
    stage.camera.works = False
    running = asyncio.create_task(stage.call.run())
    await asyncio.sleep(0)
    stage.call.look()
    bad.relays[0].open(1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not running.done()
    assert "unplugged" in caplog.text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_everybody_is_told_his_own_rung_at_once_and_figures_now_and_then() -> None:
    good, bad = Link(), Link(HOPELESS)
    stage = Stage(good, bad)
    stage.call.passes(AccessUnit(b"", 0.0, True, (1280, 720)))
    stage.call.look()
    assert (good.told[-1].step, bad.told[-1].step) == ("full", "stills")
    assert (good.told[-1].width, good.told[-1].height, good.told[-1].fps) == (1280, 720, 30)
    assert (good.told[-1].word, bad.told[-1].word) == ("good", "poor")
    assert bad.told[-1].fps == 1
    stage.call.look()
    assert len(good.told) == 1
    stage.seconds(4)
    assert len(good.told) == 3


async def test_what_participants_saw_becomes_the_summary() -> None:
    link = Link()
    link.clock.heard(*a_beat(1.0, there_s=0.01, back_s=0.01))
    stage = Stage(link)
    stage.call.look()
    frames = tuple((90_000 * s, 1000 * (s + AHEAD_S) + 60.0) for s in (10, 11, 12))
    stage.call.seen(link, channel.Seen(frames=frames, freezes=1, frozen_s=0.4))
    stage.call.seen(link, channel.Seen(frames=((90_000, 1e9),), freezes=3, frozen_s=0.9))
    stage.seconds(3)
    figures = stage.summary.figures(4.0)
    assert figures["glass_to_glass_ms"] == 60.0
    assert figures["glass_to_glass_uncertain_ms"] == 10.0
    assert (figures["freezes"], figures["frozen_s"]) == (3.0, 0.9)
    assert figures["at_full_s"] == 3.0
    assert link.told[-1].delay_ms == 60.0


async def test_a_new_connection_counts_its_freezes_anew_and_stills_are_none() -> None:
    link, again = Link(), Link()
    stage = Stage(link)
    stage.call.seen(link, channel.Seen(freezes=2, frozen_s=1.0))
    stage.links = [again]
    stage.call.seen(again, channel.Seen(freezes=1, frozen_s=0.5))
    again.figures = HOPELESS
    stage.call.look()
    stage.call.seen(again, channel.Seen(freezes=9, frozen_s=9.0))
    again.figures = GOOD
    stage.call.look()
    stage.call.seen(again, channel.Seen(freezes=10, frozen_s=9.5))
    assert (stage.summary.freezes, stage.summary.frozen_s) == (4, 2.0)


async def test_below_what_the_last_rung_needs_the_encoder_does_not_go() -> None:
    stage = Stage(Link(replace(GOOD, target_bps=20_000)))
    stage.call.look()
    stage.seconds(1)
    assert stage.asked == Encoding(640, 360, 15, 86_400)


async def test_a_link_that_comes_back_finds_the_rung_that_it_left_and_a_newcomer_the_top() -> None:
    link = Link(replace(GOOD, target_bps=150_000))
    stage = Stage(link)
    stage.call.look()
    stage.seconds(1)
    link.figures = HOPELESS
    stage.seconds(20)
    assert stage.asked == Encoding(1280, 720, 30, START_BPS)
    link.figures = replace(GOOD, target_bps=400_000)
    stage.call.look()
    assert stage.asked == Encoding(640, 360, 15, 400_000)
    link.figures = GOOD
    stage.seconds(5)
    assert stage.call.step == "smaller"
    assert (stage.summary.steps_down, stage.summary.steps_up) == (2, 1)
    stage.links = []
    stage.seconds(1)
    stage.links = [Link()]
    stage.call.look()
    assert stage.asked == Encoding(1280, 720, 30, 2_000_000)


async def test_who_comes_back_from_stills_is_no_burden_to_the_others_before_he_reaches_the_floor() -> None:
    good, back = Link(), Link(HOPELESS)
    stage = Stage(good, back)
    stage.call.look()
    back.figures = Figures(150_000, 0.0, 0.1)
    stage.seconds(3)
    assert stage.call.on_stills(back)
    assert stage.asked.bps == 2_000_000
    back.figures = Figures(250_000, 0.0, 0.1)
    stage.call.look()
    assert not stage.call.on_stills(back)
    assert stage.asked.bps == 250_000


async def test_alone_he_is_given_video_as_soon_as_there_is_hope() -> None:
    back = Link(HOPELESS)
    stage = Stage(back, Link(HOPELESS))
    stage.call.look()
    back.figures = Figures(90_000, 0.0, 0.1)
    stage.call.look()
    assert not stage.call.on_stills(back)
    assert stage.asked.bps == 90_000
