"""What the emulated machine gets of the lock: the kiosk's packages for its own Python, each with its hashes."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("fcntl", reason="the machine is made on Linux")

from tests.appliance.kit import ROOTS, wanted_packages
from tests.appliance.tree import PYTHON, Recipe


def test_the_kiosks_packages_come_for_the_machines_python_and_not_for_ours() -> None:
    wanted = dict(line.split(" ", 1)[0].split("==") for line in wanted_packages().splitlines())
    assert set(wanted) >= ROOTS
    assert "cffi" in wanted  # needed by what is needed
    assert not {"ruff", "mypy", "playwright", "litestar"} & set(wanted)
    assert sys.version_info >= (3, 12) or int(wanted["av"].split(".")[0]) > 18, PYTHON


def test_each_package_has_its_hashes() -> None:
    assert all("--hash=sha256:" in line for line in wanted_packages().splitlines())


def test_another_list_of_packages_is_another_tree() -> None:
    one, other = Recipe("machine", ("systemd",)), Recipe("machine", ("systemd", "dbus"))
    assert one.key != other.key
    assert Recipe("machine", ("dbus", "systemd")).key == other.key
