"""Submissions of a job: starting a version until it is up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, Submission
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    DeadlineExceeded,
    GateFailed,
    JobError,
    RunCancelled,
    Signal,
)
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import IsCancelled, Say, never
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.job_errors import started_meanwhile, vanished

#: Seconds between two reads of whether the run is cancelled.
_CANCEL_READ_EVERY_S = 0.2


@dataclass(frozen=True)
class Started:
    """A version that is up."""

    job_id: str
    generation: int
    restored_from: str | None
    status: JobStatus = JobStatus.RUNNING


class DidNotStart(Signal):
    """A version that did not come up; the text is the reason."""


@dataclass(frozen=True)
class Starter:
    """Submits a version and waits until it stays up, and one checkpoint has completed."""

    _plane: ControlPlane
    _watch: JobWatch
    _gate: GateWatch
    _say: Say
    _is_cancelled: IsCancelled = never
    _ends_with_run: bool = False

    @property
    def of_first_version(self) -> Starter:
        """The same for the first version of a job, which a cancelled run leaves as it comes up.

        No version before it was stopped, so that nothing is to be brought back.
        """
        return replace(self, _ends_with_run=True)

    async def start(
        self,
        spec: JobSpec,
        jar: Jar | str,
        generation: int,
        restore_from: str | None,
        *,
        sent_before: bool = False,
        before: Predecessor | None = None,
    ) -> Started:
        """Start a version; one that does not come up is left as it is.

        `sent_before` is whether an earlier run may have submitted it, and got no answer; `before`
        what its health gate compares it with.

        Raises:
            DidNotStart: It did not come up, for a reason that would come again.
            GateFailed: It is up, and did not pass its health gate. It has not been ended.
            TemporaryError: The cluster stopped answering: what runs is not known.
        """
        request = submission(spec, jar, generation, restore_from)
        inherited = await self._inherited_parallelism(spec, generation)
        request = replace(request, sent_before=sent_before, parallelism=inherited)
        origin = f"from {restore_from}" if restore_from else "without state"
        kept = f", with parallelism {inherited}, which ran last" if inherited else ""
        self._say(f"{spec.job_name}: starting version {generation} {origin}{kept}")
        accepted = False
        try:
            snapshot = await self._plane.jobs()
            if request.job_id not in snapshot.by_id:
                for other in snapshot.of(spec.key):
                    if other.active and other.generation >= generation:
                        raise started_meanwhile(spec, other, "and this run has started none")
                if self._ends_with_run and self._is_cancelled():
                    raise _cancelled(spec, "Nothing was started")
                await self._plane.submit(request, spec.timeout("submit"))
            accepted = True
            return await self.watch(spec, request.job_id, restore_from, before)
        except GateFailed:
            raise
        except ActionFailed as error:
            raise DidNotStart(error.reason) from None
        except JobError as error:
            error.accepted = accepted
            raise

    async def _inherited_parallelism(self, spec: JobSpec, generation: int) -> int | None:
        """Return the parallelism that a job ran with last, where others manage it.

        It is read off the newest earlier submission that the cluster lists, so that a run which
        goes on with a killed one finds the same. None where the declared one counts.
        """
        if spec.parallelism_managed_by is ParallelismManager.PROVIDER:
            return None
        ours = (await self._plane.jobs()).of(spec.key)
        earlier = [job.job_id for job in ours if job.generation < generation]
        return await self._plane.parallelism(earlier[0]) if earlier else None

    async def watch(
        self,
        spec: JobSpec,
        job_id: str,
        restore_from: str | None,
        before: Predecessor | None = None,
    ) -> Started:
        """Wait until a submitted version is up, and has passed its health gate.

        Raises:
            GateFailed: It did not pass.
            ActionFailed: It failed, did not come up in time, or came up without its state.
            DeadlineExceeded: It runs, but has completed no checkpoint in the time allowed.
            JobVanished: Its cluster lost it, which is not the version's fault.
            PermanentError: A newer submission of the same job runs as well.
            RunCancelled: It is the first version, and comes up without anybody who waits for it.
        """
        try:
            up = self._until_up(spec, job_id, restore_from, before or Predecessor())
            return await (self._unless_cancelled(up, spec, job_id) if self._ends_with_run else up)
        except ActionFailed as error:
            if job_id in (await self._plane.jobs()).by_id:
                raise
            gated = isinstance(error, GateFailed)
            happened = f"job {job_id} went while its health gate was watched" if gated else None
            raise vanished(f"{spec.job_name}: {happened or error.happened}", job_id) from None

    async def _unless_cancelled(
        self, wait: Coroutine[Any, Any, Started], spec: JobSpec, job_id: str
    ) -> Started:
        if self._is_cancelled is never:
            return await wait
        clock, waiting = self._watch.waiter.clock, asyncio.ensure_future(wait)
        pauses: list[asyncio.Future[Any]] = []
        try:
            while not waiting.done():
                if self._is_cancelled():
                    now = f"Job {job_id} was submitted, and is recorded as it comes up"
                    raise _cancelled(spec, now)
                pauses = [asyncio.ensure_future(clock.sleep(_CANCEL_READ_EVERY_S))]
                await asyncio.wait([waiting, *pauses], return_when=asyncio.FIRST_COMPLETED)
            return waiting.result()
        finally:
            for each in (waiting, *pauses):
                each.cancel()
            await asyncio.wait([waiting, *pauses])

    async def _until_up(
        self, spec: JobSpec, job_id: str, restore_from: str | None, before: Predecessor
    ) -> Started:
        timeout = spec.timeout("running")
        deadline = self._watch.waiter.clock.now() + timeout
        try:
            job = await self._watch.until_running(job_id, timeout, spec.job_name)
        except DeadlineExceeded as error:
            raise ActionFailed(f"it did not come up: {error.happened}") from None
        if job.active:
            job = await self._settled(spec, job, restore_from, deadline, before)
        return Started(job_id, job.generation, restore_from, job.status)

    async def _settled(
        self,
        spec: JobSpec,
        job: ObservedJob,
        restore_from: str | None,
        deadline: float,
        before: Predecessor,
    ) -> ObservedJob:
        job = await self._gate.until_passed(spec, job, restore_from, deadline, before)
        await self._alone(spec, job.job_id, before.runs_on)
        return await self._gate.is_up(spec, job)

    async def _alone(self, spec: JobSpec, job_id: str, but: str) -> None:
        """End older submissions that run at once, but for one; give way to a newer one."""
        snapshot = await self._plane.jobs()
        ours = snapshot.by_id.get(job_id)
        if ours is None:
            return
        for other in snapshot.of(spec.key):
            if not other.active or other.job_id in (job_id, but):
                continue
            if _prevails(other, ours):
                await self.end(job_id, spec)
                raise started_meanwhile(spec, other, "and the one of this run was cancelled")
            age = "an older copy" if other.generation < ours.generation else "a later copy"
            self._say(f"{spec.job_name}: cancelling {other.job_id}, {age} that still runs")
            await self.end(other.job_id, spec)

    async def end(self, job_id: str, spec: JobSpec) -> None:
        """Cancel a submission that still runs, and wait until it has ended."""
        job = (await self._plane.jobs()).by_id.get(job_id)
        if job and job.active:
            await self._plane.cancel(job_id)
            await self._watch.until_ended(job_id, spec.timeout("cancel"))


def _cancelled(spec: JobSpec, now: str) -> RunCancelled:
    return RunCancelled(
        f"{spec.job_name}: the run was cancelled", now=now, remedy="Run again to go on"
    )


def _prevails(other: ObservedJob, ours: ObservedJob) -> bool:
    """Whether ours gives way to another submission of a job: to a newer generation.

    Two runs that met may have submitted two versions under one generation. Neither is older, and
    each run sees the same order: the later one gives way, which may be a killed run's last request.
    """
    if other.generation != ours.generation:
        return other.generation > ours.generation
    return (other.started, other.job_id) < (ours.started, ours.job_id)


def submission(
    spec: JobSpec, jar: Jar | str, generation: int, restore_from: str | None
) -> Submission:
    """Return all that is needed to start a version of a job."""
    return Submission(
        job_id=spec.key.job_id(generation, spec.digits(restore_from)),
        spec=spec,
        jar=jar,
        restore_from=restore_from,
    )
