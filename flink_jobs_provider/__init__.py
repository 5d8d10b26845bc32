"""Flink jobs as code: each Apache Flink job is a Pulumi resource.

The names a Pulumi program uses are re-exported here; they are imported on first use, so that the
core can be used without Pulumi.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flink_jobs_provider.provider.args import AzureCredential as AzureCredential
    from flink_jobs_provider.provider.args import BasicAuth as BasicAuth
    from flink_jobs_provider.provider.args import DliProject as DliProject
    from flink_jobs_provider.provider.args import DliResourceConfig as DliResourceConfig
    from flink_jobs_provider.provider.args import DliResourceSpec as DliResourceSpec
    from flink_jobs_provider.provider.args import DliSettings as DliSettings
    from flink_jobs_provider.provider.args import FlinkJobArgs as FlinkJobArgs
    from flink_jobs_provider.provider.args import FlinkSessionCluster as FlinkSessionCluster
    from flink_jobs_provider.provider.args import HDInsightCluster as HDInsightCluster
    from flink_jobs_provider.provider.args import HealthGate as HealthGate
    from flink_jobs_provider.provider.args import Rehearsal as Rehearsal
    from flink_jobs_provider.provider.args import SavepointRetention as SavepointRetention
    from flink_jobs_provider.provider.args import Timeouts as Timeouts
    from flink_jobs_provider.provider.args import Tls as Tls
    from flink_jobs_provider.provider.resource import FlinkJob as FlinkJob

__all__ = [
    "AzureCredential",
    "BasicAuth",
    "DliProject",
    "DliResourceConfig",
    "DliResourceSpec",
    "DliSettings",
    "FlinkJob",
    "FlinkJobArgs",
    "FlinkSessionCluster",
    "HDInsightCluster",
    "HealthGate",
    "Rehearsal",
    "SavepointRetention",
    "Timeouts",
    "Tls",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        from flink_jobs_provider.provider import args, resource

        return getattr(resource if name == "FlinkJob" else args, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
