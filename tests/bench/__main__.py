"""Run the benchmarks: `python -m tests.bench [names] [--rounds K] [--jobs N]`.

The page docs/benchmarks.md is written when all of them ran, since its figures are of one run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    concurrent_creation,
    creation,
    gateway_actions,
    gateway_records,
    portal_viewers,
    state_check,
    submission,
    unchanged,
)
from tests.bench.comparison import Measured
from tests.bench.machine import Machine
from tests.bench.page import page, section
from tests.flink_cluster import end_orphans
from tests.job_jars import ROOT

PAGE = ROOT / "docs/benchmarks.md"


def main() -> int:
    """Measure, show what was found, and write the page."""
    options = _options()
    measures: dict[str, Callable[[Path], Measured]] = {
        "submission": lambda directory: submission.measure(directory, options.rounds),
        "creation": lambda directory: creation.measure(directory, options.rounds),
        "concurrent-creation": lambda directory: concurrent_creation.measure(
            directory, options.rounds
        ),
        "gateway-actions": lambda directory: gateway_actions.measure(directory, options.rounds),
        "gateway-records": lambda directory: gateway_records.measure(directory, options.rounds),
        "portal-viewers": lambda directory: portal_viewers.measure(directory, options.rounds),
        "state-check": lambda directory: state_check.measure(directory, options.rounds),
        "unchanged": lambda directory: unchanged.measure(directory, options.rounds, options.jobs),
    }
    unknown = set(options.names) - set(measures)
    if unknown:
        sys.exit(f"no benchmark is named {', '.join(sorted(unknown))}: {', '.join(measures)}")
    end_orphans()
    machine = Machine.this()
    _show(page([], machine))
    found = []
    for name in options.names or measures:
        _show(f"measuring {name} …\n")
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as directory:
            found.append(measures[name](Path(directory)))
        # At once: what was found is not lost where a later benchmark fails.
        _show(f"measured {name} in {time.monotonic() - began:.0f} s\n\n{section(found[-1])}\n")
    if not options.names:
        PAGE.write_text(page(found, machine), encoding="utf-8")
        _show(f"written to {PAGE.relative_to(ROOT)}\n")
    return 0


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="which; all if none is named")
    parser.add_argument("--rounds", type=_at_least_one, default=5, help="turns of each (5)")
    parser.add_argument("--jobs", type=_at_least_one, default=1000, help="unchanged jobs (1000)")
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
