"""Switching over with both versions running, on a real Flink: the old one stops last.

Each version writes to a directory of its own, and the new one's sink has another uid: what the old
one has yet to commit is not the new one's to commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.savepoint import same_path
from tests.counting_output import assert_counts_continuous, committed_lines
from tests.end_to_end.flink.counting_stack import COUNTING_CLASS, RETAINED
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.stack_project import StackProject
from tests.waiting import wait_until

_OVER = {"FINISHED", "FAILED", "CANCELED"}


@dataclass
class Switched:
    """The job `orders`, which counts; each version writes below a directory of its own."""

    project: StackProject
    cluster: FlinkCluster
    root: Path

    def declare(self, label: str, entry: str = "", *args: str, **inputs: Any) -> None:
        """Declare a version, by its label."""
        usual = ["--output", str(self.root / label), "--keys", "4", "--rate", "40"]
        usual += ["--checkpoint-interval", "400", "--sink-uid", label]
        self.project.declare(
            "orders",
            jar=str(TEST_JOBS_JAR),
            entry_class=entry_class(entry) if entry else COUNTING_CLASS,
            parallelism=1,
            args=[*usual, *args],
            flink_configuration=RETAINED,
            upgrade_mode="blue-green",
            allow_non_restored_state=True,
            **{"settle_time": "2s", **inputs},
        )

    def start(self) -> str:
        """Start the first version; return its jobId."""
        self.declare("blue")
        self.project.up()
        return self.running()[0]

    def running(self) -> list[str]:
        """Return the jobs that have not ended, the oldest generation first."""
        rows = self.cluster.jobs()
        return sorted(id_ for id_, row in rows.items() if row["state"] not in _OVER)

    def counts(self, label: str) -> dict[int, list[int]]:
        """Return the committed counts of each key of one version, sorted."""
        found: dict[int, list[int]] = {}
        for line in committed_lines(self.root / label):
            key, count = line.split(",")[:2]
            found.setdefault(int(key), []).append(int(count))
        return {key: sorted(counts) for key, counts in found.items()}

    def await_more(self, label: str) -> None:
        """Wait until a version has committed more."""
        before = sum(map(len, self.counts(label).values()))
        wait_until(
            lambda: sum(map(len, self.counts(label).values())) > before, 30, f"{label} commits"
        )

    def restored_from(self, job_id: str) -> str:
        """Return what Flink says a job was started from."""
        latest = self.cluster.get(f"/jobs/{job_id}/checkpoints")["latest"]
        return str(latest["restored"]["external_path"])

    def restarts(self, job_id: str) -> int:
        """Return how often a job failed, as Flink lists it."""
        return len(self.cluster.get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"])


@pytest.fixture
def switched(
    flink: FlinkCluster, make_stack: Callable[..., StackProject], tmp_path: Path
) -> Switched:
    """Return a counting job on a cluster."""
    return Switched(make_stack(flink.url), flink, tmp_path / "counts")


def test_the_old_version_runs_until_the_new_one_is_up(switched: Switched) -> None:
    """Shows that the old one counted on without a gap to its end, and the new one from before it.

    So no number is missing; those between the two savepoints are written by both.
    """
    blue = switched.start()
    switched.await_more("blue")
    switched.declare("green", "CountingJobV2", health={"window": "5s"})
    switched.project.preview().assert_says(
        "orders: UPDATE, start alongside it from a savepoint, and stop it when the new version is "
        "up: OUTPUT IS WRITTEN BY BOTH UNTIL THEN: ",
        "; health gate 5s",
    )
    up = switched.project.up()
    up.assert_says(f"orders: starting version 2 alongside job {blue}, which stops when it is up")
    (green,) = switched.running()
    old = assert_counts_continuous(switched.root / "blue", complete=True).by_key
    wait_until(
        lambda: all(counts[-1] > old[key] for key, counts in switched.counts("green").items()),
        30,
        "the new version commits more than the old one did",
    )
    outputs = switched.project.outputs("orders")
    assert (outputs["job_id"], outputs["action_result"]) == (green, "SUCCESS")
    stopped, mid = (outputs["savepoints"][at]["path"] for at in (0, 1))
    assert [each["reason"] for each in outputs["savepoints"][:2]] == ["UPDATE", "SAVEPOINT"]
    assert same_path(switched.restored_from(green), mid)
    assert not same_path(stopped, mid)
    recorded = switched.project.resources()["orders"]["outputs"]
    assert recorded["history"][1]["savepoint"] == stopped
    assert switched.restarts(blue) == 0
    assert switched.cluster.jobs()[blue]["state"] == "FINISHED"
    for key, counts in switched.counts("green").items():
        assert counts == list(range(counts[0], counts[-1] + 1))
        assert 1 < counts[0] <= old[key], "it went on from a state of the old one's"
    assert switched.project.preview("--refresh", "--expect-no-changes").code == 0


def test_a_new_version_that_fails_costs_the_old_one_nothing(switched: Switched) -> None:
    """Shows it of a sink that fails after some seconds: the old job was not even restarted."""
    blue = switched.start()
    switched.declare(
        "green", "FailingSink", "--fail-after-millis", "6000", health={"window": "14s"}
    )
    failed = switched.project.failing_up()
    assert re.search(
        r"orders: version 2 did not pass its health gate: health\.max_restarts: .*on purpose",
        failed.text,
    ), failed.text
    failed.assert_says(f"It was cancelled. Job {blue} was not stopped, and goes on as it was.")
    assert switched.running() == [blue]
    assert switched.restarts(blue) == 0
    recorded = switched.project.resources()["orders"]["outputs"]
    assert (recorded["job_id"], recorded["action_result"]) == (blue, "FAILED")
    switched.await_more("blue")
    assert_counts_continuous(switched.root / "blue")
    switched.declare("blue")
    switched.project.preview("--refresh", "--expect-no-changes")
    switched.declare("later", "CountingJobV2")
    switched.project.up()
    (later,) = switched.running()
    assert f"/{blue}/" in switched.restored_from(later)
    assert_counts_continuous(switched.root / "blue", complete=True)
