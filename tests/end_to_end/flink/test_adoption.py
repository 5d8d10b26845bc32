"""A job that was started by hand, with its counts as the witness: adopted, changed, released.

Flink's own examples are not part of its packages on PyPI, so that it is the counting job which is
uploaded and run by the REST calls of `flink run`, without a jobId.
"""

from __future__ import annotations

from pathlib import Path

from tests.counting_output import assert_counts_continuous
from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import COUNTING_CLASS, CountingStack
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, entry_class


def started_by_hand(stack: CountingStack, name: str, parallelism: int = 1) -> str:
    """Start a counting job as somebody without this project would."""
    args = stack.args(name)
    return stack.cluster.run(
        TEST_JOBS_JAR, args, entryClass=COUNTING_CLASS, parallelism=parallelism
    )


def test_a_job_started_by_hand_is_adopted_changed_and_released(
    flink_2: FlinkCluster, stack_on: StackOn
) -> None:
    """Its jobId stays until the first change, which carries its state over; then another has it."""
    stack = stack_on(flink_2)
    job_id = started_by_hand(stack, "orders")
    stack.await_progress("orders")
    stack.declare("orders", adopt=job_id)
    line = (
        f"orders: ADOPT job {job_id} (counting), it goes on as it is; the declared program builds "
        "its job graph"
    )
    stack.project.preview().assert_says(line)
    started = stack.cluster.jobs()[job_id]["start-time"]
    stack.project.up().assert_says(f"orders: ADOPT job {job_id} (counting), it goes on as it is")
    recorded = stack.recorded("orders")
    assert (recorded["job_id"], recorded["adopted"]) == (job_id, "same-graph")
    assert recorded["status"] == "RUNNING"
    assert "action" not in recorded or recorded["action"] is None
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.cluster.jobs()[job_id]["start-time"] == started
    stack.cluster.await_tasks_running(job_id)
    stack.await_progress("orders")

    del stack.project.jobs["orders"]["adopt"]
    stack.change("orders", parallelism=2)
    stack.project.preview().assert_says(
        "orders: UPDATE, stop with savepoint and restart: parallelism 1 → 2, "
    )
    stack.project.up()
    [first] = stack.active("orders")
    assert stack.cluster.jobs()[job_id]["state"] == "FINISHED"
    assert f"/orders/{job_id}/" in str(stack.restored_from(first))
    assert stack.recorded("orders").get("adopted") is None
    stack.await_progress("orders")

    other = stack_on(flink_2, "other")
    other.declare("theirs", adopt=first, parallelism=2)
    other.project.jobs["theirs"]["args"] = stack.args("orders")
    other.project.failing_up().assert_says("has not been released")
    stack.change("orders", on_delete="release")
    stack.project.up()
    stack.project.destroy().assert_says(f"orders: released, job {first} goes on")
    stack.cluster.await_tasks_running(first)
    other.project.up().assert_says(f"theirs: ADOPT job {first}")
    other.change("theirs", parallelism=1)
    other.project.up()
    [second] = other.active("theirs")
    assert f"/theirs/{first}/" in str(other.restored_from(second))
    stack.await_progress("orders")
    other.change("theirs", desired_state="stopped")
    other.project.up()
    assert assert_counts_continuous(stack.output("orders"), complete=True).total > 0
    other.project.destroy()
    assert [jar["name"] for jar in flink_2.get("/jars")["files"] if "theirs" in jar["name"]] == []
    assert [jar["name"] for jar in flink_2.get("/jars")["files"] if jar["name"][0] == "_"] == []


def test_an_adopted_job_goes_back_to_what_was_declared(stack: CountingStack) -> None:
    """A first change whose version fails on the state: the declared one runs from it."""
    job_id = started_by_hand(stack, "orders")
    stack.declare("orders", adopt=job_id)
    stack.project.up()
    stack.await_progress("orders")
    stack.change("orders", entry_class=entry_class("IncompatibleState"), state_check="off")
    done = stack.project.failing_up()
    done.assert_says("The version that was declared when the job was adopted runs as job ")
    [back] = stack.active("orders")
    assert f"/orders/{job_id}/" in str(stack.restored_from(back))
    stack.await_progress("orders")


def test_what_cannot_be_adopted_is_refused_in_the_preview(
    stack: CountingStack, tmp_path: Path
) -> None:
    """No such job, a main that throws, and a program of which nothing could be started again."""
    absent = "0123456789abcdef" * 2
    stack.declare("orders", adopt=absent)
    stack.project.preview(code=None).assert_says("adopt", f"no job {absent} runs on ")
    job_id = started_by_hand(stack, "orders")
    stack.change("orders", adopt=job_id, entry_class=entry_class("ThrowingMain"))
    stack.project.preview(code=None).assert_says("the declared program cannot be started: ")
    stack.change("orders", entry_class=entry_class("MissingOperator"))
    stack.project.preview().assert_says("builds another job graph, so that a restart needs")
    stack.project.up()
    assert stack.recorded("orders")["adopted"] == "other-graph"
    stack.change("orders", entry_class=COUNTING_CLASS)
    refused = stack.project.preview(code=None)
    refused.assert_says("could not be started again if the new version fails", "allow_no_way_back")
    stack.project.failing_up()
    stack.cluster.await_tasks_running(job_id)
    stack.change("orders", allow_no_way_back=True)
    stack.project.up()
    [job] = stack.active("orders")
    assert f"/orders/{job_id}/" in str(stack.restored_from(job))
    stack.await_progress("orders")
    stack.project.destroy()
