"""Which resource of a stack declares which job: a job belongs to one resource.

The dynamic provider's `check` is told neither the URN nor the name of a resource, so `FlinkJob`
passes what tells it from the others of its stack as an input (`RESOURCE_KEY`). `check` reads it and
leaves it out of what it returns, so that it is never part of the state. An engine calls `check`
twice for a resource that it replaces: both calls carry the same value.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flink_jobs_provider.model.target import Target
from flink_jobs_provider.provider.resource_key import RESOURCE_KEY

_TARGET: TypeAdapter[Target] = TypeAdapter(Target)

ONE_RESOURCE = "Give one of them another job_name, or take it out of the program"


@dataclass(frozen=True)
class Declaration:
    """A resource's declaration of a job.

    Attributes:
        resource: What tells the resource from others; empty where the engine left it out.
        target: Where the job runs.
        job_name: The job's name.
    """

    resource: str
    target: Target
    job_name: str

    @property
    def job(self) -> tuple[str, str]:
        """The job, as it is told from the others of its stack."""
        return self.target.place, self.job_name

    @classmethod
    def of(cls, inputs: dict[str, Any]) -> Declaration | None:
        """Return what the inputs of a resource declare; None where that is not known yet."""
        name = inputs.get("job_name")
        try:
            target = _TARGET.validate_python(inputs.get("target"))
        except ValidationError:
            return None
        resource = str(inputs.get(RESOURCE_KEY) or "")
        return cls(resource, target, name) if isinstance(name, str) else None


class Declarations:
    """Remembers the first resource that declares each job in a run."""

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
        """Return what lets one job of a name be worked on at a time."""
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
    """Return a resource as people are told of it."""
    return f"'{resource.rpartition('::')[2]}'" if resource else "one whose name is not known"


def _are_two(one: Declaration, other: Declaration) -> bool:
    return bool(one.resource and other.resource) and one.resource != other.resource
