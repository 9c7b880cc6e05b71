"""Marks on moving pictures with exactly known motion: where they are, and that they say so only when it is so.

All errors are px at 720p.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sin

import numpy as np
import pytest
from numpy.typing import NDArray

from kiosk.call import element, poses
from kiosk.call.frames import GreyFrame, Ring
from kiosk.call.poses import Points
from kiosk.call.tracker import Bench, Drop, Make
from kiosk.hw.ports import Picture, Pixels
from kiosk.hw.sim.scene import Scene as DrawnScene
from tests.contract.moving_scene import (
    HEIGHT,
    WIDTH,
    Scene,
    View,
    cover,
    hand_held,
    picture,
    plain_plate,
    terminals,
    to_canvas,
    where,
)

FPS = 30.0
BOX = poses.box_quad(600, 320, 680, 400)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one mark: distance of its middle from the truth, and its state, for each frame after the first."""

    error_px: NDArray[np.float64]
    state: list[str]

    @property
    def tracked(self) -> NDArray[np.bool_]:
        return np.array([s == "tracked" for s in self.state])

    def first(self, state: str, after: int = 0) -> int:
        return next(n for n, s in enumerate(self.state) if n >= after and s == state)


def story(pictures: Iterator[Pixels], truths: list[Points], box: Points = BOX) -> Story:
    """Marks `box` (px at 720p) on the first picture and follows it through the others."""
    bench, errors, states = Bench(), list[float](), list[str]()
    bench.step(picture(next(pictures), 0.0), [make(box)])
    for n, luma in enumerate(pictures, 1):
        report = bench.step(picture(luma, n / FPS))
        assert report is not None
        (pose,) = report.poses
        errors.append(off(pose.quad, truths[n]))
        states.append(pose.state)
    return Story(np.array(errors), states)


def make(box: Points, captured_s: float | None = None) -> Make:
    (x0, y0), (x1, y1) = (box[0] + 0.5) / (WIDTH, HEIGHT), (box[2] + 0.5) / (WIDTH, HEIGHT)
    return Make("m-1", captured_s, box=((float(x0), float(y0)), (float(x1), float(y1))))


def off(quad: tuple[tuple[float, float], ...], truth: Points) -> float:
    found = np.array(quad) * (WIDTH, HEIGHT) - 0.5
    return float(np.linalg.norm(found.mean(axis=0) - truth.mean(axis=0)))


def walk(
    scene: Scene,
    view: Callable[[int], View],
    count: int,
    box: Points = BOX,
    light: Callable[[int], float] = lambda n: 1.0,
) -> tuple[list[Pixels], list[Points]]:
    """The pictures, and where the box of the first one is in each."""
    views = [view(n) for n in range(count)]
    on_canvas = to_canvas(views[0], box)
    pictures = [scene.luma(v, n, light(n)) for n, v in enumerate(views)]
    return pictures, [where(v, on_canvas) for v in views]


@pytest.mark.parametrize("size_px", [30, 80, 200])
def test_a_mark_holds_in_the_hand_through_zoom_and_roll(scene: Scene, size_px: int) -> None:
    box = poses.box_quad(640 - size_px / 2, 360 - size_px / 2, 640 + size_px / 2, 360 + size_px / 2)
    pictures, truths = walk(scene, hand_held, 150, box)
    told = story(iter(pictures), truths, box)
    assert told.error_px.mean() < 3
    assert told.error_px.max() < 8
    assert told.tracked.mean() > 0.95


def test_a_mark_holds_on_the_default_scene() -> None:
    drawn = DrawnScene()
    on_canvas = poses.apply(poses.inverse(drawn.pose(0)), BOX)
    truths = [poses.apply(drawn.pose(n), on_canvas) for n in range(150)]
    told = story((drawn.frame(n)[0] for n in range(150)), truths)
    assert told.error_px.mean() < 3
    assert told.tracked.mean() > 0.9


def test_a_mark_holds_while_the_light_changes_in_steps(scene: Scene) -> None:
    pictures, truths = walk(scene, hand_held, 90, light=lambda n: (1.0, 0.55, 1.3)[n // 20 % 3])
    told = story(iter(pictures), truths)
    assert told.error_px.mean() < 3
    assert told.tracked.mean() > 0.9


def trembling(n: int) -> View:
    """Up to 60 px from one frame to the next, in no order."""
    dx, dy = np.random.default_rng(n).normal(0, 10, 2)
    return View(1100 + float(dx), 640 + float(dy), 1.1 + 0.1 * sin(n / 15))


def test_a_mark_on_one_terminal_of_a_strip_does_not_jump_to_its_neighbour() -> None:
    pictures, truths = walk(Scene(3, terminals), trembling, 90)
    told = story(iter(pictures), truths)
    assert told.error_px[told.tracked].max() < 8
    assert told.tracked.mean() > 0.9


def test_a_mark_on_a_bare_place_is_held_by_what_is_around_it() -> None:
    box = poses.box_quad(620, 340, 660, 380)
    pictures, truths = walk(Scene(1, plain_plate), lambda n: View(1100 + n, 650, 1, 0.002 * n), 60, box)
    told = story(iter(pictures), truths, box)
    assert told.error_px.max() < 8
    assert "lost" not in told.state


def swing_away(n: int) -> View:
    """Looks away to the right for two seconds, and back."""
    gone = min(max(0, n - 15), 25) - min(max(0, n - 85), 25)
    return View(1000 + 44 * gone, 650 + 4 * sin(n / 5), 1 + 0.05 * sin(n / 15), 0.05 * sin(n / 20))


def test_a_mark_that_leaves_the_picture_is_lost_and_found_again(scene: Scene) -> None:
    pictures, truths = walk(scene, swing_away, 150)
    told = story(iter(pictures), truths)
    assert "lost" in told.state[40:80]
    assert not told.tracked[40:80].any()
    back = next(n for n in range(85, 149) if (np.abs(truths[n + 1] - (640, 360)) < (600, 320)).all())
    assert told.first("tracked", after=back) <= back + 9, "300 ms"
    assert told.tracked[-20:].all()
    assert told.error_px[told.tracked].max() < 8


def test_a_covered_mark_is_not_claimed_and_stays_close_and_comes_back(scene: Scene) -> None:
    pictures, truths = walk(scene, hand_held, 130)
    hidden = range(40, 90)
    told = story((cover(p, truths[n], n) if n in hidden else p for n, p in enumerate(pictures)), truths)
    assert told.tracked[44:88].mean() < 0.05
    assert np.median(told.error_px[44:88]) < 10
    assert told.first("tracked", after=89) <= 98
    assert told.error_px[told.tracked].max() < 20


def test_a_mark_never_claims_a_place_that_it_is_not_at_when_the_picture_is_cut(scene: Scene) -> None:
    """The camera is turned to another machine in an instant, and back as suddenly."""
    pictures, truths = walk(scene, hand_held, 110)
    other = [Scene(5).luma(hand_held(n), n) for n in range(40, 45)]
    told = story((other[n % 5] if 40 <= n < 75 else p for n, p in enumerate(pictures)), truths)
    assert not told.tracked[42:74].any()
    assert told.first("tracked", after=75) <= 85
    assert told.error_px[told.tracked].max() < 20


def drawer(n: int) -> float:
    """How far it has been pulled out, px at 720p."""
    return 2.5 * min(max(0, n - 20), 50)


def pulled(luma: Pixels, n: int) -> Pixels:
    """The picture with the box of `BOX` and a rim around it moved to the right, and a dark hole where it was."""
    (x0, y0), (x1, y1), dx = (570, 290), (710, 430), int(drawer(n))
    changed = luma.copy()
    changed[y0:y1, x0:x1] = 45
    changed[y0:y1, x0 + dx : x1 + dx] = luma[y0:y1, x0:x1]
    return changed


def test_an_element_that_is_moved_is_followed(scene: Scene) -> None:
    pictures = [pulled(scene.luma(View(1200, 800), n), n) for n in range(90)]
    truths = [np.add(BOX, (int(drawer(n)), 0)) for n in range(90)]
    told = story(iter(pictures), truths)
    assert told.error_px.max() < 8
    assert told.tracked.mean() > 0.9


def test_an_element_that_was_moved_behind_a_hand_is_found_where_it_is_now(scene: Scene) -> None:
    pictures = [pulled(scene.luma(View(1200, 800), n), 0 if n < 30 else 45) for n in range(90)]
    truths = [np.add(BOX, (0 if n < 30 else int(drawer(45)), 0)) for n in range(90)]
    told = story((cover(p, truths[n], n) if 25 <= n < 40 else p for n, p in enumerate(pictures)), truths)
    assert told.first("tracked", after=39) < 50
    assert told.error_px[told.tracked].max() < 70, "until it is missed it is where it was"
    assert told.error_px[50:].max() < 5


def test_a_mark_made_under_a_hand_is_known_when_the_hand_has_gone(scene: Scene) -> None:
    pictures, truths = walk(scene, hand_held, 110)
    hands = [cover(p, truths[n] + (-75 - 3 * n, 60 + 2 * n), 0) if n < 25 else p for n, p in enumerate(pictures)]
    told = story(iter(hands), truths)
    assert np.median(told.error_px[25:]) < 10
    assert told.tracked[-20:].all()
    assert told.error_px[-20:].max() < 12


def test_a_mark_that_is_all_but_out_of_the_picture_is_lost(scene: Scene) -> None:
    pictures, truths = walk(scene, lambda n: View(1000 + 9 * n, 650), 80)
    told = story(iter(pictures), truths)
    gone = [n for n in range(79) if truths[n + 1][:, 0].max() < 8]
    assert {told.state[n] for n in gone} == {"lost"}


def test_a_mark_starts_on_the_frame_that_was_seen(scene: Scene) -> None:
    """The staff member tapped on a picture 300 ms old; the camera has moved by some 40 px since."""
    pictures, truths = walk(scene, lambda n: View(1000 + 5 * n, 650 + 3 * n, 1.0, 0.004 * n), 30)
    bench = Bench()
    for n in range(19):
        assert bench.step(picture(pictures[n], n / FPS)) is None
    seen = 10
    report = bench.step(picture(pictures[19], 19 / FPS), [make(truths[seen], seen / FPS)])
    assert report is not None
    assert off(report.poses[0].quad, truths[19]) < 2
    assert np.linalg.norm(truths[19].mean(axis=0) - truths[seen].mean(axis=0)) > 40
    report = bench.step(picture(pictures[20], 20 / FPS))
    assert report is not None
    assert report.poses[0].state == "tracked"


def test_several_marks_are_followed_and_a_dropped_one_is_not(scene: Scene) -> None:
    pictures, _ = walk(scene, hand_held, 6)
    bench = Bench()
    orders = [Make(f"m-{k}", None, at=(0.2 + 0.15 * k, 0.5)) for k in range(4)]
    bench.step(picture(pictures[0], 0.0), orders)
    report = bench.step(picture(pictures[1], 0.03), [Drop("m-2")])
    assert report is not None
    assert [p.id for p in report.poses] == ["m-0", "m-1", "m-3"]
    assert bench.step(picture(pictures[2], 0.07), [Drop(f"m-{k}") for k in range(4)]) is not None
    assert bench.step(picture(pictures[3], 0.1)) is None


# --- the element around a tap


def test_a_tap_takes_the_screw_and_not_the_plate() -> None:
    grey = np.full((360, 640), 150, np.uint8)
    ys, xs = np.mgrid[:360, :640]
    grey[(xs - 300) ** 2 + (ys - 200) ** 2 < 18**2] = 60
    quad = element.around(grey, 304, 195)
    assert np.abs(quad[[0, 2]] - [[282, 182], [318, 218]]).max() < 5


def test_a_tap_on_a_plain_place_takes_a_square_around_it() -> None:
    grey = np.full((360, 640), 150, np.uint8)
    assert element.around(grey, 300, 200).tolist() == poses.box_quad(280, 180, 320, 220).tolist()
    assert element.around(grey, 0, 0).tolist() == poses.box_quad(0, 0, 20, 20).tolist()


def test_a_tiny_box_is_made_as_large_as_the_smallest_one() -> None:
    grey = np.full((360, 640), 150, np.uint8)
    assert np.ptp(element.boxed(grey, (300, 200), (301, 200)), axis=0).tolist() == [7, 7]


# --- frames


def test_the_ring_keeps_two_seconds_and_finds_the_nearest_frame() -> None:
    ring, grey = Ring(), np.zeros((360, 640), np.uint8)
    for n in range(300):
        ring.push(GreyFrame(grey, n / FPS))
    frames = ring.since(8.02)
    assert frames[0].captured_s == pytest.approx(241 / FPS)
    assert frames[-1].captured_s == pytest.approx(299 / FPS)
    assert ring.since(None)[0] is frames[-1]
    assert 60 < len(ring) < 80
    assert ring.since(0.0)[0].captured_s < 300 / FPS - 2


def test_points_of_the_wire_are_shares_of_the_pictures_area() -> None:
    y, uv = np.zeros((720, 1440), np.uint8), np.zeros((360, 720), np.uint8)
    frame = GreyFrame.of(Picture(y, uv, uv, captured_s=0.0))
    assert (frame.width, frame.height) == (640, 320)
    assert frame.to_px(0.5, 0.5) == (319.5, 159.5)
    assert frame.to_unit(np.array([[319.5, 159.5]])).tolist() == [[0.5, 0.5]]
