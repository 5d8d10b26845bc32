"""The version that an update which fails goes back to; made sure of before it is stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import JarError, JarMissing, PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import DesiredState, JobSpec


def previous_version(recorded: JobRecord | None) -> JobSpec | None:
    """Return the version that an update which fails goes back to, or None."""
    if recorded is None or recorded.job_id is None or recorded.spec.jar_digest is None:
        return None
    if recorded.spec.desired_state is not DesiredState.RUNNING:
        return None
    if recorded.status is JobStatus.FINISHED:
        return None  # it was at its end, and is not run again for the failure of another
    return recorded.spec


def no_way_back(previous: JobSpec, why: str, now: str, put_back: str) -> PermanentError:
    """Return the refusal of an update whose previous version could not be started again."""
    return PermanentError(
        f"{previous.job_name}: the previous version could not be started again if the new one "
        f"fails: {why}",
        now=now,
        remedy=Remedy.STOP_FIRST.of(put_back=put_back),
    )


async def secure_in_storage(
    recorded: JobRecord | None,
    provide: Callable[[JobSpec], Awaitable[None]],
    now: str,
    say: Callable[[str], None],
) -> None:
    """Make sure that a job service can start the recorded version again, before it is stopped.

    Where that is unknown from here, it is reported, and the update goes on.

    Args:
        recorded: The record in the state of the job.
        provide: Makes sure that what a version is made of is in the storage.
        now: How the job is.
        say: Called with a line where that is unknown.

    Raises:
        PermanentError: What the version is made of is certainly gone.
    """
    previous = previous_version(recorded)
    if previous is None:
        return
    try:
        await provide(previous)
    except JarMissing as error:
        raise no_way_back(
            previous, error.reason, now, "Put it back, and give each build a name of its own"
        ) from None
    except JarError as error:
        say(
            f"{previous.job_name}: whether the previous version could be started again cannot be "
            f"told from here: {error.reason}"
        )
