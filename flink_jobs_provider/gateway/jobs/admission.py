"""Admission of actions and drafts: what can be refused is refused here; the rest is on record then.

A draft is a job that is started later; of a job on record, inputs may change for its next start.
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.gateway.job_service import ActionRequest, DraftRequest, InputChange
from flink_jobs_provider.gateway.jobs.background import QueueTimeout
from flink_jobs_provider.gateway.jobs.earlier_versions import of_version
from flink_jobs_provider.gateway.jobs.gateway_process import GatewayProcess, Lease
from flink_jobs_provider.gateway.jobs.transitions import (
    DRAFT,
    NOT_YET,
    TAKES_NEW_BYTES,
    TAKES_NEXT_RESTORE,
    changed_inputs,
    changed_since,
    changes_now,
    check,
    check_spec,
    in_progress,
    savepoint_disposed,
    wanted_spec,
)
from flink_jobs_provider.gateway.refusals import ACTION_WORDS, Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.store import (
    Claim,
    Ended,
    JobState,
    NewAction,
    NewJob,
    NextStart,
    RowChanged,
    SavepointDisposed,
    StoredAction,
    StoredJob,
    UnfinishedAction,
    read_spec,
    stored_record,
    stored_spec,
)
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import JarError
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

#: The service's own words (recorded traffic of 2023).
_NO_JAR = "Job execution failed. \nFailed to download jar"
_BRINGS_NOTHING_ABOUT = (Action.CANCEL, Action.DELETE, Action.LIST_SAVEPOINT)
#: How often a row may change under our hands before the caller is asked to retry.
_TRIES = 10


class Admission:
    """Decides on requests, and puts what is accepted on record.

    Args:
        process: What the parts of this process share.
        begins: Whether an action that is accepted now begins at once.
    """

    def __init__(self, process: GatewayProcess, begins: Callable[[], bool]) -> None:
        self._process = process
        self._store = process.store
        self._ask = process.ask
        self._begins = begins

    async def accept(
        self, request: ActionRequest, cluster: ClusterConfiguration
    ) -> tuple[StoredAction, Lease]:
        """Record an action; return it with this gateway's claim on it.

        Raises:
            Refusal: It is not accepted; nothing was changed.
        """
        # A caller is answered while it waits: what it gave up on is not to be begun later.
        latest = time.monotonic() + self._process.intervals.jar_queue
        asked, opened = request, None
        if request.version:
            asked, opened = await of_version(self._process, request, cluster, latest)
        for _ in range(_TRIES):
            job = await self._ask(self._store.live_job, cluster.key, asked.job_name)
            if job is not None and job.last.finished_at is None:
                raise in_progress(asked.job_name, asked.action, job.last)
            if job is not None and asked.seen and job.last.id != asked.seen:
                raise changed_since(asked.job_name, job.last)
            if asked.revision and (job is None or job.revision != asked.revision):
                raise changes_now(asked.job_name)
            request = _with_next_start(asked, job)
            check(request, job.status if job else None, job.run_id if job else None)
            present = _present(job, cluster, request)
            unreadable = ""
            if opened is None or opened.uri != request.changes.get("jar", present.get("jar")):
                opened, unreadable = await self._jar_if_any(request, job, present, latest)
            action_id = str(uuid.uuid4())
            wanted = _wanted(request, action_id, job, present, opened)
            if request.releases and job is not None:
                wanted = _released(job, cluster)
            # From here on: to open a jar may have taken longer than a claim holds.
            lease = Lease(self._process.intervals.lease)
            try:
                action = await self._record(request, action_id, job, wanted, cluster, unreadable)
                return action, lease
            except UnfinishedAction as busy:
                raise in_progress(asked.job_name, asked.action, busy.first) from None
            except SavepointDisposed as error:
                raise savepoint_disposed(error.path, gone=error.gone) from None
            except RowChanged:
                continue
        raise changes_now(asked.job_name)

    async def _jar_if_any(
        self,
        request: ActionRequest,
        job: StoredJob | None,
        present: dict[str, Any],
        latest: float,
    ) -> tuple[Jar | None, str]:
        """Return the jar as `_jar` does; or why there is none, where that is no refusal."""
        named = request.fails_without_jar
        if not (named and request.action is Action.NEW and (job is None or job.status != DRAFT)):
            return await self._jar(request, present, latest), ""
        try:
            jar = await self._jar(request, present, latest)
        except Refusal as refusal:
            if refusal.target != "jar":
                raise
            path = str(request.changes.get("jar")).removeprefix("file://")
            return None, re.sub(f"(file://)?{re.escape(path)}", lambda _: named, refusal.message)
        if not named.lower().endswith(".jar"):
            return None, f"{named} is not the name of a jar: it does not end in .jar."
        return jar, ""

    async def _jar(
        self, request: ActionRequest, present: dict[str, Any], latest: float
    ) -> Jar | None:
        """Open the jar that an action starts; None where it starts none, or the one it has.

        Args:
            request: The action.
            present: The inputs that its job has.
            latest: Until when it may be opened at all.
        """
        uri = request.changes.get("jar") or present.get("jar")
        if request.action not in STARTS or not isinstance(uri, str):
            return None
        digest: str | None = present.get("jar_digest")  # none where it never ran
        renews = request.new_bytes or request.action in TAKES_NEW_BYTES
        keeps = not renews and "jar" not in request.changes
        same_bytes = keeps and digest is not None
        opener = self._process.opener
        if keeps and digest is not None and await opener.kept(digest) is not None:
            return None
        try:
            jar = await opener.open(uri, latest - time.monotonic())
        except QueueTimeout:
            if same_bytes:
                return None  # the cluster may have it
            raise Refusal(
                "ServiceUnavailable",
                "Other jars are being read, and it is not this one's turn yet. Nothing was begun: "
                "ask again later.",
            ) from None
        except (JarError, TimeoutError) as error:
            if same_bytes:
                return None  # the cluster may have it
            reason = (
                error.worded(ACTION_WORDS)
                if isinstance(error, JarError)
                else f"{uri} was not read within {self._process.intervals.open_jar:.0f} s."
            )
            raise Refusal("InvalidParameter", reason, target="jar") from None
        return None if same_bytes and jar.digest != digest else jar

    async def _record(
        self,
        request: ActionRequest,
        action_id: str,
        job: StoredJob | None,
        wanted: JobSpec | None,
        cluster: ClusterConfiguration,
        unreadable: str,
    ) -> StoredAction:
        draft = job is not None and job.status == DRAFT and request.action is Action.NEW
        new_job = request.action is Action.NEW and not draft
        before = {} if job is None or new_job else dict(job.as_given)
        as_given = {**before, **request.as_given}
        as_given = {name: value for name, value in as_given.items() if value is not None}
        process, starts = self._process, request.action in STARTS
        action = NewAction(
            id=action_id,
            action=request.action,
            caller=request.caller,
            wanted=stored_spec(wanted) if wanted else None,
            jar_digest=wanted.jar_digest if wanted and starts else None,
            as_given=as_given,
            timeout=seconds(process.configuration.action_timeout),
            cancels_first=request.cancels_first,
        )
        claim = Claim(process.name, process.intervals.lease, self._begins())
        if not new_job and job is not None:
            status = NOT_YET if draft else None
            return await self._ask(
                self._store.accept, job.number, job.revision, action, claim, status
            )
        assert wanted is not None  # noqa: S101 - every NEW wants something
        new = NewJob(
            cluster.key,
            request.job_name,
            new_run_id(),
            wanted.key.prefix,
            JobState(
                stored_record(JobRecord(spec=wanted, status=JobStatus.STARTING)),
                LAUNCH_FAILED if unreadable else NOT_YET,
                as_given,
            ),
            replaces=(job.number, job.revision) if job else None,
        )
        failed = Ended(f"{_NO_JAR}: {unreadable}", ActionResult.FAILED)
        return await self._ask(self._store.put_new, new, action, failed if unreadable else claim)


def _present(
    job: StoredJob | None, cluster: ClusterConfiguration, request: ActionRequest
) -> dict[str, Any]:
    """Return the inputs that a job has before the request's own are laid over them.

    Empty for an action that brings nothing about, which has no use for them.
    """
    if request.action in _BRINGS_NOTHING_ABOUT:
        return {}
    if job is not None and (request.action is not Action.NEW or job.status == DRAFT):
        return cluster.gated(read_spec(job.record["spec"], cluster.flink).plain())
    return first_inputs(cluster, request.job_name)


def _with_next_start(request: ActionRequest, job: StoredJob | None) -> ActionRequest:
    """Return a request with what was kept for the job's next start, if it is one."""
    if job is None or request.action not in STARTS:
        return request
    if request.action is Action.NEW and job.status != DRAFT:
        return request
    kept = dict(job.next_start.inputs)
    if job.next_start.restore and request.action in TAKES_NEXT_RESTORE:
        kept["restore_from"] = job.next_start.restore
    return replace(request, changes={**kept, **request.changes})


def _wanted(
    request: ActionRequest,
    action_id: str,
    job: StoredJob | None,
    present: dict[str, Any],
    jar: Jar | None,
) -> JobSpec | None:
    """Return what the action should bring about; None where it brings nothing about."""
    if request.action in _BRINGS_NOTHING_ABOUT:
        return None
    wanted = wanted_spec(
        request,
        action_id,
        present,
        jar.digest if jar else None,
        launch_failed=job is not None and job.status == LAUNCH_FAILED,
    )
    if jar and not wanted.entry_class and not jar.main_class:
        raise Refusal(
            "InvalidParameter",
            "The jar's manifest names no Main-Class: name the class whose main is to run.",
            target="entry_class",
        )
    return wanted


def _released(job: StoredJob, cluster: ClusterConfiguration) -> JobSpec:
    """Return a job as it is to be left to others: its action is on record with what it brings."""
    spec = read_spec(job.record["spec"], cluster.flink)
    return spec.model_copy(update={"on_delete": OnDelete.RELEASE})


class Drafts:
    """Records what changes no cluster."""

    def __init__(self, process: GatewayProcess) -> None:
        self._store = process.store
        self._ask = process.ask

    async def draft(self, request: DraftRequest, cluster: ClusterConfiguration) -> int:
        """Record a job that is started later; return its number.

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
            except SavepointDisposed as error:
                raise savepoint_disposed(error.path, gone=error.gone) from None
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
        except SavepointDisposed as error:
            raise savepoint_disposed(error.path, gone=error.gone) from None
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
    return cluster.gated(inputs)


def new_run_id() -> str:
    """Return an id such as the service gives: `job-xxx-xxxx-xxxx-xxxxxxxxxxxx`."""
    digits = secrets.token_hex(12)
    return f"job-{digits[:3]}-{digits[3:7]}-{digits[7:11]}-{digits[11:23]}"
