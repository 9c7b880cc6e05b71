"""Who may say and hear what at the broker, and who is let in: judged by what is *delivered*, with TLS and without.

An attacker holds the credential of one kiosk (a stolen card) and tries everything that it should not give him.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.errors import ConfigError
from kiosk.fleet.authority import Authority
from kiosk.fleet.broker import Accounts
from kiosk.link.client import Client, Message, Settings
from kiosk.wire import topics
from kiosk.wire.topics import Topic
from tests.contract.broker_site import EVERYTHING, FLEET, Ear, Mosquitto, until

VICTIM, ATTACKER = "kiosk-1", "kiosk-2"
UP = [topics.PRESENCE, topics.ABOUT, topics.HEALTH, topics.CONFIG_REPORTED, topics.ANSWER, topics.FLEET_ANSWER]
DOWN = [topics.CONFIG_DESIRED, topics.COMMAND, topics.RECEIPT, topics.STAFF, topics.FLEET_COMMAND]
UP_OF = [str(Topic(VICTIM, kind)) for kind in UP]
UP_OF += [str(Topic(VICTIM, kind, "s-1")) for kind in (topics.SESSION, topics.SIGNAL_UP)]
DOWN_OF = [str(Topic(VICTIM, kind)) for kind in DOWN] + [str(Topic(VICTIM, topics.SIGNAL_DOWN, "s-1"))]
SECRET, FORGED = b"a secret", b"forged"
SHARED = ("$share/g/#", "$share/g/kiosk/1/kiosk-1/#", "$share/h/kiosk/1/+/down/#")


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
async def mosquitto(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mosquitto]:
    process = Mosquitto(tmp_path / "broker", tls=request.param)
    await process.start()
    yield process
    await process.kill()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    process = Mosquitto(tmp_path / "broker", tls=True)
    await process.start()
    yield process
    await process.kill()


def of(kiosk: str, kind: str) -> str:
    return str(Topic(kiosk, kind))


async def say(ear: Ear, where: list[str], payload: bytes) -> None:
    for topic in where:
        await ear.client.publish(topic, payload, retain=True)
        await ear.client.publish(topic, payload, qos=0)


async def reaches(speaker: Ear, topic: str, ear: Ear) -> None:
    """Waits for a mark of its own: whatever the speaker said before has been dealt with by then."""
    mark = f"mark {len(ear.heard)}".encode()
    await speaker.client.publish(topic, mark)
    await until(lambda: mark in ear.payloads(topic))


def cut(client: Client) -> None:
    """As when the power goes: no goodbye."""
    connection = client._connection
    assert connection is not None
    sock: Any = connection._paho.socket()
    sock.shutdown(socket.SHUT_RDWR)


# --- one kiosk's credential -------------------------------------------------------------------------------------------


async def test_a_kiosk_hears_nothing_of_another_whatever_it_subscribes_to(mosquitto: Mosquitto) -> None:
    async with (
        mosquitto.heard_by("desk") as desk,
        mosquitto.heard_by(FLEET) as fleet,
        mosquitto.heard_by(VICTIM) as victim,
    ):
        await say(victim, UP_OF, SECRET)
        await say(fleet, DOWN_OF, SECRET)
        await reaches(victim, of(VICTIM, topics.ABOUT), desk)
        async with mosquitto.heard_by(ATTACKER, *EVERYTHING, *UP_OF, *DOWN_OF, *SHARED) as attacker:
            await say(victim, UP_OF, SECRET)
            await say(desk, DOWN_OF, SECRET)
            await reaches(victim, of(VICTIM, topics.ABOUT), desk)
            await reaches(desk, of(ATTACKER, topics.COMMAND), attacker)
            assert attacker.topics == {of(ATTACKER, topics.COMMAND)}
            assert SECRET in victim.payloads(of(VICTIM, topics.COMMAND)), "it was on its way"


async def test_a_kiosk_writes_nothing_of_another_and_no_command_to_itself(mosquitto: Mosquitto) -> None:
    async with (
        mosquitto.heard_by("desk") as desk,
        mosquitto.heard_by(VICTIM) as victim,
        mosquitto.heard_by(ATTACKER) as attacker,
    ):
        own_down = [topic.replace(VICTIM, ATTACKER) for topic in DOWN_OF]
        odd = [
            "#",
            "kiosk/1/kiosk-1",
            "kiosk/1/kiosk-1/up",
            "kiosk/1//up/about",
            "$SYS/x",
            "kiosk/1/kiosk-2/../kiosk-1",
        ]
        await say(attacker, [*UP_OF, *DOWN_OF, *own_down, *odd[1:]], FORGED)
        await reaches(attacker, of(ATTACKER, topics.ABOUT), desk)
        await reaches(desk, of(VICTIM, topics.COMMAND), victim)
        await reaches(desk, of(ATTACKER, topics.COMMAND), attacker)
        async with mosquitto.heard_by("desk") as late, mosquitto.heard_by(VICTIM) as restarted:
            await reaches(restarted, of(VICTIM, topics.ABOUT), late)
            await reaches(late, of(VICTIM, topics.COMMAND), restarted)
            for ear in (desk, victim, attacker, late, restarted):
                assert FORGED not in [i.payload for i in ear.heard]


@pytest.mark.parametrize("topic", [UP_OF[0], UP_OF[1], DOWN_OF[0], DOWN_OF[1], of(ATTACKER, topics.COMMAND)])
async def test_a_will_says_nothing_that_its_owner_may_not_say(mosquitto: Mosquitto, topic: str) -> None:
    async with mosquitto.heard_by("desk") as desk, mosquitto.heard_by(VICTIM) as victim:
        will = Message(topic, FORGED, retain=True)
        async with mosquitto.heard_by(ATTACKER, will=lambda _: will, will_delay_s=0) as attacker:
            cut(attacker.client)
            await anext(attacker.client.connections())  # in again: the broker is done with the earlier connection
            await reaches(attacker, of(ATTACKER, topics.ABOUT), desk)
            await reaches(desk, of(VICTIM, topics.COMMAND), victim)
            assert FORGED not in [i.payload for i in (*desk.heard, *victim.heard, *attacker.heard)]


async def test_a_kiosks_own_will_is_heard_by_desk_and_fleet(mosquitto: Mosquitto) -> None:
    own = Message(of(VICTIM, topics.PRESENCE), b"gone", retain=True)
    async with (
        mosquitto.heard_by("desk") as desk,
        mosquitto.heard_by(FLEET) as fleet,
        mosquitto.heard_by(VICTIM, will=lambda _: own, will_delay_s=0) as victim,
    ):
        cut(victim.client)
        await until(lambda: b"gone" in desk.payloads(own.topic) and b"gone" in fleet.payloads(own.topic))


async def test_anothers_client_id_is_of_no_use(mosquitto: Mosquitto) -> None:
    gone = Message(of(VICTIM, topics.PRESENCE), b"gone", retain=True)
    async with (
        mosquitto.heard_by("desk") as desk,
        mosquitto.heard_by(VICTIM, will=lambda _: gone, will_delay_s=0) as victim,
    ):
        thief = replace(mosquitto.settings(ATTACKER, EVERYTHING), client_id=VICTIM)
        if mosquitto.tls:
            thief = replace(thief, username=VICTIM)
        guesser = Settings("127.0.0.1", mosquitto.port, VICTIM, EVERYTHING, username=VICTIM, password="guessed")
        nobody = Settings("127.0.0.1", mosquitto.port, VICTIM, EVERYTHING)
        async with Client(thief) as client, Client(guesser), Client(nobody):
            await anext(client.connections())
            ear = Ear(client)
            listening = asyncio.create_task(ear.listen())
            await reaches(desk, of(ATTACKER, topics.COMMAND), ear)
            await reaches(desk, of(VICTIM, topics.COMMAND), victim)
            await reaches(victim, of(VICTIM, topics.ABOUT), desk)
            listening.cancel()
            assert ear.topics == {of(ATTACKER, topics.COMMAND)}
        assert not desk.payloads(gone.topic), "the victim's connection was never touched"


async def test_a_packet_that_is_too_large_reaches_nobody_and_harms_nobody(mosquitto: Mosquitto) -> None:
    async with mosquitto.heard_by("desk") as desk, mosquitto.heard_by(VICTIM) as victim:
        async with mosquitto.heard_by(ATTACKER) as attacker:
            await attacker.client.publish(of(ATTACKER, topics.ABOUT), b"x" * 400_000)
            await anext(attacker.client.connections())  # was thrown out, and is back
            await reaches(attacker, of(ATTACKER, topics.ABOUT), desk)
        await reaches(victim, of(VICTIM, topics.ABOUT), desk)
        assert all(len(i.payload) < 100 for i in desk.heard)


# --- the desk's and the fleet managers' accounts ----------------------------------------------------------------------


async def test_the_desk_hears_all_kiosks_and_writes_neither_their_state_nor_their_configuration(
    mosquitto: Mosquitto,
) -> None:
    async with mosquitto.heard_by("desk") as desk, mosquitto.heard_by(VICTIM) as victim:
        await say(desk, [*UP_OF, *DOWN_OF], b"said")
        await reaches(desk, of(VICTIM, topics.COMMAND), victim)
        heard = {of(VICTIM, kind) for kind in (topics.COMMAND, topics.RECEIPT, topics.STAFF)} | {DOWN_OF[-1]}
        assert victim.topics == heard
        await say(victim, UP_OF, b"told")
        await reaches(victim, of(VICTIM, topics.ABOUT), desk)
        assert desk.topics == set(UP_OF)
        assert {i.payload for i in desk.heard} == {b"told", b"mark 0"} | set(desk.payloads(of(VICTIM, topics.ABOUT)))


async def test_a_fleet_manager_configures_and_commands_kiosks_and_neither_hears_nor_speaks_in_sessions(
    mosquitto: Mosquitto,
) -> None:
    async with mosquitto.heard_by(FLEET) as fleet, mosquitto.heard_by(VICTIM) as victim:
        await say(fleet, [*UP_OF, *DOWN_OF], b"said")
        await reaches(fleet, of(VICTIM, topics.FLEET_COMMAND), victim)
        assert victim.topics == {of(VICTIM, topics.FLEET_COMMAND), of(VICTIM, topics.CONFIG_DESIRED)}
        await say(victim, UP_OF, b"told")
        await reaches(victim, of(VICTIM, topics.ABOUT), fleet)
        assert fleet.topics == set(UP_OF[:4]) | {of(VICTIM, topics.FLEET_ANSWER)}


# --- certificates -----------------------------------------------------------------------------------------------------


paho_leaves_sockets = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""paho 2.2 drops its socket unclosed where the TLS handshake fails; the interpreter closes it, with a warning."""


async def stays_outside(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    async with Client(settings) as client:
        await until(lambda: "no connection to the broker" in caplog.text)
        says = any(word in caplog.text for word in ("certificate", "ca_file", "Not authorized"))
        assert says or not settings.ca_file, "where to look"
        assert not client.connected
    gc.collect()  # here, and not in some other test


@paho_leaves_sockets
async def test_only_a_certificate_of_this_sites_authority_lets_a_kiosk_in(
    site: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = site.settings(VICTIM, EVERYTHING)
    forger = Authority.open(tmp_path / "forger").kiosk(VICTIM)
    certificate, key, other_ca = tmp_path / "forged.pem", tmp_path / "forged.key", tmp_path / "forger" / "ca.pem"
    certificate.write_text(forger.certificate)
    key.write_text(forger.key)
    await stays_outside(replace(good, certificate_file="", key_file=""), caplog)
    await stays_outside(replace(good, certificate_file=str(certificate), key_file=str(key)), caplog)
    await stays_outside(replace(good, ca_file=str(other_ca)), caplog)
    await stays_outside(replace(good, ca_file="", certificate_file="", key_file=""), caplog)
    await stays_outside(replace(good, host="localhost"), caplog)  # not a name of this broker's certificate
    async with site.heard_by(VICTIM) as victim, site.heard_by("desk") as desk:
        await reaches(victim, of(VICTIM, topics.ABOUT), desk)


@paho_leaves_sockets
async def test_a_kiosks_certificate_is_no_way_to_the_desks_door_and_a_password_none_to_the_kiosks(
    site: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    await stays_outside(replace(site.settings(VICTIM, EVERYTHING), port=site.staff_port), caplog)
    await stays_outside(replace(site.settings("desk", EVERYTHING), port=site.port), caplog)


@paho_leaves_sockets
async def test_a_revoked_kiosk_is_shut_out_and_the_others_are_not(
    site: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(site.folder / "kiosks" / ATTACKER, tmp_path / "stolen")
    stolen = replace(
        site.settings(ATTACKER, EVERYTHING),
        ca_file=str(tmp_path / "stolen" / "ca.pem"),
        certificate_file=str(tmp_path / "stolen" / "certificate.pem"),
        key_file=str(tmp_path / "stolen" / "key.pem"),
    )
    async with Client(stolen) as client:
        await anext(client.connections())
    site.configure((VICTIM,), revoke=(ATTACKER,))
    await site.restart()
    await stays_outside(stolen, caplog)
    async with site.heard_by(VICTIM) as victim, site.heard_by("desk") as desk:
        await reaches(victim, of(VICTIM, topics.ABOUT), desk)


@paho_leaves_sockets
async def test_the_open_connection_of_a_revoked_kiosk_is_deaf_and_dumb_as_soon_as_the_broker_is_reloaded(
    site: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stolen = site.settings(ATTACKER, EVERYTHING)
    async with (
        site.heard_by("desk") as desk,
        site.heard_by(VICTIM) as victim,
        site.heard_by(ATTACKER) as thief,
    ):
        await reaches(thief, of(ATTACKER, topics.ABOUT), desk)
        shutil.copytree(site.folder / "kiosks" / ATTACKER, tmp_path / "stolen")
        site.configure((VICTIM,), revoke=(ATTACKER,))
        site.reload()
        async with asyncio.timeout(20):
            while True:  # until the broker has come to its reload
                desk.heard.clear()
                await thief.client.publish(of(ATTACKER, topics.ABOUT), b"still here?")
                await reaches(victim, of(VICTIM, topics.ABOUT), desk)
                if not desk.payloads(of(ATTACKER, topics.ABOUT)):
                    break
        before = len(thief.heard)
        await say(thief, [of(ATTACKER, kind) for kind in UP], FORGED)
        await say(desk, [of(ATTACKER, topics.COMMAND), of(ATTACKER, topics.RECEIPT)], SECRET)
        await reaches(victim, of(VICTIM, topics.ABOUT), desk)
        await reaches(desk, of(VICTIM, topics.COMMAND), victim)
        assert FORGED not in [i.payload for i in desk.heard]
        assert len(thief.heard) == before
    ca, certificate, key = (str(tmp_path / "stolen" / name) for name in ("ca.pem", "certificate.pem", "key.pem"))
    await stays_outside(replace(stolen, ca_file=ca, certificate_file=certificate, key_file=key), caplog)


def test_a_revoked_name_is_never_given_again(tmp_path: Path) -> None:
    common = (str(tmp_path), "--ca", "--host", "broker.test", "--user", tmp_path.owner())
    assert kiosk(*common, "--kiosk", "kiosk-1", "--kiosk", "kiosk-2").returncode == 0
    assert kiosk(*common, "--kiosk", "kiosk-1", "--revoke", "kiosk-2").returncode == 0
    said = kiosk(*common, "--kiosk", "kiosk-1", "--kiosk", "kiosk-2")
    assert said.returncode == 1
    assert "was revoked" in said.stderr


def test_a_client_whose_certificate_is_not_there_says_so_at_once(tmp_path: Path) -> None:
    async def enter(settings: Settings) -> None:
        async with Client(settings):
            pass

    missing = Settings("127.0.0.1", 1, VICTIM, (), ca_file=str(tmp_path / "nowhere.pem"))
    with pytest.raises(ConfigError, match=r"nowhere\.pem"):
        asyncio.run(enter(missing))


# --- what the configuration takes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "x" * 41,
        "Kiosk-1",
        "kiosk 1",
        "kiosk/1",
        "kiosk-1/up",
        "+",
        "#",
        "kio+",
        "$SYS",
        "kiösk",
        "k\0osk",
        "kio\n",
    ],
)
def test_a_name_that_could_reach_into_topics_gets_no_account_and_no_certificate(tmp_path: Path, name: str) -> None:
    for names in ({"kiosks": (name,)}, {"kiosks": ("kiosk-1",), "desks": (name,)}, {"kiosks": (), "fleet": (name,)}):
        with pytest.raises(ConfigError, match="no name"):
            Accounts(**names)
    with pytest.raises(ConfigError, match="no name"):
        Authority.open(tmp_path).kiosk(name)


def test_no_kiosk_is_called_like_a_desk_or_another(tmp_path: Path) -> None:
    for accounts in (
        {"kiosks": ("desk",)},
        {"kiosks": ("kiosk-1", "kiosk-1")},
        {"kiosks": ("f-1",), "fleet": ("f-1",)},
    ):
        with pytest.raises(ConfigError, match="twice"):
            Accounts(**accounts)


def kiosk(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kiosk", "broker-config", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)


def test_the_command_keeps_what_is_there_when_a_kiosk_is_added(tmp_path: Path) -> None:
    user = tmp_path.owner()
    common = (str(tmp_path), "--ca", "--host", "broker.test", "--user", user, "--kiosk", "kiosk-1")
    assert kiosk(*common).returncode == 0
    kept = [tmp_path / name for name in ("ca.pem", "server.pem", "desk.password", "kiosks/kiosk-1/key.pem")]
    before = [path.read_bytes() for path in kept]
    said = kiosk(*common, "--kiosk", "kiosk-2")
    assert said.returncode == 0, said.stderr
    assert [path.read_bytes() for path in kept] == before
    key = tmp_path / "kiosks" / "kiosk-2" / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600


def test_what_the_command_does_not_take_is_said_in_a_sentence(tmp_path: Path) -> None:
    for arguments in (
        ("--kiosk", "kiosk/1"),
        ("--kiosk", "desk"),
        ("--kiosk", "kiosk-1", "--ca"),
        ("--kiosk", "kiosk-1", "--ca", "--host", "h.test", "--user", "nobody-at-all-here"),
        ("--kiosk", "kiosk-1", "--ca", "--host", "h.test", "--revoke", "kiosk-9"),
        ("--kiosk", "kiosk-1", "--ca", "--host", "h.test", "--revoke", "kiosk-1"),
    ):
        said = kiosk(str(tmp_path), *arguments)
        assert said.returncode == 1, arguments
        assert said.stderr.startswith("kiosk: "), said.stderr
