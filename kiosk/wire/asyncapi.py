"""The contract as an AsyncAPI 3 document, made from the schemas: `python -m kiosk.wire.asyncapi [PATH]`.

It is written from the kiosk's side: the kiosk *sends* what is `up`, and *receives* what is `down`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from kiosk.wire import channel, codec, examples, messages, topics
from kiosk.wire.topics import Topic

Json = dict[str, Any]
SCHEMAS: Final = "#/components/schemas/{name}"
MEDIA: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Said:
    """What is said under one kind of topic. `name` is the channel's in the document."""

    kind: str
    name: str
    writer: Literal["kiosk", "desk", "fleet manager"]
    text: str
    kinds: tuple[type[Struct], ...] = ()
    qos: int = 1
    retained: bool = False
    expiry_s: int = 0
    reply: str = ""
    """The channel of the answer."""

    @property
    def address(self) -> str:
        with_session = "{session}" if topics.takes_session(self.kind) else ""
        return str(Topic("{kiosk}", self.kind, with_session))


MQTT: tuple[Said, ...] = (
    Said(
        topics.PRESENCE,
        "presence",
        "kiosk",
        "Whether the kiosk is there; also its will. A will of an older boot or connection than told changes nothing.",
        (messages.Presence,),
        retained=True,
    ),
    Said(topics.ABOUT, "about", "kiosk", "What the kiosk is.", (messages.About,), retained=True),
    Said(topics.HEALTH, "health", "kiosk", "Each 60 s and at each change.", (messages.Health,), qos=0),
    Said(
        topics.CONFIG_REPORTED,
        "configReported",
        "kiosk",
        "What the provider has decided for this kiosk, as it is in force.",
        (messages.InForce,),
        retained=True,
    ),
    Said(
        topics.SESSION,
        "session",
        "kiosk",
        "A session, whole, under (epoch, rev), after it is on disk; told at each connect and each 10 s until it is "
        "receipted. An empty message: nothing is left to be told of it.",
        (messages.SessionTold,),
        retained=True,
    ),
    Said(topics.ANSWER, "answer", "kiosk", "The answer to each command, repeats included.", (messages.Answer,)),
    Said(
        topics.SIGNAL_UP,
        "signalUp",
        "kiosk",
        "The kiosk's answer to an offer, and the end of a connection.",
        get_args(messages.SignalUp),
        expiry_s=30,
    ),
    Said(topics.FLEET_ANSWER, "fleetAnswer", "kiosk", "Reserved: answers to fleet managers."),
    Said(
        topics.COMMAND,
        "command",
        "desk",
        "A wish of staff: repeated each second under the same id until it is answered, at most 10 s. Applied once, "
        "answered each time; refused where its guard does not fit (any more).",
        (messages.Command,),
        expiry_s=10,
        reply="answer",
    ),
    Said(
        topics.SIGNAL_DOWN,
        "signalDown",
        "desk",
        "A participant's offer and candidates, and the end of the connection.",
        get_args(messages.SignalDown),
        expiry_s=30,
        reply="signalUp",
    ),
    Said(
        topics.RECEIPT,
        "receipt",
        "desk",
        "What the desk has stored, and wants. That a session document was stored is told by QoS 0: "
        "where it is not heard, the document is told again.",
        get_args(messages.Receipt),
    ),
    Said(
        topics.STAFF,
        "staff",
        "desk",
        "How many of the responsible staff have a page of this desk open: at each change, and each minute while "
        "there is one. A 0 does not expire.",
        (messages.StaffTold,),
        retained=True,
        expiry_s=messages.STAFF_GOOD_S,
    ),
    Said(
        topics.CONFIG_DESIRED, "configDesired", "fleet manager", "Reserved: the desired configuration.", retained=True
    ),
    Said(topics.FLEET_COMMAND, "fleetCommand", "fleet manager", "Reserved: commands of fleet managers."),
)
"""Reserved: the broker's rules know the topic; no message is sent there yet."""


def document() -> Json:
    schemas, components = _schemas()
    channels = {said.name: _mqtt_channel(said) for said in MQTT} | _data_channels()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Machine video kiosk",
            "version": str(codec.VERSION),
            "description": "Made by `python -m kiosk.wire.asyncapi` from the schemas of kiosk/wire; do not edit. "
            f"A message has at most {codec.MAX_MESSAGE} bytes, a command or receipt {codec.MAX_COMMAND}, a message on "
            f"a data channel {codec.MAX_EVENT}. Unknown fields are ignored, unknown versions (`v`) refused. Nothing "
            "but the desired configuration and the number of staff may be retained on its way to the kiosk.",
        },
        "defaultContentType": MEDIA,
        "servers": _servers(),
        "channels": channels,
        "operations": _operations(),
        "components": {"schemas": components, "messages": _messages(schemas)},
    }


def _servers() -> Json:
    return {
        "broker": {
            "host": "{host}:{port}",
            "protocol": "secure-mqtt",
            "protocolVersion": "5",
            "description": "A kiosk's certificate has its id as common name; that is its user name and client id.",
            "variables": {"host": {"description": "The site's broker."}, "port": {"default": "8883"}},
        },
        "call": {
            "host": "{kiosk}",
            "protocol": "webrtc",
            "description": "The peer connection of one participant, opened with an offer on `signalDown`.",
            "variables": {"kiosk": {"description": "Found by ICE."}},
        },
    }


def _mqtt_channel(said: Said) -> Json:
    parameters = {"kiosk": {"description": "The kiosk's id: [a-z0-9-]{3,40}."}}
    if topics.takes_session(said.kind):
        parameters["session"] = {"description": "The session's id: [a-z0-9-]{3,40}."}
    return {
        "address": said.address,
        "description": f"Written by the {said.writer}. {said.text}",
        "servers": [_ref("servers", "broker")],
        "parameters": parameters,
        "messages": _message_refs(said.kinds),
    }


def _data_channels() -> Json:
    both = (*get_args(channel.FromParticipant), *get_args(channel.FromKiosk))
    return {
        "events": {
            "address": "events",
            "description": "A data channel opened by the participant: reliable, ordered, one JSON object a message.",
            "servers": [_ref("servers", "call")],
            "messages": _message_refs(dict.fromkeys(both)),
        },
        "poses": {
            "address": "poses",
            "description": "A data channel opened by the participant: unordered, without retransmits.",
            "servers": [_ref("servers", "call")],
            "messages": _message_refs((channel.Poses,)),
        },
    }


def _operations() -> Json:
    operations = {_operation_name(said): _operation(said) for said in MQTT if said.kinds}
    told, heard = get_args(channel.FromKiosk), get_args(channel.FromParticipant)
    return operations | {
        "sendEvents": _on_channel("send", "events", told),
        "receiveEvents": _on_channel("receive", "events", heard),
        "sendPoses": _on_channel("send", "poses", (channel.Poses,)),
    }


def _operation_name(said: Said) -> str:
    return ("send" if said.writer == "kiosk" else "receive") + said.name[0].upper() + said.name[1:]


def _operation(said: Said) -> Json:
    operation = _on_channel("send" if said.writer == "kiosk" else "receive", said.name, said.kinds)
    mqtt: Json = {"qos": said.qos, "retain": said.retained, "bindingVersion": "0.2.0"}
    if said.expiry_s:
        mqtt["messageExpiryInterval"] = said.expiry_s
    operation["bindings"] = {"mqtt": mqtt}
    if said.reply:
        answer = next(other for other in MQTT if other.name == said.reply)
        operation["reply"] = {
            "channel": _ref("channels", said.reply),
            "messages": [_message_ref(said.reply, kind) for kind in answer.kinds],
        }
    return operation


def _on_channel(action: str, name: str, kinds: tuple[type[Struct], ...]) -> Json:
    return {
        "action": action,
        "channel": _ref("channels", name),
        "messages": [_message_ref(name, kind) for kind in kinds],
    }


def _messages(schemas: dict[str, Json]) -> Json:
    found: Json = {}
    for name, kind in _kinds().items():
        told = [e for e in _examples() if type(e) is kind]
        found[name] = {
            "name": name,
            "contentType": MEDIA,
            "payload": schemas[name],
            "examples": [{"payload": msgspec.to_builtins(e)} for e in told],
        }
    # Where a response topic is given, below the kiosk's own `up/`, the answer goes there with the correlation data.
    answer_topic = str(Topic("{kiosk}", topics.ANSWER))
    found["Command"]["bindings"] = {"mqtt": {"responseTopic": answer_topic, "bindingVersion": "0.2.0"}}
    for name in ("Command", "Answer"):
        found[name]["correlationId"] = {"location": "$message.payload#/id"}
    return found


def _kinds() -> dict[str, type[Struct]]:
    """Every kind of message, by its name in the document."""
    said = [kind for row in MQTT for kind in row.kinds]
    kinds = [*said, *get_args(channel.FromParticipant), *get_args(channel.FromKiosk), channel.Poses]
    return {kind.__name__: kind for kind in kinds}


def _examples() -> list[Struct]:
    on_topics = [e for told in examples.BY_TOPIC.values() for e in told]
    return [*on_topics, *examples.FROM_PARTICIPANT, *examples.FROM_KIOSK, examples.POSES]


def _schemas() -> tuple[dict[str, Json], Json]:
    """(the schema of each message, all that they refer to), as JSON Schema draft 7, which AsyncAPI builds on."""
    kinds = _kinds()
    own, components = msgspec.json.schema_components(list(kinds.values()), ref_template=SCHEMAS)
    return dict(zip(kinds, (_draft_7(s) for s in own), strict=True)), _draft_7(dict(sorted(components.items())))


def _draft_7(schema: Any) -> Any:
    """Without what later drafts (`prefixItems`) and OpenAPI (`discriminator` as an object) have added."""
    if isinstance(schema, list):
        return [_draft_7(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _draft_7(value) for key, value in schema.items() if key not in ("prefixItems", "discriminator")}
    if "prefixItems" in schema:
        kept |= {"items": _draft_7(schema["prefixItems"]), "additionalItems": False}
    if isinstance(kept.get("description"), str):
        kept["description"] = cleandoc(kept["description"])  # Python 3.13 does it to docstrings, 3.11 does not
    return kept


def _message_refs(kinds: Any) -> Json:
    return {kind.__name__: _ref("components/messages", kind.__name__) for kind in kinds}


def _message_ref(channel_name: str, kind: type[Struct]) -> Json:
    return _ref(f"channels/{channel_name}/messages", kind.__name__)


def _ref(place: str, name: str) -> Json:
    return {"$ref": f"#/{place}/{name}"}


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:  # noqa: PTH123 - this room does not import pathlib
            file.write(text())
    else:
        sys.stdout.write(text())
