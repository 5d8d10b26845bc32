"""Jobs and actions as the store takes them, for tests that need some."""

from __future__ import annotations

from itertools import count
from typing import Any

from sqlalchemy import text

from flink_jobs_provider.gateway.store import (
    Claim,
    JobState,
    NewAction,
    NewJob,
    Store,
    StoredAction,
    StoredJob,
    stored_record,
    stored_spec,
)
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.record import JobRecord
from tests.unit.model.made_up_jobs import record, spec

CLUSTER = "/subscriptions/s/clusters/c"
LEASE = 30.0
_numbers = count(1)


def state(status: str = "RUNNING", job: str = "orders", **changes: Any) -> JobState:
    """Return what a row says of a job."""
    return JobState(stored_record(record(spec(job_name=job), **changes)), status, {"jarName": "x"})


def action(kind: Action = Action.UPDATE, timeout: float = 60) -> NewAction:
    """Return an action to be accepted."""
    wanted = stored_spec(spec())
    return NewAction(
        f"action-{next(_numbers)}", kind, "tester", wanted, spec().jar_digest, {"a": 1}, timeout
    )


def add_job(
    store: Store,
    job: str = "orders",
    *,
    cluster: str = CLUSTER,
    gateway: str = "one",
    replaces: tuple[int, int] | None = None,
    lease: float = LEASE,
    timeout: float = 60,
    begins: bool = False,
) -> StoredAction:
    """Accept a NEW."""
    wanted = JobRecord(spec=spec(job_name=job), status=JobStatus.STARTING)
    new = NewJob(
        cluster,
        job,
        f"job-{next(_numbers)}",
        wanted.spec.key.prefix,
        JobState(stored_record(wanted), "", {"jarName": "x"}),
        replaces,
    )
    return store.put_new(new, action(Action.NEW, timeout), Claim(gateway, lease, begins))


def running_job(store: Store, job: str = "orders", cluster: str = CLUSTER) -> StoredJob:
    """Have a job on record that runs."""
    first = add_job(store, job, cluster=cluster)
    finish(store, first, job_state=state(job=job))
    found = store.live_job(cluster, job)
    assert found is not None
    return found


def finish(
    store: Store,
    one: StoredAction,
    result: ActionResult = ActionResult.SUCCESS,
    job_state: JobState | None = None,
    gateway: str = "one",
    output: str = "done",
    **how: Any,
) -> bool:
    """End an action; whether it was this gateway's to end."""
    return store.finish(one, gateway, result, output, job_state, **how) is not None


def accept(
    store: Store, job: StoredJob, kind: Action = Action.UPDATE, gateway: str = "one", **how: Any
) -> StoredAction:
    """Accept an action on a job as it was read."""
    return store.accept(job.number, job.revision, action(kind, **how), Claim(gateway, LEASE))


def let_a_minute_pass(store: Store) -> None:
    """Move the history on record a minute into the past."""
    with store._database.writing() as connection:
        for change in (
            "sampled_clusters SET sampled = sampled - 1",
            "job_states SET begins = begins - 1, ends = ends - 1",
            "job_loads SET minute = minute - 1",
        ):
            connection.execute(text(f"UPDATE {change}"))
