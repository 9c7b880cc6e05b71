"""What systemd is told over its socket (sd_notify(3)): ready, stopping, alive, and a line for `systemctl status`."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

SEND_S = 1.0
"""While the manager is busy its queue of ten lines can be full for a moment."""


class Systemd:
    """Datagrams to the service manager. Where none has started us nothing is sent; used from one thread.

    watchdog_s: so often at least it must hear `alive`; None where nobody listens for it.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(usec) / 1e6 if usec.isdigit() and self._address and for_us else None

    def ready(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        self._tell(f"STATUS={text}")

    def _tell(self, line: str) -> None:
        """Never fails: a manager that does not listen is no reason to stop helping people."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(SEND_S)
            out.sendto(line.encode(), address)
