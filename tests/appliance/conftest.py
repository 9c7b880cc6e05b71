"""What the appliance's tests share: one emulated machine, and when they are left out.

They need root, Linux, mmdebstrap and QEMU. Where one is missing they are skipped with the reason, unless asked for by
name (`make appliance`, `pytest tests/appliance`, `-m appliance`): then they fail with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance.kit import kit
from tests.appliance.machine import QEMU, Machine
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
def machine() -> Iterator[Machine]:
    """One for all: its boot takes longest. Whoever stops something in it starts it again."""
    inside = Path(__file__).parent / "inside"
    paths = [*TRIES, *(str(p.relative_to(ROOT)) for p in sorted(inside.glob("*.py")))]
    try:
        with Machine(kit(), {f"{PLACE}/{path}": (ROOT / path).read_text() for path in paths}, DEVICES) as machine:
            yield machine
    except NoTree as why:
        pytest.fail(str(why))
