"""The versions of a job in its stack's state: what is listed, and what is secret."""

from __future__ import annotations

import json
from typing import Any

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.job_jars import entry_class

SECRET = "s3cret-l4bel"


def versions(stack: CountingStack) -> list[dict[str, Any]]:
    """Return the versions that the command lists, as JSON."""
    shown = stack.project.run("jobs", "history", "orders", "--json")
    found: list[dict[str, Any]] = json.loads(shown.out)
    return found


def test_versions_are_listed_and_their_secrets_are_not(stack: CountingStack) -> None:
    """Shows two versions and a failed one; no secret in plain, and no change to the next preview.

    The commit is the one that the environment names.
    """
    stack.project.environment["GITHUB_SHA"] = "3f1c9ab0" * 5
    stack.declare("orders", "--label", "first")
    stack.project.up()
    stack.await_progress("orders")
    first = stack.job_id("orders")
    usual = stack.args("orders", "--label", SECRET)
    secret: list[Any] = [{"secret": each} if each == SECRET else each for each in usual]
    stack.change("orders", args=secret)
    stack.project.up()
    second = stack.assert_updated("orders", first)
    stack.await_progress("orders")

    assert SECRET not in stack.project.checkpoint.read_text(encoding="utf-8")
    recorded = stack.recorded("orders")
    assert set(recorded["version_inputs"]) == {"4dabf18193072939515e22adb298388d", "ciphertext"}
    assert [each["number"] for each in recorded["history"]] == [2, 1]
    shown = stack.project.preview("--expect-no-changes")
    assert SECRET not in shown.text
    stack.project.preview("--refresh", "--expect-no-changes")
    stack.project.refresh()
    assert SECRET not in stack.project.checkpoint.read_text(encoding="utf-8")
    assert stack.recorded("orders")["history"] == recorded["history"]

    stack.change("orders", "--fail-after-millis", "0", entry_class=entry_class("FailingTask"))
    stack.project.failing_up().assert_says("The previous version runs again as job")
    [again] = stack.active("orders")
    assert stack.job_id("orders") == again
    assert SECRET not in stack.project.checkpoint.read_text(encoding="utf-8")
    back, failed, former, oldest = versions(stack)
    assert [back["number"], failed["number"], former["number"], oldest["number"]] == [4, 3, 2, 1]
    assert (oldest["job_id"], former["job_id"], back["job_id"]) == (first, second, again)
    assert oldest["savepoint"] == former["restored_from"]
    assert former["savepoint"] == back["restored_from"] == stack.restored_from(again)
    assert former["commit"] == "3f1c9ab0" * 5
    assert former["by"] == stack.project.owner
    assert former["why"] == "UPDATE, stop with savepoint and restart: args changed"
    assert failed["result"] == "FAILED"
    assert "the task failed on purpose" in failed["failure"]
    assert back["why"] == "version 3 did not start: back to version 2"
    table = stack.project.run("jobs", "history", "orders").out.splitlines()
    assert " ".join(table[0].split()) == "version at action result commit jar from left why"
    assert table[3].split()[:1] == ["2"]
    assert "3f1c9ab0  " in table[3]

    stack.change("orders", entry_class="flinkjobs.counting.CountingJob", args=secret)
    stack.project.up()
    assert stack.active("orders") == [again], "what runs again is the version that is declared"
    stack.project.preview("--refresh", "--expect-no-changes")
    stack.await_progress("orders")


def test_a_job_that_no_stack_has(stack: CountingStack) -> None:
    stack.declare("orders")
    stack.project.up()
    unknown = stack.project.run("jobs", "history", "news", code=255)
    unknown.assert_says("has no resource whose job_name is 'news'", "It has: orders.")
