"""A resource that is renamed in the program: the job that it declares is still the same."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.flink.counting_stack import CountingStack


def test_a_renamed_resource_keeps_its_job(stack: CountingStack) -> None:
    """The job runs on untouched; renamed and changed at once, it is updated with its state."""
    stack.declare("orders", on_delete="savepoint")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    stack.await_progress("orders")

    stack.project.jobs["purchases"] = stack.project.jobs.pop("orders")
    renamed = stack.project.up()
    renamed.assert_says(
        f"orders: job {job_id} was left alone, nothing was cancelled: another resource of this "
        "stack, or a replacement of this one, takes it over in this run."
    )
    assert list(stack.project.resources()) == ["purchases"]
    assert stack.assert_runs("purchases", restored_from=None) == job_id
    assert stack.submissions("purchases") == {job_id: "RUNNING"}
    stack.project.preview("--refresh", "--expect-no-changes")

    stack.project.jobs["orders"] = stack.project.jobs.pop("purchases")
    stack.change("orders", "--label", "two")
    stack.project.up().assert_says("was left alone, nothing was cancelled")
    assert list(stack.project.resources()) == ["orders"]
    stack.assert_updated("orders", job_id)
    stack.await_progress("orders")
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.stop_and_count("orders")["orders"].labels["two"] > 0


def test_a_rename_that_was_killed_before_the_delete(stack: CountingStack) -> None:
    """The next run finds both resources in the state, and the one to delete ends nothing."""
    stack.declare("orders")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    old = stack.project.resources()["orders"]
    stack.project.jobs["purchases"] = stack.project.jobs.pop("orders")
    stack.project.up()

    state = json.loads(stack.project.checkpoint.read_text(encoding="utf-8"))
    state["checkpoint"]["latest"]["resources"].append(old)
    stack.project.checkpoint.write_text(json.dumps(state), encoding="utf-8")
    assert set(stack.project.resources()) == {"orders", "purchases"}

    stack.project.up().assert_says(f"orders: job {job_id} was left alone, nothing was cancelled")
    assert list(stack.project.resources()) == ["purchases"]
    assert stack.assert_runs("purchases", restored_from=None) == job_id
    assert stack.submissions("purchases") == {job_id: "RUNNING"}
    stack.project.preview("--refresh", "--expect-no-changes")


@pytest.mark.parametrize("run_program", ["false", "true"], ids=["two processes", "one"])
def test_a_rename_in_a_run_with_a_refresh(
    stack: CountingStack, engine: str, run_program: str
) -> None:
    """The Pulumi CLI reads in another process than the one that creates, unless told otherwise."""
    if engine == "embedded" and run_program == "false":
        pytest.skip("the embedded engine has one process")
    stack.project.environment["PULUMI_RUN_PROGRAM"] = run_program
    stack.declare("orders", on_delete="savepoint")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    stack.project.jobs["purchases"] = stack.project.jobs.pop("orders")

    previewed = stack.project.preview("--refresh")
    renamed = stack.project.up("--refresh")
    renamed.assert_says(f"orders: job {job_id} was left alone, nothing was cancelled")
    assert list(stack.project.resources()) == ["purchases"]
    assert stack.assert_runs("purchases", restored_from=None) == job_id
    for told in (previewed, renamed):
        told.assert_says(f"orders: NEW, adopt job {job_id}, which runs already")
        assert "first start" not in told.text
    stack.project.preview("--refresh", "--expect-no-changes")
