"""USB cameras, sound cards and `kiosk doctor` in the emulated machine, on the kernel's own stand-ins for devices."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.appliance.hands import LAMP, down, forget, log_of, press, property_of, shown, up
from tests.appliance.machine import Failed, Machine

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
    """A card without PipeWire, which would not let it be pulled out at once; and a camera without the kiosk."""
    down(machine)
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


def test_the_doctor_finds_the_machines_parts(machine: Machine) -> None:
    down(machine)  # the doctor takes its hardware, and its place at the broker
    _, out = machine.tried(*doctor("--pipe", "--wait"), *KIOSK_DOCTOR, "--json", limit_s=300)
    found = json.loads(out[out.index("{\n") :])
    states = {part["part"]: part["state"] for part in found["parts"]}
    for part in ("display", "lamp", "buttons", "touch", "camera", "network", "broker", "versions"):
        assert states[part] == "works", out
    assert states["microphone"] == states["speaker"] == "left_out"  # as set
    assert states["desk"] == "fails"  # there is none
    assert states["disk"] == "fails"  # 512 MB in all
    assert not found["works"]


SHORTER = (
    "[Service]\nExecStart=\nExecStart=/opt/kiosk/bin/python -m kiosk doctor --installer --only display --only lamp\n"
)
DROP_IN = "/run/systemd/system/kiosk-doctor.service.d/shorter.conf"


@pytest.fixture
def somebody_is_there(machine: Machine) -> Iterator[None]:
    """An installer, before the kiosk's first start."""
    forget(machine)
    machine.run("install", "-D", "/dev/stdin", DROP_IN, put=SHORTER)
    machine.run("touch", "/run/installer")
    machine.run("systemctl", "daemon-reload")
    yield
    machine.run("rm", "-f", "/run/installer", DROP_IN)
    machine.run("systemctl", "daemon-reload")


@pytest.mark.usefixtures("somebody_is_there")
def test_an_installer_is_led_through_the_checklist_once_before_the_kiosks_first_start(machine: Machine) -> None:
    """Two parts of it: the lamp, which is asked for, and the display, by which that is seen."""
    machine.run("systemctl", "start", "--no-block", "kiosk")
    wait(machine, "the lamp is lit, and asked for", f"grep -qx 1 {LAMP}")
    wait(machine, "the display is found", "journalctl -b -u kiosk-doctor | grep -q 1280")
    picture = shown(machine, "doctor").astype(int)
    green = (picture[..., 1] > 200) & (picture[..., 0] < 130) & (picture[..., 2] < 200)
    assert green.sum() > 200, "a check mark"
    assert property_of(machine, "MainPID") == "0", "the kiosk waits"

    press(machine)  # yes, it is lit
    wait(machine, "the lamp is found", "journalctl -b -u kiosk-doctor | grep -q Lampe")
    press(machine)  # yes, it was read
    wait(machine, "the checklist is over", "test -e /var/lib/kiosk/checked")
    up(machine)
    assert property_of(machine, "Result", "kiosk-doctor") == "success"
    machine.run("systemctl", "start", "kiosk-doctor")  # as the kiosk's next start would
    assert property_of(machine, "ConditionResult", "kiosk-doctor") == "no"


def wait(machine: Machine, what: str, command: str) -> None:
    try:
        machine.wait(what, "sh", "-c", command, limit_s=300)
    except Failed as failed:
        raise Failed(f"{failed}\n{log_of(machine, 'kiosk-doctor')}") from None
