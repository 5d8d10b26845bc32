"""The gateway's own API for those who look: clusters, jobs, their health and exceptions."""

from flink_jobs_provider.gateway.apis.monitoring.conventions import MonitoringConventions
from flink_jobs_provider.gateway.apis.monitoring.routes import (
    MONITORING_PATHS,
    MonitoringFace,
)

__all__ = ["MONITORING_PATHS", "MonitoringConventions", "MonitoringFace"]
