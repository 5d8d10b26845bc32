"""The places where jobs run: Flink session clusters, HDInsight on AKS, Data Lake Insight.

Credentials are never part of a target: each is a reference, `env:NAME` for an environment variable
or `config:KEY` for a key of the Pulumi stack's configuration (`pulumi config set --secret KEY`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Tag

from flink_jobs_provider.model.target.address import Reference, Tls
from flink_jobs_provider.model.target.dli import DliTarget
from flink_jobs_provider.model.target.flink import BasicAuth, FlinkTarget
from flink_jobs_provider.model.target.hdinsight import (
    AZURE,
    AZURE_SCOPE,
    AzureCredential,
    HDInsightTarget,
)

__all__ = [
    "AZURE",
    "AZURE_SCOPE",
    "AzureCredential",
    "BasicAuth",
    "DliTarget",
    "FlinkTarget",
    "HDInsightTarget",
    "Reference",
    "Target",
    "Tls",
]


def _kind(value: object) -> str | None:
    """Return the kind of a target: a Flink session cluster, where none is given."""
    if isinstance(value, dict):
        kind = value.get("kind")
        return "flink" if kind is None else str(kind)
    return getattr(value, "kind", "flink")


#: Any kind of target, told apart by `kind`.
Target = Annotated[
    Annotated[FlinkTarget, Tag("flink")]
    | Annotated[HDInsightTarget, Tag("hdinsight")]
    | Annotated[DliTarget, Tag("dli")],
    Discriminator(_kind),
]
#: The same, by the word that `kind` has for each.
TARGETS: Mapping[str, type[FlinkTarget] | type[HDInsightTarget] | type[DliTarget]] = {
    "flink": FlinkTarget,
    "hdinsight": HDInsightTarget,
    "dli": DliTarget,
}
