"""The trackers of OpenCV and its contrib package, and combinations of its features, in an environment under build/."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from benchmarks.marks_score import Answer
from kiosk.call import poses
from kiosk.call.poses import Points

ENVIRONMENT = Path("build/marks/contrib")
PACKAGES = ("opencv-contrib-python-headless==5.0.0.93",)
CHILD = "benchmarks.rivals.cv_trackers"


def install() -> None:
    if (ENVIRONMENT / "ready").exists():
        return
    print(f"setting up {ENVIRONMENT} ...", file=sys.stderr)
    venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(ENVIRONMENT / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    subprocess.run(pip, check=True)
    (ENVIRONMENT / "ready").touch()


class Rivals:
    """The program that runs them; one order at a time. Raises RuntimeError where it died."""

    def __init__(self) -> None:
        command = [str(ENVIRONMENT / "bin/python"), "-m", CHILD]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._asked: tuple[str, ...] = ()
        said = json.loads(self._line())
        self.version = str(said["opencv"])
        self.names: tuple[str, ...] = tuple(said["trackers"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.communicate()

    def ask(self, frames: Path, count: int, quad: Points, names: tuple[str, ...]) -> None:
        """Sets them to work; `answers` waits for what they say."""
        (x0, y0), (x1, y1) = quad.min(axis=0).tolist(), quad.max(axis=0).tolist()
        self._asked = names
        order = {"path": str(frames), "count": count, "box": [x0, y0, x1 - x0, y1 - y0], "names": names}
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()

    def answers(self) -> dict[str, list[Answer]]:
        told = [json.loads(self._line()) for _ in self._asked]
        return {t["name"]: [_answer(b, ms) for b, ms in zip(t["boxes"], t["ms"], strict=True)] for t in told}

    def _line(self) -> str:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("the rivals' program died")
        return line


def _answer(box: list[float] | None, ms: float) -> Answer:
    if box is None or not np.isfinite(box).all():
        return Answer(None, False, ms)
    x, y, w, h = box
    return Answer(poses.box_quad(x, y, x + w, y + h), True, ms)
