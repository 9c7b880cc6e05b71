"""docs/site.md is true: its settings are read as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from desk.config import load as load_desk
from kiosk.config import load as load_kiosk

GUIDE = Path(__file__).parents[2] / "docs" / "site.md"
DESK, KIOSK = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_settings_of_the_guide_are_in_order_and_fit_each_other(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(DESK)
    (tmp_path / "kiosk.toml").write_text(KIOSK)
    desk, kiosk = load_desk(tmp_path / "desk.toml"), load_kiosk(tmp_path / "kiosk.toml")
    assert desk.url == kiosk.desk_url
    assert desk.broker.host == kiosk.broker.host
    assert f"--kiosk {kiosk.id} " in GUIDE.read_text()
