"""The paths and routes of the Data Lake Insight API for Flink jar jobs."""

from __future__ import annotations

from collections.abc import Iterable

from flink_jobs_provider.gateway.apis.dli import openapi
from flink_jobs_provider.gateway.apis.dli.action_routes import ActionCalls
from flink_jobs_provider.gateway.apis.dli.call_context import Calls
from flink_jobs_provider.gateway.apis.dli.read_routes import ReadCalls
from flink_jobs_provider.gateway.apis.dli.record_routes import BucketCalls, RecordCalls
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
        self._records, self._actions, self._reads = (
            RecordCalls(calls),
            ActionCalls(calls),
            ReadCalls(calls),
        )
        self._buckets = BucketCalls(calls)

    def routes(self) -> list[DescribedRoute]:
        """Return the routes of the API."""
        return [
            DescribedRoute(CREATE_PATH, self._records.create, ["POST"], openapi.CREATE),
            DescribedRoute(UPDATE_PATH, self._records.update, ["PUT"], openapi.UPDATE),
            DescribedRoute(IMPORT_PATH, self._records.import_savepoint, ["POST"], openapi.IMPORT),
            DescribedRoute(RUN_PATH, self._actions.run, ["POST"], openapi.RUN),
            DescribedRoute(STOP_PATH, self._actions.stop, ["POST"], openapi.STOP),
            DescribedRoute(DELETE_PATH, self._actions.delete_all, ["POST"], openapi.DELETE_ALL),
            DescribedRoute(JOB_PATH, self._actions.delete, ["DELETE"], openapi.DELETE),
            DescribedRoute(SAVEPOINT_PATH, self._actions.trigger, ["POST"], openapi.TRIGGER),
            DescribedRoute(JOBS_PATH, self._reads.list_jobs, ["GET"], openapi.LIST),
            DescribedRoute(JOB_PATH, self._reads.show, ["GET"], openapi.SHOW),
            DescribedRoute(GRAPH_PATH, self._reads.show_graph, ["GET"], openapi.GRAPH),
            DescribedRoute(
                BUCKETS_PATH, self._buckets.authorize_buckets, ["POST"], openapi.BUCKETS
            ),
        ]
