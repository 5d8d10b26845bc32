"""A real Flink session cluster on the loopback interface, from packages of the package index.

It needs no Docker and no installed Flink; a Java only if one that fits is already there.
"""

from flink_jobs_provider.local.cluster import LocalCluster, Up
from flink_jobs_provider.local.errors import LocalClusterError, Report
from flink_jobs_provider.local.flink_version import DEFAULT_FLINK_VERSION
from flink_jobs_provider.local.gateway import LocalGateway
from flink_jobs_provider.local.observation import ClusterStatus, ProcessStatus
from flink_jobs_provider.local.settings import Request

__all__ = [
    "DEFAULT_FLINK_VERSION",
    "ClusterStatus",
    "LocalCluster",
    "LocalClusterError",
    "LocalGateway",
    "ProcessStatus",
    "Report",
    "Request",
    "Up",
]
