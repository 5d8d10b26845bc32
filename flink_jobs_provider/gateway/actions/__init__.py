"""What is done to jobs: deciding, carrying out, taking up again, observing. No HTTP, no SQL."""

from flink_jobs_provider.gateway.actions.jobs import Jobs
from flink_jobs_provider.gateway.actions.lease import guard
from flink_jobs_provider.gateway.actions.pace import Pace

__all__ = ["Jobs", "Pace", "guard"]
