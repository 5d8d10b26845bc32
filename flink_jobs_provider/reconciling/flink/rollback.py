"""The way back of an update: the previous version's jar, looked for before that version is stopped.

An upload directory is cleaned by hand, or gone with its JobManager's disk, while the jobs run on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from flink_jobs_provider.artifacts import Jar, find_jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import JarError, JarMissing, PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling.flink.submit import submission

#: Returns the jar with a digest that was read from a URI; JarError where it is nowhere any more.
FindJar = Callable[[str, str], Awaitable[Jar]]


async def find_here(uri: str, digest: str) -> Jar:
    """Return a jar from where it was read, or from this machine's cache.

    Raises:
        JarError: It is in neither.
    """
    return await asyncio.to_thread(find_jar, uri, digest)


def previous_version(recorded: JobRecord | None) -> JobSpec | None:
    """Return the version that an update which fails goes back to, or None."""
    if recorded is None or recorded.job_id is None or recorded.spec.jar_digest is None:
        return None
    if recorded.spec.desired_state is not DesiredState.RUNNING:
        return None
    if recorded.status is JobStatus.FINISHED:
        return None  # it was at its end, and is not run again for the failure of another
    return recorded.spec


def _no_way_back(previous: JobSpec, why: str, now: str, put_back: str) -> PermanentError:
    """Return the refusal of an update whose previous version could not be started again."""
    return PermanentError(
        f"{previous.job_name}: the previous version could not be started again if the new one "
        f"fails: {why}",
        now=now,
        remedy=f"{put_back}; or stop the job with a savepoint first "
        '(desired_state "stopped"), and start the new version from it',
    )


async def secure_in_storage(
    recorded: JobRecord | None,
    provide: Callable[[JobSpec], Awaitable[None]],
    now: str,
    say: Callable[[str], None],
) -> None:
    """Make sure that a job service can start the recorded version again, before it is stopped.

    Where that cannot be told from here, it is said, and the update goes on.

    Args:
        recorded: What the state says of the job.
        provide: Makes sure that what a version is made of is in the storage.
        now: How the job is.
        say: Told what cannot be told.

    Raises:
        PermanentError: What the version is made of is certainly gone.
    """
    previous = previous_version(recorded)
    if previous is None:
        return
    try:
        await provide(previous)
    except JarMissing as error:
        raise _no_way_back(
            previous, error.reason, now, "Put it back, and give each build a name of its own"
        ) from None
    except JarError as error:
        say(
            f"{previous.job_name}: whether the previous version could be started again cannot be "
            f"told from here: {error.reason}"
        )


class WayBack:
    """Provides the jars of previous versions."""

    def __init__(self, plane: ControlPlane, find: FindJar) -> None:
        self._plane = plane
        self._find = find

    async def secure(self, previous: JobSpec, now: str) -> None:
        """Make sure that the previous version can be started again.

        Raises:
            PermanentError: Its jar is neither on the cluster nor anywhere else.
        """
        digest = previous.jar_digest or ""
        if await self._provide(previous, digest):
            return
        try:
            jar = await self._find(previous.jar, digest)
        except JarError as error:
            raise _no_way_back(
                previous,
                f"its jar (SHA-256 {digest[:12]}…) is no longer on the cluster, and {error.reason}",
                now,
                f"Put that jar back at {previous.jar}",
            ) from None
        await self._provide(previous, jar)

    async def jar(self, previous: JobSpec, launched: Jar | str) -> Jar | str:
        """Return the previous version's jar, or its digest where the cluster may have it.

        Args:
            previous: The version.
            launched: The jar of the version that did not start.
        """
        digest = previous.jar_digest or ""
        if isinstance(launched, Jar) and launched.digest == digest:
            return launched
        if await self._provide(previous, digest):
            return digest
        try:
            return await self._find(previous.jar, digest)
        except JarError:
            return digest

    async def _provide(self, previous: JobSpec, jar: Jar | str) -> bool:
        request = submission(previous, jar, 1, None)  # of its id only the identity counts
        return await self._plane.provide_jar(request, previous.timeout("submit"))
