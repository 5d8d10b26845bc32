"""What can be asked of a job besides a change of its version; nothing else is restarted."""

from __future__ import annotations

from pathlib import Path

from tests.counting_output import assert_counts_continuous
from tests.end_to_end.flink.counting_stack import RETAINED, CountingStack, savepoint_paths

JOBS = ("fresh", "paused", "saved", "restarted", "last", "other")


def test_actions_touch_their_own_job_alone(stack: CountingStack, tmp_path: Path) -> None:
    """Stateless, stop, savepoint, restart, last-state; then start, and from an older savepoint."""
    for name in JOBS:
        stack.declare(name)
    stack.change("last", flink_configuration=RETAINED)
    stack.project.up()
    first = {name: stack.job_id(name) for name in JOBS}
    stack.await_progress(*JOBS)

    fresh_output = tmp_path / "counts/fresh-again"
    stack.change("fresh", "--output", str(fresh_output), upgrade_mode="stateless")
    stack.change("paused", desired_state="stopped")
    stack.change("saved", savepoint_trigger="one")
    stack.change("restarted", restart_trigger="one")
    stack.change("last", "--label", "two", upgrade_mode="last-state")
    done = stack.project.up()

    assert stack.recorded("fresh")["action"] == "STATELESS_UPDATE"
    done.assert_says("fresh: STATELESS_UPDATE, cancel and start afresh, STATE IS DISCARDED")
    stack.assert_runs("fresh", restored_from=None)
    assert savepoint_paths(stack.recorded("fresh"), "UPDATE") == []

    assert stack.recorded("paused")["status"] == "STOPPED"
    assert stack.submissions("paused") == {first["paused"]: "FINISHED"}
    at_stop = assert_counts_continuous(stack.output("paused"), complete=True)
    stopped_at = stack.recorded("paused")["last_savepoint"]
    assert savepoint_paths(stack.recorded("paused"), "STOP") == [stopped_at]

    assert stack.recorded("saved")["action"] == "SAVEPOINT"
    assert stack.assert_runs("saved", restored_from=None) == first["saved"]
    older = stack.recorded("saved")["last_savepoint"]
    assert savepoint_paths(stack.recorded("saved"), "SAVEPOINT") == [older]
    assert Path(older.removeprefix("file:"), "_metadata").is_file()

    stack.assert_updated("restarted", first["restarted"])

    assert stack.recorded("last")["action"] == "LAST_STATE_UPDATE"
    assert stack.submissions("last")[first["last"]] == "CANCELED"
    assert f"/{first['last']}/chk-" in str(stack.recorded("last")["restored_from"])
    stack.assert_runs("last", restored_from=stack.recorded("last")["restored_from"])
    assert stack.recorded("last")["savepoints"] == []

    assert stack.active("other") == [first["other"]]
    stack.await_progress("saved", "restarted", "last", "other")

    stack.change("fresh", upgrade_mode="savepoint")
    stack.change("paused", desired_state="running")
    stack.change("saved", "--output", str(tmp_path / "counts/saved-again"), restore_from=older)
    kept = {name: stack.job_id(name) for name in ("fresh", "restarted", "last", "other")}
    stack.project.up()

    assert stack.recorded("paused")["action"] == "START"
    stack.assert_runs("paused", restored_from=stopped_at)
    stack.await_progress("paused")
    assert assert_counts_continuous(stack.output("paused")).total > at_stop.total

    stack.assert_runs("saved", restored_from=older)
    assert stack.submissions("saved")[first["saved"]] == "FINISHED"
    given_up = savepoint_paths(stack.recorded("saved"), "UPDATE")
    assert len(given_up) == 1, "the state that was left for the older one is kept"
    assert Path(given_up[0].removeprefix("file:"), "_metadata").is_file()

    assert {name: stack.active(name) for name in kept} == {n: [j] for n, j in kept.items()}
    assert assert_counts_continuous(fresh_output).total > 0, "a fresh start counts from 1"
