"""USB cameras and sound cards in the emulated machine: our adapters on the kernel's own stand-ins for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.appliance.kit import kit
from tests.appliance.machine import Machine
from tests.appliance.tree import ROOT, NoTree

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1800)]

PLACE = "/opt/tries"
NEEDED = (
    *("tests/appliance/inside/test_alsa.py", "tests/appliance/inside/test_v4l2.py"),
    "tests/contract/camera_promises.py",
)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    try:
        with Machine(kit(), {f"{PLACE}/{path}": (ROOT / path).read_text() for path in NEEDED}) as machine:
            yield machine
    except NoTree as why:
        pytest.fail(str(why))  # it was asked for by name


@pytest.mark.parametrize(
    ("module", "options", "tries"),
    [
        ("snd-aloop", ("pcm_substreams=1",), "test_alsa.py"),
        ("vivid", ("n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0x0"), "test_v4l2.py"),
    ],
)
def test_the_adapters_keep_their_promises(machine: Machine, module: str, options: tuple[str, ...], tries: str) -> None:
    machine.run("modprobe", module, *options)
    inside = ["/opt/kiosk/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    inside += ["-o", "asyncio_default_fixture_loop_scope=function"]
    limits = ["-o", "timeout=240", "-o", "pythonpath=.", "--rootdir", PLACE]
    command = " ".join([*inside, *limits, f"tests/appliance/inside/{tries}"])
    code, out = machine.tried("sh", "-c", f"cd {PLACE} && {command} 2>&1", limit_s=900)
    assert code == 0, out
    print(out.splitlines()[-1])
