"""USB cameras, sound cards and `kiosk doctor` in the emulated machine, on the kernel's own stand-ins for devices."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from tests.appliance.machine import Machine
from tests.appliance.tree import CACHE

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1800)]

PLACE = "/opt/guest"
AS_THE_KIOSK = (
    *("User=kiosk", "SupplementaryGroups=video render audio input gpio kiosk-sound", "WorkingDirectory=/run/kiosk"),
    *("RuntimeDirectory=kiosk", "StateDirectory=kiosk", "ImportCredential=broker-*"),
    "Environment=HOME=/var/lib/kiosk XDG_RUNTIME_DIR=/run/kiosk LG_WD=/run/kiosk PIPEWIRE_RUNTIME_DIR=/run/kiosk-sound",
    "BindReadOnlyPaths=/run/board/cpuinfo:/proc/cpuinfo",
)


@pytest.fixture(scope="module")
def _alone(machine: Machine) -> Iterator[None]:
    """A card without PipeWire, which would not let it be pulled out at once."""
    machine.run("systemctl", "stop", "kiosk-sound-server")
    yield
    machine.run("systemctl", "start", "kiosk-sound-server")


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("tries", ["test_alsa.py", "test_v4l2.py"])
def test_the_adapters_keep_their_promises(machine: Machine, tries: str) -> None:
    settings = ("asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function", "timeout=240", "pythonpath=.")
    options = [word for setting in settings for word in ("-o", setting)]
    inside = ["/opt/kiosk/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", PLACE, *options]
    command = f"cd {PLACE} && {' '.join(inside)} tests/appliance/inside/{tries} 2>&1"
    code, out = machine.tried("sh", "-c", command, limit_s=900)
    assert code == 0, out
    assert "skipped" not in out
    print(out.splitlines()[-1])


def doctor(*options: str) -> list[str]:
    """The command, in about what the kiosk's unit gives it."""
    given = [word for setting in AS_THE_KIOSK for word in ("-p", setting)]
    return ["systemd-run", "--quiet", *given, *options]


KIOSK_DOCTOR = ("/opt/kiosk/bin/python", "-W", "ignore", "-m", "kiosk", "doctor")


@pytest.fixture(scope="module")
def _free(machine: Machine) -> Iterator[None]:
    """The doctor takes the kiosk's hardware."""
    machine.run("systemctl", "stop", "kiosk")
    yield
    machine.tried("systemctl", "start", "kiosk", limit_s=300)


@pytest.mark.usefixtures("_free")
def test_the_doctor_finds_the_machines_parts(machine: Machine) -> None:
    _, out = machine.tried(*doctor("--pipe", "--wait"), *KIOSK_DOCTOR, "--json", limit_s=300)
    found = json.loads(out[out.index("{\n") :])
    states = {part["part"]: part["state"] for part in found["parts"]}
    for part in ("display", "lamp", "buttons", "touch", "camera", "versions"):
        assert states[part] == "works", out
    assert states["microphone"] == states["speaker"] == "left_out"  # as set
    assert states["network"] == states["desk"] == "fails"  # there is none
    assert states["disk"] == "fails"  # 512 MB in all
    assert states["broker"] == "left_out"
    assert not found["works"]


@pytest.mark.usefixtures("_free")
def test_an_installer_is_asked_on_the_display(machine: Machine) -> None:
    machine.run(*doctor("--unit", "doctor"), *KIOSK_DOCTOR, "--installer", "--only", "display", "--only", "lamp")
    try:
        machine.wait("the question", "sh", "-c", "journalctl -u doctor | grep -q 1280")
        picture = machine.screen()
        picture.save(CACHE / "doctor.png")
        shown = np.asarray(picture).astype(int)
        green = (shown[..., 1] > 200) & (shown[..., 0] < 130) & (shown[..., 2] < 200)
        assert green.sum() > 200, "a check mark"
    finally:
        machine.run("systemctl", "stop", "doctor")
