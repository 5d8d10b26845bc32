"""`flink-jobs jobs rollback`, killed at every request that changes something, and run again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_jobs_provider.model.savepoint import same_path
from tests.faults.counted_job import NAME, CountedJob, Victims
from tests.faults.points import CHECKPOINT, FORGET, PLAN, RUN, RUN_UNSENT, STOP, Point

POINTS = [PLAN, STOP, RUN_UNSENT, RUN, CHECKPOINT, FORGET]


@pytest.mark.parametrize("engine", ["embedded"])
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_rollback_that_was_killed_has_one_result(running_job: CountedJob, point: Point) -> None:
    """The same command again ends with the earlier version, once, and no count lost or repeated."""
    former, target = running_job.version, _newest(running_job)
    running_job.inputs["jar"] = str(running_job.directory / f"{target['job_id']}.jar")
    running_job.next_version()
    running_job.recover()
    running_job.assert_runs()
    latest = _newest(running_job)
    back = ("jobs", "rollback", NAME, "--to", str(target["number"]))

    running_job.interrupted(back, point.strike, Victims.ENGINE_AND_PROVIDER)
    assert _newest(running_job)["number"] == latest["number"], "nothing was recorded"
    again = running_job.project.run(*back)
    again.assert_says("taking over the lock of a run that died")

    running_job.declare(former, same_jar=True)
    running_job.assert_runs()
    newest = _newest(running_job)
    assert newest["job_id"] == running_job.outputs()["job_id"]
    assert newest["number"] > latest["number"]
    assert newest["jar_digest"] == target["jar_digest"] != latest["jar_digest"]
    [left] = [each for each in _history(running_job) if each["number"] == latest["number"]]
    assert same_path(left["savepoint"], newest["restored_from"])
    checkpoint = json.loads(running_job.project.checkpoint.read_text(encoding="utf-8"))
    assert "pending_operations" not in checkpoint["checkpoint"]["latest"]
    running_job.project.preview("--refresh").assert_says(f"{NAME}: UPDATE")
    running_job.inputs["jar"] = target["jar"]
    running_job.declare(former, same_jar=True)
    running_job.project.preview("--refresh", "--expect-no-changes")


def _history(job: CountedJob) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job.outputs()["history"]
    return found


def _newest(job: CountedJob) -> dict[str, Any]:
    return _history(job)[0]
