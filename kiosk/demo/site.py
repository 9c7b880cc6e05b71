"""The settings of the demo's desk and kiosk: the same files, with the same keys, as on a real site."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

KIOSK = "kiosk-1"

KIOSK_TOML = """\
id = "{kiosk}"
data = "{folder}/kiosk"
desk_url = "http://127.0.0.1:{desk}"

[device]
id = "press-7"
name = "{device}"

[broker]
port = {broker}
password_file = "{folder}/broker/{kiosk}.password"
keepalive_s = 5

[hardware]
camera = "{camera}"
microphone = "{microphone}"
speaker = "meter"
display = "memory:{display}"
panel_port = {panel}

[hardware.gpio]
factory = "mock"
accept = 22
decline = 23

[call]
loopback = true

[provider]
name = "{provider}"
language = "{language}"
recording_allowed = true
review_s = {review_s}
steps = {steps}
reasons = {reasons}
staff = [{{ id = "anna", name = "Anna Berg" }}, {{ id = "ben", name = "Ben Okoye" }}]
moderators = [{{ id = "clara", name = "Clara Wolf" }}]
"""

DESK_TOML = """\
data = "{folder}/desk"
language = "{language}"
secret_file = "{folder}/desk/secret"

[http]
port = {desk}
public_url = "http://127.0.0.1:{desk}"
frame_ancestors = "http://127.0.0.1:*"

[broker]
port = {broker}
user = "desk"
password_file = "{folder}/broker/desk.password"

[[people]]
id = "anna"
name = "Anna Berg"
role = "staff"

[[people]]
id = "ben"
name = "Ben Okoye"
role = "staff"

[[people]]
id = "clara"
name = "Clara Wolf"
role = "moderator"

[[people]]
id = "ada"
name = "Ada Lind"
role = "administrator"
"""

WORDS = {
    "de": {
        "device": "Presse 7, Halle 2",
        "provider": "Maschinenservice Nord",
        "reasons": '["Störung an der Maschine", "Frage zur Bedienung", "Werkzeug wechseln", "Etwas anderes"]',
    },
    "en": {
        "device": "Press 7, hall 2",
        "provider": "Machine Service North",
        "reasons": '["The machine has stopped", "A question about operation", "Changing a tool", "Something else"]',
    },
}


@dataclass(frozen=True, slots=True)
class Site:
    folder: Path
    broker: int
    desk: int
    panel: int
    kiosk_toml: Path
    desk_toml: Path

    @property
    def desk_url(self) -> str:
        return f"http://127.0.0.1:{self.desk}"

    @property
    def panel_url(self) -> str:
        return f"http://127.0.0.1:{self.panel}"


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen on the demo's command line."""

    camera: str = "scene"
    microphone: str = "tone"
    display: str = "1024x600"
    language: str = "de"
    review_s: float = 600.0
    steps: tuple[str, ...] = ("reason", "consent")


def lay_out(folder: Path, choices: Choices) -> Site:
    """Writes both settings files with free ports; the broker's configuration is written by broker.py."""
    broker, desk, panel = free_ports(3)
    words = WORDS[choices.language]
    values = {
        "kiosk": KIOSK,
        "folder": folder,
        "broker": broker,
        "desk": desk,
        "panel": panel,
        "camera": choices.camera,
        "microphone": choices.microphone,
        "display": choices.display,
        "language": choices.language,
        "review_s": choices.review_s,
        "steps": json.dumps(choices.steps),
        **words,
    }
    (folder / "desk").mkdir(parents=True, exist_ok=True)
    kiosk_toml, desk_toml = folder / "kiosk.toml", folder / "desk.toml"
    kiosk_toml.write_text(KIOSK_TOML.format(**values))
    desk_toml.write_text(DESK_TOML.format(**values))
    return Site(folder, broker, desk, panel, kiosk_toml, desk_toml)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
