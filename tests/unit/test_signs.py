"""A sign is a file that is there or not; each change of it is told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.signs import follow


class Over(Exception):
    pass


async def test_a_sign_is_told_once_when_it_appears(tmp_path: Path) -> None:
    sign, told, rounds = tmp_path / "synchronized", list[bool](), iter(range(6))

    async def pause(_seconds: float) -> None:
        turn = next(rounds)
        if turn == 2:
            sign.touch()
        if turn == 5:
            raise Over

    with pytest.raises(Over):
        await follow(sign.exists, told.append, pause)
    assert told == [False, True]
