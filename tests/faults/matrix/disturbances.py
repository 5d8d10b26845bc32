"""What happens to a cluster and its storage at a request; repaired before the next run."""

from __future__ import annotations

import re
import resource
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flink_jobs_provider.local.processes import ClusterProcess
from tests.fault_proxy import Moment, Verdict
from tests.faults.matrix.kinds import FaultKind, RequestOfRun
from tests.faults.matrix.matrix_job import MatrixJob
from tests.flink_cluster import FlinkCluster
from tests.waiting import wait_until

#: No file grows beyond this while storage is full; the limit of a process that has none.
_FULL, _UNLIMITED = 64, resource.RLIM_INFINITY
#: Of a cluster that forgets results and ended jobs at once.
FORGETFUL = {
    "web.refresh-interval": "100",
    "rest.async.store-duration": "1s",
    "jobstore.expiration-time": "1",
}
_SNAPSHOTS = r"POST /jobs/…/(stop|savepoints|checkpoints)$"
_SAVEPOINTS = r"POST /jobs/…/(stop|savepoints)$"
_RUN = r"POST /jars/…/run$"


@dataclass(frozen=True)
class Disturbance:
    """What happens to a cluster when a request is struck.

    Attributes:
        kind: When, and what the client gets.
        requests: A pattern of the requests at which it is another fault.
        begin: Brings it about, on the cluster whose request is struck.
        repair: Ends it; called when the run that was struck has ended.
        configuration: Of the cluster that it befalls; none for one as tests have it.
        apart: Whether it befalls all jobs of its cluster at once.
        keeps_jobs: Whether the cluster is one whose JobManager has HA storage.
    """

    kind: FaultKind
    requests: str
    begin: Callable[[MatrixJob, FlinkCluster], None]
    repair: Callable[[MatrixJob, FlinkCluster], None] = lambda _job, _cluster: None
    configuration: Mapping[str, str] = field(default_factory=dict)
    apart: bool = True
    keeps_jobs: bool = False

    def befalls(self, request: RequestOfRun) -> bool:
        """Whether it is to be tried at a request."""
        return re.match(self.requests, request.text) is not None


def kill(cluster: FlinkCluster, role: str) -> None:
    """Kill a process of a cluster, and wait until it has gone."""
    found = ClusterProcess(cluster.layout, role).find()
    if found is not None:
        found.kill()
        found.wait(20)


def _restart_job_manager(_job: MatrixJob, cluster: FlinkCluster) -> None:
    kill(cluster, "jobmanager")
    cluster.start_missing()


def _complete(_job: MatrixJob, cluster: FlinkCluster) -> None:
    """Wait until all of the cluster runs, whoever starts it."""
    cluster.start_missing()


def _kill_task_manager(_job: MatrixJob, cluster: FlinkCluster) -> None:
    kill(cluster, "taskmanager-1")
    # Another one is on its way while the run goes on.
    threading.Thread(target=cluster.start_missing).start()


def _limit_files(cluster: FlinkCluster, most: int) -> None:
    for role in ("jobmanager", "taskmanager-1"):
        if found := ClusterProcess(cluster.layout, role).find():
            resource.prlimit(found.pid, resource.RLIMIT_FSIZE, (most, _UNLIMITED))


def _free_files(_job: MatrixJob, cluster: FlinkCluster) -> None:
    """Let files grow again; a process that ended for want of it is started again."""
    _limit_files(cluster, _UNLIMITED)
    cluster.start_missing()


def _places(job: MatrixJob) -> Iterator[Path]:
    """Yield where savepoints of the job's present submissions are written."""
    for job_id in job.active():
        yield job.savepoints / job.name / job_id
        yield job.savepoints / job.name / job_id / "on-delete"


def _refuse_directories(job: MatrixJob, _cluster: FlinkCluster) -> None:
    """Put a file where the directory of the next savepoint would be: it cannot be made."""
    for place in _places(job):
        if not place.parent.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists() and not place.parent.is_file():
            place.write_text("in the way")


def _allow_directories(job: MatrixJob, _cluster: FlinkCluster) -> None:
    for place in job.savepoints.glob(f"{job.name}/**/*"):
        if place.is_file() and place.stat().st_size == len("in the way"):
            place.unlink()


def _await_forgotten(job: MatrixJob, _cluster: FlinkCluster) -> None:
    """Wait until its clusters know neither the results of what was begun nor ended jobs.

    None ever forgets an operation that it has lost, as one that a kill of its job has hit: that
    stays in progress for good, where nothing of its job is.
    """
    polled = job.sites.exchanges(
        lambda each: re.match(r"/jobs/\w+/(savepoints|checkpoints)/\w{32}$", each.path)
    )
    triggers = {(site.cluster.url, each.path): site.cluster for site, each in polled}

    def forgotten() -> bool:
        ended = [id_ for id_, _ in job.sites.jobs() if id_.startswith(job.wanted.key.prefix)]
        known = [path for (_, path), at in triggers.items() if _is_known(at, path)]
        return set(ended) <= set(job.active()) and not known

    wait_until(forgotten, 20, f"{job.name} is forgotten")


def _is_known(cluster: FlinkCluster, path: str) -> bool:
    answer = cluster.rest.get(path)
    if not answer.is_success:
        return False
    if answer.json()["status"]["id"] == "COMPLETED":
        return True
    statistics = cluster.rest.get(f"{path.rsplit('/', 2)[0]}/checkpoints")
    return statistics.is_success and statistics.json()["counts"]["in_progress"] > 0


def _nothing(_job: MatrixJob, _cluster: FlinkCluster) -> None:
    """Leave the cluster as it is."""


def _kind(name: str, moment: Moment, verdict: Verdict, *, kills: bool = False) -> FaultKind:
    return FaultKind(name, moment, verdict, kills)


_BEFORE, _AFTER, _PASS, _DROP = Moment.BEFORE, Moment.AFTER, Verdict.PASS, Verdict.DROP
_CHANGES = r"(?!GET )"
DISTURBANCES: Sequence[Disturbance] = (
    Disturbance(
        _kind("JobManager restarted without HA, before", _BEFORE, _DROP),
        r"POST /jobs/…/stop|PATCH|POST /jars/…/run",
        _restart_job_manager,
        _complete,
    ),
    Disturbance(
        _kind("JobManager restarted without HA, after", _AFTER, _DROP),
        _CHANGES,
        _restart_job_manager,
        _complete,
    ),
    Disturbance(
        _kind("JobManager restarted with HA, before", _BEFORE, _DROP),
        r"POST /jobs/…/stop|PATCH|POST /jars/…/run",
        _restart_job_manager,
        _complete,
        keeps_jobs=True,
    ),
    Disturbance(
        _kind("JobManager restarted with HA, after", _AFTER, _DROP),
        _CHANGES,
        _restart_job_manager,
        _complete,
        keeps_jobs=True,
    ),
    Disturbance(
        _kind("TaskManager killed during a savepoint", _AFTER, _PASS),
        _SNAPSHOTS,
        _kill_task_manager,
        _complete,
    ),
    Disturbance(
        _kind("TaskManager killed during a restore", _AFTER, _PASS),
        _RUN,
        _kill_task_manager,
        _complete,
    ),
    Disturbance(
        _kind("storage full", _BEFORE, _PASS),
        f"{_SNAPSHOTS}|{_RUN}",
        lambda _job, cluster: _limit_files(cluster, _FULL),
        _free_files,
    ),
    Disturbance(
        _kind("savepoint storage read-only", _BEFORE, _PASS),
        _SAVEPOINTS,
        _refuse_directories,
        _allow_directories,
        apart=False,
    ),
    Disturbance(
        _kind("killed; results and history expired", _AFTER, _DROP, kills=True),
        _CHANGES,
        _nothing,
        _await_forgotten,
        FORGETFUL,
        apart=False,
    ),
)
