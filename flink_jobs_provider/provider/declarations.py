"""The declarations of a stack: a job belongs to one resource.

Each declaration names its resource, distinct from the others of the stack. An engine calls
`check` twice for a resource that it replaces: both calls carry the same value. Two addresses may
lead to one cluster, so that two declarations may be of one job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.target import DliTarget, FlinkTarget, Target

_TARGET: TypeAdapter[Target] = TypeAdapter(Target)

ONE_RESOURCE = "Give one of them another job_name, or take it out of the program"


@dataclass(frozen=True)
class Declaration:
    """A resource's declaration of a job.

    Attributes:
        resource: A name that no other resource of the stack has; empty where it is unknown.
        target: Where the job runs.
        job_name: The job's name.
    """

    resource: str
    target: Target
    job_name: str

    @property
    def job(self) -> tuple[str, str]:
        """The job's identity within its stack."""
        return self.target.place, self.job_name

    @classmethod
    def of(cls, resource: str, inputs: dict[str, Any]) -> Declaration | None:
        """Return what the inputs of a resource declare; None where that is not known yet."""
        name = inputs.get("job_name")
        try:
            target = _TARGET.validate_python(inputs.get("target"))
        except ValidationError:
            return None
        return cls(resource, target, name) if isinstance(name, str) else None


class Declarations:
    """The first resource that declares each job in a run."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Declaration] = {}
        self._turns: dict[str, Lock] = {}
        self._lock = Lock()

    def add(self, declaration: Declaration) -> Declaration | None:
        """Remember a declaration; return that of another resource for the same job, or None."""
        with self._lock:
            first = self._first.setdefault(declaration.job, declaration)
        return first if _are_two(first, declaration) else None

    def namesakes(self, declaration: Declaration) -> list[Declaration]:
        """Return the declarations of a job of this name by other resources at other addresses."""
        with self._lock:
            known = list(self._first.values())
        return [
            each
            for each in known
            if each.job_name == declaration.job_name
            and each.job != declaration.job
            and _are_two(each, declaration)
        ]

    def turn(self, job_name: str) -> Lock:
        """Return the lock under which one job of a name is worked on at a time."""
        with self._lock:
            return self._turns.setdefault(job_name, Lock())

    def find(self, target: Target, job_name: str) -> Declaration:
        """Return the declaration of a job; one without a resource where none is known."""
        unknown = Declaration("", target, job_name)
        return self._first.get(unknown.job, unknown)


def declared_twice(first: Declaration, second: Declaration) -> str:
    """Return why the second declaration of a job is refused."""
    also = "" if first.job == second.job else f", the same cluster as {first.target.address}"
    return (
        f"is declared by two resources of this stack, {shown(first.resource)} and "
        f"{shown(second.resource)}: both name job {second.job_name} on {second.target.address}"
        f"{also}. {ONE_RESOURCE}."
    )


def shown(resource: str) -> str:
    """Return a resource's name as people know it."""
    return f"'{resource.rpartition('::')[2]}'" if resource else "one whose name is not known"


def _are_two(one: Declaration, other: Declaration) -> bool:
    return bool(one.resource and other.resource) and one.resource != other.resource


async def is_same_cluster(
    clusters: Clusters, one: Target, other: Target, job_name: str
) -> bool | None:
    """Whether two addresses lead to one cluster; None where that is not known.

    A Flink cluster shows what no other one has, unless a proxy hides it. Else the jobs of that
    name decide, once there are any: no two clusters have a job of one id and one start time.
    """
    if one.kind != other.kind:
        return None
    try:
        if isinstance(one, FlinkTarget) and isinstance(other, FlinkTarget):
            names = [(await clusters.of(each).facts()).instance for each in (one, other)]
            if all(names):
                return names[0] == names[1]
        here, there = [await _started_jobs(clusters, each, job_name) for each in (one, other)]
    except JobError:
        return None
    return True if here & there else None


async def _started_jobs(clusters: Clusters, target: Target, name: str) -> set[tuple[object, ...]]:
    rows: Sequence[ActionJob]
    if isinstance(target, FlinkTarget):
        snapshot = await clusters.of(target).jobs()
        return {(job.job_id, job.started) for job in snapshot.jobs if job.started}
    if isinstance(target, DliTarget):
        rows = await clusters.of(target).named(name)
    else:
        rows = [row for row in await clusters.of(target).jobs() if row.job_name == name]
    return {(row.run_id, row.job_id, row.started) for row in rows if row.started}


async def is_same_job(clusters: Clusters, old: JobRecord, new: JobRecord) -> bool:
    """Whether the job of a new record is also on the cluster that the old record names.

    A jobId alone is no evidence: on a Flink cluster it is derived, so that the first version of a
    job has the same one wherever it runs. It is not submitted to two clusters in one millisecond.
    """
    one, other = old.spec.target, new.spec.target
    if isinstance(one, FlinkTarget) and isinstance(other, FlinkTarget):
        here = (await clusters.of(one).jobs()).by_id.get(str(new.job_id))
        there = (await clusters.of(other).jobs()).by_id.get(str(new.job_id))
        return here is not None and there is not None and here.started == there.started
    if old.run_id in (None, old.spec.job_name):
        return False  # one version of HDInsight's API calls a run by the job's name
    names = ((each.run_id, each.job_id, each.started_at) for each in (old, new))
    return next(names) == next(names)
