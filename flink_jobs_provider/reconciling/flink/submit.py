"""Starting one version of a job, and seeing that it is really up with the state it should have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, Submission
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded, PermanentError, Signal
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch


@dataclass(frozen=True)
class Started:
    """A version that is up."""

    job_id: str
    generation: int
    restored_from: str | None
    status: JobStatus = JobStatus.RUNNING


class DidNotStart(Signal):
    """A version that did not come up, and no longer runs; the text is the reason."""


class Starter:
    """Submits a version and waits until it stays up, and one checkpoint has completed."""

    def __init__(self, plane: ControlPlane, watch: JobWatch, say: Callable[[str], None]) -> None:
        self._plane = plane
        self._watch = watch
        self._say = say

    async def start(
        self,
        spec: JobSpec,
        jar: Jar | str,
        generation: int,
        restore_from: str | None,
        sent_before: bool = False,
    ) -> Started:
        """Start a version; one that does not come up is cancelled.

        Args:
            spec: The version.
            jar: Its jar.
            generation: Its generation.
            restore_from: What it starts from; None for a fresh start.
            sent_before: Whether an earlier run may have submitted it, and got no answer.

        Raises:
            DidNotStart: It does not run, for a reason that would come again.
            TemporaryError: The cluster stopped answering: what runs is not known.
        """
        request = submission(spec, jar, generation, restore_from)
        request = replace(request, sent_before=sent_before)
        origin = f"from {restore_from}" if restore_from else "without state"
        self._say(f"{spec.job_name}: starting version {generation} {origin}")
        try:
            if request.job_id not in (await self._plane.jobs()).by_id:
                await self._plane.submit(request, spec.timeout("submit"))
            return await self.watch(spec, request.job_id, restore_from)
        except ActionFailed as error:
            await self.end(request.job_id, spec)
            raise DidNotStart(error.reason) from None

    async def watch(self, spec: JobSpec, job_id: str, restore_from: str | None) -> Started:
        """Wait until a submitted version is up.

        Raises:
            ActionFailed: It failed, did not come up in time, or came up without its state.
            DeadlineExceeded: It runs, but has completed no checkpoint in the time allowed.
            PermanentError: A newer submission of the same job runs as well.
        """
        timeout = spec.timeout("running")
        deadline = self._watch.waiter.clock.now() + timeout
        try:
            job = await self._watch.until_running(job_id, timeout, spec.job_name)
        except DeadlineExceeded as error:
            raise ActionFailed(f"it did not come up: {error.happened}") from None
        if job.active:
            await self._watch.until_settled(spec, job, restore_from, deadline)
            await self._alone(spec, job_id)
            job = await self._watch.is_up(spec, job_id)
        return Started(job_id, job.generation, restore_from, job.status)

    async def _alone(self, spec: JobSpec, job_id: str) -> None:
        """End older submissions that run at once; give way to a newer one."""
        snapshot = await self._plane.jobs()
        ours = snapshot.by_id.get(job_id)
        if ours is None:
            return
        for other in snapshot.of(spec.key):
            if not other.active or other.job_id == job_id:
                continue
            if _prevails(other, ours):
                await self.end(job_id, spec)
                raise PermanentError(
                    f"{spec.job_name}: another run started version {other.generation} meanwhile",
                    now=f"Job {other.job_id} runs, and the one of this run was cancelled",
                    remedy="See that only one run works on this stack, and run again",
                )
            age = "an older copy" if other.generation < ours.generation else "a later copy"
            self._say(f"{spec.job_name}: cancelling {other.job_id}, {age} that still runs")
            await self.end(other.job_id, spec)

    async def end(self, job_id: str, spec: JobSpec) -> None:
        """Cancel a submission that still runs, and wait until it has ended."""
        job = (await self._plane.jobs()).by_id.get(job_id)
        if job and job.active:
            await self._plane.cancel(job_id)
            await self._watch.until_ended(job_id, spec.timeout("cancel"))


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
