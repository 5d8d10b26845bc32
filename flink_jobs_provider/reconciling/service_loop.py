"""What a change is made of on any job service: turns until it is done, and old jars removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from flink_jobs_provider.model.errors import JarError, PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec


class StoresJars(Protocol):
    """A service that keeps the jars of its jobs."""

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were brought there for a job, but for those with these digests."""


async def until_reached(
    turn: Callable[[], Awaitable[JobRecord | None]], most: int, job_name: str, unit: str
) -> JobRecord:
    """Take turns until one returns the record of a job that is as it should be.

    Args:
        turn: Looks at the job, and takes the next action if it needs one.
        most: How many turns are taken.
        job_name: The job.
        unit: What the service calls what a turn does: an action, or a step.

    Raises:
        PermanentError: The job is not as it should be after the last turn.
    """
    for _ in range(most):
        record = await turn()
        if record is not None:
            return record
    raise PermanentError(
        f"{job_name}: it is still not as it should be after all that was tried",
        now=f"The last {unit} has ended, and nothing more was begun",
        remedy="Is somebody else changing it? Run again to go on",
    )


async def forget_jars(
    plane: StoresJars, recorded: JobRecord | None, wanted: JobSpec, say: Callable[[str], None]
) -> None:
    """Remove jars that no version needs: neither the wanted one nor the one before it."""
    digests = {wanted.jar_digest, recorded.spec.jar_digest if recorded else None}
    try:
        await plane.forget_jars(wanted, frozenset(filter(None, digests)))
    except JarError as error:
        say(str(error))
