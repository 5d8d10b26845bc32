"""What becomes of a job that gets a new resource: it starts, or goes on where it runs already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.planning.plan import plan

#: How long a preview waits for a cluster that it does not need, in seconds.
_PATIENCE_S = 5.0
_SHARED_AGE_S = 15.0

Look = Callable[[JobRecord], Awaitable[JobRecord]]


class Creations:
    """Words the plan of a creation by what the job's cluster shows.

    Args:
        look: Reads a job, as a refresh does.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._silent: set[str] = set()

    async def line(self, clusters: Clusters | None, spec: JobSpec, known: JobRecord | None) -> str:
        """Return the plan in one line; empty where there is nothing to say.

        Args:
            clusters: The clusters; None where none may be asked.
            spec: The job as it should be.
            known: What another resource has recorded of it; None for nothing.
        """
        if known is not None:
            decided = plan(known, spec)
            adopted = known.status.active and known.job_id
            return decided.line() if decided.needed else _adoption(known) if adopted else ""
        first = plan(None, spec).line()
        if clusters is None or spec.target.place in self._silent:
            return f"{first}, unless it runs already: its cluster was not asked"
        try:
            async with asyncio.timeout(_PATIENCE_S):
                seen = await self._look(JobRecord(spec=spec, status=JobStatus.LOST))
                ended = await _ended(clusters, spec) if seen.job_id is None else None
        except (JobError, TimeoutError):
            self._silent.add(spec.target.place)
            return f"{first}, unless it runs already: its cluster did not answer"
        if seen.job_id is not None and seen.status.active:
            return _found(seen, spec)
        if ended and spec.desired_state is DesiredState.RUNNING and not spec.restore_from:
            return f"{spec.job_name}: NEW, start from the state that job {ended} left, if it did"
        return first


def _found(seen: JobRecord, spec: JobSpec) -> str:
    decided = plan(seen, spec)
    if not decided.needed:
        return _adoption(seen)
    other = f"job {seen.job_id}, which runs already, is of another version"
    return replace(decided, reasons=(other,)).line() if seen.other_version else decided.line()


def _adoption(seen: JobRecord) -> str:
    return f"{seen.spec.job_name}: NEW, adopt job {seen.job_id}, which runs already"


async def _ended(clusters: Clusters, spec: JobSpec) -> str | None:
    """Return the last job of this name that has ended, as far as its cluster shows it."""
    if not isinstance(spec.target, FlinkTarget) or spec.upgrade_mode is UpgradeMode.STATELESS:
        return None
    ours = (await clusters.of(spec.target).jobs(_SHARED_AGE_S)).of(spec.key)
    return ours[0].job_id if ours else None
