"""`flink-jobs jobs rehearse`: a copy of a new version on the state of a running job."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flink_jobs_provider.cli.cluster_session import named_here
from flink_jobs_provider.cli.job_actions import start_inputs
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.inspecting.job_choice import COMMAND_LINE, choose
from flink_jobs_provider.inspecting.version_check import opened
from flink_jobs_provider.model.errors import PermanentError, RehearsalFailed
from flink_jobs_provider.model.identity import owner_digits_of
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.program_check import refusal_of
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler


@dataclass(frozen=True)
class Rehearsed:
    """How a rehearsal ended.

    Attributes:
        job_id: The running job, which goes on.
        passed: Whether the copy came up, and passed its health gate.
        savepoint: What it was started from; empty where that is not known.
        reason: Why it did not pass; empty where it did.
    """

    job_name: str
    job_id: str
    passed: bool
    savepoint: str
    reason: str

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)


async def rehearse(plane: FlinkRest, target: FlinkTarget, file: Path, say: Say) -> Rehearsed:
    """Rehearse the version that a job file declares, while the job goes on.

    Nothing is asked of the cluster before the file is found valid.

    Raises:
        InvalidSpec: An input is invalid; every problem at once.
        PermanentError: No such job runs, no rehearsal is declared, or an update would be refused.
        JobError: It was not seen to its end.
    """
    wanted, jar = await opened(start_inputs(file, target))
    if wanted.rehearsal is None:
        raise PermanentError(
            f"{wanted.job_name}: {file} declares no rehearsal",
            remedy="Add rehearsal, with args or flink_configuration that send its output elsewhere",
        )
    jobs = await named_here(plane)
    job, name = choose(jobs, wanted.job_name)
    if not job.active:
        raise PermanentError(f"{name} is {job.state}: it has no running state to start a copy from")
    owner = jobs.owners.of(job.job_id)  # a run of its own stack ends what is left of it
    known = owner != owner_digits_of(job.job_id)
    wanted = wanted.model_copy(update={"owner": owner if known else COMMAND_LINE})
    reconciler = Reconciler(plane, local_paths=target.loopback, say=say)
    verdict = await reconciler.compare_state(job, None, wanted, jar)
    say(f"{name}: {verdict}")
    if refused := refusal_of(verdict, wanted):
        refused.complete(now=f"Job {job.job_id} goes on as it was")
        raise refused
    try:
        record = await reconciler.rehearse_alone(job, wanted, jar)
    except RehearsalFailed as error:
        return Rehearsed(name, job.job_id, passed=False, savepoint="", reason=error.reason)
    savepoint = record.savepoints[0].path
    return Rehearsed(name, job.job_id, passed=True, savepoint=savepoint, reason="")
