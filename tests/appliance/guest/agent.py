"""Runs in the emulated machine: takes commands from the host over a virtio-serial port, one JSON object a line.

    to the machine    {"run": ["systemctl", "status"], "input": "", "limit_s": 60}
    from it           {"code": 0, "out": "..."}; at its start {"hello": "the kernel's id of this boot"}

Plain standard library: it is started by the machine's own Python.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, BinaryIO

PORT = Path("/dev/virtio-ports/agent")
MOST = 200_000


def main() -> None:
    with os.fdopen(os.open(PORT, os.O_RDWR), "r+b", buffering=0) as port:
        say(port, {"hello": Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
        waiting = b""
        while True:
            waiting += port.read(65536) or b""
            while b"\n" in waiting:
                line, _, waiting = waiting.partition(b"\n")
                say(port, do(json.loads(line)))


def do(order: dict[str, Any]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            order["run"],
            input=order["input"],
            timeout=order["limit_s"],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return {"code": -1, "out": f"not done after {order['limit_s']} s"}
    except OSError as error:
        return {"code": -1, "out": str(error)}
    return {"code": done.returncode, "out": done.stdout[-MOST:]}


def say(port: BinaryIO, what: dict[str, Any]) -> None:
    rest = json.dumps(what).encode() + b"\n"
    while rest:
        rest = rest[port.write(rest) or 0 :]


if __name__ == "__main__":
    main()
