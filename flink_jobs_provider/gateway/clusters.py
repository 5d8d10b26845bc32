"""The part of the configuration that says which clusters are served, and what callers call them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from flink_jobs_provider.gateway.mounts import Mounts
from flink_jobs_provider.gateway.setting_types import Settings, from_file
from flink_jobs_provider.model.input_values import Directory
from flink_jobs_provider.model.target import FlinkTarget

#: Returns a text in which places are named as callers of the cluster with a key name them.
Mask = Callable[[str, str], str]

_CLUSTER_ID = re.compile(
    r"/subscriptions/[^/\s?#%]+/resourcegroups/[^/\s?#%]+/providers/microsoft\.hdinsight"
    r"/clusterpools/[^/\s?#%]+/clusters/[^/\s?#%]+",
    re.IGNORECASE,
)
_CLUSTER_EXAMPLE = (
    "/subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.HDInsight"
    "/clusterpools/<pool>/clusters/<cluster>"
)


def _cluster_id(value: str) -> str:
    if not _CLUSTER_ID.fullmatch(value):
        raise ValueError(f"must be an id such as {_CLUSTER_EXAMPLE} (got {value!r})")
    return value


def _queue(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        raise ValueError(f"must be 1 to 128 letters, digits, _ or - (got {value!r})")
    return value


class DliPlace(Settings):
    """What a cluster is to callers of the Data Lake Insight API: queues of a project."""

    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,64}$")] = Field(
        description="The project, as the callers' URLs have it.",
        examples=["48cc2c48765f481480c7db940d6409d1"],
    )
    queues: list[Annotated[str, AfterValidator(_queue)]] = Field(
        min_length=1,
        description="Names of the queues whose jobs run on this cluster. The first is what the "
        "cluster is known by on record, where it has no id: leave it first.",
        examples=[["default"]],
    )

    @field_validator("queues")
    @classmethod
    def _each_once(cls, queues: list[str]) -> list[str]:
        if twice := sorted({queue for queue in queues if queues.count(queue) > 1}):
            raise ValueError(f"must not hold a queue twice ({twice[0]})")
        return queues


class ClusterConfiguration(Settings):
    """A Flink session cluster that the gateway serves."""

    id: Annotated[str, AfterValidator(_cluster_id)] | None = Field(
        None,
        description="Its resource id, as the URLs of callers of the HDInsight on AKS API have it. "
        "Case does not count.",
        examples=[_CLUSTER_EXAMPLE],
    )
    dli: DliPlace | None = Field(
        None, description="Its project and queues, for callers of the Data Lake Insight API."
    )
    flink: FlinkTarget = Field(description="How its REST API is reached. Secrets are env:NAME.")
    savepoint_directory: Directory | None = Field(
        None, description="Where savepoints go of jobs that name no directory; else Flink's own."
    )
    mounts: dict[str, str] = Field(
        default_factory=dict,
        description="Storage by the prefix that stands for it in what callers name. A jar below no "
        "prefix is refused.",
        examples=[{"abfs://container@account": "file:///srv/jobs"}],
    )
    relaunch_lost: bool = Field(
        True,
        description="Start again, from its newest state, a job that the cluster lost: one that "
        "came back without its jobs.",
    )

    @property
    def key(self) -> str:
        """What the cluster is known by everywhere in the gateway, and on record."""
        if self.id:
            return self.id.lower()
        assert self.dli is not None  # noqa: S101 - so it was checked
        return f"dli/{self.dli.project_id}/{self.dli.queues[0]}".lower()

    @property
    def name(self) -> str:
        """How messages call it: its id as it is written, or else its key."""
        return self.id or self.key

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if not (self.id or self.dli):
            raise ValueError(
                "must have an id, or dli with its project and queues: else no caller can name it"
            )
        return self

    @field_validator("mounts")
    @classmethod
    def _mountable(cls, value: dict[str, str]) -> dict[str, str]:
        Mounts(value)
        return value

    @field_validator("flink")
    @classmethod
    def _reachable_from_here(cls, value: FlinkTarget, info: ValidationInfo) -> FlinkTarget:
        references = [value.bearer_token, *value.secret_headers.values()]
        references += [value.basic_auth.password] if value.basic_auth else []
        references += [value.tls.key_password] if value.tls else []
        if any(reference and not reference.startswith("env:") for reference in references):
            raise ValueError("must refer to secrets as env:NAME: a gateway has no stack")
        if value.tls is None:
            return value
        names = ("ca_file", "certificate_file", "key_file")
        given = {name: path for name in names if (path := getattr(value.tls, name))}
        paths = {name: from_file(path, info) for name, path in given.items()}
        return value.model_copy(update={"tls": value.tls.model_copy(update=paths)})


def places_masked(clusters: Iterable[ClusterConfiguration]) -> Mask:
    """Return what names places below mounts as callers of their cluster would."""
    mounts = {cluster.key: Mounts(cluster.mounts) for cluster in clusters}
    return lambda cluster, text: (
        mounts[cluster].in_callers_words(text) if cluster in mounts else text
    )
