"""Runs in the kiosk's place, with everything its unit gives and takes: tries what it may and what it may not.

Leaves probe.json in the state folder: name -> "ok" or the error's name (EPERM, EACCES, ...).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, CLONE_NEWUSER, SCHED_RR = 16, 0x10000000, 2


def called(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def opened(path: str, flags: int = os.O_RDWR) -> None:
    os.close(os.open(path, flags))


def written(path: str) -> None:
    Path(path).write_text("x")


def drm_master() -> None:
    card = os.open(next(Path("/dev/dri").glob("card*")), os.O_RDWR)
    fcntl.ioctl(card, 0x641E, 0)  # DRM_IOCTL_SET_MASTER
    os.close(card)


def raw_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def packet_socket() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def others_hidden() -> None:
    if Path("/proc/1").exists():
        raise OSError(errno.EEXIST, "")


def cores_forbidden() -> None:
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        raise OSError(errno.EEXIST, "")


MAY: dict[str, Callable[[], object]] = {
    "write its state": lambda: written("/var/lib/kiosk/probe"),
    "write its runtime folder": lambda: written("/run/kiosk/probe"),
    "read its settings": lambda: Path("/etc/kiosk/kiosk.toml").read_text(),
    "read its credential": lambda: Path(os.environ["CREDENTIALS_DIRECTORY"], "broker-password").read_text(),
    "hold the screen": drm_master,
    "use the camera": lambda: opened("/dev/video0"),
    "use the pins": lambda: opened("/dev/gpiochip0"),
    "use dma-buf memory": lambda: opened("/dev/dma_heap/system", os.O_RDONLY),
    "read keys and touch": lambda: opened(str(min(Path("/dev/input").glob("event*"))), os.O_RDONLY),
    "use the network": lambda: socket.create_server(("127.0.0.1", 0)).close(),
    "see no other process": others_hidden,
    "leave no core": cores_forbidden,
}
MAY_NOT: dict[str, Callable[[], object]] = {
    "write /etc": lambda: written("/etc/probe"),
    "write its settings": lambda: written("/etc/kiosk/kiosk.toml"),
    "write its own program": lambda: written("/opt/kiosk/probe"),
    "write /usr": lambda: written("/usr/probe"),
    "write /var": lambda: written("/var/probe"),
    "read the credential store": lambda: Path("/etc/credstore/broker-password").read_text(),
    "read /root": lambda: list(Path("/root").iterdir()),
    "read shadow": lambda: Path("/etc/shadow").read_text(),
    "read the disk": lambda: opened("/dev/vda", os.O_RDONLY),
    "write the kernel's log": lambda: opened("/dev/kmsg", os.O_WRONLY),
    "read memory": lambda: opened("/dev/mem", os.O_RDONLY),
    "write keys": lambda: opened("/dev/uinput", os.O_WRONLY),
    "stop the hardware watchdog": lambda: opened("/dev/watchdog", os.O_WRONLY),
    "change the kernel": lambda: written("/proc/sys/kernel/panic"),
    "trace another process": lambda: called(LIBC.ptrace(PTRACE_ATTACH, 1, 0, 0)),
    "kill another process": lambda: os.kill(1, signal.SIGCONT),
    "become root": lambda: os.setuid(0),
    "mount": lambda: called(LIBC.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
    "make a user namespace": lambda: called(LIBC.unshare(CLONE_NEWUSER)),
    "be realtime": lambda: os.sched_setscheduler(0, SCHED_RR, os.sched_param(5)),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, 1.0),
    "name the machine": lambda: socket.sethostname("probe"),
    "reboot": lambda: called(LIBC.reboot(0)),
    "send raw packets": raw_socket,
    "see the wire": packet_socket,
}


def tried(what: Callable[[], object]) -> str:
    try:
        what()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


def main() -> None:
    found = {side: {n: tried(w) for n, w in all_.items()} for side, all_ in (("may", MAY), ("may not", MAY_NOT))}
    Path("/var/lib/kiosk/probe.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
