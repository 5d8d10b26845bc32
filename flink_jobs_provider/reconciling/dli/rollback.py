"""Going back to the previous version, where a new one did not come up."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.step_plane import Configuration, StepJob, StepPlane
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.dli.conditions import described
from flink_jobs_provider.reconciling.dli.operations import NotNow, StepRunner
from flink_jobs_provider.reconciling.record_updates import last_known
from flink_jobs_provider.reconciling.refusals import RUNS_AGAIN, neither_started
from flink_jobs_provider.reconciling.version_marker import mark_of

#: How often a service that takes nothing for now is asked again.
_MOST_TRIES = 8


async def go_back(
    steps: StepRunner,
    plane: StepPlane,
    former: JobSpec,
    main_class: str | None,
    run_id: str,
    states: Sequence[str],
    tried: Configuration,
    base: JobRecord | None,
) -> str:
    """Start the previous version from the savepoint that was taken of it.

    Args:
        steps: Takes steps.
        plane: The job's project.
        former: The version as it is recorded.
        main_class: Its entry class, where the spec leaves that to its jar.
        run_id: The job.
        states: Its savepoints, the newest first. Another one is tried where a job that was
            started from one has not come up.
        tried: What was asked for by the version that did not start: it is taken back.
        base: What is recorded of the job; None where nothing is.

    Returns:
        What runs now, in a sentence.
    """
    why, left = "", list(states)
    for _ in range(_MOST_TRIES):
        job = await plane.job(run_id)
        if job is not None and job.active:
            return f"Somebody else has started it: {described(job)}; {last_known(base, *states)}"
        try:
            after = await _started(steps, plane, former, main_class, job, left[0], tried)
        except NotNow:
            why = "the service takes nothing now"
            continue
        except JobError as error:
            why = error.happened
            break
        if after is not None and after.active:
            job_id = await plane.flink_job_id(run_id) or run_id
            return f"{RUNS_AGAIN} as job {job_id}, from {left[0]}"
        why = (after.output or described(after)) if after else "the job service no longer lists it"
        left = left[1:] if after else []
        if not left:
            break
    return neither_started(why, last_known(base, *states))


async def _started(
    steps: StepRunner,
    plane: StepPlane,
    former: JobSpec,
    main_class: str | None,
    job: StepJob | None,
    back: str,
    tried: Configuration,
) -> StepJob | None:
    """Write the former configuration, start it, and return how the job is then."""
    if job is None:
        return None
    if job.in_progress:
        await steps.until_idle(job, former)
        raise NotNow
    asked = await plane.configuration(former, None, str(mark_of(former)))
    if former.entry_class is None and main_class:
        asked["main_class"] = main_class
    await steps.change(former, job, {**asked, **plane.differences(asked, job, tried)})
    # What the failed version left, if anything, is not what the former goes on from.
    own = same_path(job.last_savepoint, back) and not plane.capabilities.starts_from_newest_state
    return await steps.start(former, job, resume=True, imported=None if own else back)
