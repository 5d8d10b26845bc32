"""Jobs that run already and come into a stack by an import: by `<address of the cluster>/<job>`.

A cluster does not show the jar, entry class, arguments and options that a job was started with; a
job service shows them as they were carried there, with the secrets among them. So what is read is
not a whole record, and nothing is made up for the rest: the program declares it, and the first
update takes the job over as it is, as a create does that finds it running.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.control_planes.service_planes import ActionJob
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.identity import JobKey, generation_of
from flink_jobs_provider.model.inputs import JOB_NAME_PATTERN
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.record import Adopted, JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import TARGETS, FlinkTarget, Target
from flink_jobs_provider.planning.plan import plan
from flink_jobs_provider.provider.job_operations import JobOperations
from flink_jobs_provider.provider.run_output import FlinkJobError
from flink_jobs_provider.reconciling.ownership import read_mark

_JOB_ID = re.compile(r"[0-9a-f]{32}")
_JOB_NAME = re.compile(JOB_NAME_PATTERN)
#: What is read of no job.
UNREAD = ("jar", "entry_class", "args", "flink_configuration")
#: What is known of a version only by its inputs, or of versions that a stack has recorded.
_NOT_SEEN = {"other_version", "history", "version_inputs"}
_NOT_SHOWN = "Its cluster does not show"
#: A provider that is in the state has its configuration from there (`importer` of Pulumi 3.260).
_CONFIGURED = (
    "flink-jobs:target in the stack's configuration (pulumi import goes by what the last up has "
    "recorded of it: run up first where it was set since)"
)
#: Stands for inputs that were not read while a job is observed; it is never answered.
_NOT_READ = "not-read"


@dataclass(frozen=True)
class Imported:
    """What was read of a job: its id as a resource, its outputs and inputs as far as known.

    The line says what was not read.
    """

    id: str
    outputs: dict[str, Any]
    inputs: dict[str, Any]
    line: str = ""


@dataclass(frozen=True)
class _Found:
    """A job on a cluster. Without a `key` it is none of ours; then it may have a valid name.

    A job service has an id of its own for it, and may not show Flink's.
    """

    job_id: str | None
    status: JobStatus
    key: JobKey | None
    job_name: str | None
    run_id: str | None = None
    parallelism: int | None = None

    @classmethod
    def on_flink(cls, job: ObservedJob, key: JobKey | None, job_name: str | None) -> _Found:
        """Return a job of a Flink cluster."""
        return cls(job.job_id, job.status, key, job_name)


def is_incomplete(recorded: Mapping[str, Any]) -> bool:
    """Whether recorded outputs are of an imported job that no update has taken over yet.

    What cannot be read is not: whoever reads it as a whole record tells what is wrong with it.
    """
    if "jar" in recorded:
        return False
    try:
        JobStatus(str(recorded.get("status")))
        _as_far_as_known(recorded)
    except ValueError:
        return False
    return True


def is_of_service(recorded: Mapping[str, Any]) -> bool:
    """Whether recorded outputs are of a job that a job service has."""
    return TARGETS[recorded["target"].get("kind") or "flink"].is_job_service


def is_foreign(recorded: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Whether an imported job is not one that was started for these inputs' job.

    Whose a job of a service is, that service shows when it is taken over.
    """
    if is_of_service(recorded):
        return False
    key = JobKey(str(inputs.get("job_name")), str(inputs.get("owner")))
    return not key.owns(str(recorded["job_id"]))


def completed(recorded: dict[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return recorded outputs with what the program has declared since the import.

    Where the program was declared with the import, its inputs are recorded with what was read. Of
    a job of ours that is a whole record; one of others has yet to be taken over.
    """
    if not is_incomplete(recorded) or "jar" not in inputs or is_foreign(recorded, inputs):
        return recorded
    return recorded | {name: value for name, value in inputs.items() if value is not None}


def adopting(recorded: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs by which an imported job is taken over as it is."""
    if not is_foreign(recorded, inputs):
        return dict(inputs)
    return {**inputs, "adopt": recorded["job_id"]}


def _as_far_as_known(known: Mapping[str, Any]) -> JobSpec:
    return JobSpec.model_validate(
        {
            "target": known.get("target"),
            "job_name": known.get("job_name") or _NOT_READ,
            "owner": known.get("owner") or _NOT_READ,
            "jar": _NOT_READ,
        }
    )


class JobImport:
    """Reads jobs that run already."""

    def __init__(self, jobs: JobOperations) -> None:
        self._jobs = jobs

    def read(self, id_: str, owner: str | None, default: Target | None, resource: str) -> Imported:
        """Return a job by the id that an import names.

        Args:
            id_: `<address>/<job_name, jobId or Flink's name>`; without an address on `default`. On
                a job service, which has its address in the provider's target, the job_name.
            owner: The owner of the stack's jobs, if known.
            default: The cluster of jobs that name no target.
            resource: The resource's name, which may be the job's: a jobId does not tell that.

        Raises:
            FlinkJobError: There is no such job, or several, or it is another stack's.
        """
        target, name = _split(id_, default)

        async def find(clusters: Clusters) -> _Found:
            if not target.is_job_service:
                return _find(await clusters.of(target).jobs(), name, owner, id_, resource)
            rows = await clusters.of(target).named(name)
            return _find_in_service(rows, name, owner, id_, target.label)

        found = self._jobs.on_clusters(find)
        key = found.key
        known: dict[str, Any] = {"target": target.model_dump(mode="json", exclude_none=True)}
        if found.job_name is not None:
            known["job_name"] = found.job_name
        if owner is not None:
            known["owner"] = owner
        seen = self._seen(known | {"job_id": found.job_id, "run_id": found.run_id}, found.status)
        if parallelism := found.parallelism or seen.get("running_parallelism"):
            known["parallelism"] = parallelism
        if key is None and not target.is_job_service:
            known["adopt"] = found.job_id
        missing = [*UNREAD, *(each for each in ("job_name", "owner") if each not in known)]
        job = found.job_id or found.run_id
        why = f"Of a job of {target.label} it does not read" if found.run_id else _NOT_SHOWN
        then = (
            "The next run records them and restarts nothing, unless they are of another version"
            if JobStatus(str(seen["status"])).active
            else "It does not run: the next preview says what the run would do"
        )
        line = (
            f"{name}: read as job {job} ({seen['status']}). {why} {', '.join(missing)}: give them "
            f"in the program. {then}"
        )
        return Imported(found.job_name or str(job), {**known, **seen}, known, line)

    def refresh(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is seen now of an imported job that no update has taken over."""
        return {**recorded, **self._seen(recorded, JobStatus(str(recorded["status"])))}

    def changes(self, recorded: Mapping[str, Any], inputs: dict[str, Any]) -> tuple[str, ...]:
        """Return what an update of an imported job of ours would change on its cluster."""
        spec = JobSpec.model_validate(inputs)
        seen = self._jobs.observe(JobRecord(spec=spec, status=JobStatus.LOST))
        decided = plan(seen, spec)
        if not decided.needed and seen.job_id == recorded.get("job_id"):
            return ()
        if seen.other_version:
            return UNREAD
        return tuple(change.name for change in decided.changed) or ("status",)

    def _seen(self, known: Mapping[str, Any], status: JobStatus) -> dict[str, Any]:
        """Return the outputs of a job that its cluster shows."""
        job_id, run_id = known.get("job_id"), known.get("run_id")
        spec = _as_far_as_known(known)
        foreign = job_id is not None and not run_id and not spec.key.owns(job_id)
        adopted = Adopted.NOT_COMPARED if foreign else None
        record = JobRecord(spec=spec, job_id=job_id, run_id=run_id, status=status, adopted=adopted)
        if job_id is not None and spec.key.owns(job_id):  # the next version counts on from it
            record = record.model_copy(update={"generation": generation_of(job_id)})
        seen = self._jobs.observe(record)
        of_inputs = set(spec.plain())
        return {
            name: value
            for name, value in seen.outputs().items()
            if name not in of_inputs | _NOT_SEEN and value is not None
        }


def _split(id_: str, default: Target | None) -> tuple[Target, str]:
    address, slash, name = id_.rpartition("/")
    if not name or (not slash and default is None):
        raise _refusal(
            id_,
            "is no id of a job",
            "Give <address of the cluster>/<job>, such as http://localhost:8081/orders; or the job "
            f"alone, with {_CONFIGURED}",
        )
    if default is not None and not slash:
        return default, name
    if isinstance(default, FlinkTarget) and address == default.url:
        return default, name
    try:
        return FlinkTarget(url=address), name
    except ValueError:
        why = "does not begin with the address of a Flink cluster"
        remedy = f"Give its URL; a job of a job service by its job_name alone, with {_CONFIGURED}"
        raise _refusal(id_, why, remedy) from None


def _find(
    snapshot: ClusterSnapshot, name: str, owner: str | None, id_: str, resource: str
) -> _Found:
    if _JOB_ID.fullmatch(name) and (job := snapshot.by_id.get(name)) is not None:
        for key in (JobKey(each, owner or "") for each in (job.name, resource)):
            if key.owns(name):
                return _Found.on_flink(job, key, key.name)
        return _Found.on_flink(job, None, job.name if _JOB_NAME.fullmatch(job.name) else None)
    if _JOB_NAME.fullmatch(name):
        key = JobKey(name, owner or "")
        if ours := snapshot.of(key):
            active = [job for job in ours if job.active]
            return _Found.on_flink((active or ours)[0], key, name)
        if strangers := snapshot.strangers(key, ()):
            whose = f"of another owner than {owner}" if owner else "of an owner that is not known"
            raise _refusal(
                id_,
                f"is job {strangers[0].job_id} {whose}",
                "Release it there, and import it by its jobId; or set flink-jobs:organization, "
                "which is part of the owner",
            )
    named = [job for job in snapshot.jobs if job.name == name and job.active]
    if len(named) == 1:
        return _Found.on_flink(named[0], None, name if _JOB_NAME.fullmatch(name) else None)
    if named:
        which = ", ".join(job.job_id for job in named)
        raise _refusal(
            id_, f"is the name of {len(named)} running jobs: {which}", "Name one by its jobId"
        )
    raise _refusal(
        id_, "is not there: no job has this name or jobId", "flink-jobs adopt lists what runs"
    )


def _find_in_service(
    rows: Sequence[ActionJob], name: str, owner: str | None, id_: str, service: str
) -> _Found:
    """Return the job of a name: one that bears our mark, or the only one, which bears none.

    Whether the latter is what the program declares is compared when it is taken over.
    """
    if owner is None:
        raise _refusal(
            id_,
            "may be of any owner: the stack's organization is not known",
            "Set flink-jobs:organization, which is part of the owner",
        )
    key, named = JobKey(name, owner), [row for row in rows if row.job_name == name]
    found = [row for row in named if read_mark(row.version.mark).is_of(key)] or named
    if not found:
        raise _refusal(
            id_, f"is not there: {service} lists no job of this name", "Is its job_name so spelt?"
        )
    row = found[0]
    if len(found) > 1:
        which = "; ".join(map(str, found))
        raise _refusal(
            id_, f"is the name of {len(found)} jobs: {which}", "Delete those that are not needed"
        )
    if row.version.mark and not read_mark(row.version.mark).is_of(key):
        raise _refusal(
            id_,
            f"is job {row} of another owner than {owner}",
            "Release it there; or set flink-jobs:organization, which is part of the owner",
        )
    status = row.status or JobStatus.LOST
    shown = row.version.parallelism
    return _Found(row.job_id, status, key, name, row.run_id, shown)


def _refusal(id_: str, why: str, remedy: str) -> FlinkJobError:
    return FlinkJobError(f"{id_}: it {why}. Nothing was imported. {remedy}.")
