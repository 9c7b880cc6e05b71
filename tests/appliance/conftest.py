"""The appliance is tried only when it is asked for by name: `make appliance` or `pytest -m appliance`."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "appliance: with the board's own stack, in a chroot or an emulated machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "appliance" in config.getoption("markexpr"):
        return
    for item in items:
        if item.get_closest_marker("appliance"):
            item.add_marker(pytest.mark.skip(reason="asked for by name only: pytest -m appliance"))
