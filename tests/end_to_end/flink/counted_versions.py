"""Versions of one counting job on a real cluster, of which each number is counted once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.counting_output import Counts, assert_counts_continuous
from tests.end_to_end.flink.counting_stack import COUNTING_CLASS, RETAINED
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.stack_project import StackProject
from tests.waiting import wait_until


@dataclass
class Counted:
    """The job `orders`, which counts."""

    project: StackProject
    cluster: FlinkCluster
    output: Path

    def args(self, entry: str, output: Path) -> list[str]:
        """Return the arguments of a version that writes its lines into a directory."""
        usual = ["--output", str(output), "--keys", "4", "--rate", "40"]
        return [*usual, "--checkpoint-interval", "400", "--label", entry or "first"]

    def declare(self, entry: str, *args: str, **inputs: Any) -> None:
        """Declare a version with an entry class, and arguments besides the usual ones."""
        self.project.declare(
            "orders",
            jar=str(TEST_JOBS_JAR),
            entry_class=entry_class(entry) if entry else COUNTING_CLASS,
            parallelism=1,
            args=[*self.args(entry, self.output), *args],
            flink_configuration=RETAINED,
            **{"settle_time": "1s", **inputs},
        )

    def start(self) -> str:
        """Start the first version, and wait until its cluster shows what its sink receives."""
        self.declare("")
        self.project.up()
        job_id = self.active()
        wait_until(lambda: self.rate(job_id) > 0, 60, "the rate of its sink is shown")
        return job_id

    def rate(self, job_id: str) -> float:
        """Return the records per second that the sink receives, as Flink shows it."""
        vertices = self.cluster.get(f"/jobs/{job_id}")["vertices"]
        path = f"/jobs/{job_id}/vertices/{vertices[-1]['id']}/subtasks/metrics"
        shown = self.cluster.get(f"{path}?get=lines__Writer.numRecordsInPerSecond")
        return float(shown[0]["sum"]) if shown else 0.0

    def active(self) -> str:
        """Return the one job that runs."""
        over = {"FINISHED", "FAILED", "CANCELED"}
        (found,) = [id_ for id_, row in self.cluster.jobs().items() if row["state"] not in over]
        return found

    def await_more(self, label: str) -> Counts:
        """Wait until a version has committed more, without a gap or a repeat before."""
        before = assert_counts_continuous(self.output).labels[label]

        def more() -> Counts:
            counts = assert_counts_continuous(self.output)
            assert counts.labels[label] > before
            return counts

        return wait_until(more, 30, f"{label} commits lines")

    def stop(self) -> None:
        """Stop it, and assert that each number was counted once."""
        self.declare("", desired_state="stopped")
        self.project.up()
        assert_counts_continuous(self.output, complete=True)
