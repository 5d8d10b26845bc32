"""The gateway's records in SQL: jobs, actions and savepoints. The only part that knows SQL."""

from flink_jobs_provider.gateway.records.database import DatabaseInUse, DatabaseUnusable
from flink_jobs_provider.gateway.records.rows import (
    JobState,
    NewAction,
    NextStart,
    StoredAction,
    StoredJob,
)
from flink_jobs_provider.gateway.records.store import Store

__all__ = [
    "DatabaseInUse",
    "DatabaseUnusable",
    "JobState",
    "NewAction",
    "NextStart",
    "Store",
    "StoredAction",
    "StoredJob",
]
