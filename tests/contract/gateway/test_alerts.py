"""The alerting rules and the dashboard of docs/, evaluated by Prometheus for two gateways.

What it has scraped of them is what gateways show, with the labels that Prometheus adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from flink_jobs_provider.gateway.ops.job_metrics import (
    Deployments,
    cluster_families,
    job_families,
)
from flink_jobs_provider.gateway.ops.prometheus import Metrics
from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.observing.health import ClusterHealth, Memory
from tests.promtool import SCRAPED_AS, Scrapes, check_rules, why_no_promtool
from tests.unit.gateway.ops.test_prometheus import row

FILES = Path(__file__).parents[3] / "docs/gateway"
RULES = FILES / "alerts.yml"
CLUSTER = "c"
JOB = {"cluster": CLUSTER, "job_name": "orders"}
_RUNS = ObservedJob("a", "x", "RUNNING", tasks=4, running_tasks=4, modified=1000)
_WHY_NOT = why_no_promtool()
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT or "it is there"),
]


@dataclass
class Shown:
    """A gateway, and what it shows when it is scraped.

    Attributes:
        job: The job as its cluster has it.
        metaspace: Of 100, how much is used there.
    """

    metrics: Metrics = field(default_factory=Metrics)
    deployments: Deployments = field(default_factory=Deployments)
    job: ObservedJob = _RUNS
    status: str = "RUNNING"
    result: ActionResult = ActionResult.SUCCESS
    metaspace: int = 40

    def scraped(self) -> Iterator[Metric]:
        """Yield its metrics as Prometheus reads them."""
        self.metrics.cluster_reachable(CLUSTER, reachable=True)
        yield from text_string_to_metric_families(self.metrics.render()[0].decode())
        memory = Memory(self.metaspace, 100)
        health = ClusterHealth(0, "2.3.0", 2, 8, 3, ClusterSnapshot((self.job,)), metaspace=memory)
        self.deployments.update({CLUSTER: health})
        job: Any = SimpleNamespace(
            cluster=CLUSTER,
            job_name="orders",
            status=self.status,
            last=row(Action.UPDATE, self.result, 1),
            record=SimpleNamespace(job_id=self.job.job_id),
        )
        yield from job_families([job], {CLUSTER: health}, self.deployments, omitted=0)
        yield from cluster_families({CLUSTER: health})


@dataclass
class Pair:
    """Two gateways on the same records, and Prometheus."""

    directory: Path
    one: Shown = field(default_factory=Shown)
    other: Shown = field(default_factory=Shown)
    scrapes: Scrapes = field(default_factory=Scrapes)

    def go_on(self, minutes: int = 1, *, without_one: bool = False) -> None:
        """Let time go by."""
        for _ in range(minutes):
            one = None if without_one else self.one.scraped()
            self.scrapes.minute(one=one, other=self.other.scraped())

    def both(self, **changes: Any) -> None:
        """Change what both show."""
        for each in (self.one, self.other):
            for name, value in changes.items():
                setattr(each, name, value)

    def fires(self, **expected: Iterable[dict[str, str]]) -> None:
        """Check which alerts fire now, with their labels: these alone, and each once."""
        assert not self.scrapes.alerts(self.directory, RULES, expected)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Return two gateways that have been well for a while."""
    pair = Pair(tmp_path)
    pair.go_on(6)
    return pair


def test_prometheus_has_nothing_against_the_rules() -> None:
    assert not check_rules(RULES)


def test_nothing_fires_while_all_is_well(pair: Pair) -> None:
    pair.go_on(12)
    pair.fires()


@pytest.mark.parametrize("status", ["FAILED", "LOST", "JOB_LAUNCH_FAILED"])
def test_a_job_that_is_down_is_one_alert(pair: Pair, status: str) -> None:
    """Shows that it goes on firing while the gateway that showed it first is away."""
    pair.both(status=status, job=replace(_RUNS, state="FAILED", running_tasks=0))
    pair.go_on(3)
    down = {**JOB, "status": status}
    pair.fires(FlinkJobDown=[down])
    pair.go_on(6, without_one=True)
    gone = {"job": SCRAPED_AS, "instance": "one"}
    pair.fires(FlinkJobDown=[down], GatewayDown=[gone])


def test_a_job_that_restarts(pair: Pair) -> None:
    pair.both(status="RESTARTING", job=replace(_RUNS, state="RESTARTING", running_tasks=0))
    pair.go_on(7)
    pair.fires(FlinkJobRestarting=[JOB], FlinkJobTasksNotRunning=[JOB])


def test_restarts_that_two_gateways_see_count_once(pair: Pair) -> None:
    """Shows that two restarts, which each gateway sees, are not the four that would be an alert."""
    for modified in (2000, 3000):
        pair.both(job=replace(_RUNS, modified=modified))
        pair.go_on()
    pair.fires()
    pair.both(job=replace(_RUNS, modified=4000))
    pair.go_on()
    pair.fires(FlinkJobRestartsOften=[JOB])


def test_the_first_action_that_fails_is_one_alert(pair: Pair) -> None:
    """Shows it of a gateway that has counted no action before."""
    pair.one.metrics.action(row(Action.UPDATE, ActionResult.FAILED, 1))
    pair.both(result=ActionResult.FAILED)
    pair.go_on(2)
    labels = {"job": SCRAPED_AS, "instance": "one", "action": "UPDATE", "result": "FAILED"}
    pair.fires(JobActionsFail=[labels], FlinkJobActionFailed=[JOB])


def test_a_lost_job_that_is_started_again(pair: Pair) -> None:
    pair.other.metrics.action(row(Action.RE_LAUNCH, ActionResult.SUCCESS, 1))
    pair.go_on(2)
    labels = {"job": SCRAPED_AS, "instance": "other", "action": "RE_LAUNCH", "result": "SUCCESS"}
    pair.fires(LostJobsStartedAgain=[labels])


def test_the_first_error_of_a_gateway(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.one.metrics.request("GET", "/api/v1/jobs", 200, 0.1)
    pair.go_on(3)
    pair.one.metrics.request("GET", "/api/v1/jobs", 503, 0.1)
    pair.go_on(2)
    pair.fires(GatewayErrors=[{"instance": "one"}])


def test_metaspace(pair: Pair) -> None:
    pair.both(metaspace=95)
    pair.go_on(12)
    pair.fires(FlinkClusterMetaspaceFull=[{"cluster": CLUSTER}])


_PANELS = [
    (panel["title"], target["expr"])
    for panel in json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    for target in panel["targets"]
]
#: What the dashboard shows of one job that runs, seen by two gateways.
_SHOWN: dict[str, tuple[dict[str, str], float]] = {
    "Jobs by status": ({"status": "RUNNING"}, 1),
    "Times that tasks were deployed again, per hour": (JOB, 0),
    "Tasks that do not run": (JOB, 0),
    "Free task slots": ({"cluster": CLUSTER}, 3),
    "Metaspace of TaskManagers in use": ({"cluster": CLUSTER}, 0.4),
    "Actions that ended, per minute": ({"action": "UPDATE", "result": "SUCCESS"}, 2),
}


@pytest.mark.parametrize(("title", "expression"), _PANELS, ids=str)
def test_the_dashboard_counts_nothing_twice(pair: Pair, title: str, expression: str) -> None:
    """Shows each query's result where both gateways see the same job, and each ends an action."""
    for _ in range(10):
        for each in (pair.one, pair.other):
            each.metrics.action(row(Action.UPDATE, ActionResult.SUCCESS, 1))
        pair.go_on()
    # As Grafana fills in what is chosen: all clusters, all jobs.
    query = expression.replace("$cluster", ".*").replace("$job", ".*")
    if title == "Actions that ended, per minute":
        query = f"{query} > 0"
    expected = [_SHOWN[title]] if title in _SHOWN else []
    assert not pair.scrapes.query(pair.directory, query, expected)
