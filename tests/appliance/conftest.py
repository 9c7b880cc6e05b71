"""What the appliance's tests share: one emulated machine, and when they are left out.

They need root, Linux, mmdebstrap, QEMU and Mosquitto. Where one is missing they are skipped with the reason, unless
asked for by name (`make appliance`, `pytest tests/appliance`, `-m appliance`): then they fail with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kiosk.demo.broker import find_mosquitto
from kiosk.errors import ConfigError
from kiosk.link.client import Settings
from tests.appliance.far_side import a_broker
from tests.appliance.kit import kit
from tests.appliance.machine import QEMU, Crashed, Machine, accelerator
from tests.appliance.tree import ROOT, NoTree, why_not

DEVICES = ("-device", "virtio-gpu-pci,xres=1280,yres=720", "-device", "i6300esb", "-device", "virtio-tablet-pci")
collect_ignore = ["inside"]  # tried in there, by tests out here
PLACE = "opt/guest"
ORDER = (
    "camera_chroot",
    "kiosk_unit",
    "display_machine",
    "running_call",
    "sound_units",
    "devices_machine",
    "sleeping_display",
)
"""So that the kiosk is seldom started anew; each runs alone as well."""

TRIES = ("tests/contract/test_buttons.py", "tests/contract/gpio_sim.py", "tests/contract/camera_promises.py")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "appliance: real drivers, in a chroot or an emulated machine; needs root")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = "appliance" in config.option.markexpr or any("appliance" in str(word) for word in config.args)
    why = why_not() or (None if shutil.which(QEMU) else f"needs {QEMU}") or _no_broker()
    places = [n for n, item in enumerate(items) if Path(__file__).parent in item.path.parents]
    ours = sorted((items[n] for n in places), key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))
    for n, item in zip(places, ours, strict=True):
        items[n] = item
        if why and not asked:
            item.add_marker(pytest.mark.skip(reason=why))


def _no_broker() -> str | None:
    try:
        find_mosquitto()
    except ConfigError as error:
        return error.text
    return None


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Where the machine's kiosk finds its broker, on this machine; and how a desk signs in there."""
    with a_broker(tmp_path_factory.mktemp("site") / "broker") as settings:
        yield settings


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest, broker: Settings) -> Iterator[Machine]:
    """One for all: its boot takes longest. Whoever needs something up or down in it sees to it (hands.py)."""
    here = Path(__file__).parent
    paths = [*TRIES, *(str(p.relative_to(ROOT)) for p in sorted((here / "inside").glob("*.py")))]
    files = {f"{PLACE}/{path}": (ROOT / path).read_text() for path in paths}
    files["etc/kiosk/kiosk.toml"] = (here / "guest/kiosk.toml").read_text().replace("1883", str(broker.port))
    with ExitStack() as stack:
        try:
            yield booted(stack, lambda: Machine(kit(), files, DEVICES), request.config)
        except NoTree as why:
            pytest.fail(str(why))


def booted(stack: ExitStack, make: Callable[[], Machine], config: pytest.Config) -> Machine:
    """A kernel that stumbles while software emulates its processor gets one fresh try, and that is said."""
    try:
        return stack.enter_context(make())
    except Crashed as crash:
        if accelerator() != "tcg":
            raise
        if reporter := config.pluginmanager.get_plugin("terminalreporter"):
            reporter.write_line(
                f"\nthe emulated machine crashed at its start, a fresh one is tried:\n{crash}", red=True
            )
    return stack.enter_context(make())
