"""What a job of Data Lake Insight has beyond any Flink job: the `dli` block of its inputs.

The names are those of the service's own jar-job fields, so that they can be looked up there.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from flink_jobs_provider.wire.dli import (
    AT_CREATION,
    DESCRIBING,
    JOB_FIELDS,
    WHILE_RUNNING,
)


def _whole_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"must be a whole number (got {value})")
    return value


def _no_zero(value: int) -> int:
    if value == 0 or value < -1:
        raise ValueError(f"must be -1 (unlimited) or above 0 (got {value})")
    return value


WholeNumber = Annotated[int, BeforeValidator(_whole_number)]
Named = Annotated[str, Field(min_length=1)]


class DliResourceSpec(BaseModel):
    """CPU and memory of a process of Flink."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: float = Field(gt=0, description="CPU cores.")
    memory: str = Field(
        pattern=r"^[1-9]\d*(\.\d+)? ?[MG]B?$",
        description='Memory, as the service writes it: "4G" or "4096M".',
        examples=["4G"],
    )


class DliResourceConfig(BaseModel):
    """Resources of version 2: what each process has; `parallelism` is the job's own input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_slot: WholeNumber | None = Field(None, ge=1, description="Task slots of a TaskManager.")
    jobmanager_resource_spec: DliResourceSpec | None = Field(None, description="Of the JobManager.")
    taskmanager_resource_spec: DliResourceSpec | None = Field(
        None, description="Of each TaskManager."
    )


class DliSettings(BaseModel):
    """The settings of a job on Data Lake Insight; what is not given is left to the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    desc: str | None = Field(
        None, max_length=JOB_FIELDS["desc"].longest, description="Description, for people."
    )
    tags: dict[str, str] | None = Field(
        None, description="Tags; they are set when the job is created."
    )
    flink_version: Named | None = Field(
        None, description="Flink version of the service's own image; with `feature` basic."
    )
    feature: Literal["basic", "custom"] | None = Field(
        None, description="Which image it runs in: the service's (`basic`), or `image` (`custom`)."
    )
    image: Named | None = Field(None, description="An image of one's own; with `feature` custom.")
    dependency_jars: list[Named] | None = Field(
        None, description="Further jars, put on the class path."
    )
    dependency_files: list[Named] | None = Field(None, description="Files the job needs.")
    execution_agency_urn: Named | None = Field(
        None, description="Agency through which the job reaches other services (Flink 1.15 on)."
    )
    cu_number: WholeNumber | None = Field(None, ge=2, description="CUs of the job in all (v1).")
    manager_cu_number: WholeNumber | None = Field(
        None, ge=1, description="CUs of its JobManager (v1)."
    )
    tm_cus: WholeNumber | None = Field(None, ge=1, description="CUs of each TaskManager (v1).")
    tm_slot_num: WholeNumber | None = Field(
        None, ge=1, description="Task slots of each TaskManager (v1)."
    )
    resource_config: DliResourceConfig | None = Field(
        None, description="CPU and memory instead of CUs (v2)."
    )
    checkpoint_enabled: bool | None = Field(None, description="Whether checkpoints are taken.")
    checkpoint_mode: Literal["exactly_once", "at_least_once"] | None = Field(
        None, description="What checkpoints guarantee."
    )
    checkpoint_interval: WholeNumber | None = Field(
        None, ge=1, le=3600, description="Seconds between checkpoints."
    )
    checkpoint_path: Named | None = Field(
        None, description="Where checkpoints lie; each job needs a path of its own."
    )
    resume_checkpoint: bool | None = Field(
        None, description="Whether a restart after a failure starts from the latest checkpoint."
    )
    resume_max_num: Annotated[WholeNumber, AfterValidator(_no_zero)] | None = Field(
        None, description="Most restarts in an hour; -1 for any number."
    )
    restart_when_exception: bool | None = Field(
        None, description="Whether the service restarts a failed job; needs `resume_checkpoint`."
    )
    log_enabled: bool | None = Field(None, description="Whether logs go to `obs_bucket`.")
    obs_bucket: Named | None = Field(
        None, description="Bucket of its logs, and of the savepoints of its stops."
    )
    smn_topic: Named | None = Field(None, description="Topic that is told when the job fails.")
    flink_log_config: Named | None = Field(
        None, description="Log levels, as the service's JSON text."
    )

    def of_version(self) -> dict[str, Any]:
        """Return what another value of makes another version, as plain JSON types."""
        return self.model_dump(
            mode="json", exclude_none=True, exclude=set(WHILE_RUNNING | DESCRIBING | AT_CREATION)
        )
