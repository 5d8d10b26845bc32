"""Which job of a cluster a name or an id on the command line means, and whose each job is.

A jobId holds six digits of a digest of its owner. A name is shown only for an owner that is known
here and has those digits; for any other the digits are shown.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Protocol

from flink_jobs_provider.inspecting.listed_job import ListedJob
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.identity import JobKey, identity_of, owner_digits_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob

#: The owner of jobs that `flink-jobs jobs start` starts, by default.
COMMAND_LINE = "command-line"


class Owners:
    """The owners that are known here, by their digits in a jobId."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._names: dict[str, set[str]] = {}
        for owner in (COMMAND_LINE, *known):
            self._names.setdefault(JobKey("", owner).owner_digits, set()).add(owner)

    def of(self, job_id: str) -> str:
        """Return the owner in a jobId of ours: its name where exactly one fits, else its digits."""
        digits = owner_digits_of(job_id)
        names = self._names.get(digits, set())
        return next(iter(names)) if len(names) == 1 else digits


_SHORTEST_ID = 6
_NEAREST = 5


class NamingPlane(Protocol):
    """A cluster that lists its jobs and knows the names of ours."""

    async def jobs(self, max_age: float = 0.0) -> ClusterSnapshot:
        """Return all jobs."""
        ...

    async def job_names(self) -> dict[str, str]:
        """Return the names of our jobs by the digits that all their submissions share."""
        ...


@dataclass(frozen=True)
class NamedJobs:
    """The jobs of a cluster, with the job_names and owners that are known.

    A name is known by the digits that all submissions of a job share; `attention` has kinds of
    concerns by jobId.
    """

    snapshot: ClusterSnapshot
    names: dict[str, str]
    owners: Owners
    attention: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """Why a part of it is older than the list: none is."""
        return ""

    def shown(self, wanted: str | None) -> list[ListedJob]:
        """Return the jobs that are meant, or all."""
        found = self.snapshot.jobs if wanted is None else self.fitting(wanted)
        return [
            ListedJob(
                key=job.job_id,
                job_id=job.job_id,
                name=self.job_name(job) or job.name,
                status=job.status.value,
                active=job.active,
                started=job.started,
                tasks=job.tasks,
                running_tasks=job.running_tasks,
                needs_attention=self.attention.get(job.job_id, ()),
            )
            for job in found
        ]

    def job_name(self, job: ObservedJob) -> str | None:
        """Return the job_name, or None for a job that is not ours."""
        return self.names.get(identity_of(job.job_id))

    def owner(self, job: ObservedJob) -> str | None:
        """Return the owner as far as it is known, or None for a job that is not ours.

        A job whose jars are gone has no known name; if an owner that is known here has the digits
        in its jobId, it is that owner's.
        """
        owner = self.owners.of(job.job_id)
        known = self.job_name(job) is not None or owner != owner_digits_of(job.job_id)
        return owner if known else None

    def fitting(self, wanted: str) -> list[ObservedJob]:
        """Return the jobs that are meant.

        In this order: by the whole jobId, by job_name, by the first digits of a jobId, and by the
        name that the program gives itself.
        """
        if job := self.snapshot.by_id.get(wanted):
            return [job]
        jobs = self.snapshot.jobs
        return (
            [job for job in jobs if self._bears(job, wanted)]
            or [job for job in jobs if _begins(job.job_id, wanted)]
            or [job for job in jobs if job.name == wanted]
        )

    def _bears(self, job: ObservedJob, wanted: str) -> bool:
        # Its jars, off which names are read, may be gone: the digits of the name suffice.
        return self.job_name(job) == wanted or JobKey(wanted, "").shares_name(job.job_id)

    def name_of(self, job: ObservedJob, wanted: str) -> str:
        """Return the name that a job's savepoints go under: its job_name, or its program's."""
        if JobKey(wanted, "").shares_name(job.job_id):
            return wanted
        return self.job_name(job) or job.name

    def with_name(self, job: ObservedJob, name: str) -> NamedJobs:
        """Return the jobs with the job_name that a user gave one by, if its jobId has it."""
        if not JobKey(name, "").shares_name(job.job_id):
            return self
        return replace(self, names={**self.names, identity_of(job.job_id): name})

    def described(self, jobs: Iterable[ObservedJob]) -> str:
        """Return jobs with their names, owners and ids, for a message."""
        return ", ".join(
            f"{self.job_name(job) or job.name} "
            f"(owner {self.owner(job) or 'unknown'}, job {job.job_id}, {job.state})"
            for job in jobs
        )

    def unknown(self, wanted: str) -> PermanentError:
        """Return the error for a job that the cluster does not list."""
        names = {self.job_name(job) or job.name for job in self.snapshot.jobs}
        return unlisted(f"{wanted}: the cluster lists no such job", wanted, names)

    def vanished(self, wanted: str) -> PermanentError:
        """Return the error for a job that the cluster no longer lists."""
        return PermanentError(
            f"{wanted}: the cluster no longer lists it, so how it ended is not known",
            remedy="Has its JobManager been restarted? `flink-jobs refresh` shows what its "
            "stack makes of it",
        )


def unlisted(happened: str, wanted: str, names: Iterable[str]) -> PermanentError:
    """Return the error for a job that is not listed, with the closest names to the one wanted."""
    by_folded = {name.casefold(): name for name in sorted(names)}
    found = get_close_matches(wanted.casefold(), by_folded, n=_NEAREST)
    nearest = ", ".join(by_folded[each] for each in found)
    return PermanentError(
        f"{happened}; names like it: {nearest}" if nearest else happened,
        remedy="`flink-jobs jobs list --all` shows what there is",
    )


async def named_jobs(plane: NamingPlane, owners: Owners) -> NamedJobs:
    """Ask a cluster for its jobs and their names."""
    snapshot, names = await asyncio.gather(plane.jobs(), plane.job_names())
    return NamedJobs(snapshot, names, owners)


def choose(jobs: NamedJobs, wanted: str) -> tuple[ObservedJob, str]:
    """Find the one job that is meant.

    An active job is preferred to ended ones, and of a job's ended submissions the newest one.

    Returns:
        The job, and the name its savepoints go under.

    Raises:
        PermanentError: None fits, or more than one does.
    """
    fits = jobs.fitting(wanted)
    fits = [job for job in fits if job.active] or _newest(jobs, fits)
    if not fits:
        raise jobs.unknown(wanted)
    if len(fits) > 1:
        raise PermanentError(
            f"{wanted}: one job must fit, and these do: {jobs.described(fits)}",
            remedy="Give the jobId, or the first digits of it that no other one has",
        )
    return fits[0], jobs.name_of(fits[0], wanted)


def _newest(jobs: NamedJobs, ended: Sequence[ObservedJob]) -> list[ObservedJob]:
    """Return the newest of each job's ended submissions; of jobs that are not ours, the last."""
    newest = {
        identity_of(job.job_id) if jobs.job_name(job) else "": job
        for job in sorted(ended, key=lambda each: each.started)
    }
    return list(newest.values())


def _begins(job_id: str, wanted: str) -> bool:
    if len(wanted) < _SHORTEST_ID or not re.fullmatch("[0-9a-fA-F]+", wanted):
        return False
    return job_id.startswith(wanted.lower())
