"""A Debian with the board's camera stack, entered by chroot: libcamera with its virtual camera, and the real picamera2.

A tree made once holds the programs and picamera2; the project and what the lock says it needs are mounted into it, in a
mount namespace of their own that is gone afterwards. Nothing of this machine's devices is seen inside.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.appliance.kit import SITE, python_site
from tests.appliance.tree import PYTHON, ROOT, Recipe, said, tree

CAMERA = Recipe(
    "camera",
    (
        *("python3", "python3-prctl", "gcc", "libc6-dev"),
        *("python3-libcamera/trixie-backports", "libcamera-ipa/trixie-backports"),
    ),
)
PICAMERA2 = ("picamera2==0.3.38", "piexif==1.1.3", "simplejpeg==1.9.0", "videodev2==0.0.4")
"""Not in the lock: on a board picamera2 comes with the system. What else it names is not needed to film."""

VIRTUAL_YAML = """%YAML 1.1
---
"Virtual0":
  supported_formats:
  - {width: 1280, height: 720, frame_rates: [30, 30]}
  - {width: 640, height: 360, frame_rates: [30, 30]}
  test_pattern: "bars"
  location: "CameraLocationBack"
  model: "Virtual Video Device"
"""

_PLUG = "usr/share/libcamera/pipeline/virtual"
SHIM = Path(__file__).parent / "chroot_shim.c"
_KIOSK, _PICAMERA2, _PROJECT = "opt/kiosk", "opt/picamera2", "project"
_PLATFORMS = [f"--platform=manylinux_2_{n}_x86_64" for n in (28, 27, 17)]


def camera_tree() -> Path:
    """Makes what is not there yet; the first time takes minutes. Raises NoTree."""
    return tree(CAMERA, _finish)


def run(*words: str, limit_s: float = 300) -> subprocess.CompletedProcess[str]:
    """A command in the chroot, in the project's folder; what it said is in `stdout`. Raises NoTree."""
    root, site = camera_tree(), python_site()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LD_PRELOAD": "/opt/shim.so",
        "LIBCAMERA_LOG_LEVELS": "*:WARN",
        "PYTHONPATH": f"/{SITE}:/{_PICAMERA2}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    inside = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environment.items()), *words]
    mounts = [
        f"mount -t proc proc {root}/proc",
        f"mount -t tmpfs tmpfs {root}/tmp",
        f"mount --bind {site / _KIOSK} {root / _KIOSK}",
        f"mount --bind {ROOT} {root / _PROJECT}",
        f"mount -o remount,ro,bind {root / _PROJECT}",
        # what a test pulls out and plugs in is on a layer of its own
        f"mount -t tmpfs tmpfs {root}/{_PLUG}",
        f"cp {root}/opt/virtual.yaml {root}/{_PLUG}/",
    ]
    enter = f"exec chroot {root} /bin/sh -c {shlex.quote(f'cd /{_PROJECT} && exec {shlex.join(inside)}')}"
    command = ["unshare", "--mount", "sh", "-ec", "\n".join([*mounts, enter])]
    pipe = subprocess.PIPE
    return subprocess.run(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, timeout=limit_s, check=False)


def _finish(place: Path) -> None:
    for folder in (_KIOSK, _PROJECT):
        (place / folder).mkdir(parents=True)
    (place / "opt/virtual.yaml").write_text(VIRTUAL_YAML)
    shutil.copy(SHIM, place / "opt")
    said(["chroot", place, "gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", "/opt/shim.so", f"/opt/{SHIM.name}"])
    there = [f"--python-version={PYTHON}", "--only-binary=:all:", "--no-deps", "--no-compile"]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *there, *_PLATFORMS]
    said([*pip, "--target", place / _PICAMERA2, *PICAMERA2])
