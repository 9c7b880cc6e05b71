"""What the appliance's tests share: one emulated machine, and when they are left out.

They need root, Linux, mmdebstrap and QEMU. Where one is missing they are skipped with the reason, unless asked for by
name (`make appliance`, `pytest tests/appliance`, `-m appliance`): then they fail with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kiosk.demo.site import free_ports
from tests.appliance.kit import kit
from tests.appliance.machine import QEMU, Crashed, Machine, accelerator
from tests.appliance.tree import ROOT, NoTree, why_not

DEVICES = ("-device", "virtio-gpu-pci,xres=1280,yres=720", "-device", "i6300esb", "-device", "virtio-tablet-pci")
collect_ignore = ["inside"]  # tried in there, by tests out here
PLACE = "opt/guest"
TRIES = ("tests/contract/test_buttons.py", "tests/contract/gpio_sim.py", "tests/contract/camera_promises.py")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "appliance: real drivers, in a chroot or an emulated machine; needs root")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    asked = "appliance" in config.option.markexpr or any("appliance" in str(word) for word in config.args)
    why = why_not() or (None if shutil.which(QEMU) else f"needs {QEMU}")
    for item in items:
        if why and not asked and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def broker_port() -> int:
    """Where the machine's kiosk looks for its broker, on this machine; nobody answers unless a test does."""
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest, broker_port: int) -> Iterator[Machine]:
    """One for all: its boot takes longest. Whoever stops something in it starts it again."""
    here = Path(__file__).parent
    paths = [*TRIES, *(str(p.relative_to(ROOT)) for p in sorted((here / "inside").glob("*.py")))]
    files = {f"{PLACE}/{path}": (ROOT / path).read_text() for path in paths}
    files["etc/kiosk/kiosk.toml"] = (here / "guest/kiosk.toml").read_text().replace("1883", str(broker_port))
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
