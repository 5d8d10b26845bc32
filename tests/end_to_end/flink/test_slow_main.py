"""A `main` that outlasts `timeouts.submit`: its job is owned, whatever comes next."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.flink.counting_stack import CountingStack
from tests.waiting import wait_until

_SLOW = ("--sleep-millis", "4000")
_SHORT, _LONG = {"submit": "1s"}, {"submit": "60s"}
_OUTLASTS = (
    "main of the new version has not come to its job in 1 s, and the cluster goes on with it "
    "(timeouts.submit). It may still start as job "
)


def _fail(stack: CountingStack, *names: str) -> dict[str, str]:
    """Run an `up` that gives up on slow mains; return the jobIds that may still start."""
    failed = stack.project.failing_up()
    pending = {name: str(stack.recorded(name)["unconfirmed"]) for name in names}
    for name in names:
        failed.assert_says(f"{name}: {_OUTLASTS}{pending[name]}")
    return pending


def test_a_job_that_starts_after_its_run_is_gone_on_with(
    stack: CountingStack, tmp_path: Path
) -> None:
    """Adopted as it is, replaced when changed, ended when not declared, and by destroy.

    While its `main` runs, no other version is started beside it.

    An update that was given up is gone on with as a create is.
    """
    go_on = tmp_path / "go-on"
    names = ["kept", "changed", "dropped"]
    for name in names:
        until = ("--until", str(go_on)) if name == "changed" else _SLOW
        stack.declare(name, *until, entry="UnusualMain", timeouts=_SHORT)
    pending = _fail(stack, *names)

    stack.change("changed", "--label", "other")
    refused = stack.project.failing_up()
    refused.assert_says(f"changed: job {pending['changed']}, which an earlier run submitted, has")
    refused.assert_says("nothing else was started")
    assert stack.submissions("changed") == {}
    go_on.touch()
    for name in names:
        stack.change(name, timeouts=_LONG)
    dropped = stack.project.jobs.pop("dropped")
    stack.project.up()
    stack.project.jobs["dropped"] = dropped
    assert stack.submissions("kept") == {pending["kept"]: "RUNNING"}
    assert stack.submissions("dropped") == {pending["dropped"]: "CANCELED"}
    assert stack.submissions("changed")[pending["changed"]] != "RUNNING"
    before = stack.assert_runs("kept", restored_from=None)
    assert stack.job_id("changed") not in pending.values()
    assert stack.active("changed") == [stack.job_id("changed")]
    assert "unconfirmed" not in stack.recorded("kept")
    stack.await_progress("kept", "changed")

    del stack.project.jobs["dropped"]
    stack.change("kept", *_SLOW, "--label", "updated", timeouts=_SHORT)
    pending = _fail(stack, "kept")
    stack.change("kept", timeouts=_LONG)
    stack.project.up()
    assert stack.assert_updated("kept", before) == pending["kept"]
    stack.await_progress("kept")

    stack.change("kept", *_SLOW, "--label", "destroyed", timeouts=_SHORT)
    pending = _fail(stack, "kept")
    wait_until(lambda: stack.project.destroy(code=None).code == 0, 60, "destroy finds the job")
    assert stack.submissions("kept")[pending["kept"]] == "CANCELED"
    assert stack.active("changed") == []
