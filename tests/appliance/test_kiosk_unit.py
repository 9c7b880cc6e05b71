"""The kiosk's unit as it is shipped, on systemd, in an emulated machine with a screen, a gpiochip and a watchdog.

The tests stand in the order in which they are run, and end with the machine's reset.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.appliance.hands import BOOK, down, idle, painted, press, property_of, sessions, up, wait_for_picture
from tests.appliance.machine import Machine

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

PYTEST = (
    "cd /opt/guest && printf '[pytest]\\nasyncio_mode=auto\\npythonpath=.\\ntimeout=120\\n' > pytest.ini && {env} "
    "/opt/kiosk/bin/python -W ignore -m pytest -q -p no:cacheprovider {path} 2>&1"
)


def test_it_starts_and_its_first_screen_is_on_the_display(machine: Machine) -> None:
    up(machine)
    wait_for_picture(machine, "idle", painted(idle()))


def test_an_update_is_told_as_long_as_its_sign_is_there(machine: Machine) -> None:
    machine.run("touch", "/run/updating")
    machine.wait_for_words("kiosk", "the software is being updated")
    machine.run("rm", "/run/updating")
    machine.wait_for_words("kiosk", "update works again")


def test_it_runs_as_nobody_special_and_its_exposure_is_small(machine: Machine) -> None:
    status = machine.run("cat", f"/proc/{property_of(machine, 'MainPID')}/status")
    assert "CapEff:\t0000000000000000" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t0" not in status
    said = machine.run("systemd-analyze", "security", "--no-pager", "kiosk.service")
    score = re.search(r"exposure level for kiosk.service: ([\d.]+)", said)
    assert score is not None, said
    assert float(score[1]) <= 2.0, said


def test_nothing_of_it_goes_to_swap_or_into_a_core(machine: Machine) -> None:
    assert property_of(machine, "MemorySwapMax") == "0"
    assert machine.run("swapon", "--show").strip() == ""
    assert machine.run("cat", "/proc/sys/kernel/core_pattern").strip() == "|/bin/false"


def test_the_time_goes_on_from_the_data_partition(machine: Machine) -> None:
    machine.run("test", "-f", "/var/lib/systemd/timesync/clock")
    assert machine.run("findmnt", "-n", "-o", "FSTYPE", "/var").strip() == "ext4"


def test_a_press_becomes_a_request_and_stopping_leaves_it_intact(machine: Machine) -> None:
    up(machine)
    press(machine)
    machine.wait("the request is in the book", "grep", "-q", "REQUESTED", BOOK)
    before = sessions(machine)
    machine.run("grep", "-qx", "TimeoutStopSec=5", "/usr/lib/systemd/system/kiosk.service")
    down(machine)
    assert "kiosk: is being stopped" in machine.run("journalctl", "-b", "-u", "kiosk", "-n", "20", "--no-pager")
    assert property_of(machine, "Result") == "success"  # by itself: systemd kills it otherwise, and says so
    assert list(before.values()) == ["REQUESTED"]
    assert sessions(machine) == before


def test_it_has_what_it_needs_and_is_denied_everything_else(machine: Machine) -> None:
    unit = machine.run("cat", "/usr/lib/systemd/system/kiosk.service")
    unit = re.sub(r"ExecStart=.*", "ExecStart=/opt/kiosk/bin/python /opt/guest/probe.py", unit)
    unit = re.sub(r"(?m)^(Type|NotifyAccess|Restart.*|WatchdogSec|Conflicts)=.*\n", "", unit)
    machine.run("tee", "/run/systemd/system/probe.service", put=unit.replace("[Service]", "[Service]\nType=oneshot"))
    down(machine)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "probe")
    found = json.loads(machine.run("cat", "/var/lib/kiosk/probe.json"))
    assert {name for name, how in found["may"].items() if how != "ok"} == set(), found
    assert {name for name, how in found["may not"].items() if how == "ok"} == set(), found


def test_buttons_and_lamp_keep_their_contract_on_a_real_gpiochip(machine: Machine) -> None:
    down(machine)
    env = "KIOSK_GPIO_SIM=/run/board/gpio LG_WD=/run"
    command = PYTEST.format(env=env, path="tests/contract/test_buttons.py")
    code, out = machine.tried("sh", "-c", command, limit_s=600)
    assert code == 0, out
    assert "skipped" not in out


def test_a_hang_starves_the_watchdog_and_it_starts_anew(machine: Machine) -> None:
    up(machine)
    known = sessions(machine)  # also those of a kiosk that was stopped
    before = property_of(machine, "MainPID")
    machine.run("kill", "-STOP", before)
    check = f'p=$(systemctl show kiosk -p MainPID --value); [ "$p" != {before} ] && [ "$p" != 0 ]'
    machine.wait("it was ended and started again", "sh", "-c", check, limit_s=120)
    told = machine.run("journalctl", "-b", "-u", "kiosk", "-o", "cat", "--no-pager")
    assert "Watchdog timeout" in told
    assert "Failed with result 'watchdog'" in told
    up(machine)
    assert sessions(machine) == known


def test_a_kernel_that_hangs_is_reset_by_the_hardware_and_the_request_is_still_there(machine: Machine) -> None:
    up(machine)
    known = sessions(machine)
    assert "15s" in machine.run("systemctl", "show", "-p", "RuntimeWatchdogUSec")
    machine.run("sysctl", "-w", "kernel.panic=0")
    machine.run("sh", "-c", "(sleep 1; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &")
    boot = machine.wait_for_boot(crashing=True)
    assert boot != machine.boot
    up(machine)
    assert sessions(machine) == known
