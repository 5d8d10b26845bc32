"""Keeping the records' statuses those of the clusters: one list call for all jobs of a cluster.

What a cluster lost, since it came back without its jobs, is started again without a person.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from flink_jobs_provider.control_planes.http import SharedCall
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.job_service import ActionRequest, ActionRow
from flink_jobs_provider.gateway.jobs.background import where
from flink_jobs_provider.gateway.jobs.gateway_process import GatewayProcess
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.store import (
    ACTIVE,
    JobState,
    RecordsError,
    RecordsUnavailable,
    StoredJob,
    Watched,
    read_record,
    stored_record,
)
from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler

_log = logging.getLogger(__name__)

#: What follows the address of a cluster in that of a page of its dashboard.
_PAGE = "/#/"


class Observer:
    """Observes one cluster, and records what has changed there.

    Attributes:
        answered: Whether the cluster answered the last time; None before the first.
        answered_at: When it answered last; None where it has not, since this process began.
        trouble: Why it did not answer the last time; None where it did.
        task_slots: How many task slots are free, and how many there are; for all who ask at once.
    """

    def __init__(self, process: GatewayProcess, cluster: ClusterConfiguration) -> None:
        self._process = process
        self._store = process.store
        self._cluster = cluster
        self._observations = SharedCall(self._observe)
        self.task_slots = SharedCall(lambda: process.plane(cluster).task_slots())
        self.answered: bool | None = None
        self.answered_at: datetime | None = None
        self.trouble: JobError | None = None
        #: Numbers of the jobs that could not be observed the last time.
        self._unobserved: set[int] = set()
        #: Whether the records of all jobs that run have the cluster's present address.
        self._addressed = False

    async def observe(self) -> None:
        """Observe the cluster now.

        Raises:
            JobError: It does not answer.
        """
        await self._observations.get()

    async def fresh(self, max_age: float | None = None) -> None:
        """Refresh the records, if the cluster answers soon enough.

        Args:
            max_age: For how many seconds an observation need not be repeated; by default those of
                the intervals.
        """
        if self.answered is False:
            return
        intervals = self._process.intervals
        try:
            async with asyncio.timeout(intervals.patience):
                await self._observations.get(intervals.fresh if max_age is None else max_age)
        except (JobError, TimeoutError):
            pass  # what was seen last is what there is to show
        except RecordsError as error:
            # Whoever asked for a refresh asks the records next, and gets their answer.
            _log_unrecorded(error)

    async def keep_observing(self, then: Callable[[], Awaitable[None]] | None) -> None:
        """Observe the cluster for ever; after each observation that it answered do more."""
        while True:
            begun = time.monotonic()
            try:
                await self.observe()
                if then is not None:
                    await then()
            except JobError:
                pass  # logged where it was seen
            except RecordsError as error:
                _log_unrecorded(error)
            except Exception as error:  # noqa: BLE001 - the next observation may do better
                _log.error("observing a cluster failed: %s", where(error))
            await asyncio.sleep(
                max(0.0, self._process.intervals.observe - (time.monotonic() - begun))
            )

    async def _observe(self) -> None:
        try:
            snapshot = await self._process.plane(self._cluster).jobs()
        except JobError as error:
            if self.answered is not False:
                _log.warning("cluster %s cannot be seen: %s", self._cluster.key, error)
            self.answered, self.trouble = False, error
            raise
        if self.answered is False:
            _log.info("cluster %s is seen again", self._cluster.key)
        self.answered, self.trouble = True, None
        self.answered_at = datetime.now(UTC)
        await self._compare(snapshot)

    async def _compare(self, snapshot: ClusterSnapshot) -> None:
        running: dict[str, list[ObservedJob]] = defaultdict(list)
        for job in snapshot.jobs:
            if job.active:
                running[identity_of(job.job_id)].append(job)
        call, key = self._process.call, self._cluster.key
        rows = await call(self._store.watched, key, ACTIVE)
        known = {row.identity for row in rows}
        known |= {identity_of(row.job_id) for row in rows if row.job_id}
        others = [
            job.job_id for start, jobs in running.items() if start not in known for job in jobs
        ]
        if others:
            rows += await call(self._store.watched_of, key, others)
        self._unobserved &= {row.number for row in rows}
        # Those that could not be observed the last time come last: they hold up no other one.
        for row in sorted(rows, key=lambda row: row.number in self._unobserved):
            seen = list(running[row.identity])
            if row.job_id and identity_of(row.job_id) != row.identity:  # it was adopted
                seen += [
                    job for job in running[identity_of(row.job_id)] if job.job_id == row.job_id
                ]
            if not _as_recorded(row, seen) and not await self._observed(row.number):
                return
        if not self._addressed:
            self._addressed = await self._record_address()

    async def _record_address(self) -> bool:
        """Record where the jobs that run are seen; whether there was nothing to record."""
        here = _address(self._process.plane(self._cluster))
        jobs = await self._process.call(self._store.jobs_with_status, self._cluster.key, ACTIVE)
        elsewhere = [job.number for job in jobs if _seen_at(job) not in (None, here)]
        for number in elsewhere:
            await self._observed(number)
        return not elsewhere

    async def _observed(self, number: int) -> bool:
        """Refresh a job's row; whether others can be, whatever is the matter with this one.

        Raises:
            RecordsUnavailable: None can be.
        """
        try:
            await self._refresh(number)
        except RecordsUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the other jobs of the cluster are fine
            if number not in self._unobserved:
                why = error if isinstance(error, (JobError, RecordsError)) else where(error)
                _log.warning("job %d of %s cannot be seen: %s", number, self._cluster.key, why)
            self._unobserved.add(number)
            return not isinstance(error, ClusterUnreachable)
        self._unobserved.discard(number)
        return True

    async def _refresh(self, number: int) -> None:
        row = await self._process.call(self._store.job, self._cluster.key, number)
        if row is None or row.last.finished_at is None:
            return  # an action is in progress, and records in the end how its job is
        plane = self._process.plane(self._cluster)
        target = self._cluster.flink
        reconciler = Reconciler(plane, local_paths=target.loopback, clock=self._process.clock)
        recorded = read_record(row.record, target)
        seen = await reconciler.refresh(recorded)
        if seen.status.active and seen.job_id:
            seen = seen.model_copy(update={"dashboard_url": plane.dashboard(seen.job_id)})
        if seen != recorded or seen.status != row.status:
            state = await with_end(plane, JobState(stored_record(seen), seen.status.value))
            await self._process.call(self._store.observe, row.number, row.revision, state)


def _address(plane: ControlPlane) -> str:
    """Return where a cluster is, as the dashboards of its jobs begin."""
    return plane.dashboard("").partition(_PAGE)[0]


def _seen_at(job: StoredJob) -> str | None:
    """Return where the cluster was that listed a job last; None where that is not on record."""
    dashboard = job.record.get("dashboard_url")
    return str(dashboard).partition(_PAGE)[0] if dashboard else None


def _log_unrecorded(error: RecordsError) -> None:
    _log.warning("what was seen cannot be recorded: %s", error)


def _as_recorded(row: Watched, running: list[ObservedJob]) -> bool:
    """Whether a job is plainly as its row has it, so that it need not be observed by itself."""
    return (
        row.settled
        and len(running) == 1
        and running[0].job_id == row.job_id
        and running[0].status == row.status
    )


#: Any list will do: whoever found that the job has ended has just seen one that shows it.
_LATEST_LIST = 3600.0


async def with_end(plane: ControlPlane, state: JobState) -> JobState:
    """Return how a job is, with when its latest submission ended, where the cluster reports it.

    The cluster forgets that after a while.
    """
    job_id = state.record.get("job_id")
    if state.status in ACTIVE or job_id is None:
        return state
    try:
        job = (await plane.jobs(max_age=_LATEST_LIST)).by_id.get(job_id)
    except JobError:
        return state
    if job is None or job.active or job.ended <= 0:
        return state
    return replace(state, ended=job.ended / 1000)


#: Who asks for the starts of lost jobs.
_CALLER = "gateway"
#: How often a job is started again in vain, before that is left to a person.
_TRIES = 12


class LostJobRecovery:
    """Asks for a RE_LAUNCH of each job that one cluster has lost for a while.

    A job that was stopped, cancelled, or came to its end is none of these. Nor is one that was
    listed last at another address than the cluster has now: it may still run there.
    """

    def __init__(
        self,
        process: GatewayProcess,
        cluster: str,
        submit: Callable[[ActionRequest], Awaitable[ActionRow]],
    ) -> None:
        self._process = process
        self._cluster = cluster
        clusters = process.configuration.clusters
        self._target = next(each.flink for each in clusters if each.key == cluster)
        self._submit = submit
        self._lost_since: dict[int, float] = {}

    async def after_observation(self) -> None:
        """Start what is due, the cluster having just been seen."""
        process = self._process
        lost = await process.call(process.store.jobs_with_status, self._cluster, ["LOST"])
        here = _address(process.planes.of(self._target))
        now = time.monotonic()
        self._lost_since = {job.number: self._lost_since.get(job.number, now) for job in lost}
        for job in lost:
            waited = now - self._lost_since[job.number] >= process.intervals.relaunch_after
            if job.last.finished_at is not None and waited and await self._due(job):
                if _seen_at(job) in (None, here):
                    await self._start(job)
                else:
                    await self._leave(job, here)

    async def _due(self, job: StoredJob) -> bool:
        """Whether it is time to try; after one that failed, twice as long as before it."""
        if not _in_vain(job.last):
            return True
        process = self._process
        actions = await process.call(process.store.actions_of, job.number, _TRIES)
        failures = next(
            (i for i, action in enumerate(actions) if not _in_vain(action)), len(actions)
        )
        if failures >= _TRIES:
            return False
        pause: float = process.intervals.relaunch_pause * 2 ** (failures - 1)
        # By the clock that recorded its end: this gateway's own may be another one.
        now = await process.call(process.store.now)
        waited = (now - (job.last.finished_at or now)).total_seconds()
        return waited >= min(pause, process.intervals.longest_relaunch_pause)

    async def _leave(self, job: StoredJob, here: str) -> None:
        """Report why a job is not started."""
        reason = (
            f"The cluster at {here} does not list job {job.job_id}, which was listed last at "
            f"{_seen_at(job)}: it may still run there, so the gateway does not start it by itself"
        )
        if job.record.get("job_output") != reason:
            _log.warning("job %s is lost: %s", job.job_name, reason)
            state = JobState({**job.record, "job_output": reason}, job.status)
            await self._process.call(self._process.store.observe, job.number, job.revision, state)

    async def _start(self, job: StoredJob) -> None:
        request = ActionRequest(
            cluster=job.cluster,
            job_name=job.job_name,
            action=Action.RE_LAUNCH,
            changes={},
            as_given={},
            caller=_CALLER,
            run_id=job.run_id,
            # Who has cancelled it meanwhile, or started it, is not to be overruled.
            revision=job.revision,
        )
        try:
            action = await self._submit(request)
        except Refusal as refusal:  # somebody else was first, or too much is in progress
            _log.info("job %s, which was lost, is not started: %s", job.job_name, refusal.message)
            return
        except Exception as error:  # noqa: BLE001 - the other jobs that were lost are fine
            _log.error("job %s, which was lost, is not started: %s", job.job_name, where(error))
            return
        _log.warning("job %s was lost and is started again: %s", job.job_name, action.id)


def _in_vain(action: ActionRow) -> bool:
    return (
        action.action is Action.RE_LAUNCH
        and action.caller == _CALLER
        and action.result is ActionResult.FAILED
    )
