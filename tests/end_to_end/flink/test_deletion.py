"""What a destroyed stack leaves: no job and no jar of its own, and everything of others."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.job_jars import COUNTING_JAR


def test_destroy_removes_its_own_and_nothing_else(stack: CountingStack, tmp_path: Path) -> None:
    """A cancelled job and one stopped with a savepoint, whose path is printed; others go on."""
    foreign = stack.cluster.run(COUNTING_JAR, ["--output", str(tmp_path / "foreign")])
    foreign_jars = stack.cluster.get("/jars")["files"]
    stack.declare("cancelled", on_delete="cancel")
    stack.declare("kept", on_delete="savepoint")
    stack.declare("stopped", on_delete="savepoint", desired_state="running")
    stack.project.up()
    stack.change("kept", "--label", "two")
    stack.change("stopped", desired_state="stopped")
    stack.project.up()
    kept = stack.job_id("kept")
    assert len(stack.cluster.get("/jars")["files"]) > len(foreign_jars)
    stack.await_progress("cancelled", "kept")

    done = stack.project.destroy()
    assert stack.active("cancelled") == stack.active("kept") == stack.active("stopped") == []
    assert stack.submissions("kept")[kept] == "FINISHED"
    [line] = [line for line in done.lines if line.startswith("kept: deleted, its savepoint is ")]
    savepoint = Path(line.rpartition("file:")[2])
    assert kept in savepoint.parts
    assert (savepoint / "_metadata").is_file()
    assert "cancelled: deleted" not in done.text
    assert stack.project.resources() == {}

    assert stack.cluster.get("/jars")["files"] == foreign_jars
    stack.cluster.await_tasks_running(foreign)


def test_a_deleted_job_starts_anew_when_it_is_declared_again(
    stack: CountingStack, tmp_path: Path
) -> None:
    """A job that left the program is deleted; declared again, it starts from nothing.

    Its savepoint of the deletion is taken up when it is named, and only then.
    """
    stack.declare("orders", on_delete="savepoint")
    stack.declare("other")
    stack.project.up()
    other = stack.job_id("other")
    stack.await_progress("orders")
    declared = stack.project.jobs.pop("orders")
    done = stack.project.up()
    [line] = [line for line in done.lines if line.startswith("orders: deleted, its savepoint is ")]
    savepoint = line.rpartition(" ")[2].rstrip(".")
    stack.project.jobs["orders"] = declared
    assert stack.active("orders") == []

    stack.change("orders", "--output", str(tmp_path / "anew"))
    stack.project.up()
    stack.assert_runs("orders", restored_from=None)
    del stack.project.jobs["orders"]
    stack.project.up()
    stack.project.jobs["orders"] = declared
    stack.change("orders", "--label", "again", restore_from=savepoint)
    stack.project.up()
    stack.assert_runs("orders", restored_from=savepoint)
    stack.await_progress("orders")
    assert stack.active("other") == [other]


def test_a_name_of_another_stack_is_refused(stack: CountingStack, stack_on: StackOn) -> None:
    """The second stack fails, says whose job it is, and touches neither job nor jars."""
    stack.declare("orders")
    stack.project.up()
    running = stack.job_id("orders")
    jars = stack.cluster.get("/jars")["files"]
    second = stack_on(stack.cluster, "test")
    second.declare("orders")
    refused = second.project.failing_up()
    refused.assert_says("orders: a job of this name runs for another owner")
    assert running in refused.text
    assert second.project.resources() == {}
    second.project.destroy()
    assert stack.submissions("orders") == {running: "RUNNING"}
    assert stack.cluster.get("/jars")["files"] == jars
