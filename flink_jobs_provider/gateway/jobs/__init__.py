"""What is done to jobs: deciding, carrying out, taking up again, observing. No HTTP, no SQL."""

from flink_jobs_provider.gateway.jobs.lease import guard
from flink_jobs_provider.gateway.jobs.supervisor import Jobs
from flink_jobs_provider.gateway.jobs.timing import Pace

__all__ = ["Jobs", "Pace", "guard"]
