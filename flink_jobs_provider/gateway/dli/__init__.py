"""The Data Lake Insight API for Flink jar jobs: how its requests are read, and what it answers."""

from flink_jobs_provider.gateway.dli.face import DliFace
from flink_jobs_provider.gateway.dli.paths import DLI_PATHS

__all__ = ["DLI_PATHS", "DliFace"]
