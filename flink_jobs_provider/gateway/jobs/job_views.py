"""Reading jobs: from the records, which are fresh as far as their clusters answer."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.gateway.job_board import JobBoardPage, JobSearch, StoredSession
from flink_jobs_provider.gateway.job_history import JobPoint, JobVersion, Span, points
from flink_jobs_provider.gateway.job_service import (
    ActionRow,
    DisposedSavepoint,
    Execution,
    JobFacts,
    JobFilter,
    JobRow,
    JobsOfCluster,
    PageOfJobs,
)
from flink_jobs_provider.gateway.jobs.background import QueueTimeout
from flink_jobs_provider.gateway.jobs.cluster_observer import Observer
from flink_jobs_provider.gateway.jobs.gateway_process import GatewayProcess
from flink_jobs_provider.gateway.jobs.transitions import savepoint_disposed
from flink_jobs_provider.gateway.refusals import ClusterUnavailable, Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.store import SavepointDisposed, StoredJob, read_record
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import Plan
from flink_jobs_provider.planning.state_verdict import StateVerdict
from flink_jobs_provider.reconciling.flink.program_check import with_verdict
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.reconciling.flink.takeover import with_adoption

#: Seconds that a form waits for a cluster's free slots, and for how long it takes the same answer.
_SLOTS_WITHIN = 2.0
_SLOTS_AGE = 5.0


class Reading:
    """The part of `gateway.job_board.JobBoard` that changes no job.

    Args:
        process: What the parts of this process share.
        observers: What keeps each cluster's records fresh, by key.
    """

    def __init__(self, process: GatewayProcess, observers: Mapping[str, Observer]) -> None:
        self._process = process
        self._store = process.store
        self._ask = process.ask
        self._observers = observers
        self._clusters = {cluster.key: cluster for cluster in process.configuration.clusters}

    async def cluster_of(self, number: int) -> str | None:
        """Return the key of the cluster that a job is on; None where there is no such job."""
        return await self._ask(self._store.cluster_of, number)

    async def found(self, jobs: JobFilter, page: PageOfJobs) -> tuple[Sequence[JobRow], int]:
        """Return a page of the jobs that pass a filter, and how many pass it in all."""
        clusters = {key: self.configured(key) for key in jobs.clusters}
        await asyncio.gather(*(self._observers[key].fresh(jobs.max_age) for key in clusters))
        found, total = await self._ask(self._store.found, jobs, page)
        return [_job_row(job, clusters[job.cluster]) for job in found], total

    async def execution(self, cluster: str, number: int) -> Execution | None:
        """Return the latest submission of a job; None where it was never started."""
        configured = self.configured(cluster)
        job = await self._ask(self._store.job, cluster, number)
        if job is None:
            raise Refusal("JobNotFound", f"There is no job {number} on this cluster.")
        if job.job_id is None:
            return None
        try:
            plane = self._process.plane(configured)
            snapshot = await plane.jobs(self._process.intervals.fresh)
        except JobError as error:
            raise ClusterUnavailable(error) from None
        seen = snapshot.by_id.get(job.job_id)
        if seen is None:
            return Execution(job.job_id, job.job_name, job.status)
        return Execution(seen.job_id, seen.name, seen.state, seen.started, seen.ended)

    async def jobs(self, wanted: JobsOfCluster) -> Sequence[JobRow]:
        """Return a page of a cluster's jobs in the order of their numbers."""
        configured = self.configured(wanted.cluster)
        await self._observers[configured.key].fresh()
        found = await self._ask(self._store.jobs, wanted)
        return [_job_row(job, configured) for job in found]

    async def job(self, cluster: str, number: int) -> JobRow | None:
        """Return the job of that number; None where there is none on that cluster."""
        configured = self.configured(cluster)
        await self._observers[configured.key].fresh()
        found = await self._ask(self._store.job, cluster, number)
        return _job_row(found, configured) if found else None

    async def operation(self, action_id: str) -> ActionRow | None:
        """Return an accepted action; None where there is none, or it was cleared away."""
        return await self._ask(self._store.action, action_id)

    async def board(self, search: JobSearch) -> JobBoardPage:
        """Return a page of the jobs that a search finds, as they were last seen."""
        clusters = {key: self.configured(key) for key in search.clusters}
        rows, found, counts = await self._ask(self._store.board, search)
        return JobBoardPage([_job_row(row, clusters[row.cluster]) for row in rows], found, counts)

    async def history(self, cluster: str, number: int, *, limit: int) -> Sequence[ActionRow]:
        """Return the latest actions on a job, the newest first."""
        self.configured(cluster)
        return await self._ask(self._store.actions_of, number, limit)

    async def running_job(self, cluster: str, job_id: str) -> tuple[ObservedJob | None, int | None]:
        """Return a job of a cluster's list, None where it lists none, and its parallelism."""
        try:
            plane = self._process.plane(self.configured(cluster))
            job = (await plane.jobs(self._process.intervals.fresh)).by_id.get(job_id)
            if job is None:  # it may be newer than that list
                job = (await plane.jobs()).by_id.get(job_id)
            return job, await plane.parallelism(job_id) if job else None
        except JobError as error:
            raise ClusterUnavailable(error) from None

    async def on_record(self, cluster: str, job_ids: Collection[str]) -> frozenset[str]:
        """Return which of some jobIds are those of jobs on record."""
        self.configured(cluster)
        found = await self._ask(self._store.watched_of, cluster, job_ids)
        known = {row.job_id for row in found}
        identities = {row.identity for row in found}
        return frozenset(
            each for each in job_ids if each in known or identity_of(each) in identities
        )

    async def with_verdict(
        self,
        cluster: str,
        planned: Plan,
        record: JobRecord | None,
        wanted: JobSpec,
        jar_digest: str | None = None,
    ) -> Plan:
        """Return a plan with how what runs suits the version that is wanted.

        Raises:
            Refusal: It is to start from a savepoint that was disposed of.
        """
        process, configured = self._process, self.configured(cluster)
        if wanted.restore_from:
            try:
                await self._ask(self._store.check_is_there, wanted.restore_from)
            except SavepointDisposed as error:
                raise savepoint_disposed(error.path, gone=error.gone) from None
        reconciler = Reconciler(
            process.plane(configured), local_paths=configured.flink.loopback, clock=process.clock
        )

        async def opened() -> tuple[JobSpec, Jar]:
            opener = process.opener
            found = (
                await opener.find(wanted.jar, jar_digest)
                if jar_digest
                else await opener.open(wanted.jar, process.intervals.jar_queue)
            )
            return wanted.model_copy(update={"jar_digest": found.digest}), found

        async def verdict() -> StateVerdict | None:
            assert record is not None  # noqa: S101 - so it was looked at
            return await reconciler.foresee_state(record, *await opened())

        async def adoption() -> str | None:
            return await reconciler.foresee_adoption(*await opened())

        try:
            if planned.adopts:
                return await with_adoption(planned, adoption)
            return (
                planned if record is None else await with_verdict(planned, record, wanted, verdict)
            )
        except QueueTimeout:
            return replace(planned, state="it was not compared: other jars are being read")

    async def task_slots(self, cluster: str) -> tuple[int, int] | None:
        """Return how many task slots are free, and how many there are; None without an answer."""
        observer = self._observers[self.configured(cluster).key]
        if observer.answered is False:
            return None
        try:
            async with asyncio.timeout(_SLOTS_WITHIN):
                return await observer.task_slots.get(_SLOTS_AGE)
        except (JobError, TimeoutError):
            return None

    async def versions(self, cluster: str, number: int, *, limit: int) -> Sequence[JobVersion]:
        """Return the latest versions of a job that were started, the newest first."""
        self.configured(cluster)
        return await self._ask(self._store.versions_of, number, limit)

    async def series(self, cluster: str, number: int, span: Span) -> Sequence[JobPoint]:
        """Return the points of a job, oldest first; none for minutes without an observation."""
        self.configured(cluster)
        return await self._ask(self._points, number, span)

    def _points(self, number: int, span: Span) -> Sequence[JobPoint]:
        """Read a history, and make its points: of a month, that takes too long for the loop."""
        periods, loads = self._store.history(number, span.begin, span.end)
        return points(periods, loads, span)

    async def put_session(self, digest: str, proof: Mapping[str, Any], lifetime: float) -> None:
        """Record a session with its lifetime in seconds; remove what has expired."""
        await self._ask(self._store.put_session, digest, proof, lifetime)

    async def session(self, digest: str) -> StoredSession | None:
        """Return a session that has not expired; None where there is none."""
        return await self._ask(self._store.session, digest)

    async def end_session(self, digest: str) -> None:
        """Remove a session, if it is there."""
        await self._ask(self._store.end_session, digest)

    async def savepoints(
        self, cluster: str, number: int, limit: int | None = None
    ) -> Sequence[Savepoint]:
        """Return the savepoints on record of a job, newest first; all of them without a limit."""
        self.configured(cluster)
        if await self._ask(self._store.job, cluster, number) is None:
            return []
        return await self._ask(self._store.savepoints, number, limit)

    async def disposed_savepoints(
        self, cluster: str, number: int, limit: int | None = None
    ) -> Sequence[DisposedSavepoint]:
        """Return those that were disposed of, newest first; all of them without a limit."""
        self.configured(cluster)
        if await self._ask(self._store.job, cluster, number) is None:
            return []
        return await self._ask(self._store.disposed_savepoints, number, limit)

    async def row(self, cluster: ClusterConfiguration, number: int) -> JobRow:
        """Return the job of that number as it is on record, which must be there."""
        found = await self._ask(self._store.job, cluster.key, number)
        if found is None:
            raise Refusal("JobNotFound", f"Job {number} was deleted meanwhile.")
        return _job_row(found, cluster)

    def configured(self, key: str) -> ClusterConfiguration:
        """Return a cluster that is served."""
        if key not in self._clusters:
            raise Refusal("ClusterNotFound", f"There is no cluster {key} here.")
        return self._clusters[key]


_FACTS = [fact.name for fact in fields(JobFacts)]


def _job_row(job: StoredJob, cluster: ClusterConfiguration) -> JobRow:
    return JobRow(
        **{name: getattr(job, name) for name in _FACTS},
        record=read_record(job.record, cluster.flink),
        next_inputs=job.next_start.inputs,
        next_restore=job.next_start.restore,
    )
