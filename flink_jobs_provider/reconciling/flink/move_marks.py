"""Marks on the cluster that a job is moved from: no version of it is started there meanwhile.

So it is on the way there, and on the way back from a cluster where it was no good.
"""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.protocol import ControlPlane, JobMark, Mark, Submission
from flink_jobs_provider.model.errors import MovedAway
from flink_jobs_provider.model.identity import JobKey, generation_of, spec_digits_of, submission_in
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.observer import submissions_of


async def mark_moving(
    plane: ControlPlane, recorded: JobRecord, listed: Sequence[ObservedJob]
) -> bool:
    """Keep every submission that a cluster could go on with from being started there.

    `listed` are those that it lists, the one that runs first. It returns whether an earlier run has
    marked one already, after which it may have started the job elsewhere.
    """
    prefix, timeout = recorded.spec.key.prefix, recorded.spec.timeout("submit")
    earlier = False
    for job_id in dict.fromkeys([str(recorded.job_id), *(job.job_id for job in listed[:1])]):
        earlier = await mark_version(plane, prefix, job_id, timeout) or earlier
    return earlier


async def unmark_moving(plane: ControlPlane, stopped: JobRecord, back: int) -> None:
    """Remove the marks, when a version of the job runs there again, of the generation `back`."""
    rows = submissions_of(stopped, await plane.jobs())
    later = {row.job_id for row in rows if row.generation >= back}
    for job_id in {str(stopped.job_id), *(row.job_id for row in rows)} - later:
        await unmark_version(plane, job_id)


async def unmark_earlier_moves(plane: ControlPlane, identity: str, running: str) -> None:
    """Remove the marks on versions before the one that runs here.

    One on that itself stays: another run at the same time has begun to take it back.
    """
    for mark in await plane.marks_by(identity):
        ours = mark.job_id.startswith(identity)
        later = ours and generation_of(mark.job_id) >= generation_of(running)
        if mark.kind is Mark.MOVING and not later:
            await plane.remove_mark(mark)


async def mark_version(plane: ControlPlane, prefix: str, job_id: str, timeout: float) -> bool:
    """Keep one version from being gone on with on this cluster; return whether it was before."""
    if any(mark.kind is Mark.MOVING for mark in await plane.marks(job_id)):
        return True
    await plane.put_mark(Mark.MOVING, prefix, job_id, timeout)
    return False


async def unmark_version(plane: ControlPlane, job_id: str) -> None:
    """Remove the mark on one version."""
    for mark in await plane.marks(job_id):
        if mark.kind is Mark.MOVING:
            await plane.remove_mark(mark)


async def moving_mark(
    plane: ControlPlane, key: JobKey, job_id: str, *others: str
) -> JobMark | None:
    """Return a mark by which a version is being carried to another cluster; None for none.

    It is on that version, on one of the `others`, or on one that was the same, and started from the
    same.
    """
    for mark in await plane.marks_on(key.prefix, *others, now=True):
        same = spec_digits_of(mark.job_id) == spec_digits_of(job_id)
        if mark.kind is Mark.MOVING and (same or mark.job_id in others):
            return mark
    return None


async def check_not_moving(plane: ControlPlane, recorded: JobRecord, starts: Submission) -> None:
    """Check that a job which is to be started was not carried to another cluster.

    Nor was the version whose state is gone on from.

    Raises:
        MovedAway: It may run there.
    """
    key = starts.spec.key
    before = str(recorded.job_id), submission_in(starts.restore_from or "", key) or starts.job_id
    mark = await moving_mark(plane, key, starts.job_id, *before)
    if mark is not None:
        raise _moved_away(recorded.spec.job_name, mark, "to finish the move")


async def check_no_move_left(plane: ControlPlane, wanted: JobSpec) -> None:
    """Check that no version was carried to another cluster, for a job that is not recorded.

    So it is where a state was lost. A job that is told what to start from is started.

    Raises:
        MovedAway: It may run there.
    """
    marks = () if wanted.restore_from else await plane.marks_on(wanted.key.prefix)
    mark = next((mark for mark in reversed(marks) if mark.kind is Mark.MOVING), None)
    if mark is not None:
        raise _moved_away(wanted.job_name, mark, "to take it over")


def _moved_away(job_name: str, mark: JobMark, purpose: str) -> MovedAway:
    refusal = MovedAway(
        f"{job_name}: an earlier run was moving job {mark.job_id} to another cluster, where it may "
        "run",
        now="Nothing was started here",
        remedy=f"Declare the target where it runs, and run again {purpose}; or, if it runs "
        f"nowhere, remove jar {mark.id} from this cluster",
    )
    refusal.job_id = mark.job_id
    return refusal
