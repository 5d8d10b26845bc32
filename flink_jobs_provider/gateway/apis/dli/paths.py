"""The paths of the API."""

from __future__ import annotations

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
