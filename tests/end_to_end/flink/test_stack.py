"""A stack as a whole: jobs from one jar, a second run, what is previewed, secrets, outputs."""

from __future__ import annotations

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.job_jars import COUNTING_JAR

SECRET = "hunter2-swordfish"
PASSWORD = "correct-horse-battery"


def test_two_jobs_from_one_jar_and_a_second_run(stack: CountingStack) -> None:
    """The second `up` and the drift gate change nothing; the outputs are what Flink says."""
    stack.declare("orders", jar=COUNTING_JAR, parallelism=2)
    stack.declare("returns", jar=COUNTING_JAR)
    stack.project.up()
    both = {name: stack.assert_runs(name, restored_from=None) for name in ("orders", "returns")}
    outputs = stack.project.outputs()
    for name, job_id in both.items():
        assert outputs[name]["job_id"] == job_id
        assert outputs[name]["action"] == "NEW"
        assert outputs[name]["action_result"] == "SUCCESS"
        assert outputs[name]["status"] == "RUNNING"
        assert outputs[name]["flink_version"] == stack.target.flink_version()
        assert outputs[name]["generation"] == 1
        assert outputs[name]["savepoints"] == outputs[name]["duplicates"] == []
        assert outputs[name]["dashboard_url"] == stack.target.dashboard_url(job_id)
    for name, parallelism in (("orders", 2), ("returns", 1)):
        shown = stack.target.running_parallelism(parallelism)
        assert outputs[name]["running_parallelism"] == shown
    assert outputs["orders"]["jar_digest"] == outputs["returns"]["jar_digest"]

    stack.project.up("--expect-no-changes")
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.project.outputs() == outputs
    assert {name: stack.submissions(name) for name in both} == {
        name: {job_id: "RUNNING"} for name, job_id in both.items()
    }


def test_a_preview_says_what_will_be_done_and_why(stack: CountingStack) -> None:
    """One line a job: NEW, all reasons of an UPDATE, STATE IS DISCARDED; and nothing is touched."""
    stack.declare("orders")
    new = stack.project.preview()
    assert "orders: NEW, first start, no state" in new.lines
    assert stack.submissions("orders") == {}
    assert stack.cluster.get("/jars")["files"] == []
    stack.project.up()
    running = stack.job_id("orders")

    stack.change("orders", "--label", "two", parallelism=2, jar=str(COUNTING_JAR))
    update = stack.project.preview()
    how = "orders: UPDATE, stop with savepoint and restart: "
    [why] = [line.removeprefix(how) for line in update.lines if line.startswith(how)]
    why, _, _state = why.partition("; ")
    assert set(why.split(", ")) == {"jar content changed", "args changed", "parallelism 1 → 2"}

    stack.change("orders", upgrade_mode="stateless")
    stateless = stack.project.preview()
    assert (
        "orders: STATELESS_UPDATE, cancel and start afresh, STATE IS DISCARDED: " in stateless.text
    )

    stack.change("orders", job_name="renamed", upgrade_mode="savepoint")
    refused = stack.project.preview(code=None)
    assert refused.code != 0
    refused.assert_says("job_name starts another job, without the state of this one")
    refused.assert_says("The job is untouched.")
    stack.project.jobs["orders"]["job_name"] = "orders"
    assert stack.submissions("orders") == {running: "RUNNING"}


def test_secrets_are_encrypted_and_never_printed(stack: CountingStack) -> None:
    """Neither state nor output of any command holds a secret argument or option in plain.

    Not even where the program fails, and Flink reports the argument that it complained of.
    """
    stack.project.set_secret("label", SECRET)
    label = {"config": "label"}
    stack.declare("orders", flink_configuration={"my.password": {"secret": PASSWORD}})
    stack.project.jobs["orders"]["args"] = [*stack.args("orders"), "--label", label]
    written = [stack.project.up("--diff")]
    job_id = stack.assert_runs("orders", restored_from=None)
    stack.await_progress("orders")
    stack.project.jobs["orders"]["args"] = [*stack.args("orders", "--rate", "50"), "--label", label]
    written += [stack.project.preview("--diff"), stack.project.preview("--json")]
    written += [stack.project.preview("--refresh", "--diff"), stack.project.up("--diff")]
    stack.assert_updated("orders", job_id)
    stack.project.up("--expect-no-changes")
    assert stack.stop_and_count("orders")["orders"].labels[SECRET] > 0, "it did not arrive"

    stack.project.jobs["orders"]["args"] = [*stack.args("orders"), label, "x"]
    stack.change("orders", desired_state="running")
    written.append(stack.project.failing_up())
    written[-1].assert_says("Unknown argument '***'")

    states = list(stack.project.checkpoint.parent.parent.rglob("*.json*"))
    assert stack.project.checkpoint in states
    for secret in (SECRET, PASSWORD):
        for command in written:
            assert secret not in command.text
        for path in states:
            assert secret not in path.read_text(encoding="utf-8"), path
