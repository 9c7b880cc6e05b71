"""The contract as a document: made from the schemas, valid, and each of its examples really sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from aiortc import RTCPeerConnection
from msgspec import Struct

from kiosk.link.client import Incoming
from kiosk.session import inputs
from kiosk.session.record import CODE_USER, SYSTEM, Actor
from kiosk.session.states import Role, State
from kiosk.wire import asyncapi, channel, codec, examples, topics
from kiosk.wire.codec import MAX_COMMAND, decode, encode
from kiosk.wire.messages import Answer, Command, Guard
from kiosk.wire.topics import Topic
from tests.contract.broker_site import FLEET, Ear, Mosquitto, until
from tests.contract.link_site import KIOSK, Kiosk, running_kiosk

COMMITTED = Path(__file__).parents[2] / "docs" / "wire" / "asyncapi.json"
DOCUMENT = asyncapi.document()
SAID = {said.kind: said for said in asyncapi.MQTT}


# --- the document -----------------------------------------------------------------------------------------------------


def test_the_document_is_the_one_that_the_schemas_make() -> None:
    say = "the schemas have changed: python -m kiosk.wire.asyncapi docs/wire/asyncapi.json"
    assert COMMITTED.read_text() == asyncapi.text(), say


def test_the_command_that_makes_it_prints_it() -> None:
    said = subprocess.run([sys.executable, "-m", "kiosk.wire.asyncapi"], capture_output=True, text=True, check=True)
    assert said.stdout == asyncapi.text()


def test_any_broker_can_carry_it() -> None:
    """Managed brokers count: at most 7 slashes in a topic, 8 filters for a client, no QoS 2."""
    assert all(said.address.count("/") <= 7 and said.qos <= 1 for said in asyncapi.MQTT)
    assert len(topics.DESK_FILTERS) <= 8


def everything_in(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from everything_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from everything_in(value)


def at(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_every_reference_leads_somewhere() -> None:
    references = [node["$ref"] for node in everything_in(DOCUMENT) if isinstance(node.get("$ref"), str)]
    assert len(references) > 100
    for reference in references:
        assert at(reference), reference


def test_it_has_what_asyncapi_3_asks_for() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    allowed = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert set(DOCUMENT) <= allowed
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for name, told in DOCUMENT["channels"].items():
        named = {part.strip("{}") for part in told["address"].split("/") if part.startswith("{")}
        assert named == set(told.get("parameters", {})), name
        assert all(at(server["$ref"]) for server in told["servers"])
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        for part in (operation, operation.get("reply", operation)):
            place = part["channel"]["$ref"] + "/messages/"
            assert part["messages"]
            assert all(message["$ref"].startswith(place) for message in part["messages"])


def test_the_schemas_are_draft_7() -> None:
    """What AsyncAPI builds on; `prefixItems` and an object as `discriminator` are of others."""
    for node in everything_in(DOCUMENT["components"]["schemas"]):
        assert not {"prefixItems", "discriminator", "$defs"} & set(node)


def test_every_topic_and_every_message_is_in_it() -> None:
    kinds = {value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)}
    assert set(SAID) == kinds - {topics.ROOT}
    assert set(examples.BY_TOPIC) == {said.kind for said in asyncapi.MQTT if said.kinds}
    for said in asyncapi.MQTT:
        assert {type(e) for e in examples.BY_TOPIC.get(said.kind, ())} == set(said.kinds)
    commands = [e for e in examples.BY_TOPIC[topics.COMMAND] if isinstance(e, Command)]
    assert {type(c.do) for c in commands} == set(get_args(inputs.Command))
    assert {type(e) for e in examples.FROM_PARTICIPANT} == set(get_args(channel.FromParticipant))
    assert {type(e) for e in examples.FROM_KIOSK} == set(get_args(channel.FromKiosk))


def limit_of(kind: str) -> int:
    return MAX_COMMAND if kind in (topics.COMMAND, topics.ANSWER, topics.RECEIPT, topics.STAFF) else codec.MAX_MESSAGE


def reader_of(kind: str) -> Any:
    kinds = SAID[kind].kinds
    union = kinds[0]
    for each in kinds[1:]:
        union = union | each  # type: ignore[assignment]  # a union of Structs is what decode takes
    return union


def test_every_example_in_the_document_is_read_as_what_it_is() -> None:
    told = {name: message["examples"] for name, message in DOCUMENT["components"]["messages"].items()}
    for kind, structs in examples.BY_TOPIC.items():
        for struct in structs:
            bodies = [e["payload"] for e in told[type(struct).__name__]]
            assert struct in [decode(json.dumps(b), reader_of(kind), limit_of(kind)) for b in bodies]
    for union, events in (
        (channel.FromParticipant, examples.FROM_PARTICIPANT),
        (channel.FromKiosk, examples.FROM_KIOSK),
        (channel.Poses, (examples.POSES,)),
    ):
        for event in events:
            bodies = [e["payload"] for e in told[type(event).__name__]]
            assert event in [decode(json.dumps(b), type(event), codec.MAX_EVENT) for b in bodies]
            assert decode(encode(event), union, codec.MAX_EVENT) == event


# --- its examples, sent -----------------------------------------------------------------------------------------------


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    process = Mosquitto(tmp_path / "broker", tls=False)
    await process.start()
    yield process
    await process.kill()


async def heard(ear: Ear, topic: str, count: int) -> list[bytes]:
    await until(lambda: len(ear.payloads(topic)) >= count)
    return ear.payloads(topic)


async def test_every_example_is_sent_by_its_writer_and_arrives_at_its_readers(mosquitto: Mosquitto) -> None:
    async with (
        mosquitto.heard_by(KIOSK, topics.kiosk_filter(KIOSK)) as kiosk,
        mosquitto.heard_by("desk", *topics.DESK_FILTERS) as desk,
        mosquitto.heard_by(FLEET) as fleet,
    ):
        speakers = {"kiosk": (kiosk, desk), "desk": (desk, kiosk), "fleet manager": (fleet, kiosk)}
        for kind, structs in examples.BY_TOPIC.items():
            said = SAID[kind]
            speaker, reader = speakers[said.writer]
            topic = str(Topic(KIOSK, kind, examples.SESSION if topics.takes_session(kind) else ""))
            for struct in structs:
                await speaker.client.publish(
                    topic, encode(struct), qos=said.qos, retain=said.retained, expiry_s=said.expiry_s or None
                )
            payloads = await heard(reader, topic, len(structs))
            assert [decode(p, reader_of(kind), limit_of(kind)) for p in payloads] == list(structs)
        read = (topics.PRESENCE, topics.ABOUT, topics.HEALTH, topics.CONFIG_REPORTED)
        assert fleet.topics == {str(Topic(KIOSK, k)) for k in read}


async def test_every_example_of_a_data_channel_passes_through_one() -> None:
    participant, kiosk = RTCPeerConnection(), RTCPeerConnection()
    events = participant.createDataChannel("events")
    poses = participant.createDataChannel("poses", ordered=False, maxRetransmits=0)
    heard: dict[str, list[Any]] = {"participant": [], "kiosk": [], "poses": []}
    opened: dict[str, Any] = {}
    union: Any = channel.FromKiosk
    events.on("message", lambda raw: heard["participant"].append(decode(raw, union)))
    poses.on("message", lambda raw: heard["poses"].append(decode(raw, channel.Poses)))

    @kiosk.on("datachannel")
    def _opened(made: Any) -> None:
        opened[made.label] = made
        down: Any = channel.FromParticipant
        made.on("message", lambda raw: heard["kiosk"].append(decode(raw, down)))

    await participant.setLocalDescription(await participant.createOffer())
    await kiosk.setRemoteDescription(participant.localDescription)
    await kiosk.setLocalDescription(await kiosk.createAnswer())
    await participant.setRemoteDescription(kiosk.localDescription)
    try:
        await until(lambda: len(opened) == 2 and events.readyState == "open")
        for event in examples.FROM_PARTICIPANT:
            events.send(encode(event).decode())
        for told in examples.FROM_KIOSK:
            opened["events"].send(encode(told).decode())
        opened["poses"].send(encode(examples.POSES).decode())
        await until(lambda: len(heard["kiosk"]) == len(examples.FROM_PARTICIPANT) and heard["poses"])
        await until(lambda: len(heard["participant"]) == len(examples.FROM_KIOSK))
    finally:
        await participant.close()
        await kiosk.close()
    assert tuple(heard["kiosk"]) == examples.FROM_PARTICIPANT
    assert tuple(heard["participant"]) == examples.FROM_KIOSK
    assert heard["poses"] == [examples.POSES]


# --- commands ---------------------------------------------------------------------------------------------------------

ANSWERS = str(Topic(KIOSK, topics.ANSWER))
COMMANDS = str(Topic(KIOSK, topics.COMMAND))


@pytest.fixture
async def kiosk(mosquitto: Mosquitto, tmp_path: Path) -> AsyncIterator[Kiosk]:
    settings = mosquitto.settings(KIOSK, ())
    connection = {"host": settings.host, "port": settings.port, "username": KIOSK, "password": settings.password}
    async with running_kiosk(tmp_path, connection) as kiosk:
        await until(lambda: kiosk.link.online)
        yield kiosk


@pytest.fixture
async def desk(mosquitto: Mosquitto) -> AsyncIterator[Ear]:
    async with mosquitto.heard_by("desk", *topics.DESK_FILTERS) as ear:
        yield ear


def answers(desk: Ear, topic: str = ANSWERS) -> list[Incoming]:
    return [i for i in desk.heard if i.topic == topic]


def confirm(command_id: str, session: str, guard: Guard | None = None) -> Struct:
    return Command(command_id, Actor(Role.STAFF, "anna", "Anna"), inputs.Confirm(), session, guard or Guard())


async def asked_for(kiosk: Kiosk) -> str:
    session = await kiosk.book.put(None, inputs.Request(), CODE_USER)
    return session.id


async def test_an_answer_goes_where_it_was_asked_for_with_its_correlation(kiosk: Kiosk, desk: Ear) -> None:
    command, place = confirm("cmd-1", await asked_for(kiosk)), ANSWERS + "/desk-2"
    await desk.client.publish(COMMANDS, encode(command), response_topic=place, correlation=b"\x00mine\xff")
    (own,), (other,) = await until(lambda: answers(desk)), await until(lambda: answers(desk, place))
    assert own.correlation == other.correlation == b"\x00mine\xff"
    assert decode(own.payload, Answer) == decode(other.payload, Answer)


@pytest.mark.parametrize(
    "place",
    [
        "kiosk/1/kiosk-2/up/answer",
        "kiosk/1/kiosk-1/down/command",
        "kiosk/1/kiosk-1/up/session/s-1",
        "kiosk/1/kiosk-1/presence",
        "kiosk/1/kiosk-1/up/answerer",
        "kiosk/1/kiosk-1/up/answer/" + "x" * 500,
    ],
)
async def test_an_answer_goes_nowhere_else(kiosk: Kiosk, desk: Ear, place: str) -> None:
    """Whoever asks may not make the kiosk write over what it tells."""
    session = await asked_for(kiosk)
    await desk.client.publish(COMMANDS, encode(confirm("cmd-1", session)), response_topic=place, correlation=b"cmd-1")
    await desk.client.publish(COMMANDS, encode(confirm("cmd-2", session)))
    await until(lambda: len(answers(desk)) == 2)
    told = [decode(a.payload, Answer).id for a in answers(desk)]
    assert told == ["cmd-1", "cmd-2"]
    others = [i for i in desk.heard if i.topic != ANSWERS]
    assert not any(b"cmd-" in i.payload for i in others)


async def test_a_command_that_cannot_be_read_is_answered_where_its_id_is_known(kiosk: Kiosk, desk: Ear) -> None:
    later = {"id": "cmd-1", "v": 2, "do": {"kind": "teleport"}}
    for body, correlation in ((later, b"cmd-1"), ({}, b"cmd-2"), ({}, b"NO ID"), ({}, b"")):
        payload = json.dumps(body).encode()
        await desk.client.publish(COMMANDS, payload, response_topic=ANSWERS, correlation=correlation)
    await desk.client.publish(COMMANDS, encode(confirm("cmd-5", "s-none")))
    await until(lambda: len(answers(desk)) == 3)
    told = [decode(a.payload, Answer) for a in answers(desk)]
    assert [(a.id, a.code) for a in told] == [
        ("cmd-1", "unknown_version"),
        ("cmd-2", "malformed"),
        ("cmd-5", "no_such_session"),
    ]
    assert kiosk.link.refused == {(topics.COMMAND, "unknown_version"): 1, (topics.COMMAND, "malformed"): 3}


async def test_a_command_says_which_revision_it_saw_and_a_stale_one_changes_nothing(kiosk: Kiosk, desk: Ear) -> None:
    session = await asked_for(kiosk)
    await kiosk.book.put(session, inputs.Seen(examples.ANNA), SYSTEM)
    for n, guard in enumerate((Guard(rev=1), Guard(State.RUNNING), Guard(State.REQUESTED, 2)), 1):
        await desk.client.publish(COMMANDS, encode(confirm(f"cmd-{n}", session, guard)))
    await until(lambda: len(answers(desk)) == 3)
    told = [decode(a.payload, Answer) for a in answers(desk)]
    assert [(a.ok, a.code, a.rev) for a in told] == [
        (False, "wrong_state", 2),
        (False, "wrong_state", 2),
        (True, "", 3),
    ]


async def test_a_command_that_nobody_heard_is_not_obeyed_later(mosquitto: Mosquitto, desk: Ear, tmp_path: Path) -> None:
    """A kiosk that was away starts clean: what was wished for then has expired, and is repeated or given up."""
    settings = mosquitto.settings(KIOSK, ())
    connection = {"host": settings.host, "port": settings.port, "username": KIOSK, "password": settings.password}
    async with running_kiosk(tmp_path, connection) as kiosk:
        session = await asked_for(kiosk)
        await until(lambda: kiosk.link.online)
    async with mosquitto.heard_by("kiosk-2") as other:
        await desk.client.publish(COMMANDS, encode(confirm("cmd-1", session)), expiry_s=10)
        await desk.client.publish(COMMANDS.replace(KIOSK, "kiosk-2"), b"a mark")
        await until(lambda: other.heard)  # the broker is done with the one before as well
    async with running_kiosk(tmp_path, connection, "boot-2") as kiosk:
        await until(lambda: kiosk.link.online)
        await desk.client.publish(COMMANDS, encode(confirm("cmd-2", session)), expiry_s=10)
        await until(lambda: answers(desk))
        assert [decode(a.payload, Answer).id for a in answers(desk)] == ["cmd-2"]


async def test_a_retained_command_is_not_obeyed(mosquitto: Mosquitto, desk: Ear, tmp_path: Path) -> None:
    """It would be obeyed again at each connect, whenever it was meant."""
    settings = mosquitto.settings(KIOSK, ())
    connection = {"host": settings.host, "port": settings.port, "username": KIOSK, "password": settings.password}
    await desk.client.publish(COMMANDS, encode(confirm("cmd-1", "s-none")), retain=True)
    async with running_kiosk(tmp_path, connection) as kiosk:
        await until(lambda: kiosk.link.refused)
        await desk.client.publish(COMMANDS, encode(confirm("cmd-2", "s-none")))
        await until(lambda: answers(desk))
    assert [decode(a.payload, Answer).id for a in answers(desk)] == ["cmd-2"]
    assert kiosk.link.refused == {(topics.COMMAND, "malformed"): 1}


@pytest.mark.parametrize("role", [Role.CODE_USER, Role.SYSTEM, Role.FLEET])
async def test_nobody_poses_as_the_code_user_or_the_kiosk_itself(kiosk: Kiosk, desk: Ear, role: Role) -> None:
    session = await asked_for(kiosk)
    forged = Command("cmd-1", Actor(role, "anna", "Anna"), inputs.Cancel(), session)
    await desk.client.publish(COMMANDS, encode(forged))
    await until(lambda: answers(desk))
    answer = decode(answers(desk)[0].payload, Answer)
    if answer.ok:  # judged as the person of that id: assigned staff, who may cancel
        assert kiosk.book.sessions[session].history[-1].actor.role is Role.STAFF
    else:
        assert answer.code in ("not_allowed", "not_assigned")
