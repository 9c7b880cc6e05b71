"""Which staff camera is shown, and that no other is decoded."""

from __future__ import annotations

import av

from kiosk.call.staff_camera import STALE_S, StaffCamera
from kiosk.hw.ports import Picture


class Person:
    camera_on = False

    def __init__(self, says_camera: bool = True) -> None:
        self.says_camera = says_camera
        self.watched = False

    def watch(self, on: bool) -> None:
        self.watched = on


class Display:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.shown: list[Picture | None] = []
        self.camera = StaffCamera(self.shown.append, lambda: self.now_s)

    @property
    def has_picture(self) -> bool:
        return bool(self.shown) and self.shown[-1] is not None


FRAME = av.VideoFrame(64, 48, "yuv420p")


def test_a_camera_that_is_off_is_neither_decoded_nor_shown() -> None:
    display, ann = Display(), Person()
    display.camera.sends(ann)
    display.camera.frame(ann, FRAME)
    assert not ann.watched
    assert display.shown == []
    assert not display.camera.on


def test_the_one_switched_on_last_is_shown_and_only_that_one_is_decoded() -> None:
    display, ann, bob = Display(), Person(), Person()
    display.camera.switched(ann, True)
    display.camera.frame(ann, FRAME)
    display.camera.switched(bob, True)
    assert (ann.watched, bob.watched) == (False, True)
    assert not display.has_picture  # not the one for the other while the next has not come
    display.camera.frame(ann, FRAME)
    assert not display.has_picture
    display.camera.frame(bob, FRAME)
    assert display.has_picture


def test_when_it_is_switched_off_it_is_gone_at_once_and_the_one_before_is_shown_again() -> None:
    display, ann, bob = Display(), Person(), Person()
    display.camera.switched(ann, True)
    display.camera.switched(bob, True)
    display.camera.frame(bob, FRAME)
    display.camera.switched(bob, False)
    assert not display.has_picture
    assert (ann.watched, bob.watched) == (True, False)
    display.camera.frame(ann, FRAME)
    assert display.camera.on
    display.camera.gone(ann)
    assert not display.has_picture
    assert not ann.watched


def test_a_plain_client_is_shown_while_it_sends_but_not_before_one_who_switched_his_on() -> None:
    display, plain, ann = Display(), Person(says_camera=False), Person()
    display.camera.sends(plain)
    assert plain.watched
    display.camera.switched(ann, True)
    assert (plain.watched, ann.watched) == (False, True)
    display.camera.switched(ann, False)
    assert plain.watched


def test_a_picture_that_stands_still_is_taken_away_and_another_has_its_turn() -> None:
    display, ann, bob = Display(), Person(), Person()
    display.camera.switched(ann, True)
    display.camera.switched(bob, True)
    display.camera.frame(bob, FRAME)
    display.now_s += STALE_S
    display.camera.tick()
    assert display.has_picture
    display.now_s += 0.1
    display.camera.tick()
    assert not display.has_picture
    assert ann.watched
    display.now_s += STALE_S + 0.1
    display.camera.tick()
    assert bob.watched


def test_one_alone_that_stood_still_is_shown_again_when_pictures_come() -> None:
    for person in (Person(), Person(says_camera=False)):
        display = Display()
        if person.says_camera:
            display.camera.switched(person, True)
        display.camera.sends(person)
        display.camera.frame(person, FRAME)
        display.now_s += STALE_S + 0.1
        display.camera.tick()
        assert not display.has_picture
        display.camera.sends(person)
        display.camera.frame(person, FRAME)
        assert display.has_picture


def test_closing_shows_nothing_more() -> None:
    display, ann = Display(), Person()
    display.camera.switched(ann, True)
    display.camera.frame(ann, FRAME)
    display.camera.close()
    display.camera.frame(ann, FRAME)
    assert not display.has_picture
    assert not ann.watched
