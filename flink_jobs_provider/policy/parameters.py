"""The parameters of each policy, as a policy pack's configuration gives them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from flink_jobs_provider.model.inputs import Parallelism, whole_number

#: Storage that other machines read as well, and that no cluster takes along when it ends.
OUTLIVING_SCHEMES = (
    *("s3", "s3a", "s3p", "abfs", "abfss", "wasb", "wasbs", "gs", "oss", "obs"),
    *("hdfs", "viewfs"),
)


def _scheme(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", value):
        raise ValueError(f"must be a scheme in lower case, without '://' (got {value!r})")
    return value


def _prefix(value: str) -> str:
    if not (value.startswith(("/", "file:/")) or "://" in value):
        raise ValueError(f"must be a URI or an absolute path (got {value!r})")
    return value


def _digest(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError(f"must be a SHA-256 of 64 lower-case hexadecimal digits (got {value!r})")
    return value


def _glob(value: str) -> str:
    if "/" in value:
        raise ValueError(
            f"must be a glob of stacks' names, without organization and project (got {value!r})"
        )
    return value


_Globs = Annotated[
    list[Annotated[str, Field(min_length=1), AfterValidator(_glob)]], Field(min_length=1)
]
_STACKS = "Globs of the names of the stacks that are judged."


class Parameters(BaseModel):
    """What all policies can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stacks: _Globs = Field(default=["*"], description=_STACKS)


class OfProduction(Parameters):
    """What policies for production can be told."""

    stacks: _Globs = Field(default=["prod*"], description=_STACKS)


class RefusedModes(OfProduction):
    """Which upgrade modes are refused."""

    refused: list[Literal["stateless", "blue-green", "last-state"]] = Field(
        default=["stateless", "blue-green"], description="Upgrade modes that are refused."
    )


class OutlivingDirectories(Parameters):
    """Which savepoint directories outlive a cluster."""

    schemes: list[Annotated[str, AfterValidator(_scheme)]] = Field(
        default=list(OUTLIVING_SCHEMES), description="Schemes of storage that outlives a cluster."
    )
    directories: list[Annotated[str, AfterValidator(_prefix)]] = Field(
        default=[],
        description="Further directories that outlive it, such as a shared file system's; those "
        "below them, too.",
        examples=[["file:///mnt/savepoints"]],
    )


class AllowedOnDelete(OfProduction):
    """What a deletion may do to a job."""

    allowed: list[Literal["savepoint", "release", "cancel"]] = Field(
        default=["savepoint", "release"],
        min_length=1,
        description="What `on_delete` may be; `release` leaves the job running.",
    )


class PinnedJars(Parameters):
    """Which jars are pinned."""

    digests: list[Annotated[str, AfterValidator(_digest)]] = Field(
        default=[], description="SHA-256 of the jars that are approved, wherever they are."
    )
    digits: Annotated[int, Field(ge=8, le=64), BeforeValidator(whole_number)] = Field(
        default=12,
        description="How many leading digits of its SHA-256 a jar's address must contain, where "
        "the jar is not among `digests`.",
    )


class JobMaximum(Parameters):
    """The highest parallelism of a job."""

    maximum: Parallelism | None = Field(
        default=None, description="Highest parallelism of a job; without it, none is judged."
    )
    exceptions: dict[str, Parallelism] = Field(
        default={}, description="Highest parallelism by `job_name`, instead of `maximum`."
    )


class StackMaximum(Parameters):
    """The highest parallelism of all running jobs of a stack."""

    maximum: Parallelism | None = Field(
        default=None,
        description="Highest sum of the parallelism of a stack's running jobs; without it, none is "
        "judged.",
    )


class SecretNames(Parameters):
    """Which names mean a secret."""

    names: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="Further endings of names whose value is a secret, such as `passphrase`.",
    )


class AllowedChecks(Parameters):
    """Which state checks are permitted."""

    allowed: list[Literal["strict", "warn"]] = Field(
        default=["strict", "warn"], min_length=1, description="What `state_check` may be."
    )


class Retention(Parameters):
    """Where the retention of checkpoints is configured."""

    set_by_clusters: bool = Field(
        default=False,
        description="The clusters' own configuration retains checkpoints, so that a job need not "
        "say it; one that says the opposite is still refused.",
    )
