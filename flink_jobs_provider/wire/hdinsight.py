"""The job API of HDInsight on AKS as data: properties, keys of options, versions.

Sources: Microsoft's REST specifications of the API's versions, and the traffic of 2023 and 2024
that the tests of Azure PowerShell have recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

JOB_TYPE = "FlinkJob"
#: The status of a job that never started; `JobStatus` of the model has no such word.
LAUNCH_FAILED = "JOB_LAUNCH_FAILED"

#: Keys of `flinkConfiguration` that are the service's own, and none of Flink's.
PARALLELISM_KEY = "parallelism"
SAVEPOINT_DIRECTORY_KEY = "savepoint.directory"


class ApiVersion(StrEnum):
    """The value of `api-version`, oldest first."""

    V2023_06 = "2023-06-01-preview"
    V2023_11 = "2023-11-01-preview"
    #: In the service's printed versions it has no such name; its recorded traffic has it.
    V2024_05_GA = "2024-05-01"
    V2024_05 = "2024-05-01-preview"

    @property
    def has_run_ids(self) -> bool:
        """Whether jobs have a `runId`, which their ids end in, and lists a `$filter`."""
        return self is not ApiVersion.V2023_06

    @property
    def has_last_state_update(self) -> bool:
        """Whether it knows LAST_STATE_UPDATE and RE_LAUNCH."""
        return self is not ApiVersion.V2023_06


@dataclass(frozen=True)
class JobProperty:
    """One of a job's `properties`.

    Attributes:
        of_version: Whether another value is another version of the job.
        read_only: Whether requests must not rely on it: it is the service's answer.
        longest: Characters that it has at most, where that is known.
        model_input: The input of a job that is sent in it; empty where none is.
    """

    of_version: bool = False
    read_only: bool = False
    longest: int | None = None
    model_input: str = ""


#: In the order of the service's own answers.
JOB_PROPERTIES: Mapping[str, JobProperty] = {
    "jobType": JobProperty(),
    "runId": JobProperty(longest=100),
    "jobName": JobProperty(model_input="job_name"),
    "jobJarDirectory": JobProperty(of_version=True, longest=4096),
    "jarName": JobProperty(of_version=True, longest=255, model_input="jar"),
    "action": JobProperty(),
    "entryClass": JobProperty(of_version=True, longest=1024, model_input="entry_class"),
    "args": JobProperty(of_version=True, model_input="args"),
    "savePointName": JobProperty(longest=4096, model_input="restore_from"),
    "flinkConfiguration": JobProperty(of_version=True, model_input="flink_configuration"),
    "jobId": JobProperty(read_only=True),
    "status": JobProperty(read_only=True),
    "jobOutput": JobProperty(read_only=True),
    "actionResult": JobProperty(read_only=True),
    "lastSavePoint": JobProperty(read_only=True),
}
#: What the job is to be, property by property.
VERSION_PROPERTIES = tuple(name for name, each in JOB_PROPERTIES.items() if each.of_version)


def last_state_prefix(job_name: str) -> str:
    """Return what the output of a DELETE begins with that reports what state of the job is left.

    A gateway's own: of a job that its cluster had lost, no other place records that when its row is
    gone. So a client passes such an output on to its user.
    """
    return f"{job_name}: deleted"
