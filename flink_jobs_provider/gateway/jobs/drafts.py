"""Putting jobs on record that are started later, and changing what counts from their next start."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from flink_jobs_provider.gateway.job_service import DraftRequest, InputChange
from flink_jobs_provider.gateway.jobs.gateway_process import GatewayProcess
from flink_jobs_provider.gateway.jobs.transitions import (
    DRAFT,
    changed_inputs,
    changes_now,
    check_spec,
    in_progress,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.store import (
    Ended,
    JobState,
    NewAction,
    NewJob,
    NextStart,
    RowChanged,
    UnfinishedAction,
    read_spec,
    stored_record,
)
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.record import JobRecord


class Drafts:
    """Records what changes no cluster."""

    def __init__(self, process: GatewayProcess) -> None:
        self._store = process.store
        self._ask = process.ask

    async def draft(self, request: DraftRequest, cluster: ClusterConfiguration) -> int:
        """Put a job on record that is started later; return its number.

        Raises:
            Refusal: It is not accepted; nothing was changed.
        """
        spec = check_spec({**first_inputs(cluster, request.job_name), **request.inputs})
        found = await self._ask(self._store.live_job, cluster.key, request.job_name)
        if found is None:
            record = JobRecord(spec=spec, status=JobStatus.STARTING)
            state = JobState(stored_record(record), DRAFT, request.as_given)
            new = NewJob(cluster.key, request.job_name, new_run_id(), spec.key.prefix, state)
            action = _done_at_once(Action.NEW, request.caller, request.as_given)
            ended = Ended("The job is on record, and was not started")
            try:
                return (await self._ask(self._store.put_new, new, action, ended)).job_number
            except RowChanged:
                pass
        message = f"A job {request.job_name} exists already. Give the new one another name."
        raise Refusal("JobAlreadyExists", message, target="job_name")

    async def change(self, change: InputChange, cluster: ClusterConfiguration) -> None:
        """Record what counts from a job's next start on.

        Raises:
            Refusal: It is not accepted; nothing was changed.
        """
        job = await self._ask(self._store.job, cluster.key, change.number)
        if job is None:
            raise Refusal("JobNotFound", f"There is no job {change.number} on this cluster.")
        if job.last.finished_at is None:
            raise in_progress(job.job_name, "The change", job.last)
        if job.revision != change.revision:
            raise changes_now(job.job_name)
        present = read_spec(job.record["spec"], cluster.flink).plain()
        inputs = changed_inputs(change, job.status, present, job.next_start.inputs)
        restore = job.next_start.restore
        if change.restore_from is not None:
            restore = change.restore_from or None
        next_start = NextStart(inputs, restore)
        action = _done_at_once(Action.UPDATE, change.caller, {**job.as_given, **change.as_given})
        output = "Changed on record; it counts from the next start on"
        try:
            await self._ask(
                self._store.change, job.number, job.revision, action, output, next_start
            )
        except UnfinishedAction as busy:
            raise in_progress(job.job_name, "The change", busy.first) from None
        except RowChanged:
            raise changes_now(job.job_name) from None


def _done_at_once(kind: Action, caller: str, as_given: Mapping[str, Any]) -> NewAction:
    """Return an action that changes the records alone."""
    return NewAction(
        id=str(uuid.uuid4()),
        action=kind,
        caller=caller,
        wanted=None,
        jar_digest=None,
        as_given=as_given,
        timeout=0,
    )


def first_inputs(cluster: ClusterConfiguration, job_name: str) -> dict[str, Any]:
    """Return the inputs that every new job has."""
    inputs: dict[str, Any] = {
        "target": cluster.flink,
        "job_name": job_name,
        "owner": cluster.key,
    }
    if cluster.savepoint_directory:
        inputs["savepoint_directory"] = cluster.savepoint_directory
    return inputs


def new_run_id() -> str:
    """Return an id such as the service gives: `job-xxx-xxxx-xxxx-xxxxxxxxxxxx`."""
    digits = secrets.token_hex(12)
    return f"job-{digits[:3]}-{digits[3:7]}-{digits[7:11]}-{digits[11:23]}"
