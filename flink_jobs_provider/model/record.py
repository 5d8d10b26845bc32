"""The record of a job: the outputs of a `FlinkJob`, which the next run starts from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.health_gate import FailedGate
from flink_jobs_provider.model.history import RecordedVersion
from flink_jobs_provider.model.savepoint import RestorePoint, Savepoint
from flink_jobs_provider.model.spec import JobSpec

#: Outputs that are omitted where there is none: older states were written without them.
_RARE = (
    "adopted",
    "run_id",
    "started_at",
    "honoured",
    "restore_point",
    "retains_checkpoints",
    "submitted_parallelism",
    "rescaled",
    "unconfirmed",
    "history",
    "version_inputs",
    "gate_failed",
    "rehearsals",
)


class Adopted(StrEnum):
    """What is known of the program of a job that was adopted, and not restarted since.

    `same-version`: the declared jar, entry class, args, parallelism and options are those that it
    was started with, as its jobId shows. `same-graph`: they build its job graph. That is no proof
    that it is the same program, but its state fits. `other-graph`: they build another one.
    `not-compared`: the two were not compared.
    """

    SAME_VERSION = "same-version"
    SAME_GRAPH = "same-graph"
    OTHER_GRAPH = "other-graph"
    NOT_COMPARED = "not-compared"


class JobRecord(BaseModel):
    """A job as it was last seen, and how it got there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: JobSpec
    job_id: str | None = Field(None, description="Flink's jobId of the latest submission.")
    run_id: str | None = Field(
        None, description="The job service's own id of the job; none on a Flink session cluster."
    )
    status: JobStatus = Field(description="What the job does, as last seen.")
    action: Action | None = Field(None, description="The last action that was carried out.")
    action_result: ActionResult | None = Field(
        None,
        description="How that action ended; IN_PROGRESS, without an action, while a new job that "
        "its cluster has accepted was not seen up.",
    )
    job_output: str = Field(
        "", description="What the last action reported; the reason, if it failed."
    )
    last_savepoint: str | None = Field(
        None, description="Path of the savepoint that the job would come back to."
    )
    savepoints: list[Savepoint] = Field(
        default_factory=list, description="Known savepoints, newest first: path, taken_at, reason."
    )
    generation: int = Field(0, description="How often the job was submitted.")
    restored_from: str | None = Field(None, description="What the running version started from.")
    started_at: str | None = Field(
        None,
        description="When the job was started last, as the job service reports it, in UTC; none "
        "on a Flink session cluster, and where the service does not report it.",
    )
    restore_point: RestorePoint | None = Field(
        None,
        description="What a start would begin from, as found by the last refresh of a job that "
        "does not run, or by a stop that found it lost: path, what, taken_at; none while it runs.",
    )
    honoured: str | None = Field(
        None,
        description="Digest of the savepoint that a run which was not recorded started from, since "
        "it was named in restore_from; none as a rule.",
    )
    adopted: Adopted | None = Field(
        None,
        description="Of a job that was adopted and has not been restarted since: whether the "
        "declared version is the one that runs (`same-version`), or builds its job graph "
        "(`same-graph`, `other-graph`, `not-compared`); none as a rule.",
    )
    running_parallelism: int | None = Field(
        None, description="Highest parallelism among the running vertices; the program may set it."
    )
    retains_checkpoints: bool | None = Field(
        None,
        description="Whether the checkpoints of the running version outlive a cancel; none where "
        "it has no periodic ones, and on a job service.",
    )
    submitted_parallelism: dict[str, int] | None = Field(
        None,
        description="The most that each vertex was submitted with, or was rescaled to by a change "
        "of `parallelism` since, by vertex id; none where the cluster's scheduler is not the "
        "adaptive one.",
    )
    rescaled: str | None = Field(
        None,
        description='What somebody changed over REST since, such as "parallelism 4 instead of '
        '2", which is drift; none as a rule.',
    )
    flink_version: str | None = Field(None, description="Version of the cluster.")
    dashboard_url: str | None = Field(None, description="The job's page on Flink's dashboard.")
    other_version: bool = Field(
        default=False,
        description="Whether a submission of another spec than the recorded one runs.",
    )
    unconfirmed: str | None = Field(
        None,
        description="jobId of a submission whose `main` had not ended when `timeouts.submit` was "
        "up: it may still start; none as a rule.",
    )
    gate_failed: FailedGate | None = Field(
        None,
        description="The health gate that the running version did not pass, where `on_failure` is "
        "`keep`: check, reason, earlier. The next run watches the version again; none as a rule.",
    )
    duplicates: list[str] = Field(
        default_factory=list, description="jobIds of further submissions that run at once."
    )
    rehearsals: list[str] = Field(
        default_factory=list,
        description="jobIds of rehearsals of this job that run, as a run that died leaves one; the "
        "next run ends them. None as a rule.",
    )
    history: list[RecordedVersion] = Field(
        default_factory=list,
        description="The last 30 versions that were started or failed to start, newest first: "
        "number, at, action, result, why, by, commit, jar, jar_digest, job_id, restored_from, "
        "savepoint, disposed_at, failure; each where it is known.",
    )
    version_inputs: dict[str, str] = Field(
        default_factory=dict,
        description="The inputs of those versions in JSON, by number, for a rollback; always "
        "secret in the state.",
    )

    @property
    def never_came_up(self) -> bool:
        """Whether it names a first version that its cluster accepted, and no run has seen up."""
        return self.job_id is not None and self.action is None and self.action_result is not None

    @property
    def is_coming_up(self) -> bool:
        """Whether that version was not ended, as far as is known."""
        return self.never_came_up and self.action_result is ActionResult.IN_PROGRESS

    @property
    def rescales_in_place(self) -> bool:
        """Whether its cluster rescales running jobs, and it has checkpoints to go on from then."""
        return self.retains_checkpoints is not None and bool(self.submitted_parallelism)

    @classmethod
    def output_names(cls) -> list[str]:
        """Return the names of the outputs that are not inputs."""
        return [name for name in cls.model_fields if name != "spec"]

    def outputs(self) -> dict[str, Any]:
        """Return all outputs as plain JSON types: the spec's own properties, and what was seen."""
        seen = self.model_dump(mode="json", exclude={"spec"})
        for name in _RARE:
            if seen[name] in (None, [], {}):
                del seen[name]
        return {**self.spec.plain(), **seen}

    @classmethod
    def from_outputs(cls, outputs: dict[str, Any]) -> JobRecord:
        """Read a record back from recorded outputs; unknown properties are ignored.

        Raises:
            pydantic.ValidationError: The outputs are not of a FlinkJob.
        """
        names = set(cls.output_names())
        seen = {
            name: value for name, value in outputs.items() if name in names and value is not None
        }
        spec = {
            name: outputs[name] for name in JobSpec.model_fields if outputs.get(name) is not None
        }
        return cls.model_validate({"spec": spec, **seen})

    def taken_at(self, path: str | None) -> str:
        """Return when a listed savepoint was taken; empty where that is unknown, or no such."""
        return {each.path: each.taken_at for each in self.savepoints}.get(path or "", "")

    def with_savepoint(self, savepoint: Savepoint) -> JobRecord:
        """Return the record with a savepoint put first."""
        others = [known for known in self.savepoints if known.path != savepoint.path]
        return self.model_copy(
            update={"savepoints": [savepoint, *others], "last_savepoint": savepoint.path}
        )


@dataclass(frozen=True)
class Removed:
    """What remains of a job that was deleted.

    Attributes:
        savepoint: The savepoint that was taken, where `on_delete` asks for one.
        state_reported: Whether its last state has been printed already.
        released: How it goes on, where `on_delete` asks for that; empty where it was ended.
    """

    savepoint: str | None = None
    state_reported: bool = False
    released: str = ""
