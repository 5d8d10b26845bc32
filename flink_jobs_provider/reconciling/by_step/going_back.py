"""Going back to the former version, where a new one did not come up."""

from __future__ import annotations

from flink_jobs_provider.control_planes.step_plane import StepPlane
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.by_step.taking import NotNow, Steps
from flink_jobs_provider.reconciling.by_step.waiting import described
from flink_jobs_provider.reconciling.marks import mark_of


async def go_back(
    steps: Steps,
    plane: StepPlane,
    former: JobSpec,
    main_class: str | None,
    run_id: str,
    back: str,
) -> str:
    """Start the former version from the savepoint that was taken of it.

    Args:
        steps: Takes steps.
        plane: The job's project.
        former: The version as it is recorded.
        main_class: Its entry class, where the spec leaves that to its jar.
        run_id: The job.
        back: The savepoint.

    Returns:
        What runs now, in a sentence.
    """
    try:
        job = await plane.job(run_id)
        if job is None:
            return _neither("the job service no longer lists it", back)
        asked = await plane.configuration(former, None, str(mark_of(former)))
        if former.entry_class is None and main_class:
            asked["main_class"] = main_class
        await steps.change(former, job, asked)
        # What the failed version left, if anything, is not what the former goes on from.
        own = not plane.is_gateway and same_path(job.last_savepoint, back)
        after = await steps.start(former, job, resume=True, imported=None if own else back)
    except JobError as error:
        return _neither(error.happened, back)
    except NotNow:
        return _neither("the service takes nothing now", back)
    if after is None or not after.active:
        return _neither((after.output or described(after)) if after else "it is gone", back)
    job_id = await plane.flink_job_id(run_id) or run_id
    return f"The previous version runs again as job {job_id}, from {back}"


def _neither(why: str, back: str) -> str:
    return (
        f"The previous version did not start again either: {why.rstrip('.')}. Nothing of it is "
        f"known to run; its state is safe in {back}"
    )
