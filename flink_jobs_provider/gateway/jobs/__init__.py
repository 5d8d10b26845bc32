"""What is done to jobs: admission, execution, takeover, observation. No HTTP, no SQL."""

from flink_jobs_provider.gateway.jobs.background import Intervals
from flink_jobs_provider.gateway.jobs.gateway_process import guard
from flink_jobs_provider.gateway.jobs.supervisor import Jobs

__all__ = ["Intervals", "Jobs", "guard"]
