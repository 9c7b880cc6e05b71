"""PipeWire as the appliance's units start it, in the emulated machine, on the kernel's loopback card."""

from __future__ import annotations

import re
import time

import pytest

from tests.appliance.hands import up
from tests.appliance.machine import Machine

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

UNITS = ("kiosk-sound-server", "kiosk-sound-session")
NODES = ("kiosk-echo-capture", "kiosk-echo-playback", "kiosk-microphone", "kiosk-speaker")


@pytest.fixture(autouse=True)
def _up(machine: Machine) -> None:
    machine.run("systemctl", "start", *UNITS)
    wait_for_sound(machine)


def told(machine: Machine) -> str:
    """What PipeWire knows of, and what is linked."""
    there = "PIPEWIRE_RUNTIME_DIR=/run/kiosk-sound"
    return machine.tried("sh", "-c", f"{there} wpctl status; {there} pw-link -l")[1]


def wait_for_sound(machine: Machine, limit_s: float = 120.0) -> None:
    """Until the canceller stands before the card."""
    until = time.monotonic() + limit_s
    while not (all(node in (said := told(machine)) for node in NODES) and "snd_aloop" in said):
        if time.monotonic() > until:
            log = machine.run("sh", "-c", "journalctl -b -u 'kiosk-sound-*' --no-pager | tail -n 30")
            pytest.fail(f"{said}\n{log}")
        time.sleep(1)


@pytest.mark.parametrize("unit", UNITS)
def test_they_run_as_nobody_special_and_their_exposure_is_small(machine: Machine, unit: str) -> None:
    pid = machine.run("systemctl", "show", unit, "-p", "MainPID", "--value").strip()
    status = machine.run("cat", f"/proc/{pid}/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    uid, kiosk = (machine.run("id", "-u", user).strip() for user in ("kiosk-sound", "kiosk"))
    assert f"Uid:\t{uid}" in status
    assert uid not in ("0", kiosk)
    said = machine.run("systemd-analyze", "security", "--no-pager", f"{unit}.service")
    score = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert score is not None, said
    assert float(score[1]) <= 2.0, said


def test_the_canceller_stands_before_the_card(machine: Machine) -> None:
    defaults = [line for line in told(machine).splitlines() if "*" in line]
    assert ["kiosk-microphone" in line or "kiosk-speaker" in line for line in defaults] == [True, True]
    assert told(machine).count("[vol: 1.00]") == 2


def test_the_microphone_is_closed_while_nobody_records(machine: Machine) -> None:
    status = "/proc/asound/Loopback/pcm0c/sub0/status"
    machine.wait("the microphone is closed", "grep", "-q", "^closed", status, limit_s=60)


def test_a_sound_server_that_dies_is_back_with_all_that_belongs_to_it(machine: Machine) -> None:
    machine.run("systemctl", "kill", "-s", "KILL", UNITS[0])
    machine.wait("it has noticed", "sh", "-c", f"! systemctl is-active -q {UNITS[1]} || sleep 5")
    wait_for_sound(machine)


def test_a_card_whose_driver_comes_after_them_is_theirs_all_the_same(machine: Machine) -> None:
    """Drivers come when they come; who was started before the kernel knew of sound at all would be kept out."""
    machine.run("systemctl", "stop", "kiosk", *UNITS, limit_s=120)
    machine.tried("sh", "-c", "for n in 1 2 3 4 5; do lsmod | grep -o '^snd[^ ]*' | xargs -rn1 rmmod; done")
    assert "alsa" not in machine.run("cat", "/proc/devices"), machine.run("lsmod")
    machine.run("systemctl", "start", UNITS[0], limit_s=120)
    machine.run("modprobe", "snd-aloop", "pcm_substreams=1")
    wait_for_sound(machine)


def test_sound_is_there_before_the_kiosk(machine: Machine) -> None:
    """It is started by the kiosk's start."""
    machine.run("systemctl", "stop", "kiosk", *UNITS, limit_s=120)
    up(machine)
    there = machine.run("systemctl", "show", UNITS[0], "-p", "ActiveEnterTimestampMonotonic", "--value")
    began = machine.run("systemctl", "show", "kiosk", "-p", "ExecMainStartTimestampMonotonic", "--value")
    assert 0 < int(there) <= int(began)
