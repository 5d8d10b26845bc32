"""What a run of the engine declares, has seen and has done of each job.

The engine knows resources, and Flink knows jobs. Where a resource was renamed without an alias, or
is replaced, one run creates a job and deletes that very job: in either order, and in two runs if
the first was killed between them. So a job that the program declares is not ended by a delete of
another resource: its new one goes on from it.

`check` shows which jobs those are: it is called for what the program declares, and for nothing
else, not even by `destroy --run-program`. It comes before the deletes at the end of a run; but not
before those of resources that are replaced, which are deleted as soon as they are registered: what
the program declares after them is not checked yet. Nor is what a run leaves out (`--target`).
Measured on Pulumi 3.260.

All refusals here rest on check, diff and delete, which are calls to one process for the resources
of one provider; what another provider's process declares, it shares (`run_claims`). What a refresh
has read may be known to another process: the Pulumi CLI starts one for the reads of `preview
--refresh` and `up --refresh`, and another for the program. Only a job that gets a resource of
another name depends on it: where the old record is unknown, the job is found by what its cluster
shows; and the delete, which is given the record, refuses what has gone on without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, PermanentError, StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import STATE_DELETE
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.model.target import Target
from flink_jobs_provider.provider.run_claims import Claim, RunClaims
from flink_jobs_provider.reconciling.record_updates import keep, knows

#: A job within a stack: where it runs, and its name, which it shares with no other job there.
_Job = tuple[str, str]

_ONE_AFTER_THE_OTHER = (
    "Give the resource that is to have the job an alias of the one that has it; or replace in one "
    "run, which ends the job, and declare it again in the next"
)


class RunRegistry:
    """What a run declares, has seen and has done, by job."""

    def __init__(self) -> None:
        self._declared: dict[_Job, JobSpec] = {}
        self._failed: set[_Job] = set()
        self._refused: set[str] = set()
        self._seen: dict[_Job, JobRecord] = {}
        self._held: dict[_Job, JobRecord] = {}
        self._to_create: set[_Job] = set()
        self._given_up: dict[_Job, str] = {}
        self._secret: dict[_Job, frozenset[str]] = {}
        self._lock = Lock()
        self.declarations = Declarations()
        self._claims: RunClaims | None = None

    def share(self, claims: RunClaims | None) -> None:
        """Share what the program declares with the other provider processes of the run."""
        self._claims = claims

    def declared_elsewhere(self, declared: Declaration) -> list[Declaration]:
        """Share a declaration; return those of a job of this name by other provider processes.

        They may be at other addresses. A resource that two processes declare is one.
        """
        if self._claims is None:
            return []
        target = declared.target.model_dump(mode="json", exclude_none=True)
        self._claims.add(Claim(*declared.job, declared.resource, target))
        return [
            other
            for other in self.elsewhere_in_the_run(declared.job_name)
            if other.resource != declared.resource
        ]

    def elsewhere_in_the_run(self, job_name: str) -> list[Declaration]:
        """Return the declarations of jobs of a name by other provider processes of the run."""
        claims = self._claims.of_others(job_name) if self._claims else []
        declared = (
            Declaration.of(each.resource, {"target": each.target, "job_name": each.job_name})
            for each in claims
        )
        return [each for each in declared if each]

    def mark_declared(self, spec: JobSpec) -> None:
        """Remember a job that the program declares."""
        self._declared[_job(spec)] = spec

    def declare(self, spec: JobSpec) -> str | None:
        """Remember a job that the program declares; return why it is refused, or None.

        It is refused where the resource that has the job is replaced by one of another job.
        """
        with self._lock:
            replaced = self._given_up.get(_job(spec))
            if replaced is None:
                self._declared[_job(spec)] = spec
                return None
        return (
            f"is that of a job whose resource, {replaced}, is replaced by one of another job in "
            f"this run, which ends it. {_ONE_AFTER_THE_OTHER}."
        )

    def mark_secret(self, spec: JobSpec, names: frozenset[str]) -> None:
        """Remember which inputs of a job the program declares as secret."""
        self._secret[_job(spec)] = names

    def secret_inputs(self, spec: JobSpec) -> frozenset[str]:
        """Return the names of those inputs."""
        return self._secret.get(_job(spec), frozenset())

    def is_declared(self, spec: JobSpec) -> bool:
        """Whether the program has declared a job by now."""
        return _job(spec) in self._declared

    def expect_creation(self, spec: JobSpec) -> None:
        """Remember a job that is to get a new resource, or a replacement of the one it has."""
        self._to_create.add(_job(spec))

    def give_up(self, recorded: JobRecord, wanted: JobSpec) -> None:
        """Remember the recorded job, which is to end: its resource is replaced by another job's.

        Raises:
            PermanentError: Another resource declares it: it would be ended first, or not, as the
                engine's steps happen to fall.
        """
        job, name = _job(recorded.spec), recorded.spec.job_name
        replaced, other = self._resource_of(wanted), self._resource_of(recorded.spec)
        with self._lock:
            if job not in self._declared:
                self._given_up[job] = replaced
                return
        raise PermanentError(
            f"{name}: this resource, {replaced}, is to be replaced by one of another job, and "
            f"another resource of this stack, {other}, declares its job in the same run",
            now="Nothing was changed",
            remedy=_ONE_AFTER_THE_OTHER,
        )

    def _resource_of(self, spec: JobSpec) -> str:
        return shown(self.declarations.find(spec.target, spec.job_name).resource)

    def mark_refused(self, job_name: object) -> None:
        """Remember the name of a job whose inputs are invalid: its target may not be known."""
        self._refused.add(str(job_name))

    def observed(self, recorded: JobRecord) -> None:
        """Remember the observed record of a job."""
        self._seen[_job(recorded.spec)] = recorded

    def hold(self, recorded: JobRecord) -> None:
        """Remember the record of a resource that the program declares, as it was before."""
        job = _job(recorded.spec)
        if job in self._declared:
            self._held.setdefault(job, recorded)

    def mark_failed(self, spec: JobSpec) -> None:
        """Remember that a job was to be created or updated, and was not."""
        self._failed.add(_job(spec))

    def mark_brought_about(self, record: JobRecord) -> None:
        """Remember a job that was created, adopted or updated."""
        job = _job(record.spec)
        self._failed.discard(job)
        self._to_create.discard(job)
        self._seen[job] = self._held[job] = record

    def mark_ended(self, recorded: JobRecord, savepoint: str | None) -> None:
        """Remember a job that was deleted, and the state that remains of it."""
        left = recorded
        if savepoint:
            left = keep(left, savepoint, SavepointReason.DELETE)
        status = JobStatus.STOPPED if savepoint else JobStatus.CANCELED
        self.observed(left.model_copy(update={"status": status}))

    def known(self, spec: JobSpec) -> JobRecord | None:
        """Return what another resource has recorded of a job that is to be created, if it was seen.

        The job goes on from there: what it does, and where its state lies, is known by that.
        """
        job = _job(spec)
        seen = self._seen.get(job) or self._held.get(job)
        return seen if seen and seen.spec.key == spec.key else None

    def elsewhere(self, recorded: JobRecord) -> list[JobRecord]:
        """Return the records of jobs that the program declares with this key at another address."""
        job, key = _job(recorded.spec), recorded.spec.key
        return [
            held
            for other, held in self._held.items()
            if other != job and held.spec.key == key and held.job_id
        ]

    def expects_creation(self, recorded: JobRecord) -> bool:
        """Whether the job of a resource to be deleted is still to get another one.

        That one is created later; or never, where the run breaks off before.
        """
        return _job(recorded.spec) in self._to_create and not self._has_failed(recorded)

    def check_found(self, seen: JobRecord) -> None:
        """Check that a resource that is still to be created will find the state of its job.

        `seen` is what the resource to be deleted has recorded, and how the job is now.

        Raises:
            StateUnavailable: It may not: once it is deleted, nothing may know the state.
        """
        wanted = self._declared[_job(seen.spec)]
        state = seen.last_savepoint or seen.restored_from
        dropped = wanted.upgrade_mode is UpgradeMode.STATELESS
        if seen.status.active or not state or dropped or same_path(wanted.restore_from, state):
            return
        raise StateUnavailable(
            f"{seen.spec.job_name}: another resource of this stack, or a replacement of this one, "
            "declares this job, and has not been created",
            now=f"The job is {seen.status}; the old resource is kept, which may alone know the "
            f"state, {state}",
            remedy="Fix what kept the new one from being created, and run again; or give a "
            "renamed resource an alias; or replace without delete_before_replace; or set "
            f"restore_from to {state}",
        )

    def takes_over(self, recorded: JobRecord) -> bool:
        """Whether the program declares the job of a resource that is to be deleted.

        Raises:
            ActionFailed: It does, and that resource failed.
            StateUnavailable: It does, and that resource has not the state of this one.
        """
        job, name = _job(recorded.spec), recorded.spec.job_name
        if self._has_failed(recorded):
            raise ActionFailed(
                f"{name}: another resource of this stack declares this job, and failed in this run",
                now="Nothing was cancelled, and the old resource is kept",
                remedy="Fix what failed there, and run again",
            )
        if job not in self._declared:
            return False
        if job in self._held:
            _check_state(recorded, self._held[job])
        self._seen.setdefault(job, recorded)
        return True

    def _has_failed(self, recorded: JobRecord) -> bool:
        return _job(recorded.spec) in self._failed or recorded.spec.job_name in self._refused


def _job(spec: JobSpec) -> _Job:
    return spec.target.place, spec.job_name


def _check_state(old: JobRecord, new: JobRecord) -> None:
    """Check that a resource which took over a job has the state that the old one had.

    That of a job which ran is found on its cluster. Of one that had ended long ago, or was lost,
    the old resource's record alone may know it; and is seen only now, unless a refresh came first.
    """
    same = old.job_id == new.job_id or (old.run_id is not None and old.run_id == new.run_id)
    dropped = new.spec.upgrade_mode is UpgradeMode.STATELESS
    if old.job_id is None or same or dropped or _has_state_of(old, new):
        return
    state = old.last_savepoint or old.restored_from
    known = f", which is {state}" if state else ""
    alone = (
        "which alone knows the state" if state else f"which names the job that had it, {old.job_id}"
    )
    raise StateUnavailable(
        f"{old.spec.job_name}: another resource of this stack has taken this job over, and has not "
        f"the state of it{known}",
        now=f"There the job is {new.status}; the old resource is kept, {alone}",
        remedy=f"Set restore_from of the new resource to {state or 'a savepoint of that job'}, or "
        'its upgrade_mode to "stateless" to drop the state, and run again; or take the old '
        f"resource out of the stack's state ({STATE_DELETE}), if its state is not needed",
    )


def _has_state_of(old: JobRecord, new: JobRecord) -> bool:
    """Whether a record names the state that another one had.

    The job may have got further than its record shows: a savepoint or checkpoint that was found of
    it has its jobId in the path.
    """
    state = old.last_savepoint or old.restored_from
    if state and knows(new, state):
        return True
    origins = (new.restored_from, new.last_savepoint, *(each.path for each in new.savepoints))
    return old.status.active and any(f"/{old.job_id}/" in path for path in origins if path)


_TARGET: TypeAdapter[Target] = TypeAdapter(Target)

ONE_RESOURCE = "Give one of them another job_name, or take it out of the program"


@dataclass(frozen=True)
class Declaration:
    """A resource's declaration of a job."""

    #: A name that no other resource of the stack has; empty where it is unknown.
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
    """The first resource that declares each job in a run: a job belongs to one resource.

    An engine calls `check` twice for a resource that it replaces: both calls carry the same value.
    Two addresses may lead to one cluster, so that two declarations may be of one job.
    """

    def __init__(self) -> None:
        # By name: a job has few namesakes, and a stack may have thousands of jobs.
        self._first: dict[str, dict[tuple[str, str], Declaration]] = {}
        self._turns: dict[str, Lock] = {}
        self._lock = Lock()

    def add(self, declaration: Declaration) -> Declaration | None:
        """Remember a declaration; return that of another resource for the same job, or None."""
        with self._lock:
            named = self._first.setdefault(declaration.job_name, {})
            first = named.setdefault(declaration.job, declaration)
        return first if _are_two(first, declaration) else None

    def namesakes(self, declaration: Declaration) -> list[Declaration]:
        """Return the declarations of a job of this name by other resources at other addresses."""
        with self._lock:
            named = list(self._first.get(declaration.job_name, {}).values())
        return [
            each for each in named if each.job != declaration.job and _are_two(each, declaration)
        ]

    def turn(self, job_name: str) -> Lock:
        """Return the lock under which one job of a name is worked on at a time."""
        with self._lock:
            return self._turns.setdefault(job_name, Lock())

    def find(self, target: Target, job_name: str) -> Declaration:
        """Return the declaration of a job; one without a resource where none is known."""
        unknown = Declaration("", target, job_name)
        return self._first.get(job_name, {}).get(unknown.job, unknown)


def declared_by_another_provider(recorded: JobRecord, other: Declaration) -> PermanentError:
    """Return the refusal to delete a resource whose job another provider's resource declares."""
    own = recorded.spec.target
    also = "" if other.target.place == own.place else f" at {other.target.address}"
    return PermanentError(
        f"{recorded.spec.job_name}: another resource of this stack, {shown(other.resource)}, "
        f"declares this job{also} by another provider in the same run, and has no alias of this "
        "one",
        now="Nothing of it was ended, and the old resource is kept",
        remedy=f"Take the old resource out of the stack's state ({STATE_DELETE}), which "
        "touches no job; or take the new one out, and declare it with an alias of the old one",
    )


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
