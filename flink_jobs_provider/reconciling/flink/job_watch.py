"""Watching the jobs of one Flink cluster: until they run, stay up, have ended, or show up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import ActionFailed, ClusterUnreachable, DeadlineExceeded
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob, VitalSigns
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import (
    CheckpointCompleted,
    CheckpointRequest,
    Condition,
    Ended,
    JobObservation,
    Met,
    NoRestartFor,
    Observation,
    RestoredFrom,
    Shown,
    StillUp,
    TasksRunning,
    all_of,
    was_disturbed,
    was_restarted,
)
from flink_jobs_provider.reconciling.job_errors import did_not_stay_up, vanished
from flink_jobs_provider.reconciling.waiter import (
    Clock,
    Waited,
    Waiter,
    cluster_backoff,
    constant_backoff,
)

#: The pause after a cluster did not answer, in seconds.
_AWAY_PAUSE = 0.25
#: How long a cluster that does not answer is waited for while a job settles, in seconds.
_AWAY = 10.0
#: The pause before a checkpoint that failed is requested again, in seconds.
_CHECKPOINT_PAUSE = 0.5
#: How much longer than Flink's cache of a job an exception may take to show, in seconds.
_CACHE_MARGIN = 0.5
#: A reason is not waited for any longer than this, in seconds, whatever the cluster's interval.
_LONGEST_CACHE = 30.0


#: The pause between two reads of vital signs, in seconds: Flink caches them for three.
_VITALS_EVERY = 2.0
#: Reads the vital signs of a job.
ReadVitals = Callable[[str], Awaitable[VitalSigns]]

#: Flink has reported why a job failed.
_EXPLAINED = Shown[str](lambda cause: "" if cause else "no exception is shown")


class JobWatch:
    """Waits for jobs of one cluster, and words what they did not come to."""

    def __init__(self, plane: ControlPlane, clock: Clock, say: Say = lambda _line: None) -> None:
        self._plane = plane
        self.waiter = Waiter(clock, say)

    async def until_running(self, job_id: str, timeout: float, about: str = "") -> ObservedJob:
        """Wait until all tasks run; return the row in which they do.

        Raises:
            ActionFailed: The job will not come up; the text is the reason that Flink gives.
            DeadlineExceeded: It has not come up yet; the text is how far it is.
        """
        waited = await self.waiter.until(
            lambda deadline: self._observe(job_id, deadline), TasksRunning(), timeout, about=about
        )
        job = waited.last.job
        if waited.failed or job is None:
            raise ActionFailed(await self._reason(waited))
        if not waited.met:
            cause = await self._plane.failure(job_id)
            because = f" ({cause})" if cause else ""
            raise DeadlineExceeded(f"after {timeout:.0f} s {waited.reason}{because}")
        return job

    async def until_ended(self, job_id: str, timeout: float, about: str = "") -> ObservedJob | None:
        """Wait until a job has ended; return its row, or None where it is no longer listed.

        Raises:
            DeadlineExceeded: It has not ended yet.
        """
        waited = await self.waiter.until(
            lambda deadline: self._observe(job_id, deadline), Ended(), timeout, about=about
        )
        if not waited.met:
            raise DeadlineExceeded(f"after {timeout:.0f} s {waited.reason}")
        return waited.last.job

    async def until_settled(
        self, spec: JobSpec, up: ObservedJob, restore_from: str | None, deadline: float
    ) -> ObservedJob:
        """Wait until a job whose tasks all run is up for good; return its row.

        It started from the state that it should have, runs for its settle time without a restart,
        and has completed a checkpoint; or it came to its own end. `up` is its row when all its
        tasks ran first.

        Raises:
            ActionFailed: It did not stay up, or came up without its state.
            JobVanished: Its cluster lost it.
            DeadlineExceeded: It runs, and has completed no checkpoint by the deadline.
        """
        settle = spec.settle_seconds
        checkpoint = CheckpointCompleted(max(deadline - self.waiter.clock.now(), 1.0))
        settled = NoRestartFor(settle)
        gate = all_of(RestoredFrom(restore_from), TasksRunning(), settled, checkpoint)
        origin = await self.restored_from(up.job_id) if restore_from else ""
        upkeep = Upkeep(self, up, origin, (settle, checkpoint.within))
        timeout = settle + spec.timeout("running")
        waited = await upkeep.until(gate, timeout, spec.job_name)
        if waited.met and waited.last.job is not None:
            return waited.last.job
        if waited.last.job is None:
            raise vanished(f"{spec.job_name}: {waited.reason}", up.job_id)
        if waited.failed and waited.failed.by is checkpoint:
            raise DeadlineExceeded(
                f"{spec.job_name}: it runs, but has completed no checkpoint: {waited.reason}",
                now=f"Job {up.job_id} was left running",
                remedy="Check its checkpoints on Flink's dashboard, and run again",
            )
        if waited.failed and isinstance(waited.failed.by, RestoredFrom):
            raise ActionFailed(waited.reason)
        over = isinstance(settled.judge(waited.history), Met)
        raise not_up(0 if over else settle, await self._why(waited, waited.last.job, timeout))

    async def is_up(self, spec: JobSpec, up: ObservedJob) -> ObservedJob:
        """Return a job's row just before it is recorded; `up` is its row when it had settled.

        Raises:
            ActionFailed: Not all its tasks run, or they were restarted after a failure.
            JobVanished: Its cluster lost it.
        """
        away = self.waiter.clock.now() + max(spec.settle_seconds, _AWAY)

        disturbed = False

        async def observe(_deadline: float) -> JobObservation:
            nonlocal disturbed
            seen = await self._observe(up.job_id, away)
            job = seen.job
            if job is None or (job.healthy and not disturbed):
                return seen
            disturbed = True
            # An exception may show late: it is waited for before the job counts as up again.
            cause = await self.cause(job, since=up.modified, surely=job.healthy)
            return replace(seen, cause=cause)

        waited = await self.waiter.until(
            observe, StillUp(), spec.timeout("running"), about=spec.job_name
        )
        if waited.met and waited.last.job is not None:
            return waited.last.job
        if waited.last.job is None:
            raise vanished(f"{spec.job_name}: {waited.reason}", up.job_id)
        raise not_up(spec.settle_seconds, await self._reason(waited))

    async def _reason(self, waited: Waited[JobObservation]) -> str:
        """Return how a job is, and why."""
        job = waited.last.job
        return waited.reason if job is None else await self.described(job)

    async def described(self, job: ObservedJob) -> str:
        """Return how a job is, and why."""
        cause = await self.cause(job)
        return f"the job is {job.state}" + (f": {cause}" if cause else "")

    async def cause(self, job: ObservedJob, since: int = 0, *, surely: bool = False) -> str:
        """Return why a job failed, empty where Flink does not report it.

        Flink may show a job as it was before it failed (web.refresh-interval, 3 s by default). What
        failed before `since` is left aside: in milliseconds by the cluster's clock. `surely` is
        whether it has failed or was restarted, though it may run again.
        """
        failed = surely or job.state == "FAILED"
        cached = min((await self._plane.facts()).job_cache, _LONGEST_CACHE) + _CACHE_MARGIN

        async def ask(_deadline: float) -> str:
            return await self._plane.failure(job.job_id, since)

        timeout = cached if failed else 0.0
        pauses = constant_backoff(cluster_backoff().longest)
        return (await self.waiter.until(ask, _EXPLAINED, timeout, backoff=pauses)).last

    async def list(self, deadline: float) -> ClusterSnapshot:
        """Read the list; a cluster that does not answer for a moment is waited for."""
        return await self.waiter.reach(self._plane.jobs, deadline, _AWAY_PAUSE)

    async def restored_from(self, job_id: str) -> str:
        """Return what a job's checkpoint statistics show it started from; empty where nothing.

        Once its tasks were restarted they show a checkpoint of its own instead.
        """
        statistics = await self._plane.checkpoints(job_id)
        origin = statistics.restored_from if statistics and statistics.enabled else ""
        return "" if f"/{job_id}/" in origin else origin

    async def request_checkpoint(self, job_id: str, timeout: float) -> CheckpointRequest:
        """Trigger a checkpoint; return how it ended."""
        try:
            await self._plane.checkpoint(job_id, timeout)
        except (ActionFailed, DeadlineExceeded, ClusterUnreachable) as error:
            return CheckpointRequest(reason=error.reason)
        return CheckpointRequest(completed=True)

    async def _observe(self, job_id: str, deadline: float) -> JobObservation:
        return JobObservation(job_id, (await self.list(deadline)).by_id.get(job_id))

    async def _why(self, waited: Waited[JobObservation], job: ObservedJob, timeout: float) -> str:
        """Return why a job did not stay up."""
        if waited.failed and not isinstance(waited.failed.by, NoRestartFor):
            return await self._reason(waited)
        if waited.failed:
            return waited.reason
        if job.healthy:
            return "it was rescaled again and again"
        return f"after {timeout:.0f} s {waited.reason}"


class Upkeep:
    """Observes a job that came up, and has a checkpoint of it completed at the same time.

    Args:
        watch: Waits for jobs of its cluster.
        up: The job's row when all its tasks ran first.
        origin: What its statistics show it started from.
        limits: How long it is to stay up, and how long a checkpoint may take, in seconds.
        read: Reads its vital signs; None where nobody judges them.
        requests: How many checkpoints are requested, one after the other.
    """

    def __init__(
        self,
        watch: JobWatch,
        up: ObservedJob,
        origin: str,
        limits: tuple[float, float],
        read: ReadVitals | None = None,
        requests: int = 1,
    ) -> None:
        self._watch = watch
        self._up: ObservedJob | None = up
        self._origin = origin
        self._job_id = up.job_id
        self._settle, limit = limits
        self._requests = requests
        self._clock = watch.waiter.clock
        began = self._clock.now()
        self._settles_until, self._checkpoint_until = began + self._settle, began + limit
        self._checkpoint = CheckpointRequest()
        self._read = read
        self._vitals: VitalSigns | None = None
        self._read_at = began - _VITALS_EVERY
        self.first = [Observation(self._observation(up, ""), began, began)]
        self.request = asyncio.create_task(self._request())

    async def until(
        self, condition: Condition[JobObservation], timeout: float, about: str
    ) -> Waited[JobObservation]:
        """Observe until a condition is met or has failed, or the time is up."""
        try:
            return await self._watch.waiter.until(
                self.observe,
                condition,
                timeout,
                first=self.first,
                wake=self.request,
                about=about,
            )
        finally:
            self.request.cancel()
            await asyncio.wait([self.request])

    async def observe(self, deadline: float) -> JobObservation:
        """Return how the job is, and what has disturbed it since all its tasks ran."""
        now = self._clock.now()
        if now < self._settles_until:
            deadline = now + max(self._settle, _AWAY)
        job = (await self._watch.list(deadline)).by_id.get(self._job_id)
        if self.request.done():
            self.request.result()  # it raises what no other checkpoint would help against
        cause = await self._cause(job) if job and job.active else ""
        await self._read_vitals()
        return self._observation(job, cause)

    def _observation(self, job: ObservedJob | None, cause: str) -> JobObservation:
        return JobObservation(
            self._job_id, job, cause, self._origin, self._checkpoint, self._vitals
        )

    async def _read_vitals(self) -> None:
        """Read the vital signs, where that is due; those of before stay where it fails."""
        now = self._clock.now()
        if self._read is None or now - self._read_at < _VITALS_EVERY:
            return
        self._read_at = now
        with suppress(ActionFailed, ClusterUnreachable):
            self._vitals = await self._read(self._job_id)

    async def _cause(self, job: ObservedJob) -> str:
        """Return why tasks of the job failed since all of them ran; empty for a rescale."""
        up, cause = self._up, ""
        if up is not None and was_disturbed(up, job):
            restarted = was_restarted(up, job)
            cause = await self._watch.cause(job, since=up.modified, surely=restarted)
            self._up = None if restarted else job
        if self._up is None and job.healthy:
            self._up = job
        return cause

    async def _request(self) -> None:
        """Request checkpoints until one has completed: one may fail while the job stays up."""
        while not self._checkpoint.completed:
            left = max(self._checkpoint_until - self._clock.now(), 1.0)
            self._checkpoint = await self._watch.request_checkpoint(self._job_id, left)
            if not self._checkpoint.completed:
                await self._clock.sleep(_CHECKPOINT_PAUSE)
        for _ in range(self._requests - 1):
            left = max(self._checkpoint_until - self._clock.now(), 1.0)
            await self._watch.request_checkpoint(self._job_id, left)


def not_up(settle: float, why: str) -> ActionFailed:
    """Return the error for a version that did not stay up."""
    return ActionFailed(did_not_stay_up(settle, why) if settle else why)
