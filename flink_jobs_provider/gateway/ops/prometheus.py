"""The gateway's metrics, as Prometheus scrapes them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.ops.job_metrics import JobMetrics
from flink_jobs_provider.model.action import Action, ActionResult

_METHODS = {"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
#: The errors of a server that it answers with.
_ERRORS = ("500", "503")
_ACTION_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)


class Metrics:
    """Counts what the gateway does, in a registry of its own."""

    def __init__(self) -> None:
        self._before_render: list[Callable[[], None]] = []
        self._jobs: JobMetrics | None = None
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("flink_jobs_gateway", "The gateway.", registry=registry).info(
            {"version": version("flink-jobs-provider")}
        )
        self._requests = Counter(
            "flink_jobs_gateway_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "flink_jobs_gateway_request_seconds",
            "Time from a request to its answer.",
            ["method", "route"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self._actions = Counter(
            "flink_jobs_gateway_actions",
            "Actions that ended.",
            ["action", "result"],
            registry=registry,
        )
        # From the first scrape on: Prometheus sees no increase of a counter that begins with 1.
        for action in Action:
            for result in (ActionResult.SUCCESS, ActionResult.FAILED):
                self._actions.labels(action.value, result.value)
        self._action_seconds = Histogram(
            "flink_jobs_gateway_action_seconds",
            "Time from an action's acceptance to its end.",
            ["action", "result"],
            buckets=_ACTION_SECONDS,
            registry=registry,
        )
        self._in_progress = Gauge(
            "flink_jobs_gateway_actions_in_progress",
            "Actions in progress in this process.",
            registry=registry,
        )
        self._reachable = Gauge(
            "flink_jobs_gateway_cluster_reachable",
            "1 where the cluster's last list of jobs could be read, else 0.",
            ["cluster"],
            registry=registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: Its method; what is no usual one is counted as OTHER.
            route: The template that its path fits, never the path: it has few values.
            status: HTTP status of the answer.
            seconds: Time from the request to its answer.
        """
        method = method if method in _METHODS else "OTHER"
        for error in _ERRORS:  # from the route's first answer on, as above
            self._requests.labels(method, route, error)
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def action(self, row: ActionRow) -> None:
        """Count an action that ended."""
        self._actions.labels(row.action.value, row.result.value).inc()
        if row.finished_at:
            seconds = (row.finished_at - row.accepted_at).total_seconds()
            self._action_seconds.labels(row.action.value, row.result.value).observe(max(0, seconds))

    def in_progress(self, number: int) -> None:
        """Set how many actions are in progress."""
        self._in_progress.set(number)

    def cluster_reachable(self, cluster: str, *, reachable: bool) -> None:
        """Set whether a cluster, by its key, answers."""
        self._reachable.labels(cluster).set(1 if reachable else 0)

    def add_jobs(self, jobs: JobMetrics) -> None:
        """Show metrics of each job, too."""
        self._jobs = jobs
        self._registry.register(jobs)

    async def refresh(self) -> None:
        """Read what is only read when it is scraped."""
        if self._jobs:
            await self._jobs.refresh()

    def before_render(self, refresh: Callable[[], None]) -> None:
        """Call a function each time before the metrics are rendered, to set them."""
        self._before_render.append(refresh)

    def render(self) -> tuple[bytes, str]:
        """Return all of it as Prometheus reads it, and the content type."""
        for refresh in self._before_render:
            refresh()
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
