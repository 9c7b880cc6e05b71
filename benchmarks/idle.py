"""What a kiosk costs that waits: from its start to the first screen, memory and processor, with the camera off; and how
long it takes to stop.

The kiosk's own program under a service manager that hears READY, with SDL's display and touch; the camera stays closed.
Bars of the issue: first screen within 5 s on two cores, 150 MB resident, 3 % of one core, stopped within 5 s.

Where Mesa draws in software in place of a GPU (the emulated machine, a laptop without a driver), the same kiosk is told
once more with it: what is more then is Mesa's compiler and its buffers, which no board with a GPU has.

    make bench NAME=idle
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import median, tell

BAR_START_S, BAR_RSS_MB, BAR_CPU, BAR_STOP_S = 5.0, 150.0, 0.03, 5.0
SETTLE_S = 5.0
START_LIMIT_S = 60.0
UNIT = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
"""As in systemd/kiosk.service."""
NO_SCREEN = {"SDL_VIDEODRIVER": "dummy"}
"""SDL with everything but a screen: a driver of a GPU brings its own memory, a few MB on a Pi."""
LLVMPIPE = {"SDL_VIDEODRIVER": "offscreen", "SDL_RENDER_DRIVER": "opengles2", "LIBGL_ALWAYS_SOFTWARE": "1"}
_MESA = re.compile(r"LLVM|gallium|/dri/|libE?GL|libgbm|libdrm|libz3")

SETTINGS = """
id = "idle-kiosk"
data = "{folder}/data"
[device]
id = "press-1"
name = "Presse 1"
[broker]
port = {port}
[hardware]
camera = "v4l2:/dev/video0"
microphone = "none"
speaker = "none"
display = "window:1280x720"
[hardware.gpio]
factory = "mock"
"""


@dataclass(frozen=True, slots=True)
class Idle:
    start_s: float
    rss_mb: float
    pss_mb: float
    cpu: float
    mesa_mb: float
    """Resident of Mesa's libraries."""
    stop_s: float = 0.0


def measure(watch_s: float, screen: dict[str, str]) -> Idle:
    """One start of the kiosk, and what it takes of a core and of memory while nobody is there."""
    with TemporaryDirectory() as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        folder = Path(name)
        manager.bind(str(folder / "notify"))
        with socket.create_server(("127.0.0.1", 0)) as nobody:  # a broker that never answers: the worst of idling
            settings = SETTINGS.format(folder=folder, port=nobody.getsockname()[1])
            (folder / "kiosk.toml").write_text(settings)
            began = time.monotonic()
            with _started(folder, screen) as kiosk:
                try:
                    _wait_for(manager, b"READY=1")
                    seen = _watch(kiosk.pid, time.monotonic() - began, watch_s)
                    return replace(seen, stop_s=_stop(kiosk))
                finally:
                    kiosk.kill()


def _started(folder: Path, screen: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kiosk", "run", "--config", str(folder / "kiosk.toml")]
    manager = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "20000000"}
    return subprocess.Popen(command, env={**os.environ, **UNIT, **screen, **manager}, stderr=subprocess.DEVNULL)


def _stop(kiosk: subprocess.Popen[bytes]) -> float:
    began = time.monotonic()
    kiosk.terminate()
    kiosk.wait()
    return time.monotonic() - began


def _wait_for(manager: socket.socket, line: bytes) -> None:
    manager.settimeout(START_LIMIT_S)
    while manager.recv(4096) != line:
        pass


def _watch(pid: int, start_s: float, watch_s: float) -> Idle:
    time.sleep(SETTLE_S)
    before, began = _cpu_s(pid), time.monotonic()
    time.sleep(watch_s)
    cpu = (_cpu_s(pid) - before) / (time.monotonic() - began)
    return Idle(start_s, _kb(pid, "Rss") / 1024, _kb(pid, "Pss") / 1024, cpu, _mesa_kb(pid) / 1024)


def _cpu_s(pid: int) -> float:
    """Of all its threads since its start, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kb(pid: int, what: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def _mesa_kb(pid: int) -> int:
    """Resident of the mappings of Mesa's files (proc_pid_smaps(5): the first line of each ends with its file)."""
    found, counts = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counts = bool(_MESA.search(line.partition("/")[2]))
        elif counts and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def _with_llvmpipe() -> Idle | None:
    """None: there is no Mesa here that draws in software."""
    try:
        return measure(1.0, LLVMPIPE)
    except TimeoutError:
        return None


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=20.0)
    asked = arguments.parse_args()
    runs = [measure(asked.seconds, NO_SCREEN) for _ in range(asked.runs)]
    drawn = _with_llvmpipe()
    start_s, cpu = median([r.start_s for r in runs]), median([r.cpu for r in runs])
    rss_mb, pss_mb = median([r.rss_mb for r in runs]), median([r.pss_mb for r in runs])
    stop_s = median([r.stop_s for r in runs])
    rows = [
        ("start to first screen", f"{start_s:.2f} s", f"at most {BAR_START_S:.0f} s"),
        ("resident", f"{rss_mb:.0f} MB", f"at most {BAR_RSS_MB:.0f} MB; of it {pss_mb:.0f} MB its own share (PSS)"),
        ("processor", f"{cpu:.1%} of a core", f"at most {BAR_CPU:.0%}, over {asked.seconds:.0f} s"),
        ("told to stop, and gone", f"{stop_s:.2f} s", f"at most {BAR_STOP_S:.0f} s"),
    ]
    if drawn:
        rows.append(
            ("with llvmpipe", f"{drawn.rss_mb:.0f} MB", f"of it {drawn.mesa_mb:.0f} MB of Mesa's files; no bar")
        )
    reached = start_s <= BAR_START_S and rss_mb <= BAR_RSS_MB and cpu <= BAR_CPU and stop_s <= BAR_STOP_S
    figures = {
        "start_s": round(start_s, 2),
        "rss_mb": round(rss_mb, 1),
        "pss_mb": round(pss_mb, 1),
        "cpu": round(cpu, 4),
        "stop_s": round(stop_s, 2),
        "llvmpipe_rss_mb": round(drawn.rss_mb, 1) if drawn else None,
        "mesa_files_mb": round(drawn.mesa_mb, 1) if drawn else None,
    }
    tell(
        f"A kiosk that waits, camera off (median of {asked.runs})",
        rows,
        {"benchmark": "idle", **figures, "reached": reached},
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
