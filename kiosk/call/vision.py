"""The few OpenCV calls that marks are made of, with types and in our words. Pure; every picture is grey uint8."""

from __future__ import annotations

from math import sqrt
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from kiosk.call.poses import Points, Pose

Grey = NDArray[np.uint8]
"""(H, W) uint8 luma."""
Mask = NDArray[np.uint8]
"""(H, W) uint8, 0 or 255."""
Chosen = NDArray[np.bool_]
"""(N,) which of N points."""

_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.02)
_NONE = np.zeros((0, 2), np.float64)


def shrink(picture: Grey, width: int, height: int) -> Grey:
    """`picture` at (width, height), each pixel the mean of those it stands for; itself where it has that size."""
    if picture.shape == (height, width):
        return picture
    return cast(Grey, cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def gain_table(gain: float) -> NDArray[np.float32]:
    """For `even_light`: factor by local contrast 0..255. The 5 keeps noise of flat places small."""
    return (gain / (np.arange(256) + 5.0)).astype(np.float32)


def even_light(picture: Grey, window_px: int, gains: NDArray[np.float32]) -> Grey:
    """Local contrast normalisation: shadows, steps of exposure and flicker all but vanish, edges stay."""
    mean = cv2.boxFilter(picture, -1, (window_px, window_px))
    contrast = cv2.boxFilter(cv2.absdiff(picture, mean), -1, (window_px, window_px))
    centred = cv2.subtract(picture, mean, dtype=cv2.CV_32F)
    factors = cv2.LUT(contrast, gains)
    middle = cast(Any, 128.0)  # a number for every pixel: OpenCV takes it, its stubs do not
    return cast(Grey, cv2.add(cv2.multiply(centred, factors), middle, dtype=cv2.CV_8U))


def warp(picture: Grey, pose: Pose, width: int, height: int) -> Grey:
    """(height, width) looked up in `picture` through `pose`: from px of the result to px of `picture`."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(picture, pose, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cast(Grey, warped)


def smooth(picture: Grey, sigma_px: float) -> Grey:
    return cast(Grey, cv2.GaussianBlur(picture, (0, 0), sigma_px))


def corners(picture: Grey, most: int, apart_px: float, mask: Mask | None = None) -> Points:
    """At most `most` places that optical flow can hold on to, the best first."""
    if most < 1:
        return _NONE
    found = cv2.goodFeaturesToTrack(picture, most, 0.02, apart_px, mask=mask, blockSize=5)
    return _NONE if found is None else np.asarray(found, np.float64).reshape(-1, 2)


def textured(picture: Grey, least: float = 2.5e-5) -> Mask:
    """Where there is more than noise to hold on to (smaller eigenvalue of the gradients)."""
    strength = np.asarray(cv2.cornerMinEigenVal(smooth(picture, 1.0), 5))
    return np.where(strength > least, 255, 0).astype(np.uint8)


def flow(
    before: Grey, after: Grey, points: Points, window_px: int, levels: int, guess: Points | None = None
) -> tuple[Points, Chosen]:
    """Where `points` of `before` are in `after` (pyramidal Lucas-Kanade), and which of them were followed."""
    start = points.astype(np.float32).reshape(-1, 1, 2)
    flags = 0 if guess is None else cv2.OPTFLOW_USE_INITIAL_FLOW
    first = start.copy() if guess is None else guess.astype(np.float32).reshape(-1, 1, 2)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        start,
        first,
        winSize=(window_px, window_px),
        maxLevel=levels,
        criteria=_STOP,
        flags=flags,
        minEigThreshold=1e-4,
    )
    return np.asarray(moved, np.float64).reshape(-1, 2), np.asarray(status).ravel() == 1


def ransac_homography(a: Points, b: Points, reach_px: float, tries: int) -> tuple[Pose, Chosen] | None:
    """The homography from `a` to `b` that most agree on, and who agrees; None where there is none."""
    found, agree = cv2.findHomography(a, b, cv2.RANSAC, reach_px, maxIters=tries, confidence=0.99)
    return None if found is None else (np.asarray(found, np.float64), np.asarray(agree).ravel() > 0)


def ransac_similarity(a: Points, b: Points, reach_px: float, tries: int) -> tuple[Pose, Chosen] | None:
    found, agree = cv2.estimateAffinePartial2D(
        a, b, ransacReprojThreshold=reach_px, maxIters=tries, confidence=0.99, refineIters=2
    )
    if found is None:
        return None
    return np.vstack([np.asarray(found, np.float64), [0, 0, 1.0]]), np.asarray(agree).ravel() > 0


def likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Normalised correlation of two patches of one shape, -1..1; 0 where `a` is flat or too small."""
    if a.size < 60:
        return 0.0
    mean_a, mean_b = float(cv2.mean(a)[0]), float(cv2.mean(b)[0])
    var_a, var_b = (
        float(cv2.mean(cv2.multiply(a, a))[0]) - mean_a**2,
        float(cv2.mean(cv2.multiply(b, b))[0]) - mean_b**2,
    )
    if var_a < 1.0:
        return 0.0
    together = float(cv2.mean(cv2.multiply(a, b))[0]) - mean_a * mean_b
    return together / (sqrt(var_a) * sqrt(max(var_b, 0.0)) + 1e-3)


def blurred(picture: Grey) -> NDArray[np.float32]:
    """A patch made ready for `likeness`: a little smoothed, so that half a pixel of error does not matter."""
    return cv2.blur(picture, (3, 3)).astype(np.float32)
