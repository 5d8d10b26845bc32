"""Telling versions that were started alongside the one that they are to replace (blue-green).

Two submissions of one job that run at once are a fault, but for these. A mark on the cluster is put
before such a version, the green one, is submitted: it tells the next run, of whatever spec, which
of the two is on trial, and that one may still be on its way. The other one, the blue, is the job.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flink_jobs_provider.control_planes.protocol import ControlPlane, JobMark, Mark
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord


async def switching(plane: ControlPlane, prefixes: Collection[str]) -> list[JobMark]:
    """Return the marks of switch-overs of a job, by the digits that its jobIds begin with."""
    marks = [mark for prefix in prefixes for mark in await plane.marks_by(prefix)]
    return [mark for mark in marks if mark.kind is Mark.SWITCHING]


def greens_among(
    active: Sequence[ObservedJob],
    recorded: JobRecord | None,
    marks: Sequence[JobMark],
) -> tuple[ObservedJob, ...]:
    """Return which of a job's active submissions, newest first, are green.

    There is none without a blue one. Where its mark is gone with the cluster's uploads, the two are
    copies like any others: the older one is stopped with a savepoint.
    """
    marked = {mark.job_id for mark in marks} - {recorded.job_id if recorded else None}
    found = tuple(job for job in active if job.job_id in marked)
    return found if len(found) < len(active) else found[:-1]
