"""Data Lake Insight: in Huawei Cloud or another, or a gateway that serves the same API."""

from flink_jobs_provider.control_planes.dli.plane import DliPlane

__all__ = ["DliPlane"]
