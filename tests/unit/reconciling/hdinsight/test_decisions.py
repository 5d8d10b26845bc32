"""Status by wanted → the next action, where the version is the wanted one and where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.control_planes.service_planes import ActionCapabilities, ActionJob, Version
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.hdinsight.decisions import (
    NextAction,
    RowMatch,
    decide,
    judge,
    kept,
    newest_savepoint,
    renewal,
)
from flink_jobs_provider.reconciling.job_errors import RestoreUnclear
from flink_jobs_provider.reconciling.ownership import mark_of, read_mark
from tests.unit.model.made_up_jobs import DIGEST_2, SAVEPOINT, record, record_with_savepoint, spec

RUN = "job-1"
AZURE = ActionCapabilities(frozenset(Action), starts_ended=False)
FIRST_API = ActionCapabilities(
    frozenset(Action) - {Action.RE_LAUNCH, Action.LAST_STATE_UPDATE}, False
)
GATEWAY = ActionCapabilities(AZURE.actions, starts_ended=True)


def asked(wanted: JobSpec) -> Version:
    """Return what is asked for by a spec."""
    return Version(
        "abfs://c/orders.jar",
        "Main",
        tuple(wanted.args),
        wanted.parallelism,
        dict(wanted.flink_configuration),
    )


def row(wanted: JobSpec | None = None, **changes: Any) -> ActionJob:
    """Return the row of a job that runs as it was asked to."""
    wanted = wanted or spec()
    job = ActionJob(
        RUN,
        "orders",
        "a" * 32,
        JobStatus.RUNNING,
        "RUNNING",
        action=Action.NEW,
        result=ActionResult.SUCCESS,
        version=replace(asked(wanted), mark=str(mark_of(wanted))),
    )
    return replace(job, **changes)


def known(**changes: Any) -> JobRecord:
    """Return the record of that job, with a savepoint."""
    base = record_with_savepoint(run_id=RUN, job_id="a" * 32)
    return base.model_copy(update=changes)


def next_action(
    job: ActionJob | None,
    recorded: JobRecord | None,
    wanted: JobSpec,
    abilities: ActionCapabilities = AZURE,
) -> NextAction | None:
    """Judge and decide."""
    verdict = judge(job, recorded, wanted, asked(wanted))
    return decide(job, recorded, wanted, verdict, abilities)


def words(step: NextAction | None) -> str:
    """Write a step in short: the action, whether it carries a version, what it names."""
    if step is None:
        return "-"
    carries = " with version" if step.carries else ""
    return f"{step.action}{carries}" + (f" from {step.restore_from}" if step.restore_from else "")


SAME, OTHER = spec(), spec(parallelism=7)
NAMED = spec(restore_from="/s/named")
DROPPED = spec(parallelism=7, upgrade_mode="stateless")
LAST_STATE = spec(parallelism=7, upgrade_mode="last-state")
STOPPED = spec(desired_state="stopped")
WANTED = {
    "same": SAME,
    "other": OTHER,
    "named": NAMED,
    "stateless": DROPPED,
    "last-state": LAST_STATE,
    "stopped": STOPPED,
}
#: By status: the action for each of WANTED.
MATRIX = {
    "RUNNING": [
        "-",
        "UPDATE with version",
        "UPDATE with version from /s/named",
        "STATELESS_UPDATE with version",
        "LAST_STATE_UPDATE with version",
        "STOP",
    ],
    "RESTARTING": [
        "-",
        "UPDATE with version",
        "UPDATE with version from /s/named",
        "STATELESS_UPDATE with version",
        "LAST_STATE_UPDATE with version",
        "STOP",
    ],
    "STOPPED": [
        "START",
        "START with version",
        "START with version from /s/named",
        "DELETE",
        "START with version",
        "-",
    ],
    "FAILED": [
        f"RE_LAUNCH from {SAVEPOINT}",
        f"RE_LAUNCH with version from {SAVEPOINT}",
        "RE_LAUNCH with version from /s/named",
        "DELETE",
        f"RE_LAUNCH with version from {SAVEPOINT}",
        "-",
    ],
    "CANCELED": [
        f"RE_LAUNCH from {SAVEPOINT}",
        f"RE_LAUNCH with version from {SAVEPOINT}",
        "RE_LAUNCH with version from /s/named",
        "DELETE",
        f"RE_LAUNCH with version from {SAVEPOINT}",
        "-",
    ],
    "LOST": [
        f"RE_LAUNCH from {SAVEPOINT}",
        f"RE_LAUNCH with version from {SAVEPOINT}",
        "RE_LAUNCH with version from /s/named",
        "DELETE",
        f"RE_LAUNCH with version from {SAVEPOINT}",
        "-",
    ],
    "FINISHED": ["-", "DELETE", "DELETE", "DELETE", "DELETE", "-"],
    "no row": [
        f"NEW with version from {SAVEPOINT}",
        f"NEW with version from {SAVEPOINT}",
        "NEW with version from /s/named",
        "NEW with version",
        f"NEW with version from {SAVEPOINT}",
        "-",
    ],
}


@pytest.mark.parametrize("status", MATRIX)
@pytest.mark.parametrize("wanted", WANTED)
def test_matrix(status: str, wanted: str) -> None:
    job = None
    if status != "no row":
        job = row(status=JobStatus(status), status_word=status, last_savepoint=SAVEPOINT)
    before = known(status=JobStatus.FINISHED) if status == "FINISHED" else known()
    step = next_action(job, before, WANTED[wanted])
    assert words(step) == MATRIX[status][list(WANTED).index(wanted)]


@pytest.mark.parametrize("status", ["STOPPED", "FAILED", "CANCELED", "LOST", "no row"])
@pytest.mark.parametrize("wanted", ["same", "other", "last-state"])
def test_without_a_savepoint_nothing_starts(status: str, wanted: str) -> None:
    job = None if status == "no row" else row(status=JobStatus(status), status_word=status)
    recorded = record(run_id=RUN, job_id="a" * 32)
    with pytest.raises(
        StateUnavailable, match="no savepoint or retained checkpoint of it is known"
    ) as caught:
        next_action(job, recorded, WANTED[wanted])
    assert caught.value.now == "Nothing was started, so that its state is not silently dropped."


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "LOST"])
def test_a_gateway_knows_the_newest_state(status: str) -> None:
    """Shows that the last savepoint does not hide a newer checkpoint, which no row shows."""
    job = row(status=JobStatus(status), status_word=status, last_savepoint=SAVEPOINT)
    for recorded in (known(), record(run_id=RUN, job_id="a" * 32)):
        assert words(next_action(job, recorded, SAME, GATEWAY)) == "RE_LAUNCH"
        assert words(next_action(job, recorded, OTHER, GATEWAY)) == "RE_LAUNCH with version"
    assert words(next_action(job, known(), NAMED, GATEWAY)) == MATRIX[status][2]


@pytest.mark.parametrize("status", ["STOPPED", "FAILED", "CANCELED", "LOST", "FINISHED"])
def test_a_gateway_starts_ended_jobs_afresh(status: str) -> None:
    job = row(status=JobStatus(status), status_word=status, last_savepoint=SAVEPOINT)
    assert words(next_action(job, known(), DROPPED, GATEWAY)) == "STATELESS_UPDATE with version"


@pytest.mark.parametrize("abilities", [AZURE, FIRST_API, GATEWAY])
@pytest.mark.parametrize("saved", [True, False])
def test_a_finished_job(abilities: ActionCapabilities, saved: bool) -> None:
    """Shows that it stays so, until another version is asked for by a plan that knows it."""
    savepoint = SAVEPOINT if saved else ""
    job = row(status=JobStatus.FINISHED, status_word="FINISHED", last_savepoint=savepoint)
    finished = (known if saved else record)(run_id=RUN, job_id="a" * 32, status=JobStatus.FINISHED)
    running = (known if saved else record)(run_id=RUN, job_id="a" * 32)
    for before in (finished, running, None):
        assert next_action(job, before, SAME, abilities) is None
        if before is not None:
            later = replace(job, job_id="b" * 32)
            kept = spec(on_delete="savepoint")
            assert next_action(later, before, kept, abilities) is None
    assert next_action(None, finished, SAME, abilities) is None
    with pytest.raises(StateUnavailable, match="come to its own end since it was recorded"):
        next_action(job, running, OTHER, abilities)
    afresh = abilities.starts_ended and not saved
    expected = "STATELESS_UPDATE with version" if afresh else "DELETE"
    assert words(next_action(job, finished, OTHER, abilities)) == expected
    anew = next_action(None, finished, OTHER, abilities)
    assert words(anew) == "NEW with version" + (f" from {SAVEPOINT}" if saved else "")
    assert anew
    assert anew.called is Action.START


def test_a_finished_job_that_a_killed_run_has_started_is_not_run_once_more() -> None:
    job = row(OTHER, job_id="b" * 32, status=JobStatus.FINISHED, status_word="FINISHED")
    assert next_action(job, known(status=JobStatus.FINISHED), OTHER) is None
    assert next_action(job, known(), OTHER) is None


@pytest.mark.parametrize("status", ["FAILED", "CANCELED"])
def test_the_first_version_of_the_api_starts_anew(status: str) -> None:
    """Shows that, without RE_LAUNCH, the row gives way: NEW names the savepoint then."""
    job = row(status=JobStatus(status), status_word=status, last_savepoint=SAVEPOINT)
    assert words(next_action(job, known(), SAME, FIRST_API)) == "DELETE"


def test_no_row_is_deleted_that_alone_knows_the_state() -> None:
    job = row(status=JobStatus.FINISHED, status_word="FINISHED", last_savepoint="/s/unrecorded")
    with pytest.raises(StateUnavailable, match="from /s/unrecorded alone, which is not recorded"):
        next_action(job, known(status=JobStatus.FINISHED), OTHER)
    with pytest.raises(StateUnavailable):
        renewal(job, None, SAME, RowMatch(True, None))
    assert renewal(job, known(), SAME, RowMatch(True, "/s/named")).action is Action.DELETE


def test_a_job_that_never_was() -> None:
    assert words(next_action(None, None, SAME)) == "NEW with version"
    assert words(next_action(None, None, NAMED)) == "NEW with version from /s/named"
    assert next_action(None, None, STOPPED) is None
    never_ran = record(status=JobStatus.STOPPED, job_id=None, generation=0)
    assert words(next_action(None, never_ran, SAME)) == "NEW with version"


@pytest.mark.parametrize("launch_failed", [True, False])
def test_a_job_that_never_came_up_gives_way(launch_failed: bool) -> None:
    job = row(
        job_id=None,
        status=JobStatus.FAILED,
        result=ActionResult.FAILED,
        launch_failed=launch_failed,
    )
    assert words(next_action(job, None, SAME)) == "DELETE"
    running = replace(job, status=JobStatus.RUNNING)
    assert next_action(running, None, SAME) is None


def test_a_row_that_never_came_up_does_not_hide_that_there_was_state() -> None:
    job = row(job_id=None, status=JobStatus.FAILED, result=ActionResult.FAILED)
    with pytest.raises(StateUnavailable):
        next_action(job, record(run_id=RUN, job_id="b" * 32), SAME)


# Which version a row is


def test_a_mark_tells_the_version() -> None:
    assert judge(row(), None, SAME, asked(SAME)) == RowMatch(True, None)
    assert judge(row(), None, OTHER, asked(OTHER)) == RowMatch(False, None)
    restarted = spec(restart_trigger="2")
    assert not judge(row(), known(), restarted, asked(restarted)).wanted


def test_a_named_savepoint_counts_once() -> None:
    job = row(NAMED)
    assert judge(job, known(), NAMED, asked(NAMED)).named == "/s/named"
    marked = replace(job.version, mark=str(mark_of(NAMED, "/s/named")))
    started = replace(job, version=marked, job_id="b" * 32)
    assert judge(started, known(), NAMED, asked(NAMED)) == RowMatch(True, None)
    again = judge(replace(job, version=marked), known(), NAMED, asked(NAMED))
    assert again.named == "/s/named", "nothing was started since the record"
    later = judge(replace(job, version=marked), known(spec=NAMED), SAME, asked(SAME))
    assert later == RowMatch(True, None), "its removal from the inputs changes nothing"


def test_a_named_savepoint_where_no_mark_is_shown() -> None:
    bare = replace(row(NAMED), version=asked(NAMED), restored_from="/s/named")
    assert judge(bare, None, NAMED, asked(NAMED)) == RowMatch(True, None)
    assert judge(replace(bare, restored_from=""), None, NAMED, asked(NAMED)).named == "/s/named"


UNRECORDED = {
    "only created": (row(), False),
    "created from it": (
        row(version=replace(asked(NAMED), mark=str(mark_of(NAMED, "/s/named")))),
        False,
    ),
    "created from another": (row(restored_from="/s/other"), True),
    "updated since": (row(action=Action.UPDATE), True),
    "a savepoint taken since": (row(action=Action.SAVEPOINT), True),
    "stopped": (row(action=Action.STOP, status=JobStatus.STOPPED, last_savepoint="/s/1"), True),
    "failed, with a savepoint": (
        row(action=Action.UPDATE, status=JobStatus.FAILED, last_savepoint="/s/1"),
        True,
    ),
    "failed, and nothing to go on from": (
        row(action=Action.UPDATE, status=JobStatus.FAILED),
        False,
    ),
    "never came up": (
        row(result=ActionResult.FAILED, status=JobStatus.FAILED, restored_from="/s/other"),
        False,
    ),
    "about to be updated from it, by a run that died": (
        row(
            action=Action.UPDATE,
            version=replace(asked(NAMED), mark=str(mark_of(NAMED, "/s/named", "a" * 32))),
        ),
        False,
    ),
}


@pytest.mark.parametrize("case", UNRECORDED)
def test_a_restore_point_that_may_be_left_in_the_program(case: str) -> None:
    """Shows that a job which no record names is not set back to where it may have started."""
    job, refused = UNRECORDED[case]
    if not refused:
        next_action(job, None, NAMED)
        return
    with pytest.raises(RestoreUnclear) as caught:
        next_action(job, None, NAMED)
    state = "runs already" if job.active else "has left savepoint /s/1"
    assert caught.value.happened == (
        f"orders: job {'a' * 32} of this stack {state}, and whether it has started from "
        "restore_from (/s/named) before is not recorded."
    )
    assert next_action(job, None, STOPPED) == (NextAction(Action.STOP) if job.active else None)


def test_a_gateways_job_has_its_newest_state_without_a_savepoint() -> None:
    failed = row(action=Action.UPDATE, status=JobStatus.FAILED, status_word="FAILED")
    with pytest.raises(RestoreUnclear, match="of this stack is FAILED, and whether"):
        next_action(failed, None, NAMED, GATEWAY)


def test_without_a_mark_the_record_tells() -> None:
    bare = replace(row(), version=asked(SAME))
    assert judge(bare, known(), SAME, asked(SAME)).wanted
    restarted = spec(restart_trigger="2")
    assert not judge(bare, known(), restarted, asked(restarted)).wanted
    assert not judge(bare, known(other_version=True), SAME, asked(SAME)).wanted
    assert judge(bare, None, SAME, asked(SAME)).wanted


def test_what_is_shown_wins_over_the_mark() -> None:
    job = row()
    changed = replace(job, version=replace(job.version, parallelism=9))
    assert not judge(changed, known(), SAME, asked(SAME)).wanted


def test_a_jar_that_moved_is_the_same_jar() -> None:
    """Shows that what is planned as nothing to do is nothing to do; new content is another jar."""
    moved = replace(asked(SAME), jar="abfs://elsewhere/orders.jar")
    assert judge(row(), known(), SAME, moved).wanted
    assert not judge(row(), None, SAME, moved).wanted
    new = spec(jar_digest=DIGEST_2)
    shown = replace(row().version, mark=str(mark_of(new)))
    kept_old = replace(row(), version=shown)
    assert not judge(kept_old, known(), new, moved).wanted, "the mark alone was taken over"


@pytest.mark.parametrize("action", ["UPDATE", "STATELESS_UPDATE", "LAST_STATE_UPDATE"])
def test_a_failed_update_is_not_taken_for_what_it_shows(action: str) -> None:
    job = row(action=Action(action), result=ActionResult.FAILED)
    assert not judge(job, known(), SAME, asked(SAME)).wanted
    assert judge(job, known(), SAME, asked(SAME), shows_what_runs=True).wanted


def test_only_what_is_shown_is_compared() -> None:
    wanted = asked(spec(flink_configuration={"a": "1", "b": "2"}))
    assert kept(wanted, Version(), None) == []
    shown = Version("abfs://c/old.jar", None, ("x",), 3, {"a": "1", "b": "x", "default": "d"})
    assert kept(wanted, shown, None) == ["jar", "args", "parallelism", "flink_configuration.b"]
    former = record(spec(flink_configuration={"default": "d"}))
    assert kept(wanted, shown, former)[-1] == "flink_configuration.default"


def test_marks_read_back() -> None:
    for mark in (mark_of(SAME), mark_of(NAMED, "/s/named")):
        assert read_mark(str(mark)) == mark
        assert mark.is_of(SAME.key)
    assert not read_mark("").is_of(SAME.key)
    assert not mark_of(spec(owner="other")).is_of(SAME.key)
    assert mark_of(NAMED, "file:///s/named/") == mark_of(NAMED, "/s/named")


# Which savepoint is of the newest state


def test_the_newest_savepoint() -> None:
    job = row(last_savepoint="/s/new")
    assert newest_savepoint(job, known()) == "/s/new"
    for spelt in (SAVEPOINT, f"file:{SAVEPOINT}/"):
        assert newest_savepoint(row(last_savepoint=spelt), known()) == SAVEPOINT
    assert newest_savepoint(row(), known()) == SAVEPOINT
    assert newest_savepoint(row(restored_from="/s/0"), None) == "/s/0"
    assert newest_savepoint(row(), None) is None
    dropped = known(last_savepoint=None)
    assert newest_savepoint(row(last_savepoint=SAVEPOINT), dropped) is None
    assert newest_savepoint(row(), known(last_savepoint=None, restored_from="/s/1")) == "/s/1"
