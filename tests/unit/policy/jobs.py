"""Jobs as programs declare them, for tests of policies."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.policy.declared_job import DeclaredJob

DIGEST = "9" * 63 + "c"
RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
#: Inputs, as the provider has checked them, of a job that every policy permits.
PERMITTED: dict[str, Any] = {
    "target": {"kind": "flink", "url": "http://localhost:8081"},
    "job_name": "orders",
    "owner": "acme/shop/prod",
    "jar": f"s3://jars/orders-{DIGEST[:12]}.jar",
    "jar_digest": DIGEST,
    "args": ["--topic", "orders"],
    "parallelism": 4,
    "flink_configuration": {RETENTION: "RETAIN_ON_CANCELLATION"},
    "savepoint_directory": "s3://bucket/savepoints",
    "desired_state": "running",
    "upgrade_mode": "savepoint",
    "state_check": "strict",
    "on_delete": "savepoint",
}


def urn(name: str = "orders", stack: str = "prod") -> str:
    """Return the URN of a job."""
    return f"urn:pulumi:{stack}::shop::pulumi-python:dynamic/flink_jobs:FlinkJob::{name}"


def job(stack: str = "prod", **inputs: Any) -> DeclaredJob:
    """Return a job that every policy permits, but for the inputs given; None takes one away."""
    given = {**PERMITTED, **inputs}
    known = {name: each for name, each in given.items() if each is not None}
    return DeclaredJob(urn(stack=stack), known)
