"""Old savepoints of a job are disposed of through a real cluster; what may be needed stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.end_to_end.flink.counted_versions import Counted


def update(counted: Counted, number: int, **inputs: Any) -> Any:
    """Declare another version, and run it; return what the run printed."""
    counted.declare("", restart_trigger=str(number), **inputs)
    return counted.project.up()


def outputs(counted: Counted) -> dict[str, Any]:
    """Return what the stack records."""
    found: dict[str, Any] = counted.project.resources()["orders"]["outputs"]
    return found


def listed(counted: Counted) -> list[str]:
    """Return the savepoints on record, the oldest first."""
    return [each["path"] for each in outputs(counted)["savepoints"]][::-1]


def there(path: str) -> bool:
    """Whether a savepoint is in its storage, with all its files."""
    return Path(path.removeprefix("file:")).exists()


def test_the_oldest_savepoints_go_and_versions_say_so(counted: Counted) -> None:
    """Shows the plan, the files, the list, the history, and that a rollback refuses what is gone.

    The job counts on without a gap or a repeat, and goes back from a savepoint that was kept.
    """
    counted.declare("")
    counted.project.up()
    for number in range(1, 5):
        update(counted, number)
    before = listed(counted)
    assert len(before) == 4
    assert all(map(there, before))
    names = [path.rpartition("/")[2] for path in before]
    retention = {"count": 2}
    counted.declare("", restart_trigger="5", savepoint_retention=retention)
    counted.project.preview().assert_says(
        f"; 3 savepoints disposed of afterwards: {', '.join(names[:3])}"
    )
    assert all(map(there, before)), "a preview disposes of none"
    counted.project.up().assert_says(*(f"disposed of savepoint {path} (" for path in before[:3]))
    assert listed(counted) == [before[3], outputs(counted)["last_savepoint"]]
    assert not any(map(there, before[:3]))
    assert all(map(there, listed(counted)))
    shown = json.loads(counted.project.run("jobs", "history", "orders", "--json").out)
    versions = {each["number"]: each for each in shown}
    assert [number for number, each in versions.items() if each.get("disposed_at")] == [3, 2, 1]
    counted.project.run("jobs", "history", "orders").assert_says(f"{names[0]} (disposed of)")
    running = counted.active()
    words = ("jobs", "rollback", "orders", "--from-savepoint", "then", "--yes", "--to")
    counted.project.run(*words, "2", code=1).assert_says(
        f"orders: the savepoint that version 2 left, {before[1]}, was disposed of at ",
        "as savepoint_retention asks. Nothing was changed.",
    )
    assert counted.active() == running
    counted.await_more("first")
    counted.stop()
    counted.project.preview("--expect-no-changes")


def test_what_a_job_of_others_was_started_from_stays(counted: Counted) -> None:
    """Shows it while that job runs, and when it has ended.

    It is restored with its sink, and writes where the first job does: counts are not compared.
    """
    counted.declare("")
    counted.project.up()
    for number in range(1, 4):
        update(counted, number)
    named = listed(counted)[0]
    other = counted.output.with_name("other")
    counted.project.declare(
        "other",
        **{
            **{k: v for k, v in counted.project.jobs["orders"].items() if k != "job_name"},
            "args": counted.args("", other),
            "restore_from": named,
        },
    )
    counted.project.up()
    job_id = counted.project.resources()["other"]["outputs"]["job_id"]
    counted.declare("", restart_trigger="4", savepoint_retention={"count": 1})
    counted.project.up().assert_says(
        f"orders: savepoint {named} is kept: job {job_id} was started from it"
    )
    assert there(named)
    assert named in listed(counted)
    del counted.project.jobs["other"]
    counted.declare("", restart_trigger="5", savepoint_retention={"count": 1})
    counted.project.up().assert_says(f"savepoint {named} is kept: job {job_id} was started from it")
    assert there(named), "it has ended, and can be started again from what it began with"
    assert len(listed(counted)) == 3
