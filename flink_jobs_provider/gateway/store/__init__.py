"""The gateway's records in SQL: jobs, actions and savepoints. The only part that knows SQL."""

from flink_jobs_provider.gateway.store.acceptance import RowChanged, UnfinishedAction
from flink_jobs_provider.gateway.store.database import (
    DatabaseInUse,
    DatabaseUnusable,
    RecordsError,
    RecordsUnavailable,
)
from flink_jobs_provider.gateway.store.disposals import HeldAction, SavepointDisposed
from flink_jobs_provider.gateway.store.repository import Store
from flink_jobs_provider.gateway.store.stored_values import (
    ACTIVE,
    Claim,
    Ended,
    JobState,
    NewAction,
    NewJob,
    NextStart,
    StoredAction,
    StoredJob,
    Watched,
    read_record,
    read_spec,
    stored_record,
    stored_spec,
)

__all__ = [
    "ACTIVE",
    "Claim",
    "DatabaseInUse",
    "DatabaseUnusable",
    "Ended",
    "HeldAction",
    "JobState",
    "NewAction",
    "NewJob",
    "NextStart",
    "RecordsError",
    "RecordsUnavailable",
    "RowChanged",
    "SavepointDisposed",
    "Store",
    "StoredAction",
    "StoredJob",
    "UnfinishedAction",
    "Watched",
    "read_record",
    "read_spec",
    "stored_record",
    "stored_spec",
]
