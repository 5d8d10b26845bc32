"""Jobs that are stopped with drain on a real Flink."""

from __future__ import annotations

from tests.end_to_end.flink.counting_stack import CountingStack


def test_a_drained_job_is_stopped_and_starts_again(stack: CountingStack) -> None:
    """Nothing is lost by a drain, and a START goes on from its savepoint; its plan warns."""
    stack.declare("drained", drain=True)
    stack.project.up()
    stack.await_progress("drained")
    stack.stop_and_count("drained")
    assert stack.recorded("drained")["status"] == "STOPPED"
    savepoint = stack.recorded("drained")["last_savepoint"]
    stack.change("drained", desired_state="running")
    stack.project.preview().assert_says("stopped with drain: timers and windows have fired before")
    stack.project.up()
    stack.assert_runs("drained", restored_from=savepoint)
    stack.await_progress("drained")
    stack.stop_and_count("drained")
