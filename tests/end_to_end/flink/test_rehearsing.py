"""Rehearsals on a real cluster: the running version is not restarted, nothing is written twice.

The job writes by a sink that commits with checkpoints. The copy has it under another uid, so that
it does not commit what the job has yet to commit, and another output directory.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from flink_jobs_provider.model.identity import JobKey
from tests.counting_output import committed_lines
from tests.end_to_end.flink.counted_versions import Counted
from tests.waiting import wait_until

ENDED = {"FINISHED", "FAILED", "CANCELED"}


def elsewhere(counted: Counted, entry: str, *args: str, **inputs: Any) -> dict[str, Any]:
    """Return a rehearsal whose lines go into another directory."""
    to = [*counted.args(entry, rehearsed(counted)), "--sink-uid", "rehearsed-lines", *args]
    return {"args": to, "window": "6s", **inputs}


def rehearsed(counted: Counted) -> Path:
    """Return the directory of the copy's lines."""
    return counted.output.with_name("rehearsed")


def started(counted: Counted) -> dict[str, Any]:
    """Start the first version, and return its row."""
    job_id = counted.start()
    return counted.cluster.jobs()[job_id]


def is_untouched(counted: Counted, before: dict[str, Any]) -> None:
    """Assert that the job which ran before is the only one that runs, and was not restarted."""
    after = counted.cluster.jobs()[counted.active()]
    for name in ("jid", "start-time", "last-modification", "state"):
        assert after[name] == before[name], name
    counted.await_more("first")


def test_a_version_that_cannot_read_the_state_is_refused_by_its_rehearsal(
    counted: Counted,
) -> None:
    """Shows it of a serializer, which the state check cannot see."""
    before = started(counted)
    entry = "IncompatibleState"
    counted.declare(entry, "--restarts", "1000", rehearsal=elsewhere(counted, entry))
    counted.project.preview().assert_says("orders: REHEARSE, then UPDATE, ", "; state fits (")
    failed = counted.project.failing_up()
    shown = r"orders: the rehearsal of the new version did not (start|pass its health gate): .*"
    assert re.search(shown + "StateMigrationException: ", failed.text), failed.text
    failed.assert_says(f"job {before['jid']} goes on: this run has not stopped it")
    is_untouched(counted, before)
    recorded = counted.project.resources()["orders"]["outputs"]
    assert (recorded["job_id"], recorded["action_result"]) == (before["jid"], "FAILED")
    assert [each["reason"] for each in recorded["savepoints"]] == ["REHEARSAL"]
    counted.declare("")
    counted.project.up()
    is_untouched(counted, before)
    counted.stop()


def test_a_version_that_passes_its_rehearsal_goes_on_from_the_state_of_the_stop(
    counted: Counted,
) -> None:
    counted.start()
    counted.declare("CountingJobV2", rehearsal=elsewhere(counted, "CountingJobV2"))
    up = counted.project.up()
    up.assert_says("rehearsal of orders: health gate passed: ", "orders: rehearsed; job ")
    up.assert_says("orders: the rehearsal leaves out the state of lines: Committer and lines: W")
    counted.await_more("v2-CountingJobV2")
    lines = committed_lines(rehearsed(counted))
    assert {line.split(",", 2)[2] for line in lines} == {"v2-CountingJobV2"}
    reasons = [each["reason"] for each in counted.project.outputs("orders")["savepoints"]]
    assert reasons == ["UPDATE", "REHEARSAL"]
    counted.stop()


def test_a_copy_that_would_commit_what_the_job_has_yet_to_commit_is_refused(
    counted: Counted,
) -> None:
    before = started(counted)
    to = {"args": counted.args("CountingJobV2", rehearsed(counted))}
    counted.declare("CountingJobV2", rehearsal=to)
    shown = counted.project.preview(code=None)
    shown.assert_says("orders: rehearsal: the copy would go on from the state of lines: Committer")
    assert shown.code != 0
    failed = counted.project.failing_up()
    failed.assert_says("orders: rehearsal: the copy would go on from the state of lines: Committer")
    is_untouched(counted, before)
    assert not counted.project.resources()["orders"]["outputs"]["savepoints"]
    assert not rehearsed(counted).exists()


@pytest.mark.parametrize("after", ["up", "destroy", "refresh"])
def test_a_rehearsal_that_a_killed_run_left_is_ended(counted: Counted, after: str) -> None:
    """Shows it of a run that is killed while it watches its copy, by SIGKILL."""
    before = started(counted)
    counted.declare("CountingJobV2", rehearsal=elsewhere(counted, "CountingJobV2", window="10m"))
    prefix = JobKey("orders", counted.project.owner).rehearsal.prefix

    def copies() -> list[str]:
        rows = counted.cluster.jobs().items()
        return [id_ for id_, row in rows if id_.startswith(prefix) and row["state"] not in ENDED]

    command = counted.project.start("up", "--yes", "--skip-preview")
    wait_until(copies, 60, "the copy is listed")
    for process in counted.project.processes():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    command.communicate()
    counted.project.cancel()
    (copy,) = copies()
    if after == "destroy":
        counted.project.destroy()
        assert not copies()
        return
    counted.declare("")
    if after == "refresh":
        counted.project.refresh()
        counted.project.preview().assert_says(
            f"orders: no restart, end the rehearsal that an earlier run left, job {copy}"
        )
        counted.project.up()
    else:
        counted.declare("", restart_trigger="1")
        counted.project.up()
    assert not copies()
    if after == "refresh":
        is_untouched(counted, before)
    counted.stop()
