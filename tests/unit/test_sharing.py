"""Tests that share something are for one process."""

from __future__ import annotations

import pytest

from tests.flink_cluster import FLINK_1
from tests.sharing import group_of


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("integration/cli/test_jobs.py::a", "integration/cli/test_jobs.py::b[flink-2.3.0]", True),
        ("integration/cli/test_jobs.py::a", "integration/cli/test_gateway.py::a", False),
        ("end_to_end/flink/test_drift.py::a[x]", "end_to_end/flink/test_drift.py::a[y]", False),
        ("end_to_end/engine/test_kills.py::a", "end_to_end/engine/test_kills.py::b", True),
        (
            f"integration/cli/test_jobs.py::a[flink-{FLINK_1}]",
            f"integration/examples/test_failing_jobs.py::b[flink-{FLINK_1}]",
            True,
        ),
        (
            "end_to_end/flink/test_updates.py::test_a_job_lives_on_flink_1[embedded]",
            f"end_to_end/flink/test_drift.py::a[flink-{FLINK_1}]",
            True,
        ),
    ],
)
def test_what_shares_something_is_in_one_group(one: str, other: str, together: bool) -> None:
    assert (group_of(f"tests/{one}") == group_of(f"tests/{other}")) == together
