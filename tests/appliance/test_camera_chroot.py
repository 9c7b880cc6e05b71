"""The board's camera stack in a chroot: our adapter on the real picamera2 keeps what every camera promises."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.appliance import chroot
from tests.appliance.tree import why_not

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1200)]


def why_not_here() -> str | None:
    if why := why_not():
        return why
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        return "needs mount namespaces (unshare --mount)"
    return None


def test_picamera2_on_libcameras_virtual_camera_keeps_what_every_camera_promises() -> None:
    if why := why_not_here():
        pytest.fail(why)  # it was asked for by name
    pytest_inside = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--confcutdir=tests/appliance/inside"]
    done = chroot.run(*pytest_inside, *("-W", "ignore::ResourceWarning"), "tests/appliance/inside/test_picamera2.py")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    print(done.stdout.splitlines()[-1])
