"""Running jobs that no stack has, and the job files by which one adopts them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flink_jobs_provider.control_planes.flink.client import FlinkAnswer
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.protocol import Mark
from flink_jobs_provider.inspecting.job_choice import NamedJobs
from flink_jobs_provider.inspecting.job_rows import bounded
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.observation import ObservedJob

#: Flink's value of a checkpoint interval where there are no periodic checkpoints.
_NEVER = 2**63 - 1


@dataclass(frozen=True)
class AdoptableJob:
    """A running job that can be adopted, and what its cluster shows of it.

    Attributes:
        age: Seconds since its start.
        checkpoint_interval: Milliseconds between its checkpoints; None without periodic ones.
        parameters: The names of its global job parameters, which the program may have set from its
            arguments. Their values may be secret.
    """

    job_id: str
    name: str
    status: str
    age: int
    parallelism: int | None
    checkpoint_interval: int | None
    retains_checkpoints: bool
    parameters: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)

    @property
    def job_name(self) -> str:
        """A valid job_name that is like its name."""
        return re.sub("[^a-z0-9]+", "-", self.name.lower())[:63].strip("-") or "job"

    def job_file(self, programs: Sequence[str]) -> str:
        """Return its job file, which is refused until what is not known is filled in.

        `programs` are the entry classes that the cluster's jars name.
        """
        known = [f"#   {each}" for each in programs]
        lines = [
            f"# Of job {self.job_id} ({self.name!r}), as its cluster shows it. It does not show",
            "# the jar, entry class and arguments that it was started with: give them a value.",
            f"job_name: {self.job_name}",
            f"adopt: {self.job_id}",
            "jar:",
            "# The class with main, where the jar's manifest does not name the right one:",
            "# entry_class:",
            *(["# Jars on the cluster name these:", *known] if known else []),
            "# Remove args where there are none.",
        ]
        if self.parameters:
            lines.append(f"# The program has parameters called {', '.join(self.parameters)}.")
        lines.append("args:")
        if self.parallelism is not None:
            lines += ["# The highest of its vertices.", f"parallelism: {self.parallelism}"]
        if self.checkpoint_interval is not None:
            lines += [
                "# Other options are not shown. Remove what the program sets itself.",
                "flink_configuration:",
                f"  execution.checkpointing.interval: {self.checkpoint_interval} ms",
                *([f"  {RETENTION}: {RETAINED}"] if self.retains_checkpoints else []),
            ]
        return "\n".join(lines) + "\n"


async def adoptable_jobs(plane: FlinkRest, jobs: NamedJobs) -> list[AdoptableJob]:
    """Return the running jobs that no stack or gateway has, as far as their cluster shows that."""
    marks = await plane.marked_jobs()
    free = [
        job
        for job in jobs.snapshot.jobs
        if job.active
        and marks.get(job.job_id) is not Mark.ADOPTED
        and (jobs.owner(job) is None or job.job_id in marks)
    ]
    ordered = sorted(free, key=lambda job: (job.name, job.started))
    return await bounded(ordered, lambda job: _adoptable(plane, job))


def write_job_files(
    jobs: list[AdoptableJob], programs: Sequence[str], directory: Path
) -> list[str]:
    """Write the job files of jobs; no file is overwritten.

    `programs` are the entry classes that the cluster's jars name.

    Raises:
        PermanentError: There is a file of that name, or the directory cannot be written.
    """
    names = [job.job_name for job in jobs]
    paths = [
        directory / f"{name}{f'-{job.job_id[:6]}' if names.count(name) > 1 else ''}.yaml"
        for job, name in zip(jobs, names, strict=True)
    ]
    if there := [str(path) for path in paths if path.exists()]:
        raise PermanentError(
            f"there is a file already: {', '.join(there)}",
            now="No file was written",
            remedy="Choose another --directory, or move it away",
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for job, path in zip(jobs, paths, strict=True):
            with path.open("x", encoding="utf-8") as file:
                file.write(job.job_file(programs))
    except OSError as error:
        raise PermanentError(f"{directory} cannot be written: {error.strerror}") from None
    return [str(path) for path in paths]


async def _adoptable(plane: FlinkRest, job: ObservedJob) -> AdoptableJob:
    parallelism, checkpointing, configuration = await asyncio.gather(
        plane.parallelism(job.job_id),
        _asked(plane, f"jobs/{job.job_id}/checkpoints/config"),
        _asked(plane, f"jobs/{job.job_id}/config"),
    )
    interval = int(checkpointing.get("interval") or 0)
    kept = checkpointing.get("externalization") or {}
    user = (configuration.get("execution-config") or {}).get("user-config") or {}
    return AdoptableJob(
        job_id=job.job_id,
        name=job.name,
        status=job.status.value,
        age=max(0, int(time.time() - job.started / 1000)),
        parallelism=parallelism,
        checkpoint_interval=interval if 0 < interval < _NEVER else None,
        retains_checkpoints=bool(kept.get("enabled")) and not kept.get("delete_on_cancellation"),
        parameters=tuple(sorted(user)),
    )


async def _asked(plane: FlinkRest, path: str) -> dict[str, Any]:
    try:
        body = await plane.client.get(path)
    except FlinkAnswer:
        return {}  # a batch job has no checkpoints
    return body if isinstance(body, dict) else {}
