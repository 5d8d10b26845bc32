"""The paths and routes of the Data Lake Insight API for Flink jar jobs."""

from __future__ import annotations

from collections.abc import Iterable

from flink_jobs_provider.gateway.apis.dli import openapi
from flink_jobs_provider.gateway.apis.dli.action_routes import Acting
from flink_jobs_provider.gateway.apis.dli.call_context import Calls
from flink_jobs_provider.gateway.apis.dli.read_routes import Showing
from flink_jobs_provider.gateway.apis.dli.record_routes import Authorizing, Keeping
from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.http.middleware import Audit
from flink_jobs_provider.gateway.http.routing import DescribedRoute
from flink_jobs_provider.gateway.job_service import JobService

#: What all paths of the service begin with: also of those that are not served.
DLI_PATHS = ("/v1.0/", "/v3/")
BUCKETS_PATH = "/v1.0/{project_id}/dli/obs-authorize"
PREFIX = "/v1.0/{project_id}/streaming"
CREATE_PATH = f"{PREFIX}/flink-jobs"
UPDATE_PATH = f"{PREFIX}/flink-jobs/{{job_id}}"
JOBS_PATH = f"{PREFIX}/jobs"
RUN_PATH = f"{JOBS_PATH}/run"
STOP_PATH = f"{JOBS_PATH}/stop"
DELETE_PATH = f"{JOBS_PATH}/delete"
JOB_PATH = f"{JOBS_PATH}/{{job_id}}"
SAVEPOINT_PATH = f"{JOB_PATH}/savepoint"
IMPORT_PATH = f"{JOB_PATH}/import-savepoint"
GRAPH_PATH = f"{JOB_PATH}/execute-graph"


class DliFace:
    """Serves the API for the clusters that are queues of a project.

    Args:
        service: What executes the actions.
        clusters: The clusters that are served.
        audit: Where each call is recorded that changes something, also one that is refused.
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
            DescribedRoute(CREATE_PATH, self._keeping.create, ["POST"], openapi.CREATE),
            DescribedRoute(UPDATE_PATH, self._keeping.update, ["PUT"], openapi.UPDATE),
            DescribedRoute(IMPORT_PATH, self._keeping.import_savepoint, ["POST"], openapi.IMPORT),
            DescribedRoute(RUN_PATH, self._acting.run, ["POST"], openapi.RUN),
            DescribedRoute(STOP_PATH, self._acting.stop, ["POST"], openapi.STOP),
            DescribedRoute(DELETE_PATH, self._acting.delete_all, ["POST"], openapi.DELETE_ALL),
            DescribedRoute(JOB_PATH, self._acting.delete, ["DELETE"], openapi.DELETE),
            DescribedRoute(SAVEPOINT_PATH, self._acting.trigger, ["POST"], openapi.TRIGGER),
            DescribedRoute(JOBS_PATH, self._showing.list_jobs, ["GET"], openapi.LIST),
            DescribedRoute(JOB_PATH, self._showing.show, ["GET"], openapi.SHOW),
            DescribedRoute(GRAPH_PATH, self._showing.show_graph, ["GET"], openapi.GRAPH),
            DescribedRoute(
                BUCKETS_PATH, self._authorizing.authorize_buckets, ["POST"], openapi.BUCKETS
            ),
        ]
