"""Jobs that their cluster loses, or that fail, before any run has recorded the state they have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.matrix.actions import NEW, STATELESS_UPDATE, STOP, MatrixAction
from tests.faults.matrix.campaign import CONFIGURATION, Campaign, disturbed_cases
from tests.faults.matrix.cases import Case, Outcome, Recovery
from tests.faults.matrix.disturbances import DISTURBANCES
from tests.faults.matrix.kinds import RequestOfRun
from tests.flink_cluster import FLINK_2, FlinkCluster

_CHECKPOINT, _STOP = "POST /jobs/…/checkpoints", "POST /jobs/…/stop"
_BEFORE, _AFTER = (f"JobManager restarted without HA, {when}" for when in ("before", "after"))
_SURVIVED, _AFRESH = Outcome.SURVIVED, Outcome.WENT_BACK


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """Start a Flink 2.3 that may be restarted."""
    root = tmp_path_factory.mktemp("lost")
    with closing(FlinkCluster(root / "flink", FLINK_2, configuration=CONFIGURATION)) as cluster:
        yield cluster


def _case(action: MatrixAction, request: str, kind: str, recovery: Recovery) -> Case:
    disturbance = [each for each in DISTURBANCES if each.kind.name == kind]
    [case] = disturbed_cases({action: [RequestOfRun(request)]}, disturbance)
    return Case(action, case.kind, case.request, recovery, case.begin, case.repair)


@pytest.mark.parametrize(
    ("action", "request_", "kind", "recovery", "outcome"),
    [
        pytest.param(NEW, _CHECKPOINT, _AFTER, Recovery.ANOTHER, _SURVIVED, id="new-lost"),
        pytest.param(NEW, _CHECKPOINT, "storage full", Recovery.ANOTHER, _SURVIVED, id="new-full"),
        pytest.param(STOP, _STOP, _BEFORE, Recovery.REFRESHED, _SURVIVED, id="stop-lost"),
        pytest.param(
            *(STATELESS_UPDATE, "DELETE /jars/…", _AFTER, Recovery.SAME, _AFRESH), id="stateless"
        ),
    ],
)
def test_what_it_has_done_is_gone_on_from(
    cluster: FlinkCluster,
    tmp_path: Path,
    action: MatrixAction,
    request_: str,
    kind: str,
    recovery: Recovery,
    outcome: Outcome,
) -> None:
    """Shows that nothing is lost or counted twice; `stateless` alone starts afresh, as it says."""
    campaign = Campaign(cluster, tmp_path, lanes=1)
    asyncio.run(campaign.run([_case(action, request_, kind, recovery)]))
    [tried] = campaign.found
    assert tried.outcome is outcome, f"{tried.case}: {tried.ended}: {tried.why}"
