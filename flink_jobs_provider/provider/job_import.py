"""Jobs that run already and come into a stack by an import: by `<address of the cluster>/<job>`.

A cluster does not show the jar, entry class, arguments and options that a job was started with. So
what is read of it is not a whole record, and nothing is made up for the rest: the program declares
it, and the first update takes the job over as it is, as a create does that finds it running.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.identity import JobKey
from flink_jobs_provider.model.inputs import JOB_NAME_PATTERN
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.record import Adopted, JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.planning.plan import plan
from flink_jobs_provider.provider.job_operations import JobOperations
from flink_jobs_provider.provider.run_output import FlinkJobError

_JOB_ID = re.compile(r"[0-9a-f]{32}")
_JOB_NAME = re.compile(JOB_NAME_PATTERN)
#: What no cluster shows of a job.
UNREAD = ("jar", "entry_class", "args", "flink_configuration")
#: What is known of a version only by its inputs, or of versions that a stack has recorded.
_NOT_SEEN = {"other_version", "history", "version_inputs"}
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
    """A job on a cluster. Without a `key` it is none of ours; then it may have a valid name."""

    job: ObservedJob
    key: JobKey | None
    job_name: str | None


def is_incomplete(recorded: Mapping[str, Any]) -> bool:
    """Whether recorded outputs are of an imported job that no update has taken over yet."""
    return "job_id" in recorded and "jar" not in recorded


def is_foreign(recorded: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Whether an imported job is not one that was started for these inputs' job."""
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


class JobImport:
    """Reads jobs that run already."""

    def __init__(self, jobs: JobOperations) -> None:
        self._jobs = jobs

    def read(
        self, id_: str, owner: str | None, default: FlinkTarget | None, resource: str
    ) -> Imported:
        """Return a job by the id that an import names.

        Args:
            id_: `<address>/<job_name, jobId or Flink's name>`; without an address on `default`.
            owner: The owner of the stack's jobs, if known.
            default: The cluster of jobs that name no target.
            resource: The resource's name, which may be the job's: a jobId does not tell that.

        Raises:
            FlinkJobError: There is no such job, or several, or it is another stack's.
        """
        target, name = _split(id_, default)

        async def find(clusters: Clusters) -> _Found:
            return _find(await clusters.of(target).jobs(), name, owner, id_, resource)

        found = self._jobs.on_clusters(find)
        key, job = found.key, found.job
        known: dict[str, Any] = {"target": target.model_dump(mode="json", exclude_none=True)}
        if found.job_name is not None:
            known["job_name"] = found.job_name
        if owner is not None:
            known["owner"] = owner
        seen = self._seen(known, job.job_id, job.status, foreign=key is None)
        if parallelism := seen.get("running_parallelism"):
            known["parallelism"] = parallelism
        if key is None:
            known["adopt"] = job.job_id
        missing = [*UNREAD, *(each for each in ("job_name", "owner") if each not in known)]
        line = (
            f"{name}: read as job {job.job_id} ({seen['status']}). Its cluster does not show "
            f"{', '.join(missing)}: give them in the program. The next run records them and "
            "restarts nothing, unless they are of another version"
        )
        return Imported(found.job_name or job.job_id, {**known, **seen}, known, line)

    def refresh(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is seen now of an imported job that no update has taken over."""
        status = JobStatus(str(recorded["status"]))
        foreign = "adopt" in recorded
        seen = self._seen(recorded, str(recorded["job_id"]), status, foreign=foreign)
        return {**recorded, **seen}

    def changes(self, recorded: Mapping[str, Any], inputs: dict[str, Any]) -> tuple[str, ...]:
        """Return what an update of an imported job of ours would change on its cluster."""
        spec = JobSpec.model_validate(inputs)
        seen = self._jobs.observe(JobRecord(spec=spec, status=JobStatus.LOST))
        decided = plan(seen, spec)
        if not decided.needed and seen.job_id == recorded["job_id"]:
            return ()
        if seen.other_version:
            return UNREAD
        return tuple(change.name for change in decided.changed) or ("status",)

    def _seen(
        self, known: Mapping[str, Any], job_id: str, status: JobStatus, *, foreign: bool
    ) -> dict[str, Any]:
        """Return the outputs of a job that its cluster shows."""
        spec = JobSpec.model_validate(
            {
                "target": known["target"],
                "job_name": known.get("job_name") or _NOT_READ,
                "owner": known.get("owner") or _NOT_READ,
                "jar": _NOT_READ,
            }
        )
        adopted = Adopted.NOT_COMPARED if foreign else None
        record = JobRecord(spec=spec, job_id=job_id, status=status, adopted=adopted)
        seen = self._jobs.observe(record)
        of_inputs = set(spec.plain())
        return {
            name: value
            for name, value in seen.outputs().items()
            if name not in of_inputs | _NOT_SEEN and value is not None
        }


def _split(id_: str, default: FlinkTarget | None) -> tuple[FlinkTarget, str]:
    address, slash, name = id_.rpartition("/")
    if not name or (not slash and default is None):
        raise _refusal(
            id_,
            "is no id of a job",
            "Give <address of the cluster>/<job>, such as http://localhost:8081/orders; or the job "
            "alone, with flink-jobs:target in the stack's configuration",
        )
    if default is not None and (not slash or address == default.url):
        return default, name
    try:
        return FlinkTarget(url=address), name
    except ValueError:
        why = "does not begin with the address of a Flink cluster"
        raise _refusal(id_, why, "Give its URL") from None


def _find(
    snapshot: ClusterSnapshot, name: str, owner: str | None, id_: str, resource: str
) -> _Found:
    if _JOB_ID.fullmatch(name) and (job := snapshot.by_id.get(name)) is not None:
        for key in (JobKey(each, owner or "") for each in (job.name, resource)):
            if key.owns(name):
                return _Found(job, key, key.name)
        return _Found(job, None, job.name if _JOB_NAME.fullmatch(job.name) else None)
    if _JOB_NAME.fullmatch(name):
        key = JobKey(name, owner or "")
        if ours := snapshot.of(key):
            active = [job for job in ours if job.active]
            return _Found((active or ours)[0], key, name)
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
        return _Found(named[0], None, name if _JOB_NAME.fullmatch(name) else None)
    if named:
        which = ", ".join(job.job_id for job in named)
        raise _refusal(
            id_, f"is the name of {len(named)} running jobs: {which}", "Name one by its jobId"
        )
    raise _refusal(
        id_, "is not there: no job has this name or jobId", "flink-jobs adopt lists what runs"
    )


def _refusal(id_: str, why: str, remedy: str) -> FlinkJobError:
    return FlinkJobError(f"{id_}: it {why}. Nothing was imported. {remedy}.")
