"""The native Pulumi plugin `flink-jobs`: its server, its schema, and its SDK for Python.

`pulumi-resource-flink-jobs` serves the provider protocol over the same `ProviderService` as the
dynamic provider. What a Pulumi program uses is re-exported here, and imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flink_jobs_provider.plugin.function_answers import CheckedState as CheckedState
    from flink_jobs_provider.plugin.function_answers import FoundJob as FoundJob
    from flink_jobs_provider.plugin.function_answers import JobList as JobList
    from flink_jobs_provider.plugin.function_answers import JobSavepoints as JobSavepoints
    from flink_jobs_provider.plugin.functions import check_job as check_job
    from flink_jobs_provider.plugin.functions import check_job_output as check_job_output
    from flink_jobs_provider.plugin.functions import get_job as get_job
    from flink_jobs_provider.plugin.functions import get_job_output as get_job_output
    from flink_jobs_provider.plugin.functions import get_jobs as get_jobs
    from flink_jobs_provider.plugin.functions import get_jobs_output as get_jobs_output
    from flink_jobs_provider.plugin.functions import get_savepoints as get_savepoints
    from flink_jobs_provider.plugin.functions import get_savepoints_output as get_savepoints_output
    from flink_jobs_provider.plugin.job_resource import Job as Job
    from flink_jobs_provider.plugin.job_resource import Provider as Provider

_RESOURCES = ["Job", "Provider"]
_ANSWERS = ["CheckedState", "FoundJob", "JobList", "JobSavepoints"]
__all__ = [
    "CheckedState",
    "FoundJob",
    "Job",
    "JobList",
    "JobSavepoints",
    "Provider",
    "check_job",
    "check_job_output",
    "get_job",
    "get_job_output",
    "get_jobs",
    "get_jobs_output",
    "get_savepoints",
    "get_savepoints_output",
]


def __getattr__(name: str) -> object:
    if name in _RESOURCES:
        from flink_jobs_provider.plugin import job_resource

        return getattr(job_resource, name)
    if name in _ANSWERS:
        from flink_jobs_provider.plugin import function_answers

        return getattr(function_answers, name)
    if name in __all__:
        from flink_jobs_provider.plugin import functions

        return getattr(functions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
