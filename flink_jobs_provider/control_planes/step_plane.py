"""What a system does for us that keeps a job's configuration and whether it runs, by single steps.

A job there is created as a draft, changed while it does not run, run, stopped and deleted. Each
step is sent once; what became of it is read from the job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.action_plane import ActionJob, OrderRefused
from flink_jobs_provider.model.spec import JobSpec

#: A job's configuration: the system's own names, and plain values.
Configuration = Mapping[str, Any]


class NotOffered(OrderRefused):
    """The system has no such step: not this one's kind, or not in this version."""


@dataclass(frozen=True)
class StepJob(ActionJob):
    """A job as the system shows it.

    Attributes:
        shown: Its configuration as far as it is shown, in one spelling.
    """

    shown: Configuration = field(default_factory=dict)


@dataclass(frozen=True)
class Capabilities:
    """What systems of this kind differ in.

    Attributes:
        moves_jobs_between_queues: Whether a job's queue can be changed.
        keeps_savepoints: Whether no savepoint is ever deleted. Else that of a stop goes when the
            job starts again.
        starts_from_newest_state: Whether a run with `resume` starts an ended job from its newest
            state, be it a savepoint or a retained checkpoint, and never from nothing.
        tells_starts: Whether a job that shows no time of its last start surely never came up, and
            a step that has not shown will not any more.
        places_savepoints: Whether it puts savepoints into directories by job and submission, in
            places that are its own; a directory that is named for them is an option there.
        shows_start_origin: Whether a job shows what its last start began from.
        isolates_jobs: Whether each job runs in processes of its own, for which files, images and
            resources can be asked for.
        keeps_jars: Whether it keeps copies of the jars that it has run.
        takes_paths_with_scheme: Whether it takes a savepoint's path as a URI.
    """

    moves_jobs_between_queues: bool = False
    keeps_savepoints: bool = False
    starts_from_newest_state: bool = False
    tells_starts: bool = False
    places_savepoints: bool = False
    shows_start_origin: bool = False
    isolates_jobs: bool = True
    keeps_jars: bool = False
    takes_paths_with_scheme: bool = False


class StepPlane(Protocol):
    """One project of such a system. All raise the errors of `model.errors`.

    Steps raise `Unanswered` where it is unknown whether they were taken, `Busy` where they were not
    taken for now, and `OrderRefused` where they were not.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this one can do; known when it has answered once."""
        ...

    async def named(self, job_name: str) -> Sequence[StepJob]:
        """Return all jobs of exactly that name."""
        ...

    async def job(self, run_id: str) -> StepJob | None:
        """Return a job by the system's own id; None where there is none."""
        ...

    async def flink_job_id(self, run_id: str) -> str | None:
        """Return Flink's id of what was run last; None where that is not shown."""
        ...

    async def configuration(self, spec: JobSpec, jar: Jar | None, mark: str) -> dict[str, Any]:
        """Return what a spec asks for, with its jar where the system reads it.

        Args:
            spec: The job as it should be.
            jar: Its jar, which is uploaded if it must be; None for one that was uploaded before.
            mark: What is written alongside it.

        Raises:
            PermanentError: The jar cannot be brought there.
        """
        ...

    def differences(
        self, asked: Configuration, job: StepJob, former: Configuration | None
    ) -> dict[str, Any]:
        """Return what is to be written for a job to be as it is asked for.

        Args:
            asked: What is asked for.
            job: How it is shown.
            former: What was asked for last: what of it is no longer asked for is undone. None
                where that is unknown: then everything is that is not asked for.
        """
        ...

    def not_taken(self, written: Configuration, job: StepJob, former: Configuration) -> list[str]:
        """Return what was written and is shown otherwise, as inputs are called."""
        ...

    def without_default(self, asked: Configuration, former: Configuration) -> list[str]:
        """Return what is no longer asked for, and cannot be undone, as inputs are called."""
        ...

    def not_offered(self, asked: Configuration) -> list[str]:
        """Return what is asked for and is unavailable here, as inputs are called."""
        ...

    def inputs(self, written: Configuration) -> list[str]:
        """Return how the inputs are called that a configuration is made of."""
        ...

    def as_shown(self, spec: JobSpec, job: StepJob) -> JobSpec:
        """Return a spec with the settings that were changed while the job ran."""
        ...

    async def create(self, job_name: str, asked: Configuration) -> str:
        """Create a draft; return its id."""
        ...

    async def change(self, run_id: str, asked: Configuration) -> None:
        """Change a job's configuration."""
        ...

    async def run(self, run_id: str, resume: bool) -> None:
        """Run a job: from its savepoint, or from nothing."""
        ...

    async def stop(self, run_id: str, savepoint: bool) -> None:
        """Stop a job, with a savepoint or without."""
        ...

    async def take_savepoint(self, run_id: str, directory: str | None) -> None:
        """Trigger a savepoint while the job goes on.

        Raises:
            NotOffered: The system cannot.
        """
        ...

    async def import_savepoint(self, run_id: str, path: str) -> None:
        """Make a savepoint the one that the next run with `resume` starts from.

        Raises:
            NotOffered: The system cannot.
        """
        ...

    async def delete(self, run_id: str) -> None:
        """Delete a job; one that is gone is no error."""
        ...

    async def provide_former(self, spec: JobSpec) -> None:
        """Make sure that the system can start a version again that ran; uploads what has gone.

        Raises:
            JarMissing: What it is made of is no longer there.
            JarError: That is unknown.
        """
        ...

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were uploaded for a job, but for those with these digests."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
