"""How a benchmark says what it measured."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0..1) of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def tell(title: str, rows: Sequence[tuple[str, str, str]], figures: dict[str, object]) -> None:
    """A table of (what, figure, how), then the same as one line of JSON."""
    table = Table("what", "measured", "how", title=title)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    print(json.dumps(figures))
