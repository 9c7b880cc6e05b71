"""The kiosk's unit as it is shipped, on systemd, in an emulated machine with a screen, a gpiochip and a watchdog.

The tests stand in the order in which they are run, and end with the machine's reset.
"""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from kiosk.hw.ports import Pixels
from kiosk.session.provider import Provider
from kiosk.session.record import Person
from kiosk.ui.local import Front
from kiosk.ui.paint import Painter
from kiosk.ui.view import View
from tests.appliance.machine import SCREEN, Machine
from tests.appliance.tree import CACHE

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(900)]

PYTEST = (
    "cd /opt/guest && printf '[pytest]\\nasyncio_mode=auto\\npythonpath=.\\ntimeout=120\\n' > pytest.ini && {env} "
    "/opt/kiosk/bin/python -W ignore -m pytest -q -p no:cacheprovider {path} 2>&1"
)
ALIKE = 5.0
"""Of 255, mean difference of the screen painted from the one shown. Measured: 2 to 4 (letters stand closer where Pillow
finds fribidi), in another language 6, without its banner 9, black 59."""


def shown(machine: Machine, name: str) -> Pixels:
    """The machine's screen, kept under build/ to be looked at."""
    picture = machine.screen()
    picture.save(CACHE / f"{name}.png")
    assert picture.size == SCREEN
    return np.asarray(picture)


def idle() -> View:
    """What the machine's kiosk shows while nobody is there, without a broker or a time server."""
    provider = Provider(language="de", steps=(), staff=(Person("anna", "Anna"),))
    return View(language="de", device_name="Presse 1", provider=provider, troubles=("no_network", "no_time"))


def painted(view: View) -> Pixels:
    overlay = Painter(SCREEN).paint(view, Front(size=SCREEN)).overlay
    return overlay[:, :, 2::-1]  # BGRA -> RGB


def difference(one: Pixels, other: Pixels) -> float:
    """Of the two in small, wherever one was moved by a few pixels against the other: the kiosk spares its panel so."""
    a, b = (np.asarray(Image.fromarray(np.ascontiguousarray(p)).resize((320, 180))).astype(float) for p in (one, other))
    moved = (np.roll(a, (y, x), (0, 1)) for x in range(-4, 5) for y in range(-4, 5))
    return min(float(np.abs(picture - b)[8:-8, 8:-8].mean()) for picture in moved)


def property_of(machine: Machine, name: str, unit: str = "kiosk") -> str:
    return machine.run("systemctl", "show", unit, "-p", name, "--value").strip()


def wait_until_active(machine: Machine) -> float:
    return machine.wait("the kiosk is ready", "systemctl", "is-active", "kiosk", limit_s=300)


def press(machine: Machine) -> None:
    """A short press of camera-plus, as a hand does it."""
    pull = "/run/board/gpio/sim_gpio17/pull"
    machine.run("sh", "-c", f"echo pull-down > {pull}; sleep 0.3; echo pull-up > {pull}")


def test_it_starts_and_its_first_screen_is_on_the_display(machine: Machine) -> None:
    wait_until_active(machine)
    until = time.monotonic() + 120
    while (apart := difference(shown(machine, "idle"), painted(idle()))) > ALIKE and time.monotonic() < until:
        time.sleep(2)
    assert apart <= ALIKE


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


def test_it_has_what_it_needs_and_is_denied_everything_else(machine: Machine) -> None:
    unit = machine.run("cat", "/usr/lib/systemd/system/kiosk.service")
    unit = re.sub(r"ExecStart=.*", "ExecStart=/opt/kiosk/bin/python /opt/guest/probe.py", unit)
    unit = re.sub(r"(?m)^(Type|NotifyAccess|Restart.*|WatchdogSec|Conflicts)=.*\n", "", unit)
    machine.run("tee", "/run/systemd/system/probe.service", put=unit.replace("[Service]", "[Service]\nType=oneshot"))
    machine.run("systemctl", "stop", "kiosk")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "probe")
    found = json.loads(machine.run("cat", "/var/lib/kiosk/probe.json"))
    assert {name for name, how in found["may"].items() if how != "ok"} == set(), found
    assert {name for name, how in found["may not"].items() if how == "ok"} == set(), found


def test_buttons_and_lamp_keep_their_contract_on_a_real_gpiochip(machine: Machine) -> None:
    machine.run("systemctl", "stop", "kiosk")
    env = "KIOSK_GPIO_SIM=/run/board/gpio LG_WD=/run"
    command = PYTEST.format(env=env, path="tests/contract/test_buttons.py")
    code, out = machine.tried("sh", "-c", command, limit_s=600)
    assert code == 0, out
    assert "skipped" not in out
    machine.run("systemctl", "start", "kiosk", limit_s=300)


def test_a_press_becomes_a_request_and_stopping_leaves_it_intact(machine: Machine) -> None:
    wait_until_active(machine)
    press(machine)
    book = "/var/lib/kiosk/book.json"
    machine.wait("the request is in the book", "grep", "-q", "REQUESTED", book)
    before = sessions(machine)
    assert property_of(machine, "TimeoutStopUSec") == "5s"
    machine.run("systemctl", "stop", "kiosk")
    assert "kiosk: is being stopped" in machine.run("journalctl", "-b", "-u", "kiosk", "-n", "20", "--no-pager")
    assert property_of(machine, "Result") == "success"  # within those: systemd kills it otherwise, and says so
    machine.run("systemctl", "start", "kiosk", limit_s=300)
    assert sessions(machine) == before
    assert len(before) == 1


def sessions(machine: Machine) -> dict[str, str]:
    """id -> state, as on disk."""
    tables = json.loads(machine.run("cat", "/var/lib/kiosk/book.json"))["tables"]
    return {row["id"]: row["body"]["state"] for row in tables["sessions"].values()}


def test_a_hang_starves_the_watchdog_and_it_starts_anew(machine: Machine) -> None:
    wait_until_active(machine)
    before = property_of(machine, "MainPID")
    machine.run("kill", "-STOP", before)
    check = f'p=$(systemctl show kiosk -p MainPID --value); [ "$p" != {before} ] && [ "$p" != 0 ]'
    machine.wait("it was ended and started again", "sh", "-c", check, limit_s=120)
    told = machine.run("journalctl", "-b", "-u", "kiosk", "-o", "cat", "--no-pager")
    assert "Watchdog timeout" in told
    assert "Failed with result 'watchdog'" in told
    wait_until_active(machine)
    assert len(sessions(machine)) == 1


def test_nothing_of_it_goes_to_swap_or_into_a_core(machine: Machine) -> None:
    assert property_of(machine, "MemorySwapMax") == "0"
    assert machine.run("swapon", "--show").strip() == ""
    assert machine.run("cat", "/proc/sys/kernel/core_pattern").strip() == "|/bin/false"


def test_the_time_goes_on_from_the_data_partition(machine: Machine) -> None:
    machine.run("test", "-f", "/var/lib/systemd/timesync/clock")
    assert machine.run("findmnt", "-n", "-o", "FSTYPE", "/var").strip() == "ext4"


def test_a_kernel_that_hangs_is_reset_by_the_hardware_and_the_request_is_still_there(machine: Machine) -> None:
    assert "15s" in machine.run("systemctl", "show", "-p", "RuntimeWatchdogUSec")
    machine.run("sysctl", "-w", "kernel.panic=0")
    machine.run("sh", "-c", "(sleep 1; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &")
    boot = machine.wait_for_boot(crashing=True)
    assert boot != machine.boot
    wait_until_active(machine)
    assert list(sessions(machine).values()) == ["REQUESTED"]
