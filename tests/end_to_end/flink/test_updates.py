"""Changes of a running job: each is one UPDATE, and the counts go on without a gap or a repeat."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import COUNTING_CLASS, CountingStack
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR, copy_with_other_bytes, entry_class

REASONS = {
    "parallelism": "parallelism 1 → 2",
    "arguments": "args changed",
    "content": "jar content changed",
    "configuration": "flink_configuration changed: pipeline.object-reuse",
    "entry": f"entry_class {COUNTING_CLASS} → {entry_class('CountingJobV2')}",
}


def test_each_change_is_one_update_with_its_state(stack: CountingStack, tmp_path: Path) -> None:
    """Five jobs, one change each; previewed with its reason, carried out once; a sixth goes on."""
    jar = copy_with_other_bytes(COUNTING_JAR, tmp_path / "counting.jar", "first")
    for name in (*REASONS, "untouched"):
        stack.declare(name)
    stack.change("content", jar=str(jar))
    stack.project.up()
    before = {name: stack.job_id(name) for name in (*REASONS, "untouched")}
    stack.await_progress(*before)

    stack.change("parallelism", parallelism=2)
    stack.change("arguments", "--label", stack.target.label)
    copy_with_other_bytes(COUNTING_JAR, jar, "second")
    stack.change("configuration", flink_configuration={"pipeline.object-reuse": "true"})
    stack.change("entry", entry_class=entry_class("CountingJobV2"))
    previewed = stack.project.preview()
    for name, reason in REASONS.items():
        line = f"{name}: UPDATE, stop with savepoint and restart: {reason}"
        lines = {each.partition("; ")[0] for each in previewed.lines}
        assert line in lines, f"{line}\n{previewed.text}"
    assert {name: stack.active(name) for name in before} == {n: [j] for n, j in before.items()}

    stack.project.up()
    after = {name: stack.assert_updated(name, before[name]) for name in REASONS}
    assert stack.active("untouched") == [before["untouched"]]
    shown = stack.recorded("parallelism").get("running_parallelism")
    assert shown == stack.target.running_parallelism(2)
    config = stack.cluster.get(f"/jobs/{after['configuration']}/config")["execution-config"]
    assert config["object-reuse-mode"] is True
    stack.await_progress(*before)

    counts = stack.stop_and_count(*before)
    assert counts["arguments"].labels[stack.target.label] > 0, "args did not arrive exactly"
    assert counts["entry"].labels["v2"] > 0


def test_a_job_lives_on_flink_1(flink_1: FlinkCluster, stack_on: StackOn) -> None:
    """On Flink 1.20: created, updated, rolled back, stopped, started, with its state, destroyed."""
    stack = stack_on(flink_1)
    stack.declare("orders", flink_configuration={"pipeline.object-reuse": "true"})
    stack.project.up()
    assert stack.recorded("orders").get("flink_version") == stack.target.flink_version()
    first = stack.assert_runs("orders", restored_from=None)
    stack.await_progress("orders")

    stack.change("orders", "--label", "two", parallelism=2)
    stack.project.up()
    stack.assert_updated("orders", first)
    stack.await_progress("orders")

    stack.change("orders", entry_class=entry_class("IncompatibleState"))
    failed = stack.project.failing_up()
    failed.assert_says("must not be incompatible")
    failed.assert_says("The previous version runs again as job")
    assert len(stack.active("orders")) == 1
    stack.await_progress("orders")

    stack.change("orders", entry_class=COUNTING_CLASS)
    stack.stop_and_count("orders")
    assert stack.active("orders") == []
    savepoint = stack.recorded("orders")["last_savepoint"]
    stack.change("orders", desired_state="running")
    stack.project.up()
    stack.assert_runs("orders", restored_from=savepoint)
    stack.await_progress("orders")

    stack.change("orders", on_delete="savepoint")
    stack.project.up()
    destroyed = stack.project.destroy()
    destroyed.assert_says("orders: deleted, its savepoint is file:")
    assert stack.active("orders") == []
    assert flink_1.get("/jars")["files"] == []
