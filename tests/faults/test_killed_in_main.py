"""`up` killed while Flink runs `main` for it: the submission is out, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault_proxy import Moment, Rule, Verdict, at_request
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import RUN
from tests.job_jars import TEST_JOBS_JAR, entry_class

UP = ("up", "--yes", "--skip-preview")


def _in_main(then: Callable[[], None], **_verdict: object) -> Rule:
    """Return the rule that strikes when a submission is out, and has it reach the cluster."""
    return at_request(RUN.pattern, Moment.BEFORE, then, Verdict.PASS)


def _slow_version(job: CountedJob, until: Path) -> None:
    """Declare another version, whose `main` waits for a file."""
    job.next_version(same_jar=True, jar=str(TEST_JOBS_JAR), entry_class=entry_class("UnusualMain"))
    job.inputs["args"] += ["--until", str(until)]
    job.inputs["timeouts"] = {"submit": "60s"}


@pytest.mark.parametrize("engine", ["embedded"])
@pytest.mark.parametrize(("begun", "then"), [("create", "same"), ("update", "another")])
def test_what_it_submitted_is_waited_for(
    request: pytest.FixtureRequest, engine: str, begun: str, then: str, tmp_path: Path
) -> None:
    """The same version is adopted, and is not submitted again; another one replaces it.

    Both run one after the other, with all that was counted.
    """
    fixture = "running_job" if begun == "update" else "fresh_job"
    job: CountedJob = request.getfixturevalue(fixture)
    go_on = tmp_path / "go-on"
    _slow_version(job, go_on)
    job.interrupted(UP, _in_main, Victims.ENGINE_AND_PROVIDER)
    assert job.active() == []
    if then == "another":
        _slow_version(job, go_on)
    job.proxy.begin(
        at_request(r"GET /jobmanager/thread-dump$", Moment.AFTER, go_on.touch, Verdict.PASS)
    )
    job.recover()
    job.assert_runs()
    assert [str(each) for each in job.proxy.changes if RUN.matches(each)] == (
        [] if then == "same" else ["POST /jars/…/run"]
    )
