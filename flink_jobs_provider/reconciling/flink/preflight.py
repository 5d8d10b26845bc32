"""What is checked before anything is changed: in a run, and in a preview.

A version that cannot start must not stop another. In a preview, the `main` of new jobs runs for a
plan, and nothing stays on the cluster.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias
from weakref import WeakSet

from flink_jobs_provider.artifacts import Condition, Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, PlannedGraph, Submission
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import (
    ActionFailed,
    EntryClassUnusable,
    JobError,
    PermanentError,
)
from flink_jobs_provider.model.observation import ClusterFacts, ObservedJob
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import SavepointFormat, SavepointLayout
from flink_jobs_provider.model.spec import JobSpec, Timeouts
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.slots import (
    PAUSE,
    REGISTERING,
    SlotCount,
    Slots,
    slots_registered,
)
from flink_jobs_provider.reconciling.flink.submissions import submission
from flink_jobs_provider.reconciling.protocol import Say
from flink_jobs_provider.reconciling.waiter import Clock, Waiter, constant_backoff

#: The clusters for which the warning that a program can end them was printed once.
_warned: WeakSet[ControlPlane] = WeakSet()
_ENDED_BY_MAIN = (
    "warning: a program whose main calls System.exit ends this cluster's JobManager, with all its "
    "jobs. Set cluster.intercept-user-system-exit to THROW in the cluster's configuration"
)


class NotEnoughSlots(PermanentError):
    """A job that does not run needs more task slots than are free at this moment.

    Whoever can wait may: right after a restart its TaskManagers have not come to the cluster yet.
    """


class NoSavepointDirectory(PermanentError):
    """Neither a job nor its cluster names a directory for savepoints."""


@dataclass(frozen=True)
class SubmissionTerms:
    """What counts for savepoints and the end of a submission of which no spec is known."""

    job_name: str
    savepoint_directory: str | None = None
    savepoint_format: SavepointFormat = SavepointFormat.CANONICAL
    timeouts: Timeouts = field(default_factory=Timeouts)

    def timeout(self, step: str) -> float:
        """Return the seconds allowed for a step of `Timeouts`."""
        return seconds(getattr(self.timeouts, step))


#: What of a job counts for its savepoints and its end.
SavepointTerms: TypeAlias = JobSpec | SubmissionTerms


@dataclass(frozen=True)
class Preflight:
    """Checks that a version could start, as far as is known without starting it."""

    _plane: ControlPlane
    _states: StateFinder
    slots: Slots
    _say: Say

    async def savepoint_layout(self, spec: SavepointTerms, now: str) -> SavepointLayout:
        """Return where a job's savepoints go.

        Raises:
            NoSavepointDirectory: Neither job nor cluster names a directory.
        """
        directory = spec.savepoint_directory
        if not directory:
            directory = (await self._plane.facts()).savepoint_directory
        if not directory:
            raise NoSavepointDirectory(
                f"{spec.job_name}: no savepoint can be taken, since neither the job nor the "
                "cluster names a savepoint directory",
                now=now,
                remedy=Remedy.NAME_SAVEPOINT_DIRECTORY,
            )
        return SavepointLayout(directory, spec.job_name)

    async def restore_point(self, spec: JobSpec, path: str, now: str) -> None:
        """Check that a savepoint named by the user is whole, where that can be seen from here.

        Raises:
            PermanentError: It is not there, or torn.
        """
        finding = await self._states.inspect(path)
        if finding.condition is Condition.GONE:
            raise PermanentError(
                f"{spec.job_name}: {{field}}: there is no savepoint at {path}",
                now=now,
                field="restore_from",
                remedy="Name the directory that holds its _metadata file",
            )
        if finding.broken:
            raise PermanentError(
                f"{spec.job_name}: {{field}}: the savepoint {path} {finding}",
                now=now,
                field="restore_from",
                remedy="Name another one; flink-jobs jobs savepoints lists them",
            )

    async def program(
        self, submission: Submission, replaced: ObservedJob | None, now: str
    ) -> PlannedGraph | None:
        """Check that the program builds its job graph, and that there are slots enough for it.

        The program's `main` runs on the cluster, as it will when the job is submitted. A first
        start is planned where slots are fixed: a job that does not fit would take every free slot
        until it gives up. The slots are promised to the submission until they are given back.

        Returns:
            Its plan, or None where it was not planned.

        Raises:
            PermanentError: It would not start; nothing was changed.
            NotEnoughSlots: Nothing of it runs, and slots are short.
        """
        facts = await self._plane.facts()
        if facts.intercepts_exit is False and self._plane not in _warned:
            _warned.add(self._plane)
            self._say(_ENDED_BY_MAIN)
        if replaced is None and not facts.fixed_slots:
            return None
        try:
            planned = await self._plane.plan(submission)
        except ActionFailed as error:
            raise PermanentError(
                f"{submission.job_name}: the new version cannot be started: {error.happened}",
                now=now,
                remedy=Remedy.FIX_PROGRAM,
            ) from None
        except PermanentError as error:
            error.complete(now=now)
            raise
        if facts.fixed_slots:
            await self._take_slots(submission, planned.parallelism, replaced, now)
        return planned

    async def _take_slots(
        self, submission: Submission, needed: int, replaced: ObservedJob | None, now: str
    ) -> None:
        """Promise slots to a submission, those of the version that it replaces included."""
        used = await self._plane.parallelism(replaced.job_id) if replaced else None
        short = await self.slots.take(
            submission.job_id, needed, replaced.job_id if replaced else "", used or 0
        )
        if short is None:
            return
        promised = (
            f", {short.promised} of them promised to other jobs that are being started"
            if short.promised
            else ""
        )
        freed = f", and {used} more when the present version stops" if used else ""
        kind = PermanentError if replaced else NotEnoughSlots
        raise kind(
            f"{submission.job_name}: {needed} task slots are needed, {short.free} are free"
            f"{promised}{freed}",
            now=now,
            remedy="Lower parallelism, or add TaskManagers",
        )


#: How long one program is tried, its upload included, in seconds.
PATIENCE_S = 60.0


class TrialPlane(Protocol):
    """A cluster on which programs can be tried."""

    async def facts(self) -> ClusterFacts:
        """Return the facts of the cluster."""

    async def task_slots(self) -> tuple[int, int]:
        """Return how many task slots are free, and how many there are."""

    async def try_out(self, submission: Submission) -> PlannedGraph:
        """Run the program's `main` as a submission would, and leave nothing on the cluster.

        Raises:
            EntryClassUnusable: The jar has no such class, or it has no `main`.
            ActionFailed: `main` throws, or the jar was refused.
        """


@dataclass(frozen=True)
class Trial:
    """What a trial has shown.

    Attributes:
        problems: What is wrong for certain: (property path, what would be right).
        warnings: What a run may fail with, each a line.
    """

    problems: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


class Trials:
    """The programs of new jobs that one preview tries on one cluster.

    Args:
        plane: The cluster.
        address: How people call it.
        clock: Time and sleep.
    """

    def __init__(self, plane: TrialPlane, address: str, clock: Clock | None = None) -> None:
        self._plane = plane
        self._address = address
        self._waiter = Waiter(clock or Clock())
        self._needed: dict[str, int] = {}
        self._began = self._waiter.clock.now()

    async def try_out(self, spec: JobSpec, jar: Jar) -> Trial:
        """Run a job's `main` for its plan, and compare the slots that it needs.

        Where `main` can end the cluster, it is not run. Whatever else keeps it from being tried is
        a warning: that a preview cannot tell is no fault of the job.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                facts = await self._plane.facts()
                if facts.intercepts_exit is not True:
                    return Trial(warnings=(self._unprotected(facts.intercepts_exit),))
                request = submission(spec, jar, 1, spec.restore_from)
                planned = await self._plane.try_out(request)
                if facts.fixed_slots:
                    return await self._slots(spec, planned.parallelism)
        except EntryClassUnusable as error:
            return Trial(problems=(("entry_class", f"cannot be run: {error.reason}"),))
        except ActionFailed as error:
            return _warning(f"{spec.job_name}: as things are, its start would fail: {error.reason}")
        except JobError as error:
            return _warning(f"{spec.job_name}: its main was not tried: {error.reason}")
        except TimeoutError:
            return _warning(
                f"{spec.job_name}: its main was not tried to its end, within {PATIENCE_S:.0f} s"
            )
        return Trial()

    async def _slots(self, spec: JobSpec, needed: int) -> Trial:
        """Compare the slots that a job needs with those of its cluster.

        TaskManagers of a cluster that has just started are waited for, once for all jobs.
        """
        self._needed[spec.job_name] = needed

        async def observe(_deadline: float) -> SlotCount:
            return SlotCount(*await self._plane.task_slots())

        waited = await self._waiter.until(
            observe,
            slots_registered(needed),
            self._began + REGISTERING - self._waiter.clock.now(),
            backoff=constant_backoff(PAUSE),
        )
        free, total = waited.last.free, waited.last.total
        if total < needed:
            why = (
                f"{needed} task slots are needed, and {self._address} has {total}: lower "
                "parallelism, or add TaskManagers. Where this run adds them, set "
                "FLINK_JOBS_OFFLINE=1 for its preview"
            )
            return Trial(problems=(("parallelism", why),))
        others = sum(self._needed.values()) - needed
        if free >= needed + others:
            return Trial()
        also = f", and {others} by other new jobs" if others else ""
        return _warning(
            f"{spec.job_name}: {needed} task slots are needed{also}; {free} of {total} at "
            f"{self._address} are free"
        )

    def _unprotected(self, intercepted: bool | None) -> str:
        """Return why no `main` is run on a cluster, in the same words for all its jobs."""
        hidden = "" if intercepted is False else ", or its configuration is hidden"
        return (
            f"warning: the main of new jobs is not tried in previews at {self._address}: one that "
            "calls System.exit would end its JobManager, since "
            f"cluster.intercept-user-system-exit is not THROW{hidden}"
        )


def _warning(line: str) -> Trial:
    return Trial(warnings=(f"warning: {line}",))
