"""OpenCV's own trackers, and combinations of its features (cv_features.py), on frames in a file.

It runs in an environment of its own (benchmarks/marks_rivals.py).
One line of JSON in: path of the frames (raw BGR), count, box x y w h, names. One line out for each name: for every
frame after the first the box or null, and the CPU time in ms.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from benchmarks.rivals.cv_features import MAKERS

SHAPE = (720, 1280, 3)


def makers() -> dict[str, Callable[[], Any]]:
    """Every tracker of this OpenCV that works without a model file, and the classical combinations of its features.

    But for Boosting and TLD, which contrib keeps for old programs only: slower than MIL, and no better.
    """
    found: dict[str, Callable[[], Any]] = {}
    places: list[Any] = [getattr(cv2, "legacy", None), cv2]
    for place in places:
        for name in ("CSRT", "KCF", "MIL", "MOSSE", "MedianFlow"):
            make = getattr(place, f"Tracker{name}_create", None)
            if make is not None:
                found[name] = make
    found.update(MAKERS)
    return found


def follow(make: Callable[[], Any], frames: Any, box: tuple[int, ...]) -> tuple[list[Any], list[float]]:
    tracker = make()
    tracker.init(np.ascontiguousarray(frames[0]), box)
    boxes: list[Any] = []
    times: list[float] = []
    for frame in frames[1:]:
        picture = np.array(frame)
        began = time.thread_time()
        try:
            found, where = tracker.update(picture)
        except cv2.error:  # some fail on boxes that left the picture: not found, as far as we are concerned
            found, where = False, None
        times.append(1000 * (time.thread_time() - began))
        boxes.append([float(v) for v in where] if found and where is not None else None)
    return boxes, times


def main() -> None:
    cv2.setNumThreads(1)
    trackers = makers()
    print(json.dumps({"opencv": cv2.__version__, "trackers": list(trackers)}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        frames = np.memmap(order["path"], np.uint8, "r", shape=(order["count"], *SHAPE))
        for name in order["names"]:
            boxes, times = follow(trackers[name], frames, tuple(round(v) for v in order["box"]))
            print(json.dumps({"name": name, "boxes": boxes, "ms": times}), flush=True)


if __name__ == "__main__":
    main()
