"""What is decided when an action is asked for: whether it may be, and what it should bring about.

Pure: it sees the request and the job's row, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flink_jobs_provider.gateway.job_service import ActionRequest, ActionRow, InputChange, JobRow
from flink_jobs_provider.gateway.refusals import ActionRemedy, Refusal
from flink_jobs_provider.gateway.served_clusters import OF_CLUSTER
from flink_jobs_provider.model.action import STARTS, Action
from flink_jobs_provider.model.inputs import Cost
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.planning.diff import changes
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

#: The status of a job that was recorded and never started.
DRAFT = "DRAFT"
#: The status of a job whose NEW has not come as far as to have one.
NOT_YET = ""

_ACTIVE = frozenset({"STARTING", "RUNNING", "RESTARTING"})
_BROKEN = frozenset({"FAILED", "LOST", "CANCELED", LAUNCH_FAILED})
_ENDED = _BROKEN | {"STOPPED", "FINISHED"}

#: In which statuses a job can be left to others as it runs.
RELEASABLE = _ACTIVE

#: In which statuses an action may be asked for. NEW needs a name that is free, or starts a draft.
ALLOWED: Mapping[Action, frozenset[str]] = {
    Action.NEW: frozenset({LAUNCH_FAILED, DRAFT}),
    Action.START: frozenset({"STOPPED"}),
    Action.STOP: _ACTIVE,
    Action.UPDATE: _ACTIVE,
    Action.LAST_STATE_UPDATE: _ACTIVE,
    Action.STATELESS_UPDATE: _ACTIVE | _ENDED,
    Action.RE_LAUNCH: _BROKEN,
    Action.SAVEPOINT: _ACTIVE,
    Action.LIST_SAVEPOINT: _ACTIVE | _ENDED,
    Action.CANCEL: _ACTIVE | _ENDED,
    Action.DELETE: _ENDED | {DRAFT},
}

#: What can be done instead, by the status that the job has.
INSTEAD: Mapping[str, ActionRemedy] = {
    DRAFT: ActionRemedy.NEW_OR_DELETE_DRAFT,
    "STOPPED": ActionRemedy.START_OR_DELETE,
    "FINISHED": ActionRemedy.RUN_AGAIN_OR_DELETE,
    "FAILED": ActionRemedy.RE_LAUNCH_OR_DELETE,
    "LOST": ActionRemedy.RE_LAUNCH_OR_DELETE,
    "CANCELED": ActionRemedy.RE_LAUNCH_OR_DELETE,
    LAUNCH_FAILED: ActionRemedy.LAUNCH_OR_DELETE,
}
_WHILE_IT_RUNS: Mapping[Action, ActionRemedy] = {
    Action.NEW: ActionRemedy.UPDATE_OR_FREE_NAME,
    Action.START: ActionRemedy.UPDATE_OR_STOP,
    Action.RE_LAUNCH: ActionRemedy.UPDATE_OR_STOP,
    Action.DELETE: ActionRemedy.STOP_THEN_DELETE,
}

#: Those of `STARTS` that take the jar's present content, also where they name no jar.
TAKES_NEW_BYTES = frozenset(
    {Action.NEW, Action.UPDATE, Action.STATELESS_UPDATE, Action.LAST_STATE_UPDATE}
)

#: Inputs that an action takes though it starts no version.
_TAKEN_WITHOUT_START: Mapping[Action, frozenset[str]] = {
    Action.SAVEPOINT: frozenset({"savepoint_directory"}),
}
#: The starts that go on from a savepoint which was named beforehand. The others have state that
#: runs, or drop it.
TAKES_NEXT_RESTORE = frozenset({Action.NEW, Action.START, Action.RE_LAUNCH})

_UPGRADES: Mapping[Action, UpgradeMode] = {
    Action.STATELESS_UPDATE: UpgradeMode.STATELESS,
    Action.LAST_STATE_UPDATE: UpgradeMode.LAST_STATE,
}


def starts_version(status: str) -> Action:
    """Return the action that starts an earlier version of a job again, by the job's status.

    It may be one that the status does not allow: `check` says what does.
    """
    if status == "STOPPED":
        return Action.START
    return Action.RE_LAUNCH if status in _BROKEN | {"FINISHED"} else Action.UPDATE


def back_to_version(
    row: JobRow, version: str, caller: str, *, savepoint: str | None = None, seen: str = ""
) -> ActionRequest:
    """Return the request for an earlier version of a job.

    Args:
        row: The job.
        version: Id of the action that started the version.
        caller: Who asks.
        savepoint: The path of the savepoint to start from; None for the newest state.
        seen: Id of the job's last action as the caller knows it; empty for whatever it is.
    """
    return ActionRequest(
        row.cluster,
        row.job_name,
        starts_version(row.status),
        {"restore_from": savepoint} if savepoint else {},
        {},
        caller,
        run_id=row.run_id,
        seen=seen,
        version=version,
    )


def adopting(request: ActionRequest, job: str, *, allow_no_way_back: bool) -> ActionRequest:
    """Return the request for a new job as one that takes a running job over as it is.

    Args:
        request: NEW, of the job as it is declared.
        job: The jobId that runs, or its name in Flink.
        allow_no_way_back: Whether it may be restarted also where its program is not known.
    """
    adopted = {"adopt": job, "allow_no_way_back": allow_no_way_back or None}
    return replace(request, changes={**request.changes, **adopted})


def releasing(row: JobRow, caller: str, *, seen: str = "") -> ActionRequest:
    """Return the request to take a running job off the record, and to leave it running.

    Args:
        row: The job.
        caller: Who asks.
        seen: Id of the job's last action as the caller knows it; empty for whatever it is.
    """
    return ActionRequest(
        row.cluster,
        row.job_name,
        Action.DELETE,
        {},
        {},
        caller,
        run_id=row.run_id,
        seen=seen,
        releases=True,
    )


def check(request: ActionRequest, status: str | None, run_id: str | None) -> None:
    """Check that an action may be asked for.

    Args:
        request: What is asked for.
        status: The job's status; None where there is no live job of that name.
        run_id: The run on record.

    Raises:
        Refusal: It may not.
    """
    action, name = request.action, request.job_name
    _check_inputs(request)
    if status == NOT_YET:
        status = LAUNCH_FAILED
    if status is None:
        if action is Action.NEW and not request.run_id:
            return
        raise Refusal("JobNotFound", f"There is no job {name} on this cluster.")
    if request.run_id and request.run_id != run_id:
        raise Refusal(
            "JobNotFound", f"There is no run {request.run_id} of job {name}: it is {run_id}."
        )
    gives_way = {LAUNCH_FAILED, DRAFT} if request.run_id else {LAUNCH_FAILED}
    if request.starts_draft:
        _check_draft(name, status)
    elif action is Action.NEW and status not in gives_way:
        raise Refusal(
            "JobAlreadyExists",
            f"A job {name} exists already, and is {status}.",
            remedy=instead_of(status, action),
        )
    elif request.releases and status not in RELEASABLE:
        raise Refusal(
            "JobStatusConflict",
            f"Job {name} cannot be released, since nothing of it runs: it is {status}.",
            remedy=instead_of(status, action),
        )
    elif request.spares_running and status in _ACTIVE:
        raise _runs_already(name, status)
    elif status not in ALLOWED[action] and not _allowed_besides(request, status):
        raise Refusal(
            "JobStatusConflict",
            f"{action} is not possible while job {name} is {status}.",
            remedy=instead_of(status, action),
        )


def instead_of(status: str, action: Action) -> ActionRemedy:
    """Return what can be done with a job of a status, instead of an action that cannot."""
    return INSTEAD.get(status) or _WHILE_IT_RUNS[action]


def _check_draft(name: str, status: str) -> None:
    """Check that a job is a draft still: whoever asks for its first start means nothing else."""
    if status in _ACTIVE:
        raise _runs_already(name, status)
    if status != DRAFT:
        message = f"Job {name} is no longer a draft: it is {status}. Refresh it, and ask again."
        raise Refusal("JobStatusConflict", message)


def _runs_already(name: str, status: str) -> Refusal:
    return Refusal("JobStatusConflict", f"Job {name} runs already: it is {status}.")


def _allowed_besides(request: ActionRequest, status: str) -> bool:
    """Whether what the request gives makes an action possible that its status alone does not."""
    if request.action is Action.DELETE:
        return (request.cancels_first or request.releases) and status in _ACTIVE
    if request.action is Action.RE_LAUNCH and status == "FINISHED":
        # A job that came to its own end has nothing to go on with, but for a savepoint that is
        # named: then it is clear from where.
        return request.changes.get("restore_from") is not None
    return False


def changed_inputs(
    change: InputChange, status: str, present: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs that count from a job's next start on.

    Args:
        change: What is asked for.
        status: The job's status.
        present: The inputs that the job has.
        before: Those that count from its next start on already.

    Raises:
        Refusal: The status does not allow it, or an input is invalid.
    """
    if status in _ACTIVE and change.restore_from:
        raise _while_it_runs(
            "A savepoint to start from", status, "it has state of its own, which would be lost"
        )
    if status in _ACTIVE and not change.while_it_runs:
        raise _while_it_runs("This", status, "STOP it first")
    inputs = {**before, **change.inputs}
    check_spec({**present, **inputs, "restore_from": change.restore_from or None})
    return inputs


def _while_it_runs(what: str, status: str, why: str) -> Refusal:
    message = f"{what} cannot be set while the job is {status}: {why}. Nothing was changed."
    return Refusal("JobStatusConflict", message)


def check_spec(inputs: Mapping[str, Any]) -> JobSpec:
    """Return the spec of inputs; those that are None are as not given.

    Raises:
        Refusal: An input is invalid; all that are invalid are named.
    """
    given = {name: value for name, value in inputs.items() if value is not None}
    problems = problems_of(given, recorded=True)
    if problems:
        raise Refusal(
            "InvalidParameter",
            " ".join(f"{path} {reason}." for path, reason in problems),
            target=problems[0][0],
        )
    return JobSpec.model_validate(given)


def _check_inputs(request: ActionRequest) -> None:
    action, changes = request.action, request.changes
    takes = _TAKEN_WITHOUT_START.get(action, frozenset())
    if action not in STARTS and not set(changes) <= takes:
        changes = {name: value for name, value in changes.items() if name not in takes}
        name = min(changes)
        raise Refusal(
            "InvalidParameter",
            f"{action} takes no {' or '.join(sorted(changes))}.",
            target=name,
        )
    if action is Action.STATELESS_UPDATE and changes.get("restore_from"):
        raise Refusal(
            "InvalidParameter",
            "A start from nothing takes no savepoint.",
            remedy=ActionRemedy.NO_SAVEPOINT_OR_UPDATE,
            target="restore_from",
        )


def wanted_spec(
    request: ActionRequest,
    action_id: str,
    present: Mapping[str, Any],
    jar_digest: str | None,
    *,
    launch_failed: bool = False,
) -> JobSpec:
    """Return the job as an action should make it.

    Args:
        request: What is asked for.
        action_id: Marks the version, so that the same inputs again are another one.
        present: The inputs of the job as it is, by name; for NEW those that every job has.
        jar_digest: The digest of the jar that was opened for it; none leaves it as it is.
        launch_failed: Whether the job never ran: what it was to start from still holds.

    Raises:
        Refusal: An input is invalid; all that are invalid are named.
    """
    action = request.action
    inputs = {**present, "upgrade_mode": _UPGRADES.get(action, UpgradeMode.SAVEPOINT).value}
    if not (launch_failed and action is Action.RE_LAUNCH):
        inputs.pop("restore_from", None)
    inputs.pop("rehearsal", None)
    inputs |= {name: value for name, value in request.changes.items() if name not in OF_CLUSTER}
    if jar_digest is not None:
        inputs["jar_digest"] = jar_digest
    if action in STARTS:
        inputs["desired_state"] = DesiredState.RUNNING.value
    if action in TAKES_NEW_BYTES - {Action.NEW} and not _changes_parallelism_alone(
        action, present, inputs
    ):
        inputs["restart_trigger"] = action_id
    if action is Action.STOP:
        inputs["desired_state"] = DesiredState.STOPPED.value
    if action is Action.SAVEPOINT:
        inputs["savepoint_trigger"] = action_id
    return check_spec(inputs)


def _changes_parallelism_alone(
    action: Action, present: Mapping[str, Any], inputs: Mapping[str, Any]
) -> bool:
    """Whether an UPDATE of a job changes its parallelism, and nothing else that restarts it.

    Such a job need not be restarted where its cluster rescales running jobs. The same inputs once
    more are another version on purpose.
    """
    if action is not Action.UPDATE:
        return False
    found = changes(check_spec(present), check_spec(inputs))
    return {each.name for each in found if each.cost >= Cost.RESTART} == {"parallelism"}


def in_progress(job_name: str, what: str, first: ActionRow) -> Refusal:
    """Return the refusal of something while an action is in progress."""
    since = first.accepted_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    waits = f" ({first.output.rstrip('.')})" if first.output else ""
    return Refusal(
        "ActionInProgress",
        f"{first.action} of job {job_name} is in progress since {since}, begun by {first.caller}, "
        f"as operation {first.id}{waits}. {what} was not begun: ask again when that has ended.",
    )


def changed_since(job_name: str, last: ActionRow) -> Refusal:
    """Return the refusal of something that was decided before another action was accepted."""
    since = last.accepted_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Refusal(
        "Conflict",
        f"Job {job_name} has changed since it was read: {last.action} by {last.caller} at {since}. "
        "Nothing was begun. Read it again, and ask again if you still want this.",
    )


def savepoint_disposed(path: str, *, gone: bool) -> Refusal:
    """Return the refusal of a start from a savepoint that was disposed of, or is about to be."""
    name = path.rstrip("/").rpartition("/")[2]
    if gone:
        return Refusal(
            "InvalidParameter",
            f"Savepoint {name} was disposed of: it was one of too many, or too old. Nothing was "
            "begun.",
            remedy=ActionRemedy.LIST_SAVEPOINTS,
            target="restore_from",
        )
    return Refusal(
        "InvalidParameter",
        f"Savepoint {name} is to be disposed of, as one of too many or too old: part of it may be "
        "gone. Nothing was begun.",
        remedy=ActionRemedy.LIST_SAVEPOINTS,
        target="restore_from",
    )


def changes_now(job_name: str) -> Refusal:
    """Return the refusal of something that was decided on a row which has changed since."""
    message = f"Job {job_name} changes at this moment; nothing was begun. Ask again."
    return Refusal("Conflict", message)
