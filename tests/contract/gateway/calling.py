"""The gateway's application as tests call it: in this process, with tokens for three callers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import httpx
from starlette.applications import Starlette

from flink_jobs_provider.gateway.apis.dli.conventions import SignatureCheck
from flink_jobs_provider.gateway.configuration import Limits
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.ops.log import AuditEntry
from flink_jobs_provider.gateway.principal import EVERY_CLUSTER, Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.web_app import make_app
from tests.contract.gateway.memory_service import CLUSTER, CLUSTER_ID, OTHER, MemoryService

T = TypeVar("T")

VERSIONS = ("2023-06-01-preview", "2023-11-01-preview", "2024-05-01", "2024-05-01-preview")
NEWEST = VERSIONS[-1]
PRINCIPALS = {
    "operator": Principal("operator", {EVERY_CLUSTER: Role.OPERATE}),
    "reader": Principal("reader", {CLUSTER.key: Role.READ}),
    "one": Principal("one", {CLUSTER.key: Role.OPERATE}),
    "second": Principal("second", {OTHER.key: Role.OPERATE}),
    "stranger": Principal("stranger", {"/subscriptions/elsewhere": Role.OPERATE}),
}
NEW: dict[str, Any] = {
    "jobType": "FlinkJob",
    "jobName": "job1",
    "action": "NEW",
    "jobJarDirectory": "abfs://jobs@account/jars",
    "jarName": "job.jar",
    "entryClass": "com.example.Job",
    "args": "--input  in --output out",
    "flinkConfiguration": {
        "parallelism": "4",
        "savepoint.directory": "abfs://jobs@account/savepoints",
        "taskmanager.numberOfTaskSlots": "1",
    },
}


class ByName:
    """Takes the name of a caller for a token."""

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return the caller."""
        name = (authorization or "").removeprefix("Bearer ")
        if name not in PRINCIPALS:
            raise Refusal("InvalidAuthenticationToken", "The access token is not accepted.")
        return PRINCIPALS[name]


class RateLimit:
    """Refuses when told to."""

    refuses: float | None = None

    def take(self, name: str) -> None:
        """Count a request."""
        if self.refuses is not None:
            raise Refusal("TooManyRequests", "Too many.", retry_after=self.refuses)


@dataclass
class Audit:
    """Keeps the entries."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def write(self, entry: AuditEntry) -> None:
        """Write an entry."""
        fields = asdict(entry)
        has_action = fields.pop("action_id") is not None
        self.entries.append({**fields, "has_action": has_action})


@dataclass
class Metrics:
    """Keeps what was counted."""

    counted: list[tuple[str, str, int]] = field(default_factory=list)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        assert seconds >= 0
        self.counted.append((method, route, status))

    async def refresh(self) -> None:
        """Have nothing to read."""

    def render(self) -> tuple[bytes, str]:
        """Return them."""
        return b"# metrics\n", "text/plain; version=0.0.4; charset=utf-8"


def _stopped() -> asyncio.Event:
    """Return what ends each stream at once: an application without a server sends it as a whole."""
    stopped = asyncio.Event()
    stopped.set()
    return stopped


@dataclass
class Gateway:
    """An application on a service in memory, and how it is called."""

    public_url: str | None = "https://gateway.example.com"
    limits: Limits = field(default_factory=Limits)
    service: MemoryService = field(default_factory=MemoryService)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    audit: Audit = field(default_factory=Audit)
    metrics: Metrics = field(default_factory=Metrics)
    signatures: SignatureCheck | None = None
    monitors: Monitors | None = None
    clusters: Sequence[ClusterConfiguration] = (CLUSTER, OTHER)

    def app(self) -> Starlette:
        """Make the application."""
        return make_app(
            self.service,
            self.clusters,
            ByName(),
            self.rate_limit.take,
            self.audit.write,
            self.metrics,
            self.limits,
            self.public_url,
            self.signatures,
            monitors=self.monitors,
            stopping=_stopped(),
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        caller: str | None = "operator",
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Send a request."""
        sent = {"Authorization": f"Bearer {caller}"} if caller else {}

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app())
            async with httpx.AsyncClient(
                transport=transport, base_url="https://host:8443", trust_env=False
            ) as client:
                return await client.request(
                    method, path, headers={**sent, **(headers or {})}, **request
                )

        return run(go())

    def document(self, version: str = NEWEST) -> dict[str, Any]:
        """Return the OpenAPI document of a version."""
        found: dict[str, Any] = self.call("GET", f"/openapi.json?api-version={version}").json()
        return found

    def run_job(
        self, properties: Mapping[str, Any], version: str = NEWEST, **request: Any
    ) -> httpx.Response:
        """Send a runJob."""
        return self.call(
            "POST",
            f"{CLUSTER_ID}/runJob?api-version={version}",
            json={"properties": dict(properties)},
            **request,
        )

    def act(self, action: str, version: str = NEWEST, **properties: Any) -> httpx.Response:
        """Ask for an action on job1."""
        body = {"jobType": "FlinkJob", "jobName": "job1", "action": action, **properties}
        return self.run_job(body, version)

    def jobs(self, version: str = NEWEST, query: str = "", **request: Any) -> Any:
        """List the jobs."""
        url = f"{CLUSTER_ID}/jobs?api-version={version}{query}"
        return self.call("GET", url, **request)

    def row(self, version: str = NEWEST) -> dict[str, Any]:
        """Return the only job."""
        (row,) = self.jobs(version).json()["value"]
        found: dict[str, Any] = row
        return found


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the error of a refusal, of which status and form are as they must be."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert error["code"]
    assert error["message"]
    assert set(error) <= {"code", "message", "target", "details"}
    return error


def targets(response: httpx.Response) -> list[str]:
    """Return the properties that a body was refused for."""
    return [detail["target"] for detail in error_of(response, 400)["details"]]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine."""
    return asyncio.run(work)
