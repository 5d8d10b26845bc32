"""Try every fault, and write docs/faults.md: `python -m tests.faults.matrix`.

Those of a JobManager with HA storage are tried by `--parts ha`: docs/faults-with-ha.md.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from tests.bench.machine import Machine
from tests.faults.matrix.actions import ACTIONS, MatrixAction
from tests.faults.matrix.campaign import (
    CONFIGURATION,
    Campaign,
    Recorded,
    disturbed_cases,
    every_case,
)
from tests.faults.matrix.cases import Case, Tried
from tests.faults.matrix.disturbances import DISTURBANCES, FORGETFUL
from tests.faults.matrix.page import Campaigns, page
from tests.flink_cluster import ADAPTIVE, FLINK_2, FlinkCluster, end_orphans
from tests.job_jars import ROOT
from tests.zookeeper import ZooKeeper

PARTS = ("requests", "adaptive", "expiry", "clusters")
WITH_HA = "ha"
#: What is written of all faults of some parts.
PAGES = {
    frozenset(PARTS): ROOT / "docs/faults.md",
    frozenset({WITH_HA}): ROOT / "docs/faults-with-ha.md",
}


def main() -> int:
    """Try the faults; 1 where anything was lost or doubled."""
    options = _options()
    end_orphans()
    machine, began = Machine.this(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        found, restored, planned = asyncio.run(_all(Path(directory), options))
    done = Campaigns(found, restored, planned, (time.monotonic() - began) / 60)
    written = PAGES.get(frozenset(options.parts))
    if written and not options.actions:
        text = page(done, machine, with_ha=WITH_HA in options.parts)
        written.write_text(text, encoding="utf-8")
        _show("faults", f"written to {written.relative_to(ROOT)}")
    return 1 if any(each.is_bad for each in found) else 0


async def _all(root: Path, options: argparse.Namespace) -> tuple[list[Tried], int, int]:
    """Try faults on a shared cluster; and on others, at the same time, what befalls a whole one.

    Returns:
        What was tried, how many savepoints were restored from, and how many faults there are.
    """
    found: list[Tried] = []
    restored = planned = 0

    def start(name: str, configuration: Mapping[str, str]) -> FlinkCluster:
        return FlinkCluster(root / name, FLINK_2, configuration=configuration)

    async def part(name: str, configuration: Mapping[str, str], lanes: int) -> None:
        nonlocal restored, planned
        if name not in options.parts:
            return
        adaptive = name == "adaptive"
        chosen = [each for each in _chosen_actions(options) if each.adaptive is adaptive]
        if name == WITH_HA:  # two clusters would need two
            chosen = [each for each in chosen if not each.moves]
        places = [name, f"{name}-elsewhere"] if any(each.moves for each in chosen) else [name]
        with ExitStack() as stack:
            if name == WITH_HA:
                keeper = await asyncio.to_thread(ZooKeeper, root / "zookeeper", FLINK_2)
                configuration = {
                    **configuration,
                    **stack.enter_context(closing(keeper)).configuration,
                }
            cluster, *others = [
                stack.enter_context(closing(await asyncio.to_thread(start, place, configuration)))
                for place in places
            ]
            campaign = Campaign(
                cluster,
                root / name / "jobs",
                lanes,
                partial(_show, name),
                others[0] if others else None,
            )
            recorded = await campaign.record(chosen, options.reads)
            cases = _cases(name, recorded)
            planned += len(cases)
            await campaign.run(_sampled(cases, options))
            _show(name, campaign.progress())
            found.extend(campaign.found)
            restored += campaign.restored

    async with asyncio.TaskGroup() as parts:
        parts.create_task(part("requests", CONFIGURATION, options.lanes))
        parts.create_task(part("adaptive", {**CONFIGURATION, **ADAPTIVE}, 1))
        parts.create_task(part("expiry", FORGETFUL, 3))
        parts.create_task(part("clusters", CONFIGURATION, 1))
        parts.create_task(part(WITH_HA, CONFIGURATION, 1))
    return found, restored, planned


def _chosen_actions(options: argparse.Namespace) -> list[MatrixAction]:
    return [each for each in ACTIONS if not options.actions or each.name in options.actions]


def _cases(part: str, recorded: Recorded) -> list[Case]:
    """Return the cases of one cluster."""
    if part == "expiry":
        return disturbed_cases(recorded, [each for each in DISTURBANCES if each.configuration])
    if part == WITH_HA:
        return disturbed_cases(recorded, [each for each in DISTURBANCES if each.keeps_jobs])
    apart = part == "clusters"
    others = [each for each in DISTURBANCES if not each.configuration and not each.keeps_jobs]
    fitting = [each for each in others if each.apart is apart]
    return [*([] if apart else every_case(recorded)), *disturbed_cases(recorded, fitting)]


def _sampled(cases: Sequence[Case], options: argparse.Namespace) -> Sequence[Case]:
    if not options.sample or options.sample >= len(cases):
        return cases
    return random.Random(options.seed).sample(cases, options.sample)


def _show(part: str, text: str) -> None:
    sys.stdout.write(f"{part}: {text}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", nargs="*", metavar="ACTION", help="by name; all if not given")
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=(*PARTS, WITH_HA))
    parser.add_argument("--lanes", type=int, default=6, help="jobs at the same time")
    parser.add_argument("--reads", type=int, default=2, help="of polls, how many")
    parser.add_argument("--sample", type=int, default=0, help="of each part, how many")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
