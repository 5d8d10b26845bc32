"""`FlinkJob`, as a Pulumi program declares it.

Annotations are not postponed here: the SDK evaluates those of the class again for each resource,
and those that are text cost it almost three times as much.
"""

import inspect
from collections.abc import Mapping
from typing import Any, Unpack

import pulumi
from pulumi import Output, ResourceOptions
from pulumi.dynamic import Resource

from flink_jobs_provider.provider.args import FlinkJobArgs, JobArguments, JobInputs
from flink_jobs_provider.provider.dynamic import (
    OPTIONS_KEY,
    PREVIEW_KEY,
    RESOURCE_KEY,
    SECRETS_KEY,
    FlinkJobProvider,
    has_outputs,
    invalid_name,
    secret_paths,
    without_effect,
)

#: They hold the values of inputs that are secret, or were in a version before.
_SECRET_OUTPUTS = ResourceOptions(additional_secret_outputs=["version_inputs"])


class FlinkJob(Resource, module="flink_jobs", name="FlinkJob"):
    """A Flink job: declared here, run on its cluster, with its state carried over.

    Takes a `FlinkJobArgs`, or the same names as keywords.
    """

    job_name: Output[str]
    jar_digest: Output[str]
    job_id: Output[str | None]
    run_id: Output[str | None]
    started_at: Output[str | None]
    status: Output[str]
    action: Output[str | None]
    action_result: Output[str | None]
    job_output: Output[str]
    last_savepoint: Output[str | None]
    savepoints: Output[list[dict[str, Any]]]
    generation: Output[int]
    restored_from: Output[str | None]
    restore_point: Output[dict[str, Any] | None]
    honoured: Output[str | None]
    unconfirmed: Output[str | None]
    adopted: Output[str | None]
    gate_failed: Output[dict[str, Any] | None]
    running_parallelism: Output[int | None]
    retains_checkpoints: Output[bool | None]
    submitted_parallelism: Output[dict[str, int] | None]
    rescaled: Output[str | None]
    flink_version: Output[str | None]
    dashboard_url: Output[str | None]
    other_version: Output[bool]
    duplicates: Output[list[str]]
    rehearsals: Output[list[str] | None]
    history: Output[list[dict[str, Any]] | None]
    version_inputs: Output[dict[str, str] | None]

    def __init__(
        self,
        resource_name: str,
        args: FlinkJobArgs | JobArguments | None = None,
        opts: ResourceOptions | None = None,
        **inputs: Unpack[JobInputs],
    ) -> None:
        """Declare a job.

        Args:
            resource_name: The resource's name in the stack.
            args: All inputs as a `FlinkJobArgs`; else the job's own arguments.
            opts: Pulumi's resource options.
            inputs: The inputs by name, instead of an object.

        Raises:
            TypeError: A `FlinkJobArgs` and keywords are given, or `jar_digest`.
        """
        if isinstance(args, FlinkJobArgs):
            if inputs:
                raise TypeError("give either a FlinkJobArgs or keywords, not both")
            props = args.props()
        else:
            props = FlinkJobArgs(args=args, **inputs).props()
        props.setdefault("owner", default_owner())
        outputs = dict.fromkeys(_output_names())
        props[RESOURCE_KEY] = _identity(resource_name, opts.parent if opts else None)
        if pulumi.runtime.is_dry_run():
            props[PREVIEW_KEY] = True
        if has_outputs(props):
            props[SECRETS_KEY] = Output.from_input(secret_paths(dict(props)))
        self._problems = invalid_name(resource_name)
        props[OPTIONS_KEY] = self._problems
        opts = ResourceOptions.merge(opts, _SECRET_OUTPUTS)
        super().__init__(FlinkJobProvider(), resource_name, {**outputs, **props}, opts)

    def _get_providers(
        self, t: str, pkg: str | None, opts: ResourceOptions
    ) -> tuple[pulumi.ProviderResource | None, Mapping[str, pulumi.ProviderResource]]:
        """Check the options after all transformations: the SDK calls this with those."""
        self._problems += without_effect(opts)
        return super()._get_providers(t, pkg, opts)


def _output_names() -> list[str]:
    """Return the names of what the provider computes; `job_name` is an input."""
    return [name for name in inspect.get_annotations(FlinkJob) if name != "job_name"]


#: The parents of jobs, by type and name: two of one type and name have other parents themselves.
_parents: dict[tuple[str, str], list[pulumi.Resource]] = {}


def _identity(name: str, parent: pulumi.Resource | None) -> str:
    """Return an identity of a resource within its stack, with its name after the last `::`.

    The URN would, but is not known before the resource is registered.
    """
    if parent is None:
        return f"::{name}"
    kind = (parent.pulumi_resource_type, parent.pulumi_resource_name)
    known = _parents.setdefault(kind, [])
    if not any(each is parent for each in known):
        known.append(parent)
    number = next(index for index, each in enumerate(known) if each is parent)
    return f"{kind[0]}#{number}::{kind[1]}/{name}"


def default_owner() -> str:
    """Return who owns the jobs of this stack: organization/project/stack."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
