"""What a job service does for us: by whole actions, or by single steps.

Neither kind has a jobId of our choosing, so nothing it is asked for may be asked for twice blindly:
each order or step is sent once, and what became of it is read from the job's own row. An
`ActionPlane` keeps its jobs by name. A `StepPlane` keeps a job's configuration and whether it runs:
a job is created there as a draft, changed while it does not run, run, stopped and deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import ClusterUnreachable, PermanentError
from flink_jobs_provider.model.spec import JobSpec


@dataclass(frozen=True)
class Version:
    """What is run: as it was asked for, or as the system shows it.

    Attributes:
        jar: Where its jar lies; None where that is not shown. So for the other attributes.
        mark: What the provider wrote alongside it: for whom, and which spec; empty for none.
    """

    jar: str | None = None
    entry_class: str | None = None
    args: tuple[str, ...] | None = None
    parallelism: int | None = None
    configuration: Mapping[str, str] | None = None
    savepoint_directory: str | None = None
    mark: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether all that it is made of is shown."""
        return None not in (self.jar, self.entry_class, self.parallelism)

    def differences(self, shown: Version) -> list[str]:
        """Return in what the shown version is another than this one, as inputs are called.

        Only what was asked for is compared, and only with what is shown: systems fill in defaults
        of their own, and leave things out.
        """
        found = [
            name
            for name in ("jar", "entry_class", "args", "parallelism")
            if None not in (mine := getattr(self, name), theirs := getattr(shown, name))
            and mine != theirs
        ]
        if shown.configuration is not None and self.configuration is not None:
            found += [
                f"flink_configuration.{key}"
                for key, value in sorted(self.configuration.items())
                if shown.configuration.get(key) != value
            ]
        return found


@dataclass(frozen=True)
class ActionJob:
    """A job as the system lists it.

    Attributes:
        run_id: The system's own id of the job.
        job_id: Flink's id of what was started last; None before that.
        status: What it does; None for an unrecognised word, or none at all.
        status_word: The word itself.
        launch_failed: Whether the status shows that it was never started.
        stop_failed: Whether the status shows that a stop has failed.
        action: The last action; None for an unrecognised word, or none at all.
        result: How that action goes; likewise.
        output: Its output.
        last_savepoint: Path of its last savepoint; empty for none.
        restored_from: The savepoint that was asked for last; empty for none.
        started_from: The savepoint or checkpoint that the last action started it from; empty where
            it did not, or where that is not shown.
        started: When it was started last, in milliseconds since the epoch; 0 where that is not
            shown.
        unborn: Whether its word is one for a job that has not come up.
        version: What it runs.
    """

    run_id: str
    job_name: str
    job_id: str | None = None
    status: JobStatus | None = None
    status_word: str = ""
    launch_failed: bool = False
    stop_failed: bool = False
    action: Action | None = None
    result: ActionResult | None = None
    output: str = ""
    last_savepoint: str = ""
    restored_from: str = ""
    started_from: str = ""
    started: int = 0
    unborn: bool = False
    version: Version = field(default_factory=Version)

    @property
    def in_progress(self) -> bool:
        """Whether an action on it has not ended."""
        return self.result is ActionResult.IN_PROGRESS

    @property
    def active(self) -> bool:
        """Whether it is known to run."""
        return self.status is not None and self.status.active

    @property
    def never_came_up(self) -> bool:
        """Whether its first start came to nothing, so that it never had a state of its own."""
        failed = self.launch_failed or self.result is ActionResult.FAILED
        ended = not self.in_progress and not self.active
        return self.action is Action.NEW and failed and ended and not self.last_savepoint

    def __str__(self) -> str:
        """Name it for people."""
        status = self.status_word or "without a status"
        return f"{self.run_id} ({status}" + (f", job {self.job_id})" if self.job_id else ")")


@dataclass(frozen=True)
class Order:
    """One action that is asked for.

    Attributes:
        run_id: The job that is meant; empty for a new one.
        version: All that it is to run from now on; None where the action carries nothing.
        restore_from: The savepoint to start from; None where the system is to take its last.
    """

    action: Action
    job_name: str
    run_id: str = ""
    version: Version | None = None
    restore_from: str | None = None

    def bare(self) -> Order:
        """Return the same action without a version."""
        return replace(self, version=None)


class Unanswered(ClusterUnreachable):
    """An order was sent, and it is unknown whether it arrived: read before it is sent again."""


class Busy(ClusterUnreachable):
    """An order was certainly not taken, for now.

    Attributes:
        seconds: When to ask again; None where that is unknown.
    """

    def __init__(self, happened: str, seconds: float | None = None) -> None:
        super().__init__(happened, remedy="Run again later")
        self.seconds = seconds


class OrderRefused(PermanentError):
    """An order was certainly not taken, and would not be another time."""


@dataclass(frozen=True)
class ActionCapabilities:
    """What systems of this kind differ in.

    Attributes:
        starts_ended: Whether its actions are defined for jobs that have ended. Then RE_LAUNCH
            without a savepoint starts from the newest state there is, be it a savepoint or a
            retained checkpoint, and never from nothing; and STATELESS_UPDATE starts afresh.
        shows_what_runs: Whether a row shows the version that runs, also after an update that
            failed.
        lists_at_once: Whether a job is listed as soon as its NEW has been accepted.
        lists_savepoints: Whether LIST_SAVEPOINT names a path with the jobId in it for each, the
            newest first.
        keeps_jars: Whether it keeps copies of the jars that it has run.
        shows_whole_results: Whether a row shows the result of an action only together with the
            savepoint that it took, and Flink's id of what it started; and shows what is left of a
            job that ended before its stop.
    """

    actions: frozenset[Action]
    starts_ended: bool = False
    shows_what_runs: bool = False
    lists_at_once: bool = False
    lists_savepoints: bool = False
    keeps_jars: bool = False
    shows_whole_results: bool = False


class ActionPlane(Protocol):
    """One cluster of a system that takes whole actions. All raise the errors of `model.errors`."""

    @property
    def capabilities(self) -> ActionCapabilities:
        """What this one can do."""

    async def jobs(self, max_age: float = 0.0) -> Sequence[ActionJob]:
        """Return all jobs, by one list call for all who ask at once.

        The answer may be older than this call by `max_age` seconds.
        """

    async def version(self, spec: JobSpec, jar: Jar, mark: str) -> Version:
        """Return what is asked for by a spec, with its jar where the cluster reads it.

        Raises:
            PermanentError: The jar cannot be brought there.
        """

    async def perform(self, order: Order, timeout: float) -> str:
        """Send an order, once, and return when the system reports that it has dealt with it.

        That it has done so is no success: the job's row shows that. What it reports besides is
        returned.

        Raises:
            Unanswered: It is unknown whether it arrived.
            Busy: It was not taken, for now.
            ActionInProgress: Another action is in progress; it was not taken.
            OrderRefused: It was not taken.
            ActionFailed: It was taken, and the system reports that it failed.
        """

    async def provide_former(self, spec: JobSpec, shown: str) -> None:
        """Make sure that the system can start a version again that ran; uploads what has gone.

        The system shows its jar at `shown`.

        Raises:
            JarMissing: What it is made of is no longer there.
            JarError: That is unknown.
        """

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were brought there for a job, but for those with these digests."""


#: A job's configuration: the system's own names, and plain values.
Configuration = Mapping[str, Any]


class NotOffered(OrderRefused):
    """The system has no such step: not this one's kind, or not in this version."""


@dataclass(frozen=True)
class StepJob(ActionJob):
    """A job as the system shows it, with its configuration in one spelling, as far as shown."""

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
        shows_starts: Whether a job that shows no time of its last start surely never came up, and
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
    shows_starts: bool = False
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

    async def named(self, job_name: str) -> Sequence[StepJob]:
        """Return all jobs of exactly that name."""

    async def job(self, run_id: str) -> StepJob | None:
        """Return a job by the system's own id; None where there is none."""

    async def flink_job_id(self, run_id: str) -> str | None:
        """Return Flink's id of what was run last; None where that is not shown."""

    async def configuration(self, spec: JobSpec, jar: Jar | None, mark: str) -> dict[str, Any]:
        """Return what a spec asks for, with its jar where the system reads it, and with a mark.

        The jar is uploaded if it must be; it is None where it was before.

        Raises:
            PermanentError: The jar cannot be brought there.
        """

    async def create(self, job_name: str, asked: Configuration) -> str:
        """Create a draft; return its id."""

    async def change(self, run_id: str, asked: Configuration) -> None:
        """Change a job's configuration."""

    async def run(self, run_id: str, *, resume: bool) -> None:
        """Run a job: from its savepoint, or from nothing."""

    async def stop(self, run_id: str, *, savepoint: bool) -> None:
        """Stop a job, with a savepoint or without."""

    async def take_savepoint(self, run_id: str, directory: str | None) -> None:
        """Trigger a savepoint while the job goes on.

        Raises:
            NotOffered: The system cannot.
        """

    async def import_savepoint(self, run_id: str, path: str) -> None:
        """Make a savepoint the one that the next run with `resume` starts from.

        Raises:
            NotOffered: The system cannot.
        """

    async def delete(self, run_id: str) -> None:
        """Delete a job; one that is gone is no error."""

    async def provide_former(self, spec: JobSpec) -> None:
        """Make sure that the system can start a version again that ran; uploads what has gone.

        Raises:
            JarMissing: What it is made of is no longer there.
            JarError: That is unknown.
        """

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were uploaded for a job, but for those with these digests."""

    async def close(self) -> None:
        """Close the connections."""
