"""The jobs of a cluster as rows: what `flink-jobs jobs` lists, and how a job is chosen."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from flink_jobs_provider.control_planes.flink_rest import FlinkRest
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.identity import JobKey
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.savepoint import is_checkpoint

_PREFIX = 18


@dataclass(frozen=True)
class JobRow:
    """One job of a cluster, for people.

    Attributes:
        job_name: The name that its owner gave it; none for a job that is not ours.
        name: The name that the program gave itself.
        generation: Its submission's number; none for a job that is not ours.
    """

    job_name: str | None
    name: str
    status: str
    job_id: str
    generation: int | None
    parallelism: int | None
    last_savepoint: str | None
    dashboard_url: str

    def plain(self) -> dict[str, Any]:
        """Return the row as plain JSON types."""
        return asdict(self)


async def job_rows(plane: FlinkRest, everything: bool) -> list[JobRow]:
    """Return the jobs of a cluster: those that are active, or all that it lists."""
    snapshot, names = await asyncio.gather(plane.jobs(), plane.job_names())
    jobs = [job for job in snapshot.jobs if job.active or everything]
    jobs.sort(key=lambda job: (names.get(job.job_id[:_PREFIX], "~"), -job.started))
    return list(await asyncio.gather(*(_row(plane, job, names) for job in jobs)))


async def _row(plane: FlinkRest, job: ObservedJob, names: dict[str, str]) -> JobRow:
    name = names.get(job.job_id[:_PREFIX])
    parallelism, statistics = await asyncio.gather(
        plane.parallelism(job.job_id), plane.checkpoints(job.job_id)
    )
    savepoint = (statistics.savepoint or statistics.restored_from) if statistics else ""
    savepoint = "" if is_checkpoint(savepoint) else savepoint
    return JobRow(
        job_name=name,
        name=job.name,
        status=job.status.value,
        job_id=job.job_id,
        generation=job.generation if name else None,
        parallelism=parallelism,
        last_savepoint=savepoint or None,
        dashboard_url=plane.dashboard(job.job_id),
    )


async def choose(plane: FlinkRest, wanted: str) -> tuple[ObservedJob, str]:
    """Find one job by jobId (or its first digits), by its job_name, or by its program's name.

    Returns:
        The job, and the name its savepoints go under.

    Raises:
        PermanentError: None fits, or more than one does.
    """
    snapshot, names = await asyncio.gather(plane.jobs(), plane.job_names())
    fits = fitting(snapshot, wanted)
    if not _by_id(snapshot, wanted):
        fits = [job for job in fits if job.active] or fits
    if len(fits) > 1 and not any(job.active for job in fits):
        fits = [max(fits, key=lambda job: job.age_key)]
    if len(fits) != 1:
        found = ", ".join(job.job_id for job in fits) or "none"
        raise PermanentError(
            f"{wanted}: one job must fit, and these do: {found}",
            remedy="`flink-jobs jobs list --all` shows what there is",
        )
    return fits[0], name_of(fits[0], wanted, names)


def fitting(snapshot: ClusterSnapshot, wanted: str) -> list[ObservedJob]:
    """Return the jobs that are meant by a jobId (or its first digits), a job_name or a name."""
    key = JobKey(wanted, "")
    by_name = [job for job in snapshot.jobs if key.shares_name(job.job_id) or job.name == wanted]
    return _by_id(snapshot, wanted) or by_name


def _by_id(snapshot: ClusterSnapshot, wanted: str) -> list[ObservedJob]:
    return [job for job in snapshot.jobs if len(wanted) >= 6 and job.job_id.startswith(wanted)]


def name_of(job: ObservedJob, wanted: str, names: dict[str, str]) -> str:
    """Return the name that a job's savepoints go under: its job_name, or its program's name."""
    if JobKey(wanted, "").shares_name(job.job_id):
        return wanted  # its jars, off which names are read, may be gone
    return names.get(job.job_id[:_PREFIX], job.name)
