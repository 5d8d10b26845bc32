"""A real Flink session cluster on the loopback interface, from packages of the package index.

It needs no Docker and no installed Flink; a Java only if one that fits is already there.
"""

from flink_jobs_provider.local.cluster import LocalCluster, Up
from flink_jobs_provider.local.cluster_status import ClusterStatus, ProcessStatus
from flink_jobs_provider.local.settings import (
    DEFAULT_FLINK_VERSION,
    LocalClusterError,
    Report,
    Request,
)

__all__ = [
    "DEFAULT_FLINK_VERSION",
    "ClusterStatus",
    "LocalCluster",
    "LocalClusterError",
    "ProcessStatus",
    "Report",
    "Request",
    "Up",
]
