"""The least that a dynamic provider can do with what a `FlinkJob` holds.

Each call answers at once with properties of the same names and sizes as those of a real job, so
that the SDK and the engine carry exactly as much; nothing is validated, compared or looked up.
"""

from __future__ import annotations

import json
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
)

from flink_jobs_provider.model.record import JobRecord

#: What `check` of the real one adds to the inputs that the jobs of this benchmark have.
FILLED_IN: dict[str, Any] = {
    "jar_digest": "0" * 64,
    "parallelism_managed_by": "provider",
    "flink_configuration": {},
    "desired_state": "running",
    "upgrade_mode": "savepoint",
    "move": False,
    "allow_no_way_back": False,
    "allow_non_restored_state": False,
    "state_check": "strict",
    "savepoint_format": "canonical",
    "on_delete": "cancel",
    "drain": False,
    "settle_time": "10s",
    "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"},
}
TARGET_FILLED_IN: dict[str, Any] = {"headers": {}, "secret_headers": {}}

#: What `create` of the real one adds to the inputs; what is empty depends on those.
OUTPUTS: dict[str, Any] = {
    "job_id": "0" * 32,
    "status": "RUNNING",
    "action": "NEW",
    "action_result": "SUCCESS",
    "job_output": "Job started without state",
    "last_savepoint": None,
    "savepoints": [],
    "generation": 1,
    "restored_from": None,
    "running_parallelism": 1,
    "retains_checkpoints": None,
    "flink_version": "2.3.0",
    "dashboard_url": "",
    "other_version": False,
    "duplicates": [],
    "history": [
        {
            "number": 1,
            "at": "2026-11-01T00:00:00Z",
            "action": "NEW",
            "result": "SUCCESS",
            "why": "NEW, first start, no state",
            "by": "",
            "jar": "",
            "jar_digest": "0" * 64,
            "job_id": "0" * 32,
        }
    ],
    "version_inputs": {"1": ""},
}
#: Which of them a version is remembered by.
_OF_VERSION = ("jar", "jar_digest", "args", "parallelism", "flink_configuration")


_SECRET_OUTPUTS = ResourceOptions(additional_secret_outputs=["version_inputs"])


class NoopProvider(ResourceProvider):
    """Says yes to everything."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Return what it got, filled up."""
        inputs = {name: value for name, value in news.items() if value is not None}
        target = {**inputs["target"], **TARGET_FILLED_IN}
        return CheckResult({**FILLED_IN, **inputs, "target": target}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Say that nothing changed."""
        return DiffResult(False, [], [], False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return what it got, and as much as a real job's outputs."""
        version = {name: props[name] for name in _OF_VERSION}
        outputs = {
            **OUTPUTS,
            "dashboard_url": f"{props['target']['url']}/#/job/running/{'0' * 32}/overview",
            "history": [{**OUTPUTS["history"][0], "jar": props["jar"], "by": props["owner"]}],
            "version_inputs": {"1": json.dumps({"inputs": version, "secret": []})},
        }
        return CreateResult(props["job_name"], {**props, **outputs})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what it got."""
        return ReadResult(id_, props, {k: v for k, v in props.items() if k not in OUTPUTS})


class NoopJob(Resource, module="flink_jobs", name="NoopJob"):
    """A resource of the no-op provider, declared as a `FlinkJob` is.

    With all outputs of one: the SDK takes its time for each that is declared, be it set or not.
    """

    def __init__(
        self, resource_name: str, opts: ResourceOptions | None = None, **inputs: Any
    ) -> None:
        super().__init__(
            NoopProvider(),
            resource_name,
            {**dict.fromkeys(JobRecord.output_names()), "jar_digest": None, **inputs},
            ResourceOptions.merge(opts, _SECRET_OUTPUTS),
        )
