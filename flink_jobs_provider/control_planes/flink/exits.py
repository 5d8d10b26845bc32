"""Programs that end the JobManager: System.exit in `main`, which Flink runs in that process.

Measured on 1.20.5 and 2.3.0: the connection breaks without an answer, and the cluster is gone with
all its jobs. With `cluster.intercept-user-system-exit: THROW` the call fails in the program alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flink_jobs_provider.control_planes.flink.bodies import INTERCEPTS_EXIT
from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import ClusterTakenDown, ClusterUnreachable
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob

_NAMED = 5
_REMEDY = (
    f"Does main call System.exit? Set {INTERCEPTS_EXIT} to THROW in the cluster's configuration, "
    "so that a program cannot end the JobManager"
)


class MainRuns:
    """The attempts to run one program's `main`, and whether one took the cluster down.

    Args:
        submission: What it belongs to.
        jobs: Lists the cluster's jobs.
        before: The jobs as they were last seen, or None.
        tried: Whether `main` has passed a plan, and is run now: a first break is then taken for an
            outage.
    """

    def __init__(
        self,
        submission: Submission,
        jobs: Callable[[], Awaitable[ClusterSnapshot]],
        before: ClusterSnapshot | None,
        *,
        tried: bool,
    ) -> None:
        self._job_name = submission.job_name
        self._identity = identity_of(submission.job_id)
        self._jobs = jobs
        self._active = tuple(job for job in before.jobs if job.active) if before else ()
        self._tried = tried
        self._breaks = 0

    async def broke(self, error: ClusterUnreachable) -> None:
        """Return where only the connection broke; where the cluster is down, raise.

        A supervisor may have restarted the JobManager: its jobs are gone, or start again. Where no
        job shows that, `main` is run once more, and no third time.

        Raises:
            ClusterTakenDown: The program may have ended the cluster.
        """
        self._breaks += 1
        if self._breaks == 1 and (self._tried or await self._is_up()):
            return
        others = [job for job in self._active if identity_of(job.job_id) != self._identity]
        raise ClusterTakenDown(
            f"{self._job_name}: {self._what(error)}; the cluster may have gone down with it"
            f"{_named(others)}",
            now="What runs on the cluster now is not known",
            remedy=_REMEDY,
        )

    def outage(self, error: ClusterUnreachable) -> ClusterUnreachable:
        """Return the error of a cluster that was away until the time was up, after a break."""
        if not self._breaks:
            return error
        return ClusterUnreachable(
            f"{self._what(error)}, and the cluster has not come back",
            remedy=f"Run again when it is back, to go on. {_REMEDY}",
        )

    def _what(self, error: ClusterUnreachable) -> str:
        doing = "was being run" if self._tried else "was being tried"
        return f"the connection broke while main of the new version {doing} ({error.reason})"

    async def _is_up(self) -> bool:
        try:
            after = await self._jobs()
        except ClusterUnreachable:
            return False
        return all(_runs_on(job, after.by_id.get(job.job_id)) for job in self._active)


def _runs_on(before: ObservedJob, after: ObservedJob | None) -> bool:
    return after is not None and (after.state == before.state or not after.active)


def _named(others: list[ObservedJob]) -> str:
    if not others:
        return ""
    names = ", ".join(f"{job.name} ({job.job_id})" for job in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f". Other jobs ran on it: {names}{more}"
