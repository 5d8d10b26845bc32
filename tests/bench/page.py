"""docs/benchmarks.md, from what was measured. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from statistics import median

from tests.bench.comparison import Comparison, Measured
from tests.bench.machine import Machine

_HEAD = """\
# Benchmarks

Written by `make bench`; not edited by hand.

Every figure is a ratio to a baseline that was measured in the same run on the same machine, in
turns (ours, baseline, ours, baseline), so that a faster or busier machine changes both. Below 1 is
faster, or less, than the baseline. Given are medians over the rounds, and in brackets the least
and the greatest ratio. All of it ran on a real Flink session cluster, with the embedded engine.
"""
_COLUMNS = "| measured | aim | ratio | ours | baseline | rounds |\n|---|---|---|---|---|---|"


def page(measured: Sequence[Measured], machine: Machine) -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, _facts_of(machine), *map(section, measured)])


def table(comparisons: Sequence[Comparison]) -> str:
    """Return a table with a row for each comparison."""
    return "\n".join([_COLUMNS, *map(_row, comparisons)])


def section(one: Measured) -> str:
    """Return the part of the page that one benchmark fills."""
    parts = [f"## {one.title}", textwrap.fill(" ".join(one.how.split()), 100)]
    if one.comparisons:
        parts.append(table(one.comparisons))
    if one.facts:
        parts.append("\n".join(f"- {fact.what}: {fact.value}" for fact in one.facts))
    return "\n\n".join(parts) + "\n"


def _facts_of(machine: Machine) -> str:
    rows = [f"| {name} | {value} |" for name, value in machine.rows()]
    return "\n".join(["| machine | |", "|---|---|", *rows, ""])


def _row(one: Comparison) -> str:
    aim = "-"
    if one.aim:
        aim = f"{one.aim.text}, {'met' if one.met else '**missed**'}"
    ratios = one.ratios
    cells = (
        one.what,
        aim,
        f"{median(ratios):.2f} [{min(ratios):.2f} to {max(ratios):.2f}]",
        amount(median(one.ours), one.unit),
        amount(median(one.baseline), one.unit),
        str(len(ratios)),
    )
    return f"| {' | '.join(cells)} |"


def amount(value: float, unit: str) -> str:
    """Write a value with three digits that count."""
    if unit == "s" and value < 1:
        return f"{value * 1000:.0f} ms"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"
