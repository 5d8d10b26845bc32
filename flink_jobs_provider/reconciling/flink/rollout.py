"""Starting a version, and going back to the previous one when it does not come up.

The previous version's jar is found before that version is stopped: an upload directory is cleaned
by hand, or gone with its JobManager's disk, while the jobs run on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from flink_jobs_provider.artifacts import Condition, Jar, find_jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterTakenDown,
    JarError,
    JobError,
    JobVanished,
    MainStillRuns,
    TemporaryError,
)
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import previous_version
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Change, identities, retention
from flink_jobs_provider.reconciling.flink.submissions import (
    DidNotStart,
    Started,
    Starter,
    submission,
)
from flink_jobs_provider.reconciling.job_errors import (
    DECLARED_RUNS,
    RUNS_AGAIN,
    neither_started,
    no_jar_of_version,
    no_way_back,
)
from flink_jobs_provider.reconciling.record_updates import comes_back_to, done, older_savepoint

#: Returns the jar with a digest that was read from a URI; JarError where it is nowhere any more.
FindJar = Callable[[str, str], Awaitable[Jar]]


async def find_here(uri: str, digest: str) -> Jar:
    """Return a jar from where it was read, or from this machine's cache.

    Raises:
        JarError: It is in neither.
    """
    return await asyncio.to_thread(find_jar, uri, digest)


@dataclass(frozen=True)
class WayBack:
    """Provides the jars of previous versions."""

    _plane: ControlPlane
    _find: FindJar

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
            raise no_way_back(
                previous,
                f"its jar (SHA-256 {digest[:12]}…) is no longer on the cluster, and {error.reason}",
                now,
                f"Put that jar back at {previous.jar}",
            ) from None
        await self._provide(previous, jar)

    async def find(self, version: JobSpec, now: str) -> Jar | str:
        """Return the jar of a version that ran once; its digest where the cluster has it.

        Raises:
            PermanentError: It is neither on the cluster nor anywhere else.
        """
        digest = version.jar_digest or ""
        if await self._provide(version, digest):
            return digest
        try:
            return await self._find(version.jar, digest)
        except JarError as error:
            raise no_jar_of_version(
                version, f"is no longer on the cluster, and {error.reason}", now
            ) from None

    async def jar(self, previous: JobSpec, launched: Jar | str) -> Jar | str:
        """Return the previous version's jar, or its digest where the cluster may have it.

        `launched` is the jar of the version that did not start.
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


@dataclass(frozen=True)
class Launch:
    """A version to start, and what to do if it does not come up.

    Attributes:
        change: The change, whose record has the previous version as its spec.
        base: That record with what the action added so far (savepoints).
        generation: The generation of the version to start.
        restore: What it starts from; None for a fresh start.
        back: What the previous version starts from, if it must.
        action: What this is called in the record.
        sent_before: Whether an earlier run may have submitted the version, and got no answer.
    """

    change: Change
    base: JobRecord | None
    generation: int
    restore: str | None
    back: str | None
    action: Action
    sent_before: bool = False

    @property
    def previous(self) -> JobSpec | None:
        """The version to go back to; None where there is none, or that start would be the same."""
        previous = previous_version(self.change.recorded)
        if previous is None:
            return None
        same = previous.digits(self.back) == self.change.wanted.digits(self.restore)
        return None if same else previous


def _to_be_recorded(failed: ActionFailed, launch: Launch, record: JobRecord | None) -> ActionFailed:
    """Add to an error what is to be recorded of the job; nothing of one that was being created."""
    failed.version = launch.generation
    if record and launch.change.recorded and launch.change.recorded.job_id:
        update = {"action_result": ActionResult.FAILED, "job_output": failed.happened}
        failed.partial = record.model_copy(update=update)
    return failed


@dataclass(frozen=True)
class Roller:
    """Starts versions so that one that fails leaves the previous one running."""

    _plane: ControlPlane
    _starter: Starter
    _way_back: WayBack
    _states: StateFinder
    _say: Say

    async def launch(self, launch: Launch) -> JobRecord:
        """Start a version; if it does not come up, the previous one from the same state.

        Raises:
            ActionFailed: It did not come up; the error reports what runs now.
            TemporaryError: The cluster stopped answering; the error reports where the state is.
        """
        recorded, wanted, jar = launch.change.recorded, launch.change.wanted, launch.change.jar
        try:
            started = await self._starter.start(
                wanted, jar, launch.generation, launch.restore, sent_before=launch.sent_before
            )
        except DidNotStart as failure:
            raise await self._go_back(launch, str(failure)) from None
        except ClusterTakenDown as error:
            now = f"{error.now.removesuffix('.')}; {await self._state_of(launch)}"
            raise ClusterTakenDown(error.happened, now=now, remedy=error.remedy) from None
        except MainStillRuns as error:
            raise await self._still_runs(launch, error, wanted.job_name) from None
        except JobVanished as error:
            error.partial = await self._lost(launch)
            raise
        except TemporaryError as error:
            if error.now:
                raise
            raise type(error)(
                f"{wanted.job_name}: {error.happened}",
                now=f"Whether version {launch.generation} runs is not known; "
                f"{await self._state_of(launch)}",
                remedy=error.remedy or "Run again to go on",
            ) from None
        record = await self.record(launch.base, wanted, started, launch.action)
        digest = jar if isinstance(jar, str) else jar.digest
        await self.forget_jars(recorded, wanted, started.job_id, digest)
        return record

    async def give_up(self, launch: Launch, job_id: str, failure: str) -> JobError:
        """End a version that a killed run started, run the previous one again; return the error."""
        await self._starter.end(job_id, launch.change.wanted)
        return await self._go_back(launch, failure)

    async def _go_back(self, launch: Launch, failure: str) -> JobError:
        """Run the previous version again, and return the error that reports both."""
        recorded, wanted = launch.change.recorded, launch.change.wanted
        what = f"{wanted.job_name}: version {launch.generation} did not start: {failure}"
        previous = launch.previous
        if previous is None or previous.jar_digest is None:
            await self.forget_jars(recorded, wanted)
            state = await self._state_of(launch)
            failed = ActionFailed(
                what, now=f"Nothing of it runs; {state}", remedy="Fix it, and run again"
            )
            return _to_be_recorded(failed, launch, launch.base)
        self._say(f"{what}; going back to the previous version")
        declared = previous
        previous = previous.model_copy(update={"settle_time": wanted.settle_time})
        try:
            jar = await self._way_back.jar(previous, launch.change.jar)
            started = await self._starter.start(previous, jar, launch.generation + 1, launch.back)
        except MainStillRuns as error:
            return await self._still_runs(launch, error, f"{what}; going back, too")
        except (DidNotStart, JobError) as second:
            reason = second.reason if isinstance(second, JobError) else str(second)
            failed = ActionFailed(
                what,
                now=neither_started(reason, await self._state_of(launch)),
                remedy="Fix it, and run again",
            )
            return _to_be_recorded(failed, launch, launch.base)
        await self.forget_jars(recorded, wanted, started.job_id, previous.jar_digest)
        failed = ActionFailed(
            what,
            now=f"{DECLARED_RUNS if recorded and recorded.adopted else RUNS_AGAIN} as job "
            f"{started.job_id}, " + (f"from {launch.back}" if launch.back else "without state"),
            remedy="Fix the new version, and run again",
        )
        record = launch.base
        with suppress(JobError):  # if it cannot be seen now, the next run finds it by its jobId
            record = await self.record(record, declared, started, launch.action)
        return _to_be_recorded(failed, launch, record)

    async def _still_runs(self, launch: Launch, error: MainStillRuns, what: str) -> MainStillRuns:
        """Return the error of a version that may start when nobody waits for it, to be recorded."""
        reported = MainStillRuns(
            f"{what}: {error.happened}",
            now=f"It may still start as job {error.job_id}; {await self._state_of(launch)}",
            remedy=error.remedy,
            field=error.field,
        )
        base = launch.base or JobRecord(spec=launch.change.wanted, status=JobStatus.STARTING)
        reported.job_id = error.job_id
        reported.partial = base.model_copy(update={"unconfirmed": error.job_id})
        return reported

    async def _lost(self, launch: Launch) -> JobRecord | None:
        """Return what is to be recorded of a new job that its cluster lost; None without state.

        Else nothing would name it, and the next run would start it from nothing.
        """
        wanted, base = launch.change.wanted, launch.base
        if base is not None and base.job_id is not None:
            return None
        job_id = wanted.key.job_id(launch.generation, wanted.digits(launch.restore))
        record = (base or JobRecord(spec=wanted, status=JobStatus.LOST)).model_copy(
            update={
                "spec": wanted,
                "status": JobStatus.LOST,
                "job_id": job_id,
                "generation": launch.generation,
                "restored_from": launch.restore,
            }
        )
        return record if await self._states.newest(wanted, (), record) else None

    async def _state_of(self, launch: Launch) -> str:
        """Return where the state of a job is that does not run, as far as that is seen."""
        if launch.back is None:
            return {
                Action.NEW: "it has no state yet",
                Action.STATELESS_UPDATE: "its state was dropped, as was asked",
            }.get(launch.action, "no state of it is known")
        finding = await self._states.inspect(launch.back)
        if finding.condition is Condition.WHOLE:
            return f"its state is in {launch.back}, whose _metadata is there and whole"
        older = older_savepoint(launch.base, launch.back)
        next_one = f"; the next older savepoint is {older}" if older else ""
        return f"its newest known state, {launch.back}, {finding}{next_one}"

    async def record(
        self, base: JobRecord | None, wanted: JobSpec, started: Started, action: Action
    ) -> JobRecord:
        """Return what is recorded of a version that is up."""
        record = base or JobRecord(spec=wanted, status=JobStatus.RUNNING)
        origin = started.restored_from
        output = f"Job started from {origin}" if origin else "Job started without state"
        return done(record, wanted, action, output).model_copy(
            update={
                "job_id": started.job_id,
                "unconfirmed": None,
                "adopted": None,
                "status": started.status,
                "last_savepoint": comes_back_to(record, origin),
                "generation": started.generation,
                "restored_from": origin,
                "running_parallelism": await self._plane.parallelism(started.job_id),
                "retains_checkpoints": await retention(self._plane, started.job_id),
                "submitted_parallelism": await self._plane.parallelism_bounds(started.job_id),
                "flink_version": (await self._plane.facts()).version_text,
                "dashboard_url": self._plane.dashboard(started.job_id),
            }
        )

    async def forget_jars(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        running: str | None = None,
        digest: str | None = None,
    ) -> None:
        """Remove jars that nothing needs; one that stays by accident is removed the next time.

        That with the digest is kept, under the identity of the version that runs.
        """
        for identity in identities(recorded, wanted):
            kept = running is not None and identity_of(running) == identity
            try:
                await self._plane.forget_jars(
                    identity, frozenset({digest}) if kept and digest else frozenset()
                )
            except (ActionFailed, TemporaryError) as error:
                self._say(f"{wanted.job_name}: old jars could not be removed: {error}")
