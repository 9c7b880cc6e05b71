"""What the emulated machine is made of: kernel, initial RAM disk, two read-only disks, and the project to be tried.

    disk 1  the Debian tree                                    made once for a list of packages
    disk 2  the kiosk's Python packages, as the lock says      made once for what the lock says about them
    load    the project's wheel, the units, the tests' helpers packed anew for each machine, into its initial RAM disk

In the machine they lie over each other, with a file system in memory on top: whatever happens there is gone afterwards.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from tests.appliance.tree import CACHE, PYTHON, ROOT, Recipe, made, remove, said, tree

SYSTEM = Recipe(
    "machine",
    (
        *("systemd", "systemd-sysv", "systemd-timesyncd", "dbus", "udev", "kmod", "procps", "python3"),
        "busybox-static",
        *("libgl1-mesa-dri", "libegl1", "libgles2", "libgbm1", "libdrm2", "libasound2t64", "libasound2-data"),
        *("pipewire", "pipewire-bin", "pipewire-alsa", "wireplumber"),
        "linux-image-amd64/trixie-backports",
    ),
    edition=2,
)
BUILDER = Recipe("builder", ("gcc", "libc6-dev", "swig", "python3-dev", "python3-setuptools"))

ROOTS = {
    *("aiohttp", "aiortc", "av", "babel", "cryptography", "font-roboto", "gpiozero", "ifaddr", "markdown-it-py"),
    *("msgspec", "numpy", "opencv-python-headless", "paho-mqtt", "pillow", "pysdl2", "pysdl2-dll", "rich", "segno"),
    *("tinydb", "typer", "pytest", "pytest-asyncio", "pytest-timeout"),
}
"""What of the lock the kiosk needs, and pytest; what these need comes with them."""

LGPIO = "lgpio==0.2.2.0 --hash=sha256:11372e653b200f76a0b3ef8a23a0735c85ec678a9f8550b9893151ed0f863fff"
"""Comes from apt on Raspberry Pi OS; there is no wheel of it for this Python, so it is built."""

SITE = Path(f"opt/kiosk/lib/python{PYTHON}/site-packages")
_EARLY_MODULES = ("virtio_blk", "ext4", "overlay", "i6300esb")  # a board's watchdog is there from the beginning
_GUEST = Path(__file__).parent / "guest"


@dataclass(frozen=True, slots=True)
class Kit:
    """Files on this machine, ready for QEMU."""

    tree: Path
    kernel: Path
    initrd: Path
    disks: tuple[Path, Path]


def kit() -> Kit:
    """Makes what is not there yet; the first time takes minutes. Raises NoTree."""
    system = tree(SYSTEM, _prune)
    version = next((system / "lib/modules").iterdir()).name
    site = python_site()
    early = _hash(_GUEST / "init.sh", Path(__file__))
    return Kit(
        tree=system,
        kernel=system / "boot" / f"vmlinuz-{version}",
        initrd=made(CACHE / f"initrd-{SYSTEM.key}-{early}", lambda to: _make_initrd(to, system, version)),
        disks=(
            made(CACHE / f"{SYSTEM.key}.ext4", lambda place: make_disk(place, system)),
            made(site.with_name(f"{site.name}.ext4"), lambda place: make_disk(place, site)),
        ),
    )


def python_site() -> Path:
    """The folder with the kiosk's Python packages under opt/kiosk; also the camera's chroot uses it. Raises NoTree."""
    system, wanted = tree(SYSTEM, _prune), wanted_packages()
    key = hashlib.sha256(f"{wanted}{LGPIO}{SITE}".encode()).hexdigest()[:12]
    return made(CACHE / f"site-{key}", lambda place: _make_site(place, system, wanted))


def make_disk(place: Path, content: Path | None, size_mb: int = 0) -> None:
    """An ext4 image, sparse; with what lies in `content`, and a tenth more room."""
    if content:
        size_mb = int(said(["du", "-sm", content]).split()[0]) * 11 // 10 + 64
    fill: list[str | Path] = ["-d", content] if content else []
    journal = "^has_journal" if content else "has_journal"
    said(["mke2fs", "-q", "-t", "ext4", "-O", journal, *fill, place, f"{size_mb}M"])


def pack(system: Path, folder: Path, to: Path) -> None:
    """What lies in `folder` as an archive that the kernel unpacks; they may stand one behind the other."""
    found = subprocess.run(["find", "."], cwd=folder, check=True, capture_output=True).stdout
    with to.open("wb") as out:
        command = [str(system / "bin/busybox"), "cpio", "-o", "-H", "newc", "-R", "0:0"]
        subprocess.run(command, cwd=folder, input=found, check=True, stdout=out, stderr=subprocess.DEVNULL)


# --- Python packages --------------------------------------------------------------------------------------------------


def wanted_packages() -> str:
    """The lines of the lock for ROOTS and what they need, on the tree's Python."""
    blocks = dict(_lock_blocks())
    needed = ROOTS
    while more := {n for n, (_, via) in blocks.items() if n not in needed and via & needed}:
        needed = needed | more
    return "\n".join(text for name, (text, _) in sorted(blocks.items()) if name in needed)


def _lock_blocks() -> Iterator[tuple[str, tuple[str, set[str]]]]:
    """Name -> (requirement with its hashes, who needs it), of those that count on the tree's Python.

    pip reads the markers for the Python it runs on and not for the one it installs for, so they are read here.
    """
    there = {"python_full_version": f"{PYTHON}.5", "python_version": PYTHON, "sys_platform": "linux"}
    for text in (ROOT / "requirements.lock").read_text().replace("\n    ", "\0").splitlines():
        head, *rest = text.split("\0")
        requirement, _, marker = head.rstrip(" \\").partition(";")
        if marker and not Marker(marker).evaluate(there):
            continue
        hashes = " ".join(line.rstrip(" \\") for line in rest if line.startswith("--hash"))
        said_why = [w.lstrip("# ").removeprefix("via ").strip() for w in rest if w.startswith("#")]
        via: set[str] = {canonicalize_name(name) for name in said_why}
        yield canonicalize_name(requirement.partition("==")[0].strip()), (f"{requirement.strip()} {hashes}", via)


def _make_site(place: Path, system: Path, wanted: str) -> None:
    print("gathering the kiosk's Python packages ...", flush=True)
    target = place / SITE
    target.mkdir(parents=True)
    (place / "opt/kiosk/pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (place / "opt/kiosk/bin").mkdir()
    (place / "opt/kiosk/bin/python").symlink_to("/usr/bin/python3")
    with TemporaryDirectory() as folder:
        lock = Path(folder) / "wanted.txt"
        lock.write_text(wanted)
        kinds = [*(f"manylinux_2_{n}" for n in range(41, 4, -1)), "manylinux2014", "linux"]
        options = ["--no-deps", "--require-hashes", "--ignore-requires-python", "--no-compile"]
        options += [f"--python-version={PYTHON}", *(f"--platform={kind}_x86_64" for kind in kinds)]
        _pip("install", *options, "--target", target, "-r", lock)
        _build_lgpio(Path(folder), target)
    _compile(system, place)


def _pip(*words: str | Path) -> None:
    said([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words])


def _build_lgpio(folder: Path, target: Path) -> None:
    (folder / "lgpio.txt").write_text(LGPIO)
    loaded = folder / "lgpio"
    _pip("download", "--no-deps", "--no-binary=:all:", "--no-build-isolation", "-d", loaded, "-r", folder / "lgpio.txt")
    builder = tree(BUILDER)
    place = builder / "tmp" / "lgpio"
    remove(place)
    place.mkdir()
    said(["tar", "-xf", next(loaded.iterdir()), "--strip-components=1", "-C", place])
    said(["chroot", builder, "sh", "-c", "cd /tmp/lgpio && PYPI=1 python3 setup.py -q build"])
    for built in (*place.glob("build/lib.*/*.so"), place / "lgpio.py"):
        shutil.copy(built, target)


def _compile(system: Path, root: Path) -> None:
    """Byte code beside the modules: the machine's disk cannot be written to, and it starts in half the time."""
    inside = f"mount --bind {root}/opt {system}/opt && chroot {system} python3 -m compileall -q -j2 /opt/kiosk"
    said(["unshare", "--mount", "sh", "-c", inside])


# --- the initial RAM disk ---------------------------------------------------------------------------------------------


def _make_initrd(to: Path, system: Path, version: str) -> None:
    with TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("bin", "proc", "sys", "dev", "tree", "site", "up", "new", "modules"):
            (root / folder).mkdir()
        shutil.copy(system / "bin/busybox", root / "bin")
        for tool in ("sh", "mount", "insmod", "switch_root", "mkdir", "cp", "cat", "sleep"):
            (root / "bin" / tool).symlink_to("busybox")
        shown = said(["chroot", system, "modprobe", "-S", version, "-a", "--show-depends", *_EARLY_MODULES])
        paths = dict.fromkeys(line.split()[1] for line in shown.splitlines() if line.startswith("insmod"))
        for n, path in enumerate(paths):
            unpacked = root / "modules" / f"{n:02}-{Path(path).stem}"
            with unpacked.open("wb") as out:
                subprocess.run(["xz", "-dc", system / path.lstrip("/")], check=True, stdout=out)
        shutil.copy(_GUEST / "init.sh", root / "init")
        (root / "init").chmod(0o755)
        pack(system, root, to)


def _prune(system: Path) -> None:
    for name in ("var/lib/apt/lists", "var/cache/apt", "usr/lib/firmware"):
        remove(system / name)
    for path in (system / "boot").glob("initrd*"):
        path.unlink()


# --- what is tried ----------------------------------------------------------------------------------------------------


def load(kit: Kit, root: Path) -> None:
    """Fills `root` with what is laid over the disks: the project, installed, its units, and the tests' helpers."""
    wheel = made(CACHE / f"wheel-{_hash(*_sources())}", _make_wheel)
    with zipfile.ZipFile(next(wheel.glob("*.whl"))) as archive:
        archive.extractall(root / SITE)
    _compile(kit.tree, root)
    said(["sh", ROOT / "systemd" / "install.sh", root])
    units = root / "etc/systemd/system"
    for name in ("agent", "board", "finger"):
        _put(_GUEST / f"{name}.service", units / f"{name}.service")
        _put(_GUEST / f"{name}.service", units / "sysinit.target.wants" / f"{name}.service")
    for name in ("agent.py", "board.sh", "finger.py", "probe.py"):
        _put(_GUEST / name, root / "opt/guest" / name)
    for name in ("kiosk", "kiosk-doctor"):
        _put(_GUEST / "kiosk-board.conf", units / f"{name}.service.d" / "board.conf")
    _put(_GUEST / "installer.conf", units / "kiosk-doctor.service.d" / "installer.conf")
    _put(_GUEST / "kiosk.toml", root / "etc/kiosk/kiosk.toml")
    _put(_GUEST / "broker-password", root / "etc/credstore/broker-password")


def _put(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.parent.name.endswith(".wants"):
        to.symlink_to(f"../{path.name}")
    else:
        shutil.copy(path, to)


def _make_wheel(place: Path) -> None:
    with TemporaryDirectory() as name:
        for path in _sources():
            to = Path(name) / path.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
        place.mkdir()
        _pip("wheel", "--no-deps", "--no-build-isolation", "-w", place, name)


def _sources() -> list[Path]:
    found = [p for room in ("kiosk", "desk") for p in (ROOT / room).rglob("*") if p.is_file()]
    return [ROOT / "pyproject.toml", *sorted(p for p in found if "__pycache__" not in p.parts)]


def _hash(*paths: Path) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:12]
