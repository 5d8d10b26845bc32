"""Whether a new version of a job can go on from the state of the one that runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.artifacts import Jar, open_jar
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.inspecting.job_choice import COMMAND_LINE, NamedJobs, choose
from flink_jobs_provider.model.errors import InvalidSpec, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.planning.state_verdict import StateVerdict
from flink_jobs_provider.reconciling.flink.program_check import refusal_of
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler


@dataclass(frozen=True)
class Checked:
    """What was found out about a running job and a new version of it.

    Attributes:
        refusal: Why an update by a stack would be refused; empty where it would not.
    """

    job_name: str
    job_id: str
    verdict: StateVerdict
    refusal: str

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "job_name": self.job_name,
            "job_id": self.job_id,
            "verdict": self.verdict.compatibility.value,
            "summary": str(self.verdict),
            "refused": self.refusal or None,
            "main_runs": self.verdict.plans,
            "state": [
                {
                    "id": each.id,
                    "name": each.name,
                    "size_bytes": each.size,
                    "max_parallelism": each.max_parallelism,
                    "verdict": self.verdict.of(each).value,
                }
                for each in self.verdict.held
            ],
        }


def running(jobs: NamedJobs, wanted: str) -> tuple[ObservedJob, str]:
    """Return the running job that is meant, and its name.

    Raises:
        PermanentError: No such job runs.
    """
    job, name = choose(jobs, wanted)
    if not job.active:
        raise PermanentError(f"{name} is {job.state}: it has no running state to compare with")
    return job, name


def of_running(jobs: NamedJobs, job: ObservedJob, target: FlinkTarget) -> dict[str, Any]:
    """Return the inputs of a new version of a job that its cluster tells."""
    return {
        "job_name": jobs.job_name(job) or "job",
        "owner": COMMAND_LINE,
        "target": target.model_dump(exclude_none=True),
    }


async def check_state(
    plane: FlinkRest,
    found: tuple[ObservedJob, str],
    declared: JobSpec | None,
    inputs: dict[str, Any],
) -> Checked:
    """Compare a running job's state with a new version; nothing is changed.

    Args:
        plane: The cluster.
        found: The running job, and its name.
        declared: What it was perhaps submitted as.
        inputs: The inputs of the new version.

    Raises:
        InvalidSpec: An input is invalid; every problem at once.
        JobError: The new version cannot be planned.
    """
    job, name = found
    version, jar = await opened(inputs)
    reconciler = Reconciler(plane, local_paths=version.target.loopback)
    verdict = await reconciler.compare_state(job, declared, version, jar)
    refused = refusal_of(verdict, version)
    return Checked(name, job.job_id, verdict, refused.reason if refused else "")


async def opened(inputs: dict[str, Any]) -> tuple[JobSpec, Jar]:
    """Return the version that inputs declare, with its jar."""
    if problems := problems_of(inputs):
        raise InvalidSpec(problems)
    jar = await asyncio.to_thread(open_jar, inputs["jar"])
    return JobSpec.model_validate({**inputs, "jar_digest": jar.digest}), jar
