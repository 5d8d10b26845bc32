"""The next step, by how a job is shown, what is recorded, and what is wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.control_planes.service_planes import Capabilities, StepJob, Version
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.dli.decisions import (
    JobMatch,
    Move,
    NextStep,
    decide,
    is_draft,
    judge,
    newest_savepoint,
    status_of,
)
from flink_jobs_provider.reconciling.ownership import mark_of, ran_since
from tests.unit.model.made_up_jobs import record as flink_record
from tests.unit.model.made_up_jobs import spec as flink_spec

DLI = {"kind": "dli", "region": "eu-west-101", "project_id": "p", "token": "env:T"}
RUN = "9007199254740993"
JID, LATER = "a" * 32, "b" * 32
S0, S1, NAMED = "obs://b/s0", "obs://b/s1", "obs://b/named"
BROKEN = [JobStatus.CANCELED, JobStatus.FAILED]
ENDED = [*BROKEN, JobStatus.FINISHED]


def spec(**changes: Any) -> JobSpec:
    """Return a version of a job on Data Lake Insight."""
    return flink_spec(target=DLI, **changes)


def recorded(**changes: Any) -> JobRecord:
    """Return the record of a running job, started from S0; other savepoints are of its last run."""
    values = {"run_id": RUN, "job_id": JID, "restored_from": S0, "last_savepoint": S0, **changes}
    last = values["last_savepoint"]
    values.setdefault(
        "savepoints", [Savepoint(path=last, run=JID)] if last not in (None, S0) else []
    )
    return flink_record(values.pop("spec", spec()), **values)


def job(wanted: JobSpec | None = None, restore_from: str | None = None, **changes: Any) -> StepJob:
    """Return a running job with the mark of a version."""
    mark = str(mark_of(wanted or spec(), restore_from))
    plain = StepJob(
        RUN, "orders", JID, JobStatus.RUNNING, "job_running", version=Version(mark=mark), started=1
    )
    return replace(plain, **changes)


def down(status: JobStatus = JobStatus.CANCELED, **changes: Any) -> StepJob:
    """Return a job that has ended."""
    return job(**{"status": status, "status_word": "job_cancel_success", **changes})


def step(
    shown: StepJob | None,
    known: JobRecord | None,
    wanted: JobSpec,
    newest: bool = False,
    **write: Any,
) -> NextStep | None:
    """Judge and decide."""
    able = Capabilities(starts_from_newest_state=newest, shows_starts=newest)
    return decide(shown, known, wanted, judge(shown, known, wanted, write), able)


# A job that runs


def test_nothing_is_to_be_done() -> None:
    assert step(job(), recorded(), spec()) is None
    assert step(job(), None, spec()) is None


@pytest.mark.parametrize(
    ("mode", "saves"), [("savepoint", True), ("stateless", False), ("last-state", False)]
)
def test_another_version_begins_with_a_stop(mode: str, saves: bool) -> None:
    wanted = spec(parallelism=5, upgrade_mode=mode)
    assert step(job(), recorded(), wanted) == NextStep(Move.STOP, savepoint=saves)
    unmarked = job(version=Version())
    assert step(unmarked, recorded(), wanted) == NextStep(Move.STOP, savepoint=saves)


def test_what_is_shown_otherwise_begins_with_a_stop() -> None:
    assert step(job(), recorded(), spec(), parallel_number=2) == NextStep(Move.STOP, savepoint=True)


def test_what_can_be_changed_while_it_runs_is() -> None:
    write: dict[str, Any] = {"smn_topic": "t", "resume_max_num": 3}
    assert step(job(), recorded(), spec(), **write) == NextStep(Move.CHANGE, write=write)
    stops = step(job(), recorded(), spec(), **write, cu_number=3)
    assert stops == NextStep(Move.STOP, savepoint=True)


def test_a_description_stops_nothing() -> None:
    assert step(job(), recorded(), spec(), desc="x") is None


def test_a_jar_that_moved_stops_nothing() -> None:
    assert step(job(), recorded(), spec(), entrypoint="obs://b/other.jar") is None
    other = recorded(spec=spec(jar_digest="2" * 64))
    assert step(job(version=Version()), other, spec(), entrypoint="x") == NextStep(
        Move.STOP, savepoint=True
    )


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.RESTARTING, JobStatus.STARTING])
def test_one_that_is_to_be_stopped_is_stopped_with_a_savepoint(status: JobStatus) -> None:
    wanted = spec(desired_state="stopped", upgrade_mode="stateless")
    shown = job(status=status)
    assert decide(shown, recorded(), wanted, JobMatch(False, None), Capabilities()) == NextStep(
        Move.STOP, savepoint=True
    )


@pytest.mark.parametrize("status", ENDED)
def test_one_that_is_to_be_stopped_and_does_not_run_is_left_alone(status: JobStatus) -> None:
    wanted = spec(desired_state="stopped")
    assert decide(down(status), recorded(), wanted, JobMatch(False, None), Capabilities()) is None
    assert decide(None, None, wanted, JobMatch(False, None), Capabilities()) is None


# A job that is not there


def test_a_new_job_is_created() -> None:
    assert step(None, None, spec()) == NextStep(Move.CREATE)
    assert step(None, None, spec(restore_from=NAMED)) == NextStep(Move.CREATE)


def test_a_lost_job_is_created_only_if_it_has_something_to_start_from() -> None:
    assert step(None, recorded(), spec()) == NextStep(Move.CREATE)
    bare = recorded(last_savepoint=None, restored_from=None)
    with pytest.raises(StateUnavailable, match="no longer known"):
        step(None, bare, spec())
    assert step(None, bare, spec(upgrade_mode="stateless")) == NextStep(Move.CREATE)
    assert step(None, bare, spec(restore_from=NAMED)) == NextStep(Move.CREATE)


# A draft

DRAFT = job(status=JobStatus.CANCELED, status_word="job_init", job_id=None, unborn=True, started=0)


def test_a_draft_starts_from_nothing_or_from_what_is_named() -> None:
    assert step(DRAFT, None, spec()) == NextStep(Move.START, called=Action.NEW)
    wanted = spec(restore_from=NAMED)
    marked = replace(DRAFT, version=Version(mark=str(mark_of(wanted, NAMED))))
    named = NextStep(Move.START, resume=True, imported=NAMED, origin=NAMED, called=Action.NEW)
    assert step(marked, None, wanted) == named
    assert step(replace(marked, last_savepoint=NAMED), None, wanted) == named


def test_a_draft_of_another_version_is_changed_first() -> None:
    assert step(DRAFT, None, spec(parallelism=5)) == NextStep(Move.CHANGE)
    assert step(DRAFT, None, spec(restore_from=NAMED)) == NextStep(Move.CHANGE), "its mark"


def test_what_was_imported_and_is_no_longer_named_is_not_started_from() -> None:
    marked = replace(DRAFT, last_savepoint=NAMED, version=Version(mark=str(mark_of(spec(), NAMED))))
    assert step(marked, None, spec()) == NextStep(Move.START, called=Action.NEW)


def test_a_draft_with_a_savepoint_of_its_own_has_run() -> None:
    """Shows that a service which shows a stopped job as a draft loses no state."""
    left = replace(DRAFT, last_savepoint=S1)
    found = step(left, None, spec())
    assert found == NextStep(Move.START, resume=True, origin=S1, called=Action.NEW)


def test_a_draft_of_a_job_that_was_lost_starts_from_its_last_savepoint() -> None:
    other = replace(DRAFT, run_id="17")
    assert step(other, recorded(), spec()) == NextStep(
        Move.START, resume=True, imported=S0, origin=S0
    )
    bare = recorded(last_savepoint=None, restored_from=None)
    with pytest.raises(StateUnavailable):
        step(other, bare, spec())
    afresh = step(other, bare, spec(upgrade_mode="stateless"))
    assert afresh == NextStep(Move.CHANGE) or afresh == NextStep(
        Move.START, called=Action.STATELESS_UPDATE
    )


def test_what_a_draft_is() -> None:
    failed = down(JobStatus.FAILED, status_word="job_submit_fail", unborn=True)
    assert is_draft(replace(failed, job_id=None), None, shows_starts=False)
    assert not is_draft(failed, None, shows_starts=False), "it had an id on Flink"
    assert not is_draft(failed, None, shows_starts=True), "a gateway tells when it last came up"
    assert is_draft(replace(failed, started=0), None, shows_starts=True)
    assert not is_draft(replace(DRAFT, job_id=None), recorded(), shows_starts=True), (
        "it is on record"
    )


# A job that has ended


@pytest.mark.parametrize("newest", [True, False])
def test_one_that_was_stopped_starts_from_its_savepoint(newest: bool) -> None:
    shown = down(last_savepoint=S1)
    found = step(shown, recorded(), spec(), newest)
    assert found == NextStep(Move.START, resume=True, origin=S1)
    stopped = recorded(status=JobStatus.STOPPED, last_savepoint=S1)
    assert step(shown, stopped, spec(), newest) == NextStep(Move.START, resume=True, origin=S1)


def test_a_recorded_savepoint_that_the_service_does_not_show_is_imported() -> None:
    stopped = recorded(status=JobStatus.STOPPED, last_savepoint=S1)
    expected = NextStep(Move.START, resume=True, imported=S1, origin=S1)
    assert step(down(), stopped, spec()) == expected
    assert step(down(last_savepoint=S0), stopped, spec()) == expected


@pytest.mark.parametrize("status", BROKEN)
@pytest.mark.parametrize("shown", ["", S0])
def test_a_savepoint_from_before_the_last_start_is_not_started_from(
    status: JobStatus, shown: str
) -> None:
    with pytest.raises(StateUnavailable) as caught:
        step(down(status, last_savepoint=shown), recorded(), spec())
    assert f"is {status}" in str(caught.value)
    assert "restore_from" in caught.value.remedy
    assert "stateless" in caught.value.remedy


@pytest.mark.parametrize("status", BROKEN)
def test_one_that_was_started_since_it_was_recorded_is_not_set_back(status: JobStatus) -> None:
    shown = down(status, last_savepoint=S1, job_id=LATER)
    with pytest.raises(StateUnavailable, match=S1):
        step(shown, recorded(), spec())


@pytest.mark.parametrize("status", [JobStatus.CANCELED, JobStatus.FAILED])
def test_a_gateway_starts_from_the_newest_state(status: JobStatus) -> None:
    expected = NextStep(Move.START, resume=True, called=Action.RE_LAUNCH)
    assert step(down(status), recorded(), spec(), True) == expected
    assert step(down(status, last_savepoint=S0), recorded(), spec(), True) == expected


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("last", [S1, None])
def test_a_finished_job(newest: bool, last: str | None) -> None:
    """Shows that it stays so, until another version is asked for by a plan that knows it."""
    shown = down(JobStatus.FINISHED, last_savepoint=last or "")
    finished = recorded(status=JobStatus.FINISHED, last_savepoint=last, restored_from=last)
    running = recorded(last_savepoint=last, restored_from=last)
    for before in (finished, running, None):
        assert step(shown, before, spec(on_delete="savepoint"), newest) is None
    assert step(None, finished, spec(), newest) is None
    other = spec(parallelism=5)
    with pytest.raises(StateUnavailable, match="come to its own end since it was recorded"):
        step(shown, running, other, newest)
    assert step(shown, finished, other, newest) == NextStep(Move.CHANGE)
    assert step(None, finished, other, newest) == NextStep(Move.CREATE)
    written = down(JobStatus.FINISHED, wanted=other, last_savepoint=last or "")
    expected = NextStep(Move.START, resume=bool(last), imported=last, origin=last)
    assert step(written, finished, other, newest) == expected
    started = replace(written, job_id=LATER)
    assert step(started, finished, other, newest) is None, "a killed run has started it"


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("status", BROKEN)
def test_state_is_dropped_where_that_is_said(status: JobStatus, newest: bool) -> None:
    wanted = spec(upgrade_mode="stateless")
    found = step(down(status, last_savepoint=S1), recorded(), wanted, newest)
    assert found == NextStep(Move.START, called=Action.STATELESS_UPDATE)


@pytest.mark.parametrize("status", ENDED)
def test_a_named_savepoint_wins(status: JobStatus) -> None:
    wanted = spec(restore_from=NAMED)
    assert step(down(status, last_savepoint=S1), recorded(), wanted) == NextStep(Move.CHANGE)
    marked = down(status, wanted=wanted, restore_from=NAMED, last_savepoint=S1)
    assert step(marked, recorded(), wanted) == NextStep(
        Move.START, resume=True, imported=NAMED, origin=NAMED
    )


def test_another_version_is_written_before_the_start() -> None:
    assert step(down(last_savepoint=S1), recorded(), spec(parallelism=5)) == NextStep(Move.CHANGE)
    assert step(down(last_savepoint=S1), recorded(), spec(), smn_topic="t") == NextStep(Move.CHANGE)


def test_nothing_is_written_where_nothing_could_be_started() -> None:
    with pytest.raises(StateUnavailable):
        step(down(), recorded(), spec(parallelism=5))


# What is told of a job


@pytest.mark.parametrize(
    ("shown", "known", "expected"),
    [
        (down(), recorded(), JobStatus.CANCELED),
        (down(last_savepoint=S1), recorded(), JobStatus.STOPPED),
        (down(last_savepoint=S0), recorded(), JobStatus.CANCELED),
        (down(last_savepoint=S1, job_id=LATER), recorded(), JobStatus.CANCELED),
        (down(last_savepoint=S0), recorded(status=JobStatus.STOPPED), JobStatus.STOPPED),
        (down(last_savepoint=S0), None, JobStatus.STOPPED),
        (down(JobStatus.FAILED, last_savepoint=S1), recorded(), JobStatus.FAILED),
        (job(), recorded(), JobStatus.RUNNING),
    ],
)
def test_status(shown: StepJob, known: JobRecord | None, expected: JobStatus) -> None:
    assert status_of(shown, known) is expected


def test_a_start_since_the_record_is_seen_by_flinks_ids() -> None:
    assert ran_since(job(job_id=LATER), recorded())
    assert not ran_since(job(), recorded())
    assert not ran_since(job(job_id=None), recorded()), "it is not told"
    assert not ran_since(job(), None)
    assert not ran_since(job(), recorded(job_id=RUN)), "it was not told before"


def test_the_newest_savepoint_is_one_since_the_last_start() -> None:
    wanted = spec()
    assert newest_savepoint(down(last_savepoint=S1), recorded(), wanted) == S1
    assert newest_savepoint(down(last_savepoint=S0), recorded(), wanted) is None
    assert newest_savepoint(down(), recorded(last_savepoint=S1), wanted) == S1
    spelt = down(last_savepoint="b/s0/")
    assert newest_savepoint(spelt, recorded(), wanted) is None, "another spelling"
    assert newest_savepoint(down(last_savepoint=S1), None, wanted) == S1


# What an earlier run has done


def test_a_named_savepoint_that_was_honoured_is_not_started_from_again() -> None:
    wanted = spec(restore_from=NAMED)
    honoured = job(wanted, NAMED, job_id=LATER)
    assert judge(honoured, recorded(), wanted, {}).named is None
    assert judge(honoured, None, wanted, {}).named is None
    fell = replace(honoured, status=JobStatus.FAILED, job_id=LATER)
    assert judge(fell, recorded(), wanted, {}).named is None
    assert judge(fell, None, wanted, {}).named is None


def test_a_mark_alone_does_not_honour_a_named_savepoint() -> None:
    """Shows that a run which died between writing its mark and the start has started nothing."""
    wanted = spec(restore_from=NAMED)
    written = down(wanted=wanted, restore_from=NAMED, last_savepoint=S1)
    assert judge(written, recorded(), wanted, {}).named == NAMED
    draft = replace(written, job_id=None, last_savepoint="", unborn=True)
    assert judge(draft, None, wanted, {}).named == NAMED


def test_what_is_in_progress_is_no_status() -> None:
    moving = job(result=ActionResult.IN_PROGRESS)
    assert moving.in_progress
