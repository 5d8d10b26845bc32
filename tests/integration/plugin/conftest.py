"""The inputs of a counting job on a real Flink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.flink_cluster import FlinkCluster
from tests.integration.provided_job import COUNTING_ARGS, RETAINED
from tests.job_jars import TEST_JOBS_JAR

_ENDED = {"FINISHED", "FAILED", "CANCELED"}


@pytest.fixture
def inputs(flink_2: FlinkCluster, tmp_path: Path) -> dict[str, Any]:
    """Return the inputs of a counting job."""
    return {
        "target": {"kind": "flink", "url": flink_2.url},
        "job_name": "orders",
        "owner": "acme/shop/prod",
        "jar": str(TEST_JOBS_JAR),
        "entry_class": "flinkjobs.counting.CountingJob",
        "args": ["--output", str(tmp_path / "output"), *COUNTING_ARGS],
        "parallelism": 1,
        "flink_configuration": RETAINED,
        "settle_time": "0s",
    }


def active(flink: FlinkCluster) -> list[str]:
    """Return the jobs that a cluster works on."""
    return [id_ for id_, row in flink.jobs().items() if row["state"] not in _ENDED]
