"""The emulated machine: QEMU with the kit's disks, a line to the agent in it, and its screen as a picture.

KVM where it can be used, else software (APPLIANCE_ACCEL=tcg asks for that): about ten times slower, all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from PIL import Image

from tests.appliance.kit import Kit, load, make_disk, pack
from tests.appliance.tree import NoTree

QEMU = "qemu-system-x86_64"
START_S = 480.0
DATA_MB = 512
SCREEN = (1280, 720)
_LAST_LINES = 40
_LOOK_S = 1.0
_CRASH = re.compile(r"Kernel panic - not syncing.*|Oops: .*")


class Failed(AssertionError):
    """Something in the machine went wrong; with what it said, and the end of its console."""


class Crashed(Failed):
    """Its kernel has stumbled, and nobody had asked it to."""


def accelerator() -> str:
    """kvm or tcg. A /dev/kvm without the processor's own support is an emulation, and slower than QEMU's."""
    asked = os.environ.get("APPLIANCE_ACCEL")
    if asked:
        return asked
    supported = {"vmx", "svm"} & set(Path("/proc/cpuinfo").read_text().split())
    return "kvm" if supported and os.access("/dev/kvm", os.R_OK | os.W_OK) else "tcg"


class Machine:
    """`with Machine(kit)` boots it, with `files` (path -> content) beside what every machine has."""

    def __init__(self, kit: Kit, files: dict[str, str], devices: Sequence[str] = ()) -> None:
        self._kit, self._files, self._devices = kit, files, devices
        self.accelerator = accelerator()

    def __enter__(self) -> Self:
        if shutil.which(QEMU) is None:
            raise NoTree(f"needs {QEMU}")
        self._lines = contextlib.ExitStack()
        self._folder = TemporaryDirectory(prefix="appliance-")
        self._place = Path(self._folder.name)
        make_disk(self._place / "data.ext4", None, DATA_MB)
        self._console = self._place / "console.txt"
        self._forgiven = 0
        self._qemu = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            self._agent = self._lines.enter_context(self._connect("agent"))
            monitor = self._lines.enter_context(self._connect("monitor"))
            self._monitor = self._lines.enter_context(monitor.makefile("rw"))
            self._ask_monitor("qmp_capabilities")
            self.boot = self.wait_for_boot()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._qemu.kill()
        self._qemu.communicate()
        self._lines.close()
        self._folder.cleanup()

    # --- what can be done with it -------------------------------------------------------------------------------------

    def run(self, *words: str, put: str = "", limit_s: float = 60.0) -> str:
        """Runs a command in the machine and returns what it said.

        Raises:
            Failed: it ended with another code than 0, or not within `limit_s`.
        """
        code, out = self.tried(*words, put=put, limit_s=limit_s)
        if code:
            raise Failed(f"{' '.join(words)}: {code}\n{out}\n{self.last_words()}")
        return out

    def tried(self, *words: str, put: str = "", limit_s: float = 60.0) -> tuple[int, str]:
        """(exit code, what it said)"""
        line = json.dumps({"run": words, "input": put, "limit_s": limit_s}).encode()
        self._agent.sendall(line + b"\n")
        answer = self._line(limit_s + 30)
        if "hello" in answer:
            raise Crashed(f"{' '.join(words)}: the machine has started anew\n{self.last_words()}")
        return answer["code"], answer["out"]

    def python(self, text: str, limit_s: float = 60.0) -> str:
        """Runs a piece of Python as root, with the kiosk's packages."""
        return self.run("/opt/kiosk/bin/python", "-c", text, limit_s=limit_s)

    def wait(self, what: str, *words: str, limit_s: float = 120.0, pause_s: float = 0.2) -> float:
        """Until a command succeeds; returns how long that took in seconds. Raises Failed: it never did."""
        began = time.monotonic()
        while True:
            code, out = self.tried(*words)
            if code == 0:
                return time.monotonic() - began
            if time.monotonic() - began > limit_s:
                raise Failed(f"{what}: not after {limit_s:.0f} s\n{out}\n{self.last_words()}")
            time.sleep(pause_s)

    def wait_for_words(self, unit: str, words: str, limit_s: float = 300.0) -> None:
        """Until a unit has said them (a regular expression) in this boot. Raises Failed, with what it said instead."""
        log = f"journalctl -b -u {unit} --no-pager"
        try:
            self.wait(words, "sh", "-c", f"{log} | grep -Eq '{words}'", limit_s=limit_s, pause_s=1.0)
        except Failed as failed:
            raise Failed(f"{failed}\n--- {unit}\n{self.run('sh', '-c', f'{log} | tail -n 40')}") from None

    def wait_for_boot(self, limit_s: float = START_S, *, crashing: bool = False) -> str:
        """The kernel's id of the boot that begins next; `crashing`: it is made to stumble before. Raises Failed."""
        while True:
            answer = self._line(limit_s, crashing=crashing)
            if "hello" in answer:
                self._forgiven = len(self._crashes())
                return str(answer["hello"])

    def screen(self) -> Image.Image:
        """What the display shows."""
        shot = self._place / "screen.ppm"
        self._ask_monitor("screendump", filename=str(shot))
        with Image.open(shot) as picture:
            return picture.convert("RGB")

    def last_words(self) -> str:
        return "\n".join(["--- console", *self._said().splitlines()[-_LAST_LINES:]])

    def _said(self) -> str:
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    def _crashes(self) -> list[str]:
        return _CRASH.findall(self._said())

    # --- lines to it --------------------------------------------------------------------------------------------------

    def _command(self) -> list[str]:
        kit, place = self._kit, self._place
        with TemporaryDirectory() as name:
            root = Path(name) / "load"
            root.mkdir()
            load(kit, root)
            for path, text in self._files.items():
                (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                (root / path.lstrip("/")).write_text(text)
            pack(kit.tree, Path(name), place / "load.cpio")
        (place / "initrd").write_bytes(kit.initrd.read_bytes() + (place / "load.cpio").read_bytes())
        disks = [(disk, "on") for disk in kit.disks] + [(place / "data.ext4", "off")]
        return [
            *(QEMU, "-accel", "tcg,thread=multi" if self.accelerator == "tcg" else "kvm"),
            *("-cpu", "max" if self.accelerator == "tcg" else "host", "-smp", "1", "-m", "2048"),
            *("-nodefaults", "-display", "none", "-serial", f"file:{self._console}"),
            *("-kernel", str(kit.kernel), "-initrd", str(place / "initrd")),
            *("-append", "console=ttyS0 quiet loglevel=4 mitigations=off no_timer_check systemd.show_status=no"),
            *(w for disk, ro in disks for w in ("-drive", f"file={disk},if=virtio,format=raw,readonly={ro}")),
            *("-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=agent,path={place}/agent,server=on,wait=off"),
            *("-device", "virtserialport,chardev=agent,name=agent"),
            *("-qmp", f"unix:{place}/monitor,server=on,wait=off"),
            *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"),
            *self._devices,
        ]

    def _connect(self, name: str) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                line.connect(str(self._place / name))
                self._waiting = b""
                return line
            if self._qemu.poll() is not None or time.monotonic() > until:
                line.close()
                self._qemu.kill()
                raise Failed(f"QEMU does not start: {self._qemu.communicate()[1].decode(errors='replace')}")
            time.sleep(0.05)

    def _line(self, limit_s: float, *, crashing: bool = False) -> dict[str, Any]:
        """The agent's next line. Raises Failed; at once where the kernel says that it has stumbled."""
        self._agent.settimeout(_LOOK_S)
        until = time.monotonic() + limit_s
        while b"\n" not in self._waiting:
            try:
                more = self._agent.recv(65536)
            except TimeoutError:
                self._look(until, crashing)
                continue
            if not more:
                raise Failed(f"the machine has gone\n{self.last_words()}")
            self._waiting += more
            until = time.monotonic() + limit_s
        line, _, self._waiting = self._waiting.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _look(self, until: float, crashing: bool) -> None:
        if not crashing and len(crashes := self._crashes()) > self._forgiven:
            raise Crashed(f"{crashes[self._forgiven]}\n{self.last_words()}")
        if time.monotonic() > until:
            raise Failed(f"the machine says nothing any more\n{self.last_words()}")

    def _ask_monitor(self, command: str, **arguments: Any) -> None:
        self._monitor.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._monitor.flush()
        while True:
            answer = json.loads(self._monitor.readline())
            if "error" in answer:
                raise Failed(f"{command}: {answer['error']}")
            if "return" in answer:
                return
