"""Any Flink session cluster, over its REST API (Flink 1.17 to 2.3)."""

from flink_jobs_provider.control_planes.flink.plane import FlinkRest

__all__ = ["FlinkRest"]
