"""`kiosk doctor`: tries each part and says whether it works: on the display as a checklist, at the terminal, over MQTT.

Nothing is recorded, and no picture or sound leaves the kiosk. Hardware and the place at the broker are taken, so the
kiosk itself must not run.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from kiosk import doctor_hardware, doctor_site
from kiosk.config import Config
from kiosk.doctor_bench import Bench, Checklist, Hand, Outcome, fails
from kiosk.errors import ConfigError, Trouble
from kiosk.hw.build import Parts, build
from kiosk.ui.doctor_screens import RowState, Said
from kiosk.ui.texts import speaker
from kiosk.wire import topics
from kiosk.wire.codec import encode
from kiosk.wire.messages import Health

log = logging.getLogger(__name__)

LIMIT_S = 20.0
ATTENDED_LIMIT_S = 180.0
"""Of one part; people are asked in it."""

CHECKS: dict[str, Callable[[Bench], Awaitable[Outcome]]] = {
    "display": doctor_hardware.display,
    "lamp": doctor_hardware.lamp,
    "buttons": doctor_hardware.buttons,
    "touch": doctor_hardware.touch,
    "camera": doctor_hardware.camera,
    "microphone": doctor_hardware.microphone,
    "speaker": doctor_hardware.speaker,
    "echo": doctor_hardware.echo,
    "network": doctor_site.network,
    "broker": doctor_site.broker,
    "desk": doctor_site.desk,
    "clock": doctor_site.clock,
    "disk": doctor_site.disk,
    "versions": doctor_site.versions,
}
"""In the order in which an installer looks at them."""


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    state: RowState
    said: Said = field(default_factory=lambda: Said("left_out"))

    @property
    def works(self) -> bool:
        """Or nobody wanted it."""
        return self.state != "fails"

    def words(self, language: str) -> str:
        return self.said.words(speaker(language))


async def examine(
    config: Config,
    *,
    installer: bool = False,
    only: Sequence[str] = (),
    told: Callable[[Finding], None] = lambda finding: None,
    parts: Parts | None = None,
) -> list[Finding]:
    """One finding a part, each `told` as soon as it is known.

    only: the parts to be tried; all of them if empty.
    installer: somebody stands before the kiosk and answers with its button. parts: in place of those in the settings.

    Raises:
        ConfigError: a part that is unknown.
    """
    if unknown := set(only) - set(CHECKS):
        raise ConfigError(f"{sorted(unknown)[0]} is none of {', '.join(CHECKS)}")
    checks = {part: check for part, check in CHECKS.items() if part in only or not only}
    parts = parts or build(config.hardware, config.call)
    async with AsyncExitStack() as stack:
        bench = await _bench(config, parts, installer, tuple(checks), stack)
        findings = []
        for part, check in checks.items():
            await bench.checklist.runs(part)
            outcome = await _tried(bench, part, check)
            findings.append(Finding(part, outcome.state, outcome.said))
            await bench.checklist.found(part, outcome)
            told(findings[-1])
        await _report(bench, findings)
        await bench.end(all(finding.works for finding in findings))
    return findings


async def _bench(config: Config, parts: Parts, installer: bool, rows: tuple[str, ...], stack: AsyncExitStack) -> Bench:
    """Opens what stays open: display, lamp, buttons, touch. What does not open is a finding, not the end."""
    bench = Bench(config, parts, installer, Checklist(config, rows, installer), Hand(), stack)
    devices = {"lamp": parts.lamp, "buttons": parts.buttons, "touch": parts.touchscreen, "display": parts.display}
    for name, device in devices.items():
        try:
            await stack.enter_async_context(device)
        except Trouble as trouble:
            bench.troubles[name] = trouble
    if parts.panel is not None and installer:
        await stack.enter_async_context(parts.panel)
    if "display" not in bench.troubles:
        await bench.checklist.on(parts.display)
    await stack.enter_async_context(bench.hand.reading(parts, bench.troubles))
    return bench


async def _tried(bench: Bench, part: str, check: Callable[[Bench], Awaitable[Outcome]]) -> Outcome:
    if trouble := bench.troubles.get(part):
        return fails("trouble", why=trouble.text)
    limit_s = ATTENDED_LIMIT_S if bench.installer else LIMIT_S
    try:
        async with asyncio.timeout(limit_s):
            return await check(bench)
    except TimeoutError:
        return fails("no_answer", seconds=round(limit_s))
    except (Trouble, OSError) as error:
        return fails("trouble", why=str(error))


async def _report(bench: Bench, findings: list[Finding]) -> None:
    """As the health that a running kiosk tells: fleet and desk see what the installer saw."""
    if bench.client is None or not bench.client.connected:
        return
    parts = {f.part: "ok" if f.works else f.words("en") for f in findings if f.state != "left_out"}
    health = Health(time.monotonic(), parts)
    await bench.client.publish(str(topics.Topic(bench.config.id, topics.HEALTH)), encode(health), qos=0)
    await bench.client.check(LIMIT_S)  # or it would be lost with the connection


def as_json(findings: list[Finding]) -> bytes:
    """For programs: what was found by code and values, and in English words."""
    parts = [
        {"part": f.part, "state": f.state, "code": f.said.code, "values": f.said.values, "words": f.words("en")}
        for f in findings
    ]
    return msgspec.json.format(
        msgspec.json.encode({"works": all(f.works for f in findings), "parts": parts}, enc_hook=str)
    )
