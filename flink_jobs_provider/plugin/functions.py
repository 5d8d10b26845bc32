"""The functions of the plugin, as a Pulumi program in Python calls them.

Each exists twice, as in any SDK of Pulumi: at once, on values that are known; and as an `Output`,
on inputs that other resources may have yet to give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pulumi import Input, InvokeOptions, InvokeOutputOptions, Output
from pulumi.runtime import invoke, invoke_output

from flink_jobs_provider.plugin.function_answers import (
    CheckedState,
    FoundJob,
    JobList,
    JobSavepoints,
    typed,
)
from flink_jobs_provider.plugin.provider_configuration import PACKAGE
from flink_jobs_provider.provider.args import FlinkSessionCluster, InputObject, JobArguments

T = TypeVar("T")
#: A Flink cluster, as `Job` takes it.
Cluster = FlinkSessionCluster | Mapping[str, Any]
_Options = InvokeOptions | InvokeOutputOptions


def get_jobs(
    *, target: Cluster | None = None, ended: bool = False, opts: InvokeOptions | None = None
) -> JobList:
    """List the jobs of a Flink cluster that are active, or all.

    Args:
        target: The Flink cluster; by default the provider's target.
        ended: Whether jobs that have ended are listed, too.
        opts: Pulumi's options of a call.
    """
    return _now(JobList, "getJobs", **locals())


def get_jobs_output(
    *,
    target: Input[Cluster] | None = None,
    ended: Input[bool] = False,
    opts: _Options | None = None,
) -> Output[JobList]:
    """Do as `get_jobs`, on inputs."""
    return _output(JobList, "getJobs", **locals())


def get_job(
    job: str, *, target: Cluster | None = None, opts: InvokeOptions | None = None
) -> FoundJob:
    """Return one job of a Flink cluster: its status, its health, where its state is.

    Args:
        job: Its job_name, its jobId or the first digits of it, or the name that its program gives
            itself.
        target: The Flink cluster; by default the provider's target.
        opts: Pulumi's options of a call.

    Raises:
        Exception: There is no such job.
    """
    return _now(FoundJob, "getJob", **locals())


def get_job_output(
    job: Input[str], *, target: Input[Cluster] | None = None, opts: _Options | None = None
) -> Output[FoundJob]:
    """Do as `get_job`, on inputs."""
    return _output(FoundJob, "getJob", **locals())


def get_savepoints(
    job: str,
    *,
    target: Cluster | None = None,
    directory: str | None = None,
    opts: InvokeOptions | None = None,
) -> JobSavepoints:
    """List a job's savepoints, as far as their directories can be read from here.

    Args:
        job: As of `get_job`; also the job_name of a job that the cluster no longer lists.
        target: The Flink cluster; by default the provider's target.
        directory: Where they are searched for: the job's savepoint_directory. By default the
            cluster's own, and where the submissions that the cluster lists had theirs.
        opts: Pulumi's options of a call.
    """
    return _now(JobSavepoints, "getSavepoints", **locals())


def get_savepoints_output(
    job: Input[str],
    *,
    target: Input[Cluster] | None = None,
    directory: Input[str] | None = None,
    opts: _Options | None = None,
) -> Output[JobSavepoints]:
    """Do as `get_savepoints`, on inputs."""
    return _output(JobSavepoints, "getSavepoints", **locals())


def check_job(  # noqa: PLR0913 - the inputs of the function
    job: str,
    *,
    jar: str,
    target: Cluster | None = None,
    entry_class: str | None = None,
    args: Sequence[str] | str | None = None,
    parallelism: int | None = None,
    flink_configuration: Mapping[str, str] | None = None,
    state_check: str | None = None,
    opts: InvokeOptions | None = None,
) -> CheckedState:
    """Compare a running job's state with a new version, whose `main` runs for its plan.

    Args:
        job: As of `get_job`.
        jar: Path or URI of the new version's jar.
        target: The Flink cluster; by default the provider's target.
        entry_class: As of `Job`, and so are those that follow.
        args: The arguments of `main`.
        parallelism: The parallelism.
        flink_configuration: Options of Flink.
        state_check: Whether an update would be refused.
        opts: Pulumi's options of a call.

    Raises:
        Exception: No such job runs, or the new version cannot be planned.
    """
    return _now(CheckedState, "checkJob", **locals())


def check_job_output(  # noqa: PLR0913 - the inputs of the function
    job: Input[str],
    *,
    jar: Input[str],
    target: Input[Cluster] | None = None,
    entry_class: Input[str] | None = None,
    args: JobArguments | None = None,
    parallelism: Input[int] | None = None,
    flink_configuration: Input[Mapping[str, Input[str]]] | None = None,
    state_check: Input[str] | None = None,
    opts: _Options | None = None,
) -> Output[CheckedState]:
    """Do as `check_job`, on inputs."""
    return _output(CheckedState, "checkJob", **locals())


# The functions above pass their parameters on as they are, which `locals()` has: each but `opts` is
# an input of the plugin's function by the same name.


def _now(of: type[T], name: str, /, *, opts: InvokeOptions | None, **inputs: Any) -> T:
    return typed(of, invoke(f"{PACKAGE}:index:{name}", _props(inputs), opts).value)


def _output(of: type[T], name: str, /, *, opts: _Options | None, **inputs: Any) -> Output[T]:
    found: Output[Any] = invoke_output(f"{PACKAGE}:index:{name}", _props(inputs), opts)
    return found.apply(lambda value: typed(of, value))


def _props(inputs: Mapping[str, Any]) -> dict[str, Any]:
    target = inputs["target"]
    plain = target.props() if isinstance(target, InputObject) else target
    given = {**inputs, "target": plain}
    return {name: value for name, value in given.items() if value is not None}
