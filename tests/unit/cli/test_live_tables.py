"""Tables on a terminal: what they leave out where it is narrow."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from flink_jobs_provider.cli.live_tables import FittingTable

HEADINGS = ("job", "status", "lag", "vertex", "needs attention")
ROWS = (("sensor-alerts", "RUNNING", "-", "Source: readings -> simulate", "no checkpoint"),)


def lines(width: int, rows: tuple[tuple[str, ...], ...] = ROWS) -> list[str]:
    out = io.StringIO()
    table = FittingTable(
        HEADINGS,
        [[Text(cell) for cell in row] for row in rows],
        gives_way="vertex",
        leave_out=("vertex", "lag"),
    )
    Console(file=out, width=width, color_system=None).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (120, "sensor-alerts  RUNNING  -    Source: readings -> simulate  no checkpoint"),
        (70, "sensor-alerts  RUNNING  -    Source: readings -> sim…  no checkpoint"),
        (57, "sensor-alerts  RUNNING  Source: reading…  no checkpoint"),
        (45, "sensor-alerts  RUNNING  no checkpoint"),
    ],
)
def test_the_least_important_gives_way(width: int, shown: str) -> None:
    """Shows a line for each job; a column without a value goes before one that has some."""
    headings, row = lines(width)
    assert " ".join(row.split()) == " ".join(shown.split())
    assert len(row) <= width
    assert ("lag" in headings) == (" - " in row)


def test_a_name_that_is_too_long_is_cut_in_its_line() -> None:
    (_, row) = lines(40, (("x" * 90, "RUNNING", "1 s", "count", "-"),))
    assert len(row) <= 40
    assert "…" in row
