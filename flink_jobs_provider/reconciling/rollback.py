"""The previous version, which an update that fails goes back to: found before it is stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import JarError, JarMissing, PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling.protocol import Say

#: The beginning of the sentence that reports a successful rollback.
RUNS_AGAIN = "The previous version runs again"


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
    recorded: JobRecord | None, provide: Callable[[JobSpec], Awaitable[None]], now: str, say: Say
) -> None:
    """Make sure that a job service can start the recorded version again, before it is stopped.

    Where that is unknown from here, it is reported, and the update goes on.

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


def neither_started(why: str, state: str) -> str:
    """Return how a job is whose new version failed, and whose previous one did not start again."""
    return (
        f"The previous version did not start again either: {why.rstrip('.')}. Nothing of it is "
        f"known to run; {state}"
    )
