"""The matrix of decisions: upgrade mode, status, kind of change → action, words, refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import Plan
from flink_jobs_provider.planning.plan import plan as plan_at
from tests.unit.model.made_up_jobs import DIGEST_2, SAVEPOINT, record, record_with_savepoint, spec

#: Three minutes after the recorded savepoint was taken.
NOW = datetime(2026, 11, 1, 10, 3, tzinfo=UTC).timestamp()


def plan(recorded: JobRecord | None, wanted: JobSpec) -> Plan:
    """Plan at that time."""
    return plan_at(recorded, wanted, NOW)


#: A submission of the recorded generation, as a second copy is.
OLDER = "e" * 18 + "000001" + "0" * 8
#: One that was started alongside it.
NEWER = "e" * 18 + "000002" + "0" * 8
MODES = ("savepoint", "last-state", "stateless")
ACTIVE = (JobStatus.STARTING, JobStatus.RUNNING, JobStatus.RESTARTING)
ENDED = (
    JobStatus.STOPPED,
    JobStatus.CANCELED,
    JobStatus.FAILED,
    JobStatus.LOST,
)
OTHER_PLACE = {"url": "http://other:8081"}

UPDATE = "UPDATE, stop with savepoint and restart"
LAST_STATE = "LAST_STATE_UPDATE, cancel and restart from the latest retained checkpoint"
AFRESH = "STATELESS_UPDATE, cancel and start afresh, STATE IS DISCARDED"
SAVE = "SAVEPOINT, take a savepoint, the job goes on"
STOP = "STOP, stop with savepoint"
ONE_COPY = "STOP, stop the older of the copies that run, with savepoint"
RECORDED = "no action, recorded only"
RESTORE = "UPDATE, stop with savepoint, and restart from /s/2 instead"
RESTORE_AFRESH = "STATELESS_UPDATE, cancel and start from /s/2, STATE IS DISCARDED"
START = f"START, start from {SAVEPOINT} (3 min old)"
START_AFRESH = "STATELESS_UPDATE, start afresh, STATE IS DISCARDED"
START_AT = "START, start from /s/2"
NEW_EMPTY = "NEW, replace by a job that starts from nothing, STATE IS DISCARDED"
NEW_RESTORED = "NEW, replace by a job that starts from /s/2"

#: kind of change: (inputs that change, drift that was read, what is done by upgrade mode, why)
Row = tuple[dict[str, Any], dict[str, Any], tuple[str, str, str], str]

WHILE_ACTIVE: dict[str, Row] = {
    "nothing": ({}, {}, (RECORDED,) * 3, ""),
    "recorded only": (
        {"on_delete": "savepoint"},
        {},
        (RECORDED,) * 3,
        "on_delete cancel → savepoint",
    ),
    "savepoint trigger": ({"savepoint_trigger": "1"}, {}, (SAVE,) * 3, "savepoint_trigger changed"),
    "parallelism": ({"parallelism": 4}, {}, (UPDATE, LAST_STATE, AFRESH), "parallelism 2 → 4"),
    "jar": ({"jar_digest": DIGEST_2}, {}, (UPDATE, LAST_STATE, AFRESH), "jar content changed"),
    "restart trigger": (
        {"restart_trigger": "1"},
        {},
        (UPDATE, LAST_STATE, AFRESH),
        "restart_trigger changed",
    ),
    "savepoint trigger and parallelism": (
        {"savepoint_trigger": "1", "parallelism": 4},
        {},
        (UPDATE, LAST_STATE, AFRESH),
        "parallelism 2 → 4, savepoint_trigger changed",
    ),
    "restore point": (
        {"restore_from": "/s/2"},
        {},
        (RESTORE, RESTORE, RESTORE_AFRESH),
        "restore_from /s/2",
    ),
    "stop": (
        {"desired_state": "stopped"},
        {},
        (STOP,) * 3,
        "desired_state running → stopped",
    ),
    "stop and parallelism": (
        {"desired_state": "stopped", "parallelism": 4},
        {},
        (STOP,) * 3,
        "parallelism 2 → 4, desired_state running → stopped",
    ),
    "two copies": ({}, {"duplicates": [OLDER]}, (ONE_COPY,) * 3, "2 copies run at once"),
    "two copies and parallelism": (
        {"parallelism": 4},
        {"duplicates": [OLDER]},
        (UPDATE, LAST_STATE, AFRESH),
        "2 copies run at once, parallelism 2 → 4",
    ),
    "another version runs": (
        {},
        {"other_version": True},
        (UPDATE, LAST_STATE, AFRESH),
        "another version than the recorded one runs",
    ),
}

ONCE_ENDED: dict[str, Row] = {
    "nothing": ({}, {}, (START, START, START_AFRESH), "{drift}"),
    "recorded only": (
        {"on_delete": "savepoint"},
        {},
        (START, START, START_AFRESH),
        "{drift}, on_delete cancel → savepoint",
    ),
    "savepoint trigger": (
        {"savepoint_trigger": "1"},
        {},
        (START, START, START_AFRESH),
        "{drift}, savepoint_trigger changed",
    ),
    "parallelism": (
        {"parallelism": 4},
        {},
        (START, START, START_AFRESH),
        "{drift}, parallelism 2 → 4",
    ),
    "restore point": (
        {"restore_from": "/s/2"},
        {},
        (START_AT, START_AT, START_AT),
        "{drift}, restore_from /s/2",
    ),
    "stop": (
        {"desired_state": "stopped"},
        {},
        (RECORDED,) * 3,
        "desired_state running → stopped",
    ),
}


AGAIN = f"{START}, so that what the finished run did after it is done again"
#: Why a finished job is left so, after what differs.
_OVER = "the job has finished"

ONCE_FINISHED: dict[str, Row] = {
    "nothing": ({}, {}, (RECORDED,) * 3, _OVER),
    "recorded only": (
        {"on_delete": "savepoint"},
        {},
        (RECORDED,) * 3,
        f"on_delete cancel → savepoint, {_OVER}",
    ),
    "savepoint trigger": (
        {"savepoint_trigger": "1"},
        {},
        (RECORDED,) * 3,
        f"savepoint_trigger changed, {_OVER}",
    ),
    "parallelism": (
        {"parallelism": 4},
        {},
        (AGAIN, AGAIN, START_AFRESH),
        "{drift}, parallelism 2 → 4",
    ),
    "jar": (
        {"jar_digest": DIGEST_2},
        {},
        (AGAIN, AGAIN, START_AFRESH),
        "{drift}, jar content changed",
    ),
    "restart trigger": (
        {"restart_trigger": "1"},
        {},
        (AGAIN, AGAIN, START_AFRESH),
        "{drift}, restart_trigger changed",
    ),
    "restore point": ONCE_ENDED["restore point"],
    "stop": ONCE_ENDED["stop"],
}


def _cases(rows: dict[str, Row], statuses: tuple[JobStatus, ...]) -> list[Any]:
    return [
        pytest.param(status, mode, *row[:2], row[2][i], row[3], id=f"{kind}-{status}-{mode}")
        for kind, row in rows.items()
        for status in statuses
        for i, mode in enumerate(MODES)
    ]


@pytest.mark.parametrize(
    ("status", "mode", "inputs", "drift", "done", "why"),
    [
        *_cases(WHILE_ACTIVE, ACTIVE),
        *_cases(ONCE_ENDED, ENDED),
        *_cases(ONCE_FINISHED, (JobStatus.FINISHED,)),
    ],
)
def test_matrix(
    status: JobStatus,
    mode: str,
    inputs: dict[str, Any],
    drift: dict[str, Any],
    done: str,
    why: str,
) -> None:
    recorded = record_with_savepoint(spec(upgrade_mode=mode), status=status, **drift)
    decided = plan(recorded, spec(upgrade_mode=mode, **inputs))
    why = why.format(drift=f"the job is {status} on its cluster")
    assert decided.line() == f"orders: {done}" + (f": {why}" if why else "")
    word = done.split(",")[0]
    assert decided.action == (None if done == RECORDED else Action(word))
    assert decided.discards_state == ("STATE IS DISCARDED" in done)
    assert decided.refusal == ""
    assert decided.replaces == ()
    assert decided.needed == bool(inputs or drift or status in ENDED)


@pytest.mark.parametrize("mode", ["savepoint", "last-state"])
def test_a_new_run_of_a_finished_job_without_known_state(mode: str) -> None:
    """Shows that the plan says so where a new run starts from nothing."""
    recorded = record(spec(upgrade_mode=mode), status=JobStatus.FINISHED)
    decided = plan(recorded, spec(upgrade_mode=mode, restart_trigger="1"))
    assert decided.line() == (
        "orders: START, start from nothing, since no state is known of the run that finished: "
        "the job is FINISHED on its cluster, restart_trigger changed"
    )


def test_a_change_that_is_recorded_only_starts_no_finished_job() -> None:
    recorded = record(spec(desired_state="stopped"), status=JobStatus.FINISHED)
    decided = plan(recorded, spec(upgrade_mode="stateless", owner="organization/shop/other"))
    assert decided.action is None
    assert decided.needed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", [*ACTIVE, *ENDED, JobStatus.FINISHED])
@pytest.mark.parametrize(
    ("change", "name"), [({"target": OTHER_PLACE}, "target"), ({"job_name": "bills"}, "job_name")]
)
def test_replacement(mode: str, status: JobStatus, change: dict[str, Any], name: str) -> None:
    """Shows that another cluster or name is refused unless the spec says what becomes of state."""
    recorded = record_with_savepoint(spec(upgrade_mode=mode), status=status)
    decided = plan(recorded, spec(upgrade_mode=mode, **change))
    assert decided.replaces == (name,)
    assert decided.action is Action.NEW
    assert decided.discards_state
    assert NEW_EMPTY in decided.line()
    if mode == "stateless":
        assert decided.refusal == ""
    else:
        assert f"a change of {name} starts another job" in decided.refusal
        assert SAVEPOINT in decided.refusal
        assert "The job is untouched." in decided.refusal
        assert 'Set restore_from to a savepoint of it, or upgrade_mode to "stateless"' in (
            decided.refusal
        )


@pytest.mark.parametrize("mode", MODES)
def test_replacement_with_a_restore_point(mode: str) -> None:
    recorded = record_with_savepoint(spec(upgrade_mode=mode))
    decided = plan(recorded, spec(upgrade_mode=mode, target=OTHER_PLACE, restore_from="/s/2"))
    assert NEW_RESTORED in decided.line()
    assert not decided.discards_state
    assert decided.refusal == ""


def test_replacement_with_a_restore_point_of_before() -> None:
    """Shows that a savepoint named long ago is no leave to go back to it."""
    old = {"upgrade_mode": "savepoint", "restore_from": "/s/2"}
    decided = plan(record_with_savepoint(spec(**old)), spec(target=OTHER_PLACE, **old))
    assert "starts another job, without the state of this one" in decided.refusal
    stateless = spec(target=OTHER_PLACE, **{**old, "upgrade_mode": "stateless"})
    decided = plan(record_with_savepoint(spec(**old)), stateless)
    assert decided.refusal == ""
    assert f"{NEW_RESTORED}, STATE IS DISCARDED" in decided.line()


def test_replacement_of_a_job_that_never_had_state() -> None:
    """Shows that a stopped job without a savepoint may move: it holds nothing to lose."""
    recorded = record(spec(desired_state="stopped"), status=JobStatus.STOPPED, job_id=None)
    decided = plan(recorded, spec(desired_state="stopped", target=OTHER_PLACE))
    assert not decided.discards_state
    assert decided.refusal == ""


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({}, "orders: NEW, first start, no state"),
        ({"upgrade_mode": "stateless"}, "orders: NEW, first start, no state"),
        ({"restore_from": "/s/1"}, "orders: NEW, start from /s/1"),
        (
            {"desired_state": "stopped"},
            "orders: no action, recorded only: desired_state is stopped",
        ),
    ],
)
def test_creation(inputs: dict[str, Any], line: str) -> None:
    assert plan(None, spec(**inputs)).line() == line


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("inputs", "done", "why"),
    [
        ({}, "NEW, first start, no state", ""),
        ({"restore_from": "/s/1"}, "NEW, start from /s/1", "restore_from /s/1, "),
    ],
)
def test_first_start_of_a_job_that_was_declared_stopped(
    mode: str, inputs: dict[str, Any], done: str, why: str
) -> None:
    """Shows that a job that never ran discards nothing when it starts."""
    before = spec(upgrade_mode=mode, desired_state="stopped")
    recorded = record(before, status=JobStatus.STOPPED, job_id=None, generation=0)
    decided = plan(recorded, spec(upgrade_mode=mode, **inputs))
    assert decided.line() == f"orders: {done}: {why}desired_state stopped → running"
    assert not decided.discards_state


@pytest.mark.parametrize("mode", MODES)
def test_start_of_a_stopped_job(mode: str) -> None:
    before = spec(upgrade_mode=mode, desired_state="stopped")
    decided = plan(record_with_savepoint(before, status=JobStatus.STOPPED), spec(upgrade_mode=mode))
    done = START_AFRESH if mode == "stateless" else START
    assert decided.line() == f"orders: {done}: desired_state stopped → running"


def test_start_when_no_savepoint_is_recorded() -> None:
    """Shows that the line does not promise a fresh start where state will be looked for."""
    decided = plan(record(status=JobStatus.LOST), spec())
    assert decided.line() == (
        "orders: START, start from its newest savepoint or checkpoint: "
        "the job is LOST on its cluster"
    )


def test_a_restore_point_that_was_named_before_is_not_gone_back_to() -> None:
    """Shows that an old `restore_from` left in the program does not roll a later update back."""
    before = spec(restore_from="/s/1")
    decided = plan(record_with_savepoint(before), spec(restore_from="/s/1", parallelism=4))
    assert decided.line() == f"orders: {UPDATE}: parallelism 2 → 4"


@pytest.mark.parametrize(
    ("recorded", "inputs", "line"),
    [
        (
            record(),
            {"parallelism": 4, "jar_digest": DIGEST_2},
            "orders: UPDATE, stop with savepoint and restart: "
            "parallelism 2 → 4, jar content changed",
        ),
        (
            record(),
            {"upgrade_mode": "stateless", "args": ["--x"]},
            "orders: STATELESS_UPDATE, cancel and start afresh, STATE IS DISCARDED: "
            "args changed, upgrade_mode savepoint → stateless",
        ),
        (
            record(),
            {"upgrade_mode": "last-state", "entry_class": "shop.Main"},
            "orders: LAST_STATE_UPDATE, cancel and restart from the latest retained checkpoint: "
            "entry_class none → shop.Main, upgrade_mode savepoint → last-state",
        ),
        (
            record(),
            {"upgrade_mode": "blue-green", "jar_digest": DIGEST_2, "health": {"window": "1m"}},
            "orders: UPDATE, start alongside it from a savepoint, and stop it when the new version "
            "is up: OUTPUT IS WRITTEN BY BOTH UNTIL THEN: jar content changed, upgrade_mode "
            "savepoint → blue-green, health changed; health gate 1m",
        ),
        (
            record(),
            {"upgrade_mode": "blue-green", "restore_from": "/s/2"},
            "orders: UPDATE, stop with savepoint, and restart from /s/2 instead: "
            "restore_from /s/2, upgrade_mode savepoint → blue-green",
        ),
        (
            record(duplicates=[NEWER]),
            {},
            f"orders: CANCEL, cancel job {NEWER}; the job goes on as it is: a switch-over was cut "
            f"short: job {NEWER} runs alongside it",
        ),
        (
            record(duplicates=[OLDER, "e" * 18 + "000001" + "f" * 8]),
            {},
            "orders: STOP, stop the older of the copies that run, with savepoint: "
            "3 copies run at once",
        ),
        (record(), {}, "orders: no action, recorded only"),
    ],
)
def test_lines_as_users_know_them(recorded: JobRecord, inputs: dict[str, Any], line: str) -> None:
    assert plan(recorded, spec(**inputs)).line() == line


def test_nothing_to_do_is_not_needed() -> None:
    assert not plan(record(), spec()).needed
    assert plan(record(), spec()) == Plan("orders", None)


DLI = {"kind": "dli", "region": "eu-west-101", "project_id": "p", "token": "env:T"}


def test_what_is_changed_while_it_runs_is_no_restart() -> None:
    recorded = record(spec(target=DLI, dli={"smn_topic": "a"}), run_id="1")
    decided = plan(recorded, spec(target=DLI, dli={"smn_topic": "b"}))
    assert decided.needed
    assert decided.action is None
    assert decided.line() == ("orders: no restart, changed while it runs: dli.smn_topic a → b")


def test_a_gateway_takes_that_for_the_next_start_and_the_plan_says_so() -> None:
    there = {"kind": "dli", "endpoint": "https://gateway.shop", "project_id": "p", "token": "env:T"}
    recorded = record(spec(target=there, dli={"resume_max_num": 3}), run_id="1")
    decided = plan(recorded, spec(target=there, dli={"resume_max_num": 4}))
    assert decided.line() == (
        "orders: no restart, changed while it runs, and on a gateway counting from the next start: "
        "dli.resume_max_num 3 → 4"
    )


def test_what_cannot_be_changed_is_refused() -> None:
    recorded = record(spec(target=DLI, dli={"tags": {"a": "1"}}), run_id="1")
    decided = plan(recorded, spec(target=DLI, dli={"tags": {"a": "2"}}, parallelism=3))
    assert decided.refusal.startswith("orders: dli.tags cannot be changed: ")
    assert "The job is untouched." in decided.refusal


def test_another_target_is_another_job_whatever_else_changes() -> None:
    recorded = record(spec(target=DLI, dli={"tags": {"a": "1"}}), run_id="1")
    decided = plan(recorded, spec(restore_from="/s/1"))
    assert decided.replaces == ("target",)


def test_in_a_cloud_no_older_state_is_promised() -> None:
    """Shows that the plan names no savepoint that the run may refuse to start from."""
    failed = {
        "status": JobStatus.FAILED,
        "run_id": "1",
        "job_id": "2",
        "last_savepoint": "obs://s/1",
    }
    line = plan(record(spec(target=DLI), **failed), spec(target=DLI)).line()
    assert "start from its newest state, if that is known to be newer than its last start" in line
    there = {"kind": "dli", "endpoint": "https://gateway.shop", "project_id": "p", "token": "env:T"}
    line = plan(record(spec(target=there), **failed), spec(target=there)).line()
    assert "start from its newest savepoint or checkpoint" in line


@pytest.mark.parametrize("status", [JobStatus.LOST, JobStatus.FAILED, JobStatus.CANCELED])
@pytest.mark.parametrize(
    ("point", "words"),
    [
        (
            RestorePoint("/c/chk-7", "checkpoint", "2026-11-01T10:02:00Z"),
            "checkpoint /c/chk-7 (60 s old)",
        ),
        (RestorePoint("/s/2", "savepoint"), "savepoint /s/2 (of unknown age)"),
        (
            RestorePoint("/s/2", "savepoint", "2026-11-01T09:50:00Z", "2026-11-01T10:02:40Z"),
            "savepoint /s/2 (13 min old), OLDER THAN ITS LAST COMPLETED CHECKPOINT (20 s old), "
            "which is gone: what it did in between is done again",
        ),
        (
            RestorePoint("/s/2", "savepoint", "2026-10-30T09:50:00Z", broken="is not there"),
            "savepoint /s/2 (2 days old), WHICH IS NOT THERE: this is refused",
        ),
    ],
)
def test_the_state_that_a_refresh_has_found_is_named(
    status: JobStatus, point: RestorePoint, words: str
) -> None:
    """Shows that it wins over the recorded savepoint, and that its age is told."""
    recorded = record_with_savepoint(status=status, restore_point=point)
    assert plan(recorded, spec()).line() == (
        f"orders: START, start from {words}: the job is {status} on its cluster"
    )


@pytest.mark.parametrize("status", [JobStatus.LOST, JobStatus.FAILED, JobStatus.CANCELED])
def test_what_a_gateway_finds_is_not_foretold(status: JobStatus) -> None:
    """Shows that the recorded savepoint is not announced where a gateway takes what is newest."""
    at = {
        "kind": "hdinsight",
        "endpoint": "https://gateway",
        "subscription": "s",
        "resource_group": "g",
        "cluster_pool": "p",
        "cluster": "c",
        "token": "env:T",
    }
    wanted = spec(target=at)
    decided = plan(record_with_savepoint(wanted, status=status), wanted)
    assert "START, start from its newest savepoint or checkpoint: " in decided.line()
    stopped = plan(record_with_savepoint(wanted, status=JobStatus.STOPPED), wanted)
    assert f"start from {SAVEPOINT} (3 min old)" in stopped.line()
