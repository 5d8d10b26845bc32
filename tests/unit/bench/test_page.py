"""The page that the benchmarks write."""

from __future__ import annotations

import pytest

from tests.bench.comparison import Aim, Comparison, Fact, Measured
from tests.bench.machine import Machine
from tests.bench.page import amount, page, table

MACHINE = Machine(2, 23.6, 0.25, (("Flink", "2.3.0"),), "2026-11-21")


def test_a_row_for_each_comparison() -> None:
    rows = table(
        [
            Comparison("one", [0.1, 0.2, 0.4], [1.0, 1.0, 1.0], aim=Aim("at most 0.10", 0.1)),
            Comparison("two", [80.0], [40.0], "MiB"),
        ]
    ).splitlines()[2:]
    assert rows == [
        "| one | at most 0.10, **missed** | 0.20 [0.10 to 0.40] | 200 ms | 1.00 s | 3 |",
        "| two | - | 2.00 [2.00 to 2.00] | 80.0 MiB | 40.0 MiB | 1 |",
    ]


def test_a_section_for_each_benchmark() -> None:
    """Shows that a page holds the machine, how each was measured, its figures and facts."""
    measured = Measured(
        "Creating jobs",
        "\nThey are\ncreated.\n",
        [Comparison("x", [1.0], [2.0])],
        [Fact("requests", "3")],
    )
    text = page([measured], MACHINE)
    assert text.startswith("# Benchmarks\n")
    assert "| memory | 24 GiB |\n" in text
    assert "| Flink | 2.3.0 |\n" in text
    assert "\n## Creating jobs\n\nThey are created.\n\n| measured |" in text
    assert text.endswith("\n\n- requests: 3\n")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.1234, "s", "123 ms"),
        (1.234, "s", "1.23 s"),
        (12.34, "s", "12.3 s"),
        (123.4, "s", "123 s"),
        (0.5, "MiB", "0.50 MiB"),
    ],
)
def test_amounts_have_three_digits_that_count(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text
