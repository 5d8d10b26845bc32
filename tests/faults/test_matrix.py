"""A choice of the faults that `make faults` tries: nothing is lost, and nothing doubled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from tests.faults.matrix.campaign import USUAL_ACTIONS, Campaign, Recorded, every_case
from tests.faults.matrix.cases import Outcome
from tests.flink_cluster import FLINK_2, FlinkCluster

#: How many faults are chosen for each action; they take about a second each.
_OF_EACH = 3


async def _tried(campaign: Campaign, choices: random.Random) -> Recorded:
    recorded = await campaign.record(reads=1)
    await campaign.run(
        [
            case
            for action in recorded
            for case in choices.sample(every_case({action: recorded[action]}), _OF_EACH)
        ]
    )
    return recorded


def test_nothing_is_lost_or_doubled(
    flink_2: FlinkCluster,
    start_flink: Callable[..., FlinkCluster],
    tmp_path: Path,
    random_choices: random.Random,
) -> None:
    """Shows it for faults at some requests of each action; every job is right in the next run."""
    campaign = Campaign(flink_2, tmp_path / "jobs", elsewhere=start_flink(FLINK_2))
    recorded = asyncio.run(_tried(campaign, random_choices))
    bad = [f"{each.case}: {each.ended}: {each.why}" for each in campaign.found if each.is_bad]
    assert bad == []
    survived = [each for each in campaign.found if each.outcome is Outcome.SURVIVED]
    assert len(survived) >= len(USUAL_ACTIONS) * (_OF_EACH - 1), campaign.progress()
    assert all(any(not request.reads for request in requests) for requests in recorded.values())
