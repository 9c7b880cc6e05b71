from __future__ import annotations

import pytest

from kiosk.call.ending import HUNG_UP, LEFT, Ending

LOST_S = 90.0


def after(*, came: tuple[str, ...] = (), parted: tuple[tuple[str, str, float], ...] = ()) -> Ending:
    ending = Ending(LOST_S)
    for peer in came:
        ending.came(peer)
    for peer, why, at_s in parted:
        ending.parted(peer, why, at_s)
    return ending


def test_while_nobody_has_come_yet_ringing_goes_on() -> None:
    assert after().tick(False, 1e6) == ""


def test_with_somebody_there_nothing_ends() -> None:
    ending = after(came=("ann", "ben"), parted=(("ann", HUNG_UP, 1.0),))
    assert ending.tick(True, 1e6) == ""


def test_the_last_one_who_hangs_up_ends_it_at_once_and_once() -> None:
    ending = after(came=("ann",), parted=(("ann", HUNG_UP, 1.0),))
    assert [ending.tick(False, 1.0), ending.tick(False, 2.0), ending.tick(False, 1e6)] == ["hung_up", "", ""]


@pytest.mark.parametrize("why", [LEFT, "not heard any more"])
def test_who_only_went_is_waited_for(why: str) -> None:
    ending = after(came=("ann",), parted=(("ann", why, 0.0),))
    assert [ending.tick(False, s) for s in (0.0, LOST_S - 1, LOST_S)] == ["", "", "link_lost"]


def test_who_comes_back_in_time_begins_the_wait_anew() -> None:
    ending = after(came=("ann",), parted=(("ann", "not heard any more", 0.0),))
    ending.tick(False, 0.0)
    ending.came("ann")
    ending.parted("ann", "not heard any more", 80.0)
    assert [ending.tick(False, s) for s in (80.0, LOST_S + 79.0, LOST_S + 80.0)] == ["", "", "link_lost"]


def test_hanging_up_waits_for_whoever_is_coming_back() -> None:
    ending = after(came=("ann", "ben"), parted=(("ben", "not heard any more", 0.0), ("ann", HUNG_UP, 10.0)))
    assert [ending.tick(False, s) for s in (10.0, LOST_S - 1, LOST_S)] == ["", "", "hung_up"]


def test_who_was_lost_long_ago_is_not_waited_for() -> None:
    """He may be in the call under another name since, or have gone home."""
    ending = after(came=("ann", "ben"), parted=(("ben", "not heard any more", 0.0), ("ann", HUNG_UP, LOST_S)))
    assert ending.tick(False, LOST_S) == "hung_up"


def test_somebody_who_came_back_and_took_leave_is_not_waited_for() -> None:
    ending = after(came=("ann", "ben"), parted=(("ben", "not heard any more", 0.0),))
    ending.came("ben")
    ending.parted("ben", LEFT, 5.0)
    ending.parted("ann", HUNG_UP, 6.0)
    assert ending.tick(False, 6.0) == "hung_up"
