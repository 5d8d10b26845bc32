"""The routes of the Data Lake Insight API for Flink jar jobs."""

from __future__ import annotations

from collections.abc import Iterable

from flink_jobs_provider.gateway.apis.dli import openapi, paths
from flink_jobs_provider.gateway.apis.dli.action_routes import Acting
from flink_jobs_provider.gateway.apis.dli.bucket_routes import Authorizing
from flink_jobs_provider.gateway.apis.dli.call_context import Calls
from flink_jobs_provider.gateway.apis.dli.read_routes import Showing
from flink_jobs_provider.gateway.apis.dli.record_routes import Keeping
from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.http.middleware import Audit
from flink_jobs_provider.gateway.http.routing import DescribedRoute
from flink_jobs_provider.gateway.service import JobService


class DliFace:
    """Serves the API for the clusters that are queues of a project.

    Args:
        service: What carries the actions out.
        clusters: The clusters that are served.
        audit: Where each call is written down that changes something, also one that is refused.
        body_bytes: Largest body.
    """

    def __init__(
        self,
        service: JobService,
        clusters: Iterable[ClusterConfiguration],
        audit: Audit,
        body_bytes: int,
    ) -> None:
        calls = Calls(service, clusters, audit, body_bytes)
        self._keeping, self._acting, self._showing = Keeping(calls), Acting(calls), Showing(calls)
        self._authorizing = Authorizing(calls)

    def routes(self) -> list[DescribedRoute]:
        """Return the routes of the API."""
        return [
            DescribedRoute(paths.CREATE_PATH, self._keeping.create, ["POST"], openapi.CREATE),
            DescribedRoute(paths.UPDATE_PATH, self._keeping.update, ["PUT"], openapi.UPDATE),
            DescribedRoute(
                paths.IMPORT_PATH, self._keeping.import_savepoint, ["POST"], openapi.IMPORT
            ),
            DescribedRoute(paths.RUN_PATH, self._acting.run, ["POST"], openapi.RUN),
            DescribedRoute(paths.STOP_PATH, self._acting.stop, ["POST"], openapi.STOP),
            DescribedRoute(
                paths.DELETE_PATH, self._acting.delete_all, ["POST"], openapi.DELETE_ALL
            ),
            DescribedRoute(paths.JOB_PATH, self._acting.delete, ["DELETE"], openapi.DELETE),
            DescribedRoute(paths.SAVEPOINT_PATH, self._acting.trigger, ["POST"], openapi.TRIGGER),
            DescribedRoute(paths.JOBS_PATH, self._showing.list_jobs, ["GET"], openapi.LIST),
            DescribedRoute(paths.JOB_PATH, self._showing.show, ["GET"], openapi.SHOW),
            DescribedRoute(paths.GRAPH_PATH, self._showing.show_graph, ["GET"], openapi.GRAPH),
            DescribedRoute(
                paths.BUCKETS_PATH, self._authorizing.authorize_buckets, ["POST"], openapi.BUCKETS
            ),
        ]
