"""The Data Lake Insight API for Flink jar jobs: how its requests are read, and what it answers."""

from flink_jobs_provider.gateway.apis.dli.call_context import Calls
from flink_jobs_provider.gateway.apis.dli.routes import DLI_PATHS, dli_routes

__all__ = ["DLI_PATHS", "Calls", "dli_routes"]
