"""Whether a new version can go on from the state of now: said before anything stops, and true.

Each verdict is compared with what Flink does: a version whose state is refused here is refused by
Flink when it is not checked, and one whose state fits is started from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.job_graph import operator_id
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, copy_with_other_bytes, entry_class
from tests.stack_project import StackProject
from tests.waiting import wait_until

SOURCES, OPERATORS = "numbers:n", "keyed:count:c,list:buffer:b,plain:print:p"
#: The same without any uid.
BARE_SOURCES, BARE = "numbers:", "keyed:count:,list:buffer:,plain:print:"


@dataclass
class Orders:
    """The job `orders`, which runs with a completed checkpoint."""

    project: StackProject
    cluster: FlinkCluster

    def declare(
        self, operators: str = OPERATORS, sources: str = SOURCES, *more: str, **inputs: Any
    ) -> None:
        """Declare its operators, and further arguments and inputs."""
        args = ["--operators", operators, "--sources", sources, *more]
        usual = {"jar": str(TEST_JOBS_JAR), "entry_class": entry_class("DeclaredOperators")}
        self.project.declare("orders", args=args, **{"parallelism": 1, **usual, **inputs})

    def start(self, *declared: str, **inputs: Any) -> str:
        """Start it, and wait until its state is in a checkpoint; return its jobId."""
        self.declare(*declared, **inputs)
        self.project.up()
        job_id = str(self.project.outputs("orders")["job_id"])
        path = f"/jobs/{job_id}/checkpoints"
        wait_until(lambda: self.cluster.get(path)["counts"]["completed"], 60, "a checkpoint")
        return job_id

    def assert_refused(self, job_id: str, *texts: str) -> None:
        """Assert that preview and run refuse what is declared, with texts, and that it runs on."""
        jars = self.cluster.get("/jars")["files"]
        before = self.cluster.jobs()[job_id]
        preview, up = self.project.preview(code=None), self.project.up(code=None)
        for shown in (preview, up):
            assert shown.code != 0, shown.text
            shown.assert_says(*texts, f"Job {job_id} goes on as it was.")
        assert re.search(r"; (STATE IS DROPPED|state CANNOT BE RESTORED): ", preview.text)
        after = self.cluster.jobs()[job_id]
        assert after["state"] == "RUNNING"
        # The latter is the time of its last change of state, also by a restart within Flink.
        for name in ("start-time", "last-modification"):
            assert after[name] == before[name], name
        assert self.cluster.get("/jars")["files"] == jars

    def assert_flink_refuses(self, job_id: str) -> None:
        """Assert that Flink refuses the state, which shows only after the stop without a check."""
        self.project.jobs["orders"]["state_check"] = "off"
        failed = self.project.failing_up()
        failed.assert_says("orders: version 2 did not start: ", "The previous version runs again")
        assert self.cluster.jobs()[job_id]["state"] == "FINISHED"

    def assert_restored(self, text: str) -> None:
        """Assert that the preview shows a text, and that the version is started from the state."""
        shown = self.project.preview()
        shown.assert_says("orders: UPDATE, stop with savepoint and restart: ", f"; {text}")
        up = self.project.up()
        up.assert_says(f"orders: {text}")
        outputs = self.project.outputs("orders")
        assert outputs["generation"] == 2
        assert outputs["restored_from"] == outputs["last_savepoint"]
        assert self.cluster.jobs()[outputs["job_id"]]["state"] == "RUNNING"


@pytest.fixture
def orders(flink: FlinkCluster, make_stack: Callable[..., StackProject]) -> Orders:
    """Return a job on a cluster."""
    return Orders(make_stack(flink.url), flink)


REFUSED = {
    "an operator with state removed": ("keyed:count:c,plain:print:p", SOURCES, "of buffer ("),
    "a uid renamed": ("keyed:count:c2,list:buffer:b,plain:print:p", SOURCES, "of count ("),
    "a uid of the source renamed": (OPERATORS, "numbers:n2", "of Source: numbers ("),
    "a uid taken away": ("keyed:count:,list:buffer:b,plain:print:p", SOURCES, "of count ("),
}


@pytest.mark.parametrize("case", REFUSED)
def test_state_that_would_be_dropped_is_refused(orders: Orders, case: str) -> None:
    operators, sources, named = REFUSED[case]
    job_id = orders.start()
    orders.declare(operators, sources)
    orders.assert_refused(job_id, "orders: the new version has no place for ", named)
    orders.assert_flink_refuses(job_id)


def test_a_uid_that_is_added_drops_the_state_that_was_kept_without_one(orders: Orders) -> None:
    job_id = orders.start("keyed:count:,list:buffer:b")
    orders.declare("keyed:count:c,list:buffer:b")
    orders.assert_refused(job_id, "orders: the new version has no place for ", "of count (")
    orders.assert_flink_refuses(job_id)


def test_a_new_jar_is_compared_with_the_one_that_runs(orders: Orders, tmp_path: Path) -> None:
    """Shows that a preview plans the running version with its jar on the cluster."""
    job_id = orders.start()
    jar = copy_with_other_bytes(TEST_JOBS_JAR, tmp_path / "other.jar")
    orders.declare("keyed:count:c2,list:buffer:b,plain:print:p", jar=str(jar))
    orders.assert_refused(job_id, "orders: the new version has no place for ", "of count (")


def test_what_is_dropped_on_purpose_is_named(orders: Orders) -> None:
    orders.start()
    orders.declare("keyed:count:c,plain:print:p", allow_non_restored_state=True)
    orders.assert_restored("STATE IS DROPPED: ")


@pytest.mark.parametrize("before", [{}, {"pipeline.max-parallelism": "64"}], ids=["unset", "64"])
def test_another_maximum_parallelism_is_refused(orders: Orders, before: dict[str, str]) -> None:
    job_id = orders.start(flink_configuration=before)
    orders.declare(flink_configuration={"pipeline.max-parallelism": "256"})
    orders.assert_refused(
        job_id, "the maximum parallelism of the state of ", "pipeline.max-parallelism is 256 now"
    )
    orders.assert_flink_refuses(job_id)


def test_a_maximum_parallelism_that_is_no_longer_set_is_that_of_the_state(orders: Orders) -> None:
    orders.start(flink_configuration={"pipeline.max-parallelism": "64"})
    orders.declare(flink_configuration={})
    orders.assert_restored("state fits (")


def test_a_parallelism_above_the_maximum_is_refused(orders: Orders) -> None:
    job_id = orders.start(OPERATORS, SOURCES, "--max", "2")
    orders.declare(parallelism=4)
    orders.assert_refused(
        job_id,
        "parallelism 4 of count is above the maximum parallelism of its state, 2",
    )
    orders.assert_flink_refuses(job_id)


FITS = {
    "other arguments": (OPERATORS, SOURCES, "--rate", "50"),
    "names like branches of a plan": (
        "keyed:two\nlines:c,list:+- buffer -> <br/>:b,plain:---:p",
        SOURCES,
    ),
    "reordered operators": ("list:buffer:b,keyed:count:c,plain:print:p", SOURCES),
    "an operator more": ("plain:more:m,keyed:count:c,list:buffer:b,plain:print:p", SOURCES),
    "an operator without state less": ("keyed:count:c,list:buffer:b", SOURCES),
}


@pytest.mark.parametrize("case", FITS)
def test_state_whose_operators_have_their_uids_fits(orders: Orders, case: str) -> None:
    orders.start()
    orders.declare(*FITS[case])
    orders.assert_restored("state fits (3 operators, ")


def test_without_uids_the_same_operators_fit(orders: Orders) -> None:
    orders.start(BARE, BARE_SOURCES)
    orders.declare(BARE, BARE_SOURCES, "--rate", "50")
    orders.assert_restored("state fits (3 operators, ")


def test_without_uids_another_program_cannot_be_told(orders: Orders) -> None:
    """Shows it of one whose state Flink restores, after one that begins otherwise is refused."""
    job_id = orders.start(BARE, BARE_SOURCES)
    orders.declare("plain:more:,keyed:count:,list:buffer:,plain:print:", BARE_SOURCES)
    orders.assert_refused(job_id, "orders: the new version has no place for ", "count (")
    orders.declare("keyed:count:,list:buffer:,plain:print:,plain:more:", BARE_SOURCES)
    orders.assert_restored("whether state fits is unknown: no uid is set for ")


def test_a_maximum_that_the_program_itself_changes_is_seen_by_flink_alone(orders: Orders) -> None:
    """Shows what the check cannot see: no plan has it. The previous version runs again."""
    job_id = orders.start(OPERATORS, SOURCES, "--max", "4")
    orders.declare(OPERATORS, SOURCES, "--max", "8")
    orders.project.preview().assert_says("; state fits (")
    failed = orders.project.failing_up()
    failed.assert_says(
        "orders: state fits (",
        "orders: version 2 did not start: ",
        "max parallelism",
        "The previous version runs again as job ",
    )
    recorded = orders.project.resources()["orders"]["outputs"]
    assert recorded["restored_from"] == recorded["last_savepoint"]
    assert f"/{job_id}/" in recorded["last_savepoint"]
    assert orders.cluster.jobs()[recorded["job_id"]]["state"] == "RUNNING"


def test_state_that_a_uid_hash_carries_over_is_seen_by_flink_alone(orders: Orders) -> None:
    """Shows what the check cannot see: no plan has it. Flink refuses state that has no place."""
    job_id = orders.start()
    carried = f"keyed:count:#{operator_id('c')},list:buffer:b,plain:print:p"
    orders.declare(carried)
    orders.assert_refused(job_id, "orders: the new version has no place for ", "setUidHash")
    orders.declare(carried, state_check="warn")
    orders.assert_restored("STATE IS DROPPED: ")


def test_a_start_of_a_stopped_job_is_compared_by_flink_alone(orders: Orders) -> None:
    """Shows that a start which would drop state fails, and its savepoint serves the next one."""
    orders.start()
    orders.declare(desired_state="stopped")
    orders.project.up()
    savepoint = orders.project.outputs("orders")["last_savepoint"]
    orders.declare("keyed:count:c2,list:buffer:b,plain:print:p")
    shown = orders.project.preview()
    shown.assert_says("orders: START, ")
    assert "state fits" not in shown.text
    assert "STATE IS DROPPED" not in shown.text
    orders.project.failing_up().assert_says(
        "orders: version 2 did not start: ",
        "you can set allow_non_restored_state",
        f"Nothing of it runs; its state is in {savepoint}",
    )
    running = [row for row in orders.cluster.jobs().values() if row["state"] == "RUNNING"]
    assert running == []
    orders.declare("keyed:count:c,list:buffer:b,plain:print:p", SOURCES, "--rate", "50")
    orders.project.up()
    outputs = orders.project.outputs("orders")
    assert outputs["restored_from"] == savepoint
    assert orders.cluster.jobs()[outputs["job_id"]]["state"] == "RUNNING"
