"""What counts as having seen a mark. Pure."""

from __future__ import annotations

from math import log

import numpy as np

from kiosk.call import poses
from kiosk.call.frames import GreyFrame
from kiosk.call.matching import Match
from kiosk.call.poses import Points, Pose
from kiosk.call.template import Template

LEAST_SHOWN = 0.15
"""Less of a mark than that in the picture is out of it."""


def shown(quad: Points, frame: GreyFrame) -> bool:
    """Whether enough of a mark is in the picture."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    inside = np.minimum(high, (frame.width, frame.height)) - np.maximum(low, 0)
    return bool((inside > 0).all() and inside.prod() >= LEAST_SHOWN * (high - low).prod())


def difference(view: Template, pose: Pose) -> float:
    """How differently the view was taken, as a logarithm of scale and aspect."""
    shape = poses.shape_at(poses.chain(view.to_first, pose), view.around.x, view.around.y)
    if not shape.upright:
        return 1e9
    return abs(log(max(shape.scale, 1e-3) / view.scale_made)) + 0.7 * log(max(shape.stretch, 1.0))


def proves(match: Match, strict: bool, fast: bool) -> bool:
    """Whether the mark itself was seen. strict: it was lost before; fast: blur is to be expected."""
    if match.covered:
        return False
    if match.textured and match.own_seen >= 4:
        return _own_proof(match, strict, 0.1 if fast else 0.0)
    if strict:
        return match.whole > 0.65 and match.agree >= max(9.0, 0.45 * match.seen)
    return match.whole > (0.4 if fast else 0.5) and match.agree >= max(6.0, 0.35 * match.seen)


def _own_proof(match: Match, strict: bool, allowance: float) -> bool:
    if not strict:
        # a place that looks right by and large, but not one of the mark's own corners there: it has moved away
        some = match.own_agree >= 0.2 * match.own_seen or allowance > 0 or match.inner > 0.93
        return (match.inner > 0.7 and some) or (
            match.inner > 0.45 - allowance and match.own_agree >= 0.35 * match.own_seen
        )
    surroundings = match.whole > 0.5 and match.agree >= max(10.0, 0.35 * match.seen)
    own = match.own_agree >= max(5.0, 0.6 * match.own_seen)
    return match.inner > 0.85 or (match.inner > 0.6 and (surroundings or own))
