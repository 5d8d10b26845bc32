"""A job called orders, for tests that need some job: its spec, its key, and what is recorded."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.spec import JobSpec

OWNER = "organization/shop/dev"
URL = "http://flink:8081"
DIGEST_1 = "1" * 64
DIGEST_2 = "2" * 64
SAVEPOINT = "/savepoints/orders/savepoint-1"


def spec(**changes: Any) -> JobSpec:
    """Return the spec of `orders` with some inputs of one's own; it settles soon."""
    return JobSpec.model_validate(
        {
            "target": {"url": URL},
            "job_name": "orders",
            "owner": OWNER,
            "jar": "orders.jar",
            "jar_digest": DIGEST_1,
            "settle_time": "0s",
            **changes,
        }
    )


def record(wanted: JobSpec | None = None, **changes: Any) -> JobRecord:
    """Return the record of `orders` as running in its first generation, without a savepoint."""
    wanted = wanted or spec()
    values: dict[str, Any] = {
        "spec": wanted,
        "job_id": wanted.key.job_id(1, wanted.digits(None)),
        "generation": 1,
        "status": JobStatus.RUNNING,
    }
    return JobRecord(**(values | changes))


def record_with_savepoint(wanted: JobSpec | None = None, **changes: Any) -> JobRecord:
    """Return the same with a savepoint."""
    known = Savepoint(path=SAVEPOINT, taken_at="2026-11-01T10:00:00Z")
    return record(wanted, last_savepoint=SAVEPOINT, savepoints=[known], **changes)
