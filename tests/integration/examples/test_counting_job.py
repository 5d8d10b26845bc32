"""CountingJob on real Flink: the ground that every test of carried-over state stands on."""

from __future__ import annotations

from pathlib import Path

from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR
from tests.waiting import wait_until


def test_counts_go_on_over_restores_with_other_parallelism(
    flink: FlinkCluster, tmp_path: Path
) -> None:
    """Restored 1 → 3 → 2, the counts of every key go on without a gap or a repeat."""
    savepoint: dict[str, str] = {}
    for parallelism in (1, 3, 2):
        label = f"p{parallelism}"
        args = ["--output", str(tmp_path), "--rate", "500", "--label", label]
        job_id = flink.run(COUNTING_JAR, args, parallelism=parallelism, **savepoint)

        def committed(label: str = label) -> bool:
            return assert_counts_continuous(tmp_path).labels[label] > 200

        wait_until(committed, 30, f"200 lines labelled {label} are committed")
        savepoint = {"savepointPath": flink.stop_with_savepoint(job_id)}
        counts = assert_counts_continuous(tmp_path, complete=True)
        assert counts.labels[label] > 200
        assert len(counts.by_key) == 8
