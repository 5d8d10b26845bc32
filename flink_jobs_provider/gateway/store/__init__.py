"""The gateway's records in SQL: jobs, actions and savepoints. The only part that knows SQL."""

from flink_jobs_provider.gateway.store.database import (
    DatabaseInUse,
    DatabaseUnusable,
    RecordsError,
    RecordsUnavailable,
)
from flink_jobs_provider.gateway.store.repository import Store
from flink_jobs_provider.gateway.store.stored_values import (
    JobState,
    NewAction,
    NextStart,
    StoredAction,
    StoredJob,
)

__all__ = [
    "DatabaseInUse",
    "DatabaseUnusable",
    "JobState",
    "NewAction",
    "NextStart",
    "RecordsError",
    "RecordsUnavailable",
    "Store",
    "StoredAction",
    "StoredJob",
]
