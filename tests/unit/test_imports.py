"""Who may import whom: dependencies point one way, and drivers stay in their rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = {"kiosk.errors", "kiosk.session", "kiosk.wire"}
GROUND = CORE | {
    "kiosk.hw.ports",
    "kiosk.config",
    "kiosk.settings",
    "kiosk.mailbox",
    "kiosk.disk",
    "kiosk.stretch",
    "kiosk.memory",
    "kiosk.paint",
}
DESK_GROUND = (
    CORE
    | {"kiosk.settings"}
    | {f"desk.{name}" for name in ("addresses", "bodies", "boxes", "config", "database", "problems", "seals")}
    | {"desk.tables", "desk.tables_all", "desk.texts"}
)

# room -> what of ours it may import besides itself; the longest matching room counts
ROOMS: dict[str, set[str]] = {
    "kiosk.errors": set(),
    "kiosk.session": {"kiosk.errors"},
    "kiosk.wire": {"kiosk.errors", "kiosk.session"},
    "kiosk.mailbox": set(),
    "kiosk.stretch": set(),
    "kiosk.memory": set(),
    "kiosk.disk": set(),
    "kiosk.paint": CORE,
    "kiosk.settings": {"kiosk.errors"},
    "kiosk.config": CORE | {"kiosk.settings"},
    "kiosk.hw.ports": CORE,
    "kiosk.book": GROUND,
    "kiosk.link": GROUND,
    "kiosk.call": GROUND,
    "kiosk.ui": GROUND,
    "kiosk.upload": GROUND,
    "kiosk.fleet": GROUND,
    "kiosk.hw": GROUND,
    "kiosk": {"kiosk"},  # app, cli, demo: wiring
    "desk.sessions": DESK_GROUND
    | {"kiosk.link.client", "desk.notifications.told", "desk.people.tables", "desk.keeping.tables"},
    "desk.people": DESK_GROUND | {"desk.sessions", "desk.pages", "desk.notifications.tables"},
    "desk.calls": DESK_GROUND | {"desk.sessions", "desk.people.guard"},
    "desk.files": DESK_GROUND | {"kiosk.paint", "desk.sessions"},
    "desk.keeping": DESK_GROUND | {"desk.sessions", "desk.files", "desk.people.guard", "desk.people.tables"},
    "desk.notifications": DESK_GROUND | {"desk.sessions", "desk.people"},
    "desk.webhooks": DESK_GROUND | {"desk.sessions", "desk.people", "desk.pages"},
    "desk": CORE | {"kiosk.settings", "kiosk.memory", "kiosk.link.client", "kiosk.paint"},
}

# library -> the rooms that may import it
LIBRARIES: dict[str, set[str]] = {
    "paho": {"kiosk.link.connection", "kiosk.link.paho_hooks"},
    "tinydb": {"kiosk.book"},
    "aiortc": {"kiosk.call"},
    "aioice": {"kiosk.call"},
    "gpiozero": {"kiosk.hw"},
    "picamera2": {"kiosk.hw"},
    "sdl2": {"kiosk.hw"},
    "apprise": {"desk.notifications.post"},
    "pywebpush": {"desk.notifications.post"},
}

PURE = ("kiosk.errors", "kiosk.session", "kiosk.wire")
NOT_PURE = {"asyncio", "threading", "time", "os", "io", "pathlib", "socket", "logging", "subprocess", "random"}


def modules() -> Iterator[tuple[str, Path]]:
    for folder in ("kiosk", "desk"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def room_of(module: str) -> str:
    return max((r for r in ROOMS if inside(module, r)), key=len)


@pytest.mark.parametrize(("module", "path"), list(modules()))
def test_a_module_imports_only_what_its_room_may(module: str, path: Path) -> None:
    room = room_of(module)
    for name in imports(path):
        if name.split(".")[0] in ("kiosk", "desk"):
            fits = inside(name, room) or any(inside(name, allowed) for allowed in ROOMS[room])
            package = any(
                inside(allowed, name) for allowed in ROOMS[room] | {room}
            )  # "from kiosk.session import record"
            assert fits or package, f"{module} imports {name}; {room} may import {sorted(ROOMS[room])}"
        for library, rooms in LIBRARIES.items():
            assert not inside(name, library) or any(inside(module, r) for r in rooms), f"{module} imports {name}"
        if room in PURE:
            assert name.split(".")[0] not in NOT_PURE, f"{module} is pure, but imports {name}"
