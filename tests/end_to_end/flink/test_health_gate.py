"""Versions that come up and are not healthy: the gate names the check, and nothing is lost.

The counts of each key continue after the rollback without a gap or a repeat, though each of these
versions has read numbers, and most have committed lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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

    def declare(self, entry: str, *args: str, **inputs: Any) -> None:
        """Declare a version with an entry class, and arguments besides the usual ones."""
        usual = ["--output", str(self.output), "--keys", "4", "--rate", "40"]
        usual += ["--checkpoint-interval", "400", "--label", entry or "first"]
        self.project.declare(
            "orders",
            jar=str(TEST_JOBS_JAR),
            entry_class=entry_class(entry) if entry else COUNTING_CLASS,
            parallelism=1,
            args=[*usual, *args],
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


@pytest.fixture
def counted(
    flink: FlinkCluster, make_stack: Callable[..., StackProject], tmp_path: Path
) -> Counted:
    """Return a counting job on a cluster."""
    return Counted(make_stack(flink.url), flink, tmp_path / "counts")


#: Versions: their arguments, their gates besides the window, and what is said of them.
UNHEALTHY: dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[str, ...]]] = {
    "FailingTask": (
        ("--fail-after-millis", "4000", "--restarts", "1000"),
        {},
        (r"health\.max_restarts: its tasks failed 1 time in \d+ s, ", "the task failed on purpose"),
    ),
    "FailingSink": (
        ("--fail-after-millis", "9000"),
        {},
        (r"health\.max_restarts: .*(tasks failed 1 time|is FAILED)", "the sink failed on purpose"),
    ),
    "SilentCount": (
        (),
        {"require_output": True},
        (r"health\.require_output: its sinks have received 0 records, none in 1\d s; \d+\.\d/s ",),
    ),
    "SlowSnapshot": (
        ("--snapshot-millis", "1500"),
        {"max_checkpoint_slowdown": 5},
        (r"health\.max_checkpoint_slowdown: checkpoints take 1\d\d\d ms, \d+ ms before, and ",),
    ),
}


@pytest.mark.parametrize("entry", UNHEALTHY)
def test_a_version_that_is_not_healthy_gives_way_with_each_number_counted_once(
    counted: Counted, entry: str
) -> None:
    args, gate, texts = UNHEALTHY[entry]
    first = counted.start()
    counted.declare(entry, *args, health={"window": "14s", **gate})
    counted.project.preview().assert_says("; health gate 14s")
    failed = counted.project.failing_up()
    failed.assert_says("orders: version 2 did not pass its health gate: ")
    for text in texts:
        assert re.search(text, failed.text), failed.text
    again = counted.active()
    failed.assert_says(f"The previous version runs again as job {again}, from ")
    assert again != first
    counted.await_more("first")
    counted.stop()


def test_a_version_that_cannot_read_the_state_gives_way_with_each_number_counted_once(
    counted: Counted,
) -> None:
    """Shows it of a serializer, which no check of the state sees before the stop."""
    counted.start()
    counted.declare("IncompatibleState", "--restarts", "1000", health={"window": "14s"})
    counted.project.preview().assert_says("; state fits (", "; health gate 14s")
    failed = counted.project.failing_up()
    assert re.search(r"orders: version 2 did not (start|pass its health gate): ", failed.text)
    failed.assert_says(f"The previous version runs again as job {counted.active()}, from ")
    counted.await_more("first")
    counted.stop()


def test_a_version_that_is_kept_is_watched_again_and_not_restarted(counted: Counted) -> None:
    """Shows `on_failure: keep`, and that another run accepts it where no gate is asked for."""
    counted.start()
    gate = {"window": "8s", "max_checkpoint_slowdown": 5, "on_failure": "keep"}
    counted.declare("SlowSnapshot", "--snapshot-millis", "1500", health=gate)
    failed = counted.project.failing_up()
    kept = counted.active()
    failed.assert_says(f"Job {kept} was left running and is recorded")
    recorded = counted.project.resources()["orders"]["outputs"]
    assert (recorded["job_id"], recorded["action_result"]) == (kept, "FAILED")
    assert recorded["gate_failed"]["check"] == "max_checkpoint_slowdown"
    counted.project.preview().assert_says("orders: no restart, watched through its health gate ")
    counted.project.failing_up().assert_says("health.max_checkpoint_slowdown: checkpoints take ")
    assert counted.active() == kept
    del counted.project.jobs["orders"]["health"]
    counted.project.up()
    assert counted.active() == kept
    assert "gate_failed" not in counted.project.outputs("orders")
    counted.await_more("SlowSnapshot")


def test_a_version_that_is_healthy_passes_with_its_numbers(counted: Counted) -> None:
    counted.start()
    gate = {"window": "16s", "require_output": True, "max_checkpoint_slowdown": 20}
    counted.declare("CountingJobV2", health={**gate, "min_checkpoints": 3})
    up = counted.project.up()
    shown = re.search(
        r"orders: health gate passed: 1\d s, 0 restarts, \d+ checkpoints of \d+ ms "
        r"\(\d+ before\), \d+ records received by its sinks",
        up.text,
    )
    assert shown, up.text
    counted.await_more("v2-CountingJobV2")
    counted.stop()
