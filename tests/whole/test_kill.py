"""SIGKILL at random instants during traffic: nothing lost, nothing twice, all right again at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.whole.kills import PROGRAMS, deadly

pytestmark = [pytest.mark.whole, pytest.mark.timeout(300)]

KILLS = 6
RIGHT_S = 5.0


async def test_broker_desk_and_kiosk_are_killed_in_traffic_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    luck = random.Random(5)
    victims = [*PROGRAMS] * KILLS
    luck.shuffle(victims)
    async with deadly(tmp_path, luck) as kills:
        for n, name in enumerate(victims):
            await kills.kill(name, forget=n % 2 == 0)
        await kills.finish()
        assert kills.lost() == []
        assert kills.doubled() == []
        assert len(kills.world.desk()) >= 3, "there was traffic"
        assert kills.traffic.seen.linked, "there was traffic"
    slowest = {name: max(seconds) for name, seconds in kills.seconds.items()}
    assert max(slowest.values()) <= RIGHT_S, slowest
