"""Which changes of a job are made while it runs, by a rescale."""

from __future__ import annotations

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.inputs import Cost
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.diff import changes


def rescales_while_it_runs(recorded: JobRecord, wanted: JobSpec) -> bool:
    """Whether all that would restart a job is a change of `parallelism`, which a rescale makes.

    So it is where the cluster rescales running jobs, and the job has checkpoints to go on from:
    both are on record, so that a preview without a refresh knows it.
    """
    runs = recorded.status is JobStatus.RUNNING and not recorded.unconfirmed
    if not runs or recorded.other_version or not recorded.rescales_in_place:
        return False
    found = changes(recorded.spec, wanted)
    return {each.name for each in found if each.cost >= Cost.RESTART} == {"parallelism"}


def is_to_be_rescaled_back(recorded: JobRecord, wanted: JobSpec) -> bool:
    """Whether somebody else rescaled a job whose parallelism nobody else is to manage."""
    by_others = wanted.parallelism_managed_by is ParallelismManager.OTHER
    return bool(recorded.rescaled) and not by_others
