"""Action by status: allowed, or refused with what can be done instead; and what is wanted."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.job_service import ActionRequest
from flink_jobs_provider.gateway.jobs.transitions import check, wanted_spec
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.model.made_up_jobs import DIGEST_1, DIGEST_2, SAVEPOINT, spec

#: Which actions each status allows; a dash stands for the one that does not.
MATRIX = """
                  NEW START STOP UPDATE STATELESS_UPDATE LAST_STATE_UPDATE RE_LAUNCH SAVEPOINT LIST_SAVEPOINT CANCEL DELETE
STARTING          -   -     yes  yes    yes              yes               -         yes       yes            yes    -
RUNNING           -   -     yes  yes    yes              yes               -         yes       yes            yes    -
RESTARTING        -   -     yes  yes    yes              yes               -         yes       yes            yes    -
STOPPED           -   yes   -    -      yes              -                 -         -         yes            yes    yes
FINISHED          -   -     -    -      yes              -                 -         -         yes            yes    yes
CANCELED          -   -     -    -      yes              -                 yes       -         yes            yes    yes
FAILED            -   -     -    -      yes              -                 yes       -         yes            yes    yes
LOST              -   -     -    -      yes              -                 yes       -         yes            yes    yes
JOB_LAUNCH_FAILED yes -     -    -      yes              -                 yes       -         yes            yes    yes
"""  # noqa: E501 - a table

_HEAD, *_ROWS = (line.split() for line in MATRIX.strip().splitlines())
CASES = [
    (Action(action), row[0], cell == "yes")
    for row in _ROWS
    for action, cell in zip(_HEAD, row[1:], strict=True)
]


def request(action: Action, run_id: str | None = None, **changes: Any) -> ActionRequest:
    """Return a request for an action on `orders`."""
    return ActionRequest("/c", "orders", action, changes, {}, "tester", run_id)


@pytest.mark.parametrize(("action", "status", "allowed"), CASES)
def test_what_each_status_allows(action: Action, status: str, allowed: bool) -> None:
    if allowed:
        check(request(action), status, "job-1")
        return
    with pytest.raises(Refusal) as refused:
        check(request(action), status, "job-1")
    assert status_of(refused.value) == 409
    assert status in refused.value.message
    instead = [
        word for word in re.findall(r"[A-Z_]+", refused.value.message) if word in set(Action)
    ]
    assert instead[1 if instead[0] == action else 0 :], refused.value.message
    for word in set(instead) - {action, "DELETE"}:
        assert (word, status, True) in CASES


@pytest.mark.parametrize("action", Action)
def test_a_job_that_is_not_there(action: Action) -> None:
    if action is Action.NEW:
        check(request(action), None, None)
        return
    with pytest.raises(Refusal) as refused:
        check(request(action), None, None)
    assert (status_of(refused.value), refused.value.code) == (404, "JobNotFound")


def test_another_run_than_the_one_that_is_meant() -> None:
    check(request(Action.STOP, run_id="job-1"), "RUNNING", "job-1")
    with pytest.raises(
        Refusal, match="There is no run job-2 of job orders: it is job-1"
    ) as refused:
        check(request(Action.STOP, run_id="job-2"), "RUNNING", "job-1")
    assert status_of(refused.value) == 404


@pytest.mark.parametrize(
    ("status", "run_id", "code", "says"),
    [
        ("DRAFT", "job-1", "", ""),
        ("DRAFT", "job-2", "JobNotFound", "it is job-2"),
        ("JOB_LAUNCH_FAILED", "job-2", "JobNotFound", "it is job-2"),
        (None, None, "JobNotFound", "There is no job orders"),
        ("JOB_LAUNCH_FAILED", "job-1", "JobStatusConflict", "it is JOB_LAUNCH_FAILED"),
        ("", "job-1", "JobStatusConflict", "it is JOB_LAUNCH_FAILED"),
        ("STOPPED", "job-1", "JobStatusConflict", "no longer a draft: it is STOPPED"),
        ("RUNNING", "job-1", "JobStatusConflict", "runs already"),
    ],
)
def test_a_start_of_a_draft_starts_that_draft_and_nothing_else(
    status: str | None, run_id: str | None, code: str, says: str
) -> None:
    asked = replace(request(Action.NEW, run_id="job-1"), starts_draft=True)
    if not code:
        check(asked, status, run_id)
        return
    with pytest.raises(Refusal, match=says) as refused:
        check(asked, status, run_id)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("status", "run_id", "code"),
    [
        ("DRAFT", "job-1", ""),
        ("JOB_LAUNCH_FAILED", "job-1", ""),
        ("DRAFT", "job-2", "JobNotFound"),
        ("JOB_LAUNCH_FAILED", "job-2", "JobNotFound"),
        (None, None, "JobNotFound"),
        ("RUNNING", "job-1", "JobAlreadyExists"),
        ("STOPPED", "job-1", "JobAlreadyExists"),
    ],
)
def test_a_new_of_a_run_means_that_run(status: str | None, run_id: str | None, code: str) -> None:
    asked = request(Action.NEW, run_id="job-1")
    if not code:
        check(asked, status, run_id)
        return
    with pytest.raises(Refusal) as refused:
        check(asked, status, run_id)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "action",
    [Action.STOP, Action.SAVEPOINT, Action.LIST_SAVEPOINT, Action.CANCEL, Action.DELETE],
)
def test_inputs_that_would_be_ignored_are_refused(action: Action) -> None:
    with pytest.raises(Refusal, match=f"{action} takes no args or parallelism") as refused:
        check(request(action, parallelism=3, args=[]), "RUNNING", "job-1")
    assert (status_of(refused.value), refused.value.target) == (400, "args")


def test_a_stateless_update_from_a_savepoint_is_refused() -> None:
    with pytest.raises(Refusal, match="A start from nothing takes no savepoint") as refused:
        check(request(Action.STATELESS_UPDATE, restore_from=SAVEPOINT), "RUNNING", "job-1")
    assert refused.value.target == "restore_from"
    assert refused.value.remedy == "Leave the savepoint out, or use UPDATE."


#: Each action, and how what it wants differs from what the job is.
WANTS: dict[Action, dict[str, Any]] = {
    Action.START: {"desired_state": "running"},
    Action.STOP: {"desired_state": "stopped"},
    Action.UPDATE: {"restart_trigger": "id"},
    Action.STATELESS_UPDATE: {"restart_trigger": "id", "upgrade_mode": "stateless"},
    Action.LAST_STATE_UPDATE: {"restart_trigger": "id", "upgrade_mode": "last-state"},
    Action.RE_LAUNCH: {},
    Action.SAVEPOINT: {"savepoint_trigger": "id"},
}


@pytest.mark.parametrize(("action", "changes"), WANTS.items())
def test_what_each_action_wants(action: Action, changes: dict[str, Any]) -> None:
    """Shows that the mode and savepoint of an action before have no say in this one."""
    present = spec(upgrade_mode="stateless", restore_from=SAVEPOINT, args=["a"]).plain()
    assert wanted_spec(request(action), "id", present, None) == spec(args=["a"], **changes)


def test_changes_are_laid_over_what_the_job_has() -> None:
    """Shows also that None takes an input away."""
    present = spec(args=["a"], parallelism=3, flink_configuration={"a": "b"}).plain()
    changes: dict[str, Any] = {
        "args": ["b"],
        "jar": "other.jar",
        "restore_from": SAVEPOINT,
        "flink_configuration": None,
    }
    wanted = wanted_spec(request(Action.UPDATE, **changes), "id", present, DIGEST_2)
    assert wanted == spec(
        args=["b"],
        parallelism=3,
        jar="other.jar",
        jar_digest=DIGEST_2,
        restore_from=SAVEPOINT,
        restart_trigger="id",
    )


@pytest.mark.parametrize(
    ("action", "given", "restarts"),
    [
        (Action.UPDATE, {"parallelism": 4}, False),
        (Action.UPDATE, {"parallelism": 4, "args": ["a"], "savepoint_directory": "/s"}, False),
        (Action.UPDATE, {"parallelism": 3}, True),
        (Action.UPDATE, {"parallelism": 4, "args": ["b"]}, True),
        (Action.UPDATE, {"parallelism": 4, "restore_from": SAVEPOINT}, True),
        (Action.LAST_STATE_UPDATE, {"parallelism": 4}, True),
        (Action.STATELESS_UPDATE, {"parallelism": 4}, True),
    ],
)
def test_an_update_of_the_parallelism_alone_need_not_restart(
    action: Action, given: dict[str, Any], restarts: bool
) -> None:
    """Shows that only what asks for it by itself makes another version; digests say the rest."""
    present = spec(args=["a"], parallelism=3, restart_trigger="before").plain()
    wanted = wanted_spec(request(action, **given), "id", present, spec().jar_digest)
    assert wanted.restart_trigger == ("id" if restarts else "before")
    other = wanted_spec(request(Action.UPDATE, parallelism=4), "id", present, DIGEST_2)
    assert other.restart_trigger == "id"


def test_what_a_job_was_to_start_from_holds_until_it_has_run() -> None:
    present = spec(restore_from=SAVEPOINT).plain()

    def wanted(action: Action) -> JobSpec:
        return wanted_spec(request(action), "id", present, None, launch_failed=True)

    assert wanted(Action.RE_LAUNCH).restore_from == SAVEPOINT
    assert wanted(Action.STATELESS_UPDATE).restore_from is None


def test_every_wrong_input_is_named_at_once() -> None:
    present = {"target": spec().target, "job_name": "Orders", "owner": "o", "jar_digest": DIGEST_1}
    with pytest.raises(Refusal) as refused:
        wanted_spec(request(Action.NEW, parallelism=0), "id", present, None)
    assert status_of(refused.value) == 400
    for name in ("job_name", "jar", "parallelism"):
        assert f"{name} " in refused.value.message
    assert refused.value.target == "job_name"
