"""What a cluster reports: its jobs, as one list call returns them, and the facts of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.identity import JobKey, generation_of, name_digits_of

#: Flink's own words for jobs that have ended.
ENDED_STATES = frozenset({"FINISHED", "CANCELED", "FAILED"})
_RESTARTING = {"RESTARTING", "FAILING", "RECONCILING"}


@dataclass(frozen=True)
class ObservedJob:
    """One row of the cluster's job list.

    Attributes:
        job_id: Flink's jobId, 32 hexadecimal digits.
        name: The name that the program gave itself; no evidence of identity.
        state: Flink's own word (JobStatus of Flink: CREATED, RUNNING, RESTARTING, …).
        started: Milliseconds since the epoch.
        finished_tasks: How many came to their own end, as those of a bounded source do.
        modified: When a task changed its state last, in milliseconds since the epoch by the
            cluster's clock. It does not change while the job runs; a restart changes it, also one
            between two reads of the list (measured on 1.20.5 and 2.3.0).
        scheduler: The kind of its scheduler, such as "Adaptive"; empty before Flink 2.
        recorded_generation: Its generation by its record. Of an adopted job the jobId tells none,
            and one that outlived a newer submission counts as that one's equal.
    """

    job_id: str
    name: str
    state: str
    started: int = 0
    ended: int = 0
    tasks: int = 0
    running_tasks: int = 0
    finished_tasks: int = 0
    modified: int = 0
    scheduler: str = ""
    recorded_generation: int | None = None

    @property
    def active(self) -> bool:
        """Whether the job has not ended. A suspended job has not: it is left to its cluster."""
        return self.state not in ENDED_STATES

    @property
    def ending(self) -> bool:
        """Whether the job is about to end: Flink restarts no job in these states."""
        return self.state in ("FAILING", "CANCELLING")

    @property
    def healthy(self) -> bool:
        """Whether all its tasks run or are done: RUNNING alone does not mean that (measured)."""
        if self.state == "FINISHED":
            return True
        up = self.running_tasks + self.finished_tasks
        return self.state == "RUNNING" and 0 < self.tasks == up

    def redeployed_since(self, before: ObservedJob) -> bool:
        """Whether tasks of this submission, all of which ran before, have been deployed again.

        A task that comes to its own end changes `modified`, too: then more of them have finished.
        """
        ran = before.job_id == self.job_id and before.active and before.healthy
        ended = self.finished_tasks > before.finished_tasks
        return ran and self.state == "RUNNING" and self.modified > before.modified and not ended

    @property
    def status(self) -> JobStatus:
        """The status in the project's words."""
        if self.state in _RESTARTING:
            return JobStatus.RESTARTING
        if self.state in ENDED_STATES:
            return JobStatus(self.state)
        return JobStatus.RUNNING if self.state == "RUNNING" else JobStatus.STARTING

    @property
    def generation(self) -> int:
        """The generation of its record, or in the jobId, where the id is ours."""
        if self.recorded_generation is not None:
            return self.recorded_generation
        return generation_of(self.job_id)

    @property
    def age_key(self) -> tuple[int, int, str]:
        """Orders submissions of one job: the newest is the greatest, the same for every reader."""
        return (self.generation, self.started, self.job_id)


@dataclass(frozen=True)
class ClusterSnapshot:
    """All jobs of a cluster at one moment."""

    jobs: tuple[ObservedJob, ...]
    by_id: dict[str, ObservedJob] = field(init=False, repr=False, compare=False)
    # Every job of a refresh selects its own: without this each would go through all.
    _by_name: dict[str, list[ObservedJob]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {job.job_id: job for job in self.jobs})
        by_name: dict[str, list[ObservedJob]] = {}
        for job in self.jobs:
            by_name.setdefault(name_digits_of(job.job_id), []).append(job)
        object.__setattr__(self, "_by_name", by_name)

    def of(
        self,
        key: JobKey,
        *others: JobKey,
        recorded: str | None = None,
        generation: int | None = None,
    ) -> list[ObservedJob]:
        """Return a job's submissions, newest first.

        Args:
            key: The job's identity.
            others: Identities it had before (an owner that was renamed).
            recorded: A jobId that the state names: it is ours whatever it is derived from, and
                of its generation it is the one that counts. Another can have come late: a
                request of a killed run that was still on its way.
            generation: That of the recorded one, which its jobId need not tell.
        """
        ours = {
            job.job_id: job
            for one in (key, *others)
            for job in self._by_name.get(one.name_digits, ())
            if one.owns(job.job_id)
        }
        if recorded in self.by_id and (generation is not None or recorded not in ours):
            ours[recorded] = replace(self.by_id[recorded], recorded_generation=generation)
        return sorted(
            ours.values(),
            key=lambda job: (job.generation, job.job_id == recorded, job.age_key),
            reverse=True,
        )

    @staticmethod
    def ended(ours: Sequence[ObservedJob]) -> tuple[ObservedJob, ...]:
        """Return those submissions of a job that have ended, and whose state counts.

        That of one which an older one outlived does not: the job went on with the older one.
        """
        return tuple(
            job
            for at, job in enumerate(ours)
            if not job.active
            and not any(other.active or other.ended >= job.ended for other in ours[at + 1 :])
        )

    def strangers(self, key: JobKey, ours: Iterable[ObservedJob]) -> list[ObservedJob]:
        """Return active jobs of this name that another stack owns."""
        known = {job.job_id for job in ours}
        return [
            job
            for job in self._by_name.get(key.name_digits, ())
            if job.active and job.job_id not in known
        ]


@dataclass(frozen=True)
class ClusterFacts:
    """What a cluster reports of itself.

    Attributes:
        version: Flink's version, such as (2, 3, 0).
        savepoint_directory: The cluster's own; empty where none is configured.
        checkpoint_directory: Where checkpoints of its jobs lie; empty where none is configured.
        fixed_slots: Whether a job needs as many slots as are there now; False where the cluster
            starts TaskManagers on demand (Kubernetes, YARN), or its scheduler makes do with fewer.
        adaptive: Whether its scheduler is the adaptive one, which lets a running job be rescaled;
            None where the configuration is hidden.
        intercepts_exit: Whether a program that calls System.exit fails alone, and does not end the
            JobManager; None where the configuration is hidden.
        instance: What no other running cluster has; empty where that is not shown.
        job_cache: How old a job may be that the cluster shows in detail, in seconds.
        statistics_cache: How old its checkpoint statistics may be, in seconds.
    """

    version: tuple[int, ...]
    savepoint_directory: str = ""
    checkpoint_directory: str = ""
    fixed_slots: bool = True
    adaptive: bool | None = False
    intercepts_exit: bool | None = None
    instance: str = ""
    job_cache: float = 3.0
    statistics_cache: float = 3.0

    @property
    def version_text(self) -> str:
        """The version as Flink writes it."""
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Checkpointing:
    """How a job is set to keep its state.

    Attributes:
        periodic: Whether it completes checkpoints by itself.
        retained: Whether they outlive a cancel.
    """

    periodic: bool = False
    retained: bool = False


@dataclass(frozen=True)
class CheckpointStatistics:
    """What a job's checkpoint statistics report of its state.

    Attributes:
        enabled: Whether the job keeps such statistics at all (a batch job does not).
        completed: How many checkpoints and savepoints were completed since it started.
        restored_from: Path the job was started from; empty for a fresh start.
        savepoint: Path of its latest completed savepoint; empty for none.
        savepoint_time: When that was triggered, in milliseconds since the epoch.
        stopped_with_savepoint: Whether the job ended with that savepoint.
        checkpoint: Path of its latest completed checkpoint that is still there; empty for none.
        checkpoint_time: When that was triggered, in milliseconds since the epoch.
        last_completed: When the latest completed checkpoint or savepoint was triggered, be it
            there or not, in milliseconds since the epoch; 0 for none.
    """

    enabled: bool = True
    completed: int = 0
    restored_from: str = ""
    savepoint: str = ""
    savepoint_time: int = 0
    stopped_with_savepoint: bool = False
    checkpoint: str = ""
    checkpoint_time: int = 0
    last_completed: int = 0


@dataclass(frozen=True)
class VitalSigns:
    """The numbers of a job that a health gate judges; what its cluster does not report is None.

    Attributes:
        exceptions: When it failed since its submission, as far as its cluster lists it, newest
            first: in milliseconds since the epoch by the cluster's clock.
        cause: Why it failed last; empty where it has not.
        completed: How many checkpoints and savepoints it has completed since its submission.
        checkpoint_times: Milliseconds that each listed completed checkpoint took, oldest first.
        checkpoint_starts: When each of those was triggered, as `exceptions`.
        output: Records that its sinks have received since their tasks were deployed.
        output_rate: Records per second that its sinks receive.
        lag_ms: Milliseconds by which it is behind in event time.
    """

    exceptions: tuple[int, ...] = ()
    cause: str = ""
    completed: int = 0
    checkpoint_times: tuple[int, ...] = ()
    checkpoint_starts: tuple[int, ...] = ()
    output: float | None = None
    output_rate: float | None = None
    lag_ms: float | None = None

    def since(self, rescaled_at: int, completed: int) -> VitalSigns:
        """Return the same with those checkpoints alone that were triggered after a rescale.

        A cluster lists the last ten, and counts all: where all that it lists are later, more than
        those may be. Then `completed` are taken off, which is how many there were before.
        """
        later = [at for at in self.checkpoint_starts if at > rescaled_at]
        times = self.checkpoint_times[len(self.checkpoint_times) - len(later) :]
        number = len(later)
        if number == len(self.checkpoint_starts):
            number = max(number, self.completed - completed)
        return replace(
            self, completed=number, checkpoint_times=times, checkpoint_starts=tuple(later)
        )
