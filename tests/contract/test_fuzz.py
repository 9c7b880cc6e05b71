"""Nonsense of all kinds: refused, counted, logged once, and nothing stops. FUZZ_SECONDS says for how long [20]."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from desk.app import open_desk
from desk.config import Broker, Config
from kiosk.demo.site import free_ports
from kiosk.session import inputs
from kiosk.session.record import CODE_USER, Actor
from kiosk.session.states import OPEN, Role
from kiosk.wire import examples, topics
from kiosk.wire.codec import MAX_COMMAND, MAX_MESSAGE, decode, encode
from kiosk.wire.messages import Answer, Command, Presence
from kiosk.wire.topics import Topic
from tests.contract.broker_site import Ear, Mosquitto, until
from tests.contract.fuzzing import KINDS, STARTS, mutated, one_input
from tests.contract.link_site import KIOSK, Kiosk, running_kiosk

BUDGET_S = float(os.environ.get("FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
EXAMPLES = max(10, int(60 * BUDGET_S))
DOWN = (topics.COMMAND, topics.SIGNAL_DOWN, topics.RECEIPT, topics.STAFF)
UP = (topics.PRESENCE, topics.ABOUT, topics.HEALTH, topics.SESSION, topics.ANSWER, topics.SIGNAL_UP)

many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


# --- the schemas ------------------------------------------------------------------------------------------------------


@many
@given(st.sampled_from(sorted(KINDS)), st.randoms(use_true_random=False))
def test_what_is_almost_a_message_is_one_or_is_refused(kind: str, rng: random.Random) -> None:
    one_input(kind, mutated(rng, rng.choice(STARTS[kind])))


@many
@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=400))
@example(topics.SESSION, b"[" * 60_000)
@example(topics.SESSION, b'{"a":' * 10_000)
@example(topics.HEALTH, b'{"uptime_s":1e999,"parts":{}}')
@example(topics.HEALTH, b'{"uptime_s":1,"parts":{"a":"\\ud800"}}')
@example(topics.HEALTH, b'\xef\xbb\xbf{"uptime_s":1,"parts":{}}')
@example(topics.COMMAND, b'{"v":' + b"9" * 5000 + b"}")
def test_what_is_no_message_is_refused(kind: str, raw: bytes) -> None:
    one_input(kind, raw)


@many
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["kiosk", "1", "up", "down", "session", "k-1", "", "+"])).map("/".join)
)
def test_what_is_no_topic_is_refused(text: str) -> None:
    from kiosk.errors import Malformed

    try:
        assert str(topics.parse(text)) == text
    except Malformed:
        return


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (topics.PRESENCE, b'{"online":true,"boot":"b-1","connection":99999999999999999999}'),
        (topics.PRESENCE, b'{"online":true,"boot":"b-1","connection":-1}'),
        (topics.HEALTH, b'{"uptime_s":1,"parts":{"camera":"\\u0000"}}'),
        (
            topics.SESSION,
            encode(examples.BY_TOPIC[topics.SESSION][0]).replace(b'"rev":7', b'"rev":99999999999999999999'),
        ),
        (topics.SESSION, encode(examples.BY_TOPIC[topics.SESSION][0]).replace(b"183211", b"99999999999999999999")),
    ],
)
def test_what_no_database_could_hold_is_refused(kind: str, raw: bytes) -> None:
    assert not one_input(kind, raw)


# --- the kiosk's link, live -------------------------------------------------------------------------------------------


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    process = Mosquitto(tmp_path / "broker", tls=False)
    await process.start()
    yield process
    await process.kill()


@pytest.fixture
async def kiosk(mosquitto: Mosquitto, tmp_path: Path) -> AsyncIterator[Kiosk]:
    own = mosquitto.settings(KIOSK, ())
    connection = {"host": own.host, "port": own.port, "username": KIOSK, "password": own.password}
    async with running_kiosk(tmp_path, connection) as kiosk:
        await until(lambda: kiosk.link.online)
        yield kiosk


@pytest.fixture
async def desk(mosquitto: Mosquitto) -> AsyncIterator[Ear]:
    async with mosquitto.heard_by("desk", *topics.DESK_FILTERS) as ear:
        yield ear


def told(desk: Ear) -> list[Answer]:
    return [decode(p, Answer) for p in desk.payloads(str(Topic(KIOSK, topics.ANSWER)))]


async def answers_to(desk: Ear, command_id: str, session: str) -> Answer:
    command = Command(command_id, Actor(Role.STAFF, "anna", "Anna"), inputs.LinkTicket(examples.TICKET), session)
    await desk.client.publish(str(Topic(KIOSK, topics.COMMAND)), encode(command))
    found: Answer = await until(lambda: next((a for a in told(desk) if a.id == command_id), None))
    return found


async def test_the_kiosk_goes_on_whatever_comes_down(kiosk: Kiosk, desk: Ear, caplog: pytest.LogCaptureFixture) -> None:
    rng, end_s, n = random.Random(SEED), time.monotonic() + BUDGET_S / 3, 0
    session = await kiosk.book.put(None, inputs.Request(), CODE_USER)
    while time.monotonic() < end_s:
        for _ in range(100):
            kind = rng.choice(DOWN)
            raw = mutated(rng, rng.choice(STARTS[kind])).replace(examples.SESSION.encode(), session.id.encode())
            place = str(Topic(KIOSK, kind, session.id if kind == topics.SIGNAL_DOWN else ""))
            for _ in range(rng.choice((1, 1, 1, 3))):  # replayed as well
                await desk.client.publish(place, raw[:MAX_MESSAGE], correlation=rng.randbytes(4))
        n += 1
        answer = await answers_to(desk, f"good-{n}", session.id)
        assert answer.code in ("", "not_assigned", "wrong_state"), f"seed {SEED}"
        open_ones = [s for s in kiosk.book.sessions.values() if s.state in OPEN]
        assert len(open_ones) <= 1, f"seed {SEED}"
    assert sum(kiosk.link.refused.values()) > n * 10
    refusals = [r for r in caplog.records if "refused" in r.message]
    assert len(refusals) == len(kiosk.link.refused), "each kind is logged once"


async def test_the_oversized_replayed_late_retained_and_future_ones_are_refused_and_counted(
    kiosk: Kiosk, desk: Ear, mosquitto: Mosquitto
) -> None:
    session = await kiosk.book.put(None, inputs.Request(), CODE_USER)
    place = str(Topic(KIOSK, topics.COMMAND))
    good = Command("cmd-1", Actor(Role.STAFF, "anna", "Anna"), inputs.Confirm(), session.id)
    for _ in range(3):  # replayed: applied once
        await desk.client.publish(place, encode(good))
    await desk.client.publish(place, b" " * (MAX_COMMAND + 1))
    await desk.client.publish(place, json.dumps({"v": 2}).encode())
    late = Command("cmd-2", Actor(Role.STAFF, "anna", "Anna"), inputs.Confirm(), session.id)
    await desk.client.publish(place, encode(late))
    assert (await answers_to(desk, "good-1", session.id)).ok
    assert [(a.ok, a.rev) for a in told(desk)[:3]] == [(True, 2)] * 3
    assert (told(desk)[3].id, told(desk)[3].code) == ("cmd-2", "wrong_state")
    assert kiosk.link.refused == {(topics.COMMAND, "too_large"): 1, (topics.COMMAND, "unknown_version"): 1}


# --- the desk ---------------------------------------------------------------------------------------------------------


async def test_the_desk_goes_on_whatever_kiosks_tell(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Straight into its follower, with its real database: a broker would only slow the nonsense down."""
    caplog.set_level(logging.WARNING)
    secret = tmp_path / "desk.password"
    secret.write_text("unused")
    config = Config(broker=Broker(port=free_ports(1)[0], password_file=str(secret)), data=str(tmp_path / "data"))
    rng, end_s = random.Random(SEED), time.monotonic() + BUDGET_S / 3
    async with open_desk(config, "http://127.0.0.1") as desk:
        n = 0
        while time.monotonic() < end_s:
            kind = rng.choice(UP)
            raw = mutated(rng, rng.choice(STARTS[kind]))
            session = rng.choice((examples.SESSION, "s-1")) if topics.takes_session(kind) else ""
            try:
                await desk.follower.take(str(Topic(KIOSK, kind, session)), raw)
            except Exception as error:
                raise AssertionError(f"seed {SEED}: {kind}: {raw[:2000]!r}") from error
            n += 1
            if n % 50 == 0:
                await asyncio.sleep(0)
        await desk.follower.take(str(Topic("kiosk-9", topics.PRESENCE)), encode(Presence(True, "b-1", 1)))
        seen = await desk.store.kiosk("kiosk-9")
        assert seen is not None
        assert seen.online
        refused = desk.follower.refused
        assert sum(refused.values()) > n / 5
        assert len([r for r in caplog.records if "refused a message" in r.message]) == len(refused)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is made for x86-64 Linux only")
@pytest.mark.timeout(0)  # the process below has its own
def test_a_fuzzer_that_watches_which_code_runs_finds_no_crash() -> None:
    seconds = os.environ.get("FUZZ_SECONDS", "30")
    command = [sys.executable, "-m", "tests.contract.fuzzing", f"-max_total_time={seconds}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=float(seconds) + 300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr, "it ran to its end"
