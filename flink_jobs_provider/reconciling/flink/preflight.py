"""What is checked before anything is changed: a version that cannot start must not stop another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakSet

from flink_jobs_provider.artifacts import Condition
from flink_jobs_provider.control_planes.protocol import ControlPlane, PlannedGraph, Submission
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import ActionFailed, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import SavepointFormat, SavepointLayout
from flink_jobs_provider.model.spec import JobSpec, Timeouts
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.slots import Slots

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


class SavepointTerms(Protocol):
    """What of a job counts for its savepoints and its end; a spec has it."""

    @property
    def job_name(self) -> str:
        """The name that its savepoints go under."""
        ...

    @property
    def savepoint_directory(self) -> str | None:
        """Where they go; None for the cluster's own directory."""
        ...

    @property
    def savepoint_format(self) -> SavepointFormat:
        """Their format."""
        ...

    @property
    def timeouts(self) -> Timeouts:
        """How long each step may take."""
        ...

    def timeout(self, step: str) -> float:
        """Return the seconds allowed for a step of `Timeouts`."""
        ...


@dataclass(frozen=True)
class SubmissionTerms:
    """The same for a submission of which no spec is known, as the command line has it."""

    job_name: str
    savepoint_directory: str | None = None
    savepoint_format: SavepointFormat = SavepointFormat.CANONICAL
    timeouts: Timeouts = field(default_factory=Timeouts)

    def timeout(self, step: str) -> float:
        """Return the seconds allowed for a step of `Timeouts`."""
        return seconds(getattr(self.timeouts, step))


class Preflight:
    """Checks that a version could start, as far as is known without starting it."""

    def __init__(
        self, plane: ControlPlane, states: StateFinder, slots: Slots, say: Callable[[str], None]
    ) -> None:
        self._plane = plane
        self._states = states
        self.slots = slots
        self._say = say

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
