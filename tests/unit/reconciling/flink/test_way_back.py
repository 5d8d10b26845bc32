"""The way back of an update: the former jar is provided before its version is stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.model.errors import ActionFailed, ClusterTakenDown, PermanentError
from tests.unit.model.made_up_jobs import DIGEST_1, DIGEST_2
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version

FORMER = Jar("orders.jar", Path("orders.jar"), DIGEST_1, "")
MODES = ["savepoint", "last-state", "stateless"]


def without_jars(mode: str) -> Stack:
    """Return a stack whose job runs, and whose jar somebody removed from the cluster."""
    stack = running(mode)
    stack.flink.jars.clear()
    return stack


@pytest.mark.parametrize("mode", MODES)
def test_without_the_former_jar_nothing_is_stopped(mode: str) -> None:
    stack = without_jars(mode)
    stack.find_error = "orders.jar has other content now"
    old = stack.flink.the_job()
    with pytest.raises(PermanentError) as caught:
        stack.up(version("New", mode, jar_digest=DIGEST_2))
    assert stack.flink.the_job() is old
    assert (old.savepoint, stack.flink.jars) == ("", set())
    assert caught.value.happened == (
        "orders: the previous version could not be started again if the new one fails: its jar "
        "(SHA-256 111111111111…) is no longer on the cluster, and orders.jar has other content now."
    )
    assert caught.value.now == f"Job {old.job_id} goes on as it was."
    assert "Put that jar back at orders.jar" in caught.value.remedy


def test_the_remedy_of_stopping_first_works() -> None:
    """Shows the way on where the former jar is nowhere: stopped with its state, then started."""
    stack = without_jars("savepoint")
    stack.find_error = "orders.jar has other content now"
    stack.up(version("Old", "savepoint", jar_digest=DIGEST_2, desired_state="stopped"))
    stack.up(version("New", "savepoint", jar_digest=DIGEST_2))
    assert stack.flink.the_job().restored_from == stack.recorded.last_savepoint


@pytest.mark.parametrize("mode", MODES)
def test_the_former_jar_is_uploaded_again_before_the_stop(mode: str) -> None:
    """Shows that a version that fails gives way to the former one, whose jar had been removed."""
    stack = without_jars(mode)
    stack.find = {DIGEST_1: FORMER}
    stack.flink.programs["New"] = Program(task_error="RuntimeException: no")
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(version("New", mode, jar_digest=DIGEST_2))
    assert stack.flink.submissions[-1].jar_digest == DIGEST_1
    steps = stack.flink.steps
    assert steps.index("uploaded") < steps.index("cancel" if mode != "savepoint" else "stop")


def test_a_former_jar_that_is_removed_during_the_update_is_uploaded_again() -> None:
    stack = running("savepoint")
    stack.find = {DIGEST_1: FORMER}
    stack.flink.programs["New"] = Program(task_error="RuntimeException: no")

    def clean(step: str) -> None:
        if step == "stop done":
            stack.flink.jars.clear()

    stack.flink.on_step = clean
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(version("New", "savepoint", jar_digest=DIGEST_2))


def test_a_jar_that_vanishes_everywhere_during_the_update_is_named_in_one_sentence() -> None:
    stack = running("savepoint")
    stack.flink.programs["New"] = Program(task_error="RuntimeException: no")
    stack.find_error = "orders.jar has other content now"

    def clean(step: str) -> None:
        if step == "stop done":
            stack.flink.jars.clear()

    stack.flink.on_step = clean
    with pytest.raises(ActionFailed, match=r"did not start again either: the jar .*; its state"):
        stack.up(version("New", "savepoint", jar_digest=DIGEST_2))
    assert not [line for line in stack.said if ".." in line or ".;" in line]


def test_a_cluster_that_goes_down_with_main_is_named_and_so_is_the_state() -> None:
    """Shows that the savepoint is not left out."""
    stack = running("savepoint")
    taken_down = ClusterTakenDown("orders: the connection broke", now="What runs is not known")

    def exit_in_main(step: str) -> None:
        if step == "submit":
            raise taken_down

    stack.flink.on_step = exit_in_main
    with pytest.raises(ClusterTakenDown) as caught:
        stack.up(version("New", "savepoint"))
    savepoint = stack.flink.jobs_by_id[str(stack.recorded.job_id)].savepoint
    assert caught.value.now == (
        f"What runs is not known; its state is in {savepoint}, whose _metadata is there and whole."
    )


def test_it_is_said_once_that_a_program_can_end_the_cluster() -> None:
    stack = Stack()
    stack.flink.cluster = replace(stack.flink.cluster, intercepts_exit=False)
    stack.up(version("Old", "savepoint"))
    stack.up(version("New", "savepoint"))
    assert len([line for line in stack.said if "calls System.exit" in line]) == 1


@pytest.mark.parametrize("intercepts", [True, None])
def test_nothing_is_said_where_it_cannot_or_is_not_shown(intercepts: bool | None) -> None:
    stack = Stack()
    stack.flink.cluster = replace(stack.flink.cluster, intercepts_exit=intercepts)
    stack.up(version("Old", "savepoint"))
    assert not [line for line in stack.said if "System.exit" in line]


def test_the_same_jar_needs_no_other() -> None:
    """Shows that a change of arguments alone looks for nothing: the new version brings the jar."""
    stack = without_jars("savepoint")
    stack.flink.programs["New"] = Program(task_error="RuntimeException: no")
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(version("New", "savepoint"))


def test_the_storage_of_the_former_jar_may_fail() -> None:
    """Shows that whatever the search says ends in one sentence."""
    stack = without_jars("savepoint")
    stack.find_error = "cannot open s3://jars/orders.jar: no such bucket."
    with pytest.raises(PermanentError, match=r"cluster, and cannot open .*: no such bucket\. Job"):
        stack.up(version("New", "savepoint", jar_digest=DIGEST_2))
