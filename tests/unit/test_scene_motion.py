"""How the scene moved: told by the scene, not by what moves before it."""

from __future__ import annotations

import numpy as np

from kiosk.call import poses, vision
from kiosk.call.frames import GreyFrame
from kiosk.call.scene_motion import SceneMotion
from kiosk.call.vision import Grey
from tests.contract.moving_scene import Scene, View, front, hand_held, plain_plate

MIDDLE = poses.box_quad(300, 170, 340, 190)


def small(picture: Grey, n: int) -> GreyFrame:
    return GreyFrame(vision.shrink(picture, 640, 360), n / 30)


def truth(n: int) -> poses.Pose:
    """px of the grey frame n-1 -> px of frame n."""
    half = poses.scaling(0.5)
    return poses.chain(poses.inverse(half), poses.inverse(hand_held(n - 1).pose()), hand_held(n).pose(), half)


def test_a_poster_that_is_carried_past_does_not_take_the_scene_with_it() -> None:
    scene, poster = Scene(1, plain_plate), front(9)[:380, :420]
    motion, errors = SceneMotion(), list[float]()
    for n in range(60):
        luma = scene.luma(hand_held(n), n)
        left = 1280 - 14 * max(0, n - 12)
        luma[180:560, max(0, left) : left + 420] = poster[:, max(0, -left) : 1280 - left][
            :, : max(0, min(420, 1280 - left))
        ]
        step = motion.step(small(luma, n))
        if n:
            assert step is not None
            off = poses.apply(step.pose, MIDDLE) - poses.apply(truth(n), MIDDLE)
            errors.append(float(np.abs(off).max()))
    assert np.quantile(errors, 0.95) < 0.6
    assert sum(errors) < 12, "px of the grey frame, added up over two seconds"


def test_noise_on_a_bare_plate_is_not_taken_for_corners() -> None:
    bare = Scene(1, lambda canvas: np.full_like(canvas, 140))
    motion = SceneMotion()
    assert all(motion.step(small(bare.luma(View(1100 + n, 650), n), n)) is None for n in range(5))


def test_a_pose_keeps_its_sign_where_the_corner_lies_beyond_the_horizon() -> None:
    """Looked at from so steep an angle that w is 0 at x = 50 of the first picture, and positive on the element."""
    steep = np.array([[-0.6, 0, 20], [-0.3, 0.7, 0], [0.004, 0, -0.2]])
    for sign in (1, -1):
        pose = poses.normalised(sign * steep)
        assert np.linalg.det(pose) > 0
        assert poses.shape_at(pose, 320, 180).upright
        assert np.allclose(poses.apply_one(pose, 320, 180), poses.apply_one(steep, 320, 180))
