"""`FlinkJob`, as a Pulumi program declares it."""

from collections.abc import Mapping
from typing import Any, Unpack

import pulumi
from pulumi import Alias, Output, ResourceOptions
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
from flink_jobs_provider.provider.dynamic_state import owner_of_stack
from flink_jobs_provider.provider.job_outputs import JobOutputs, computed_names, with_outputs
from flink_jobs_provider.provider.program_interrupts import print_no_interrupts

#: The type of the same resource as the native plugin has it: its state is taken over.
PLUGIN_TYPE = "flink-jobs:index:Job"
#: They hold the values of inputs that are secret, or were in a version before.
_SECRET_OUTPUTS = ["version_inputs"]


class FlinkJob(JobOutputs, Resource, module="flink_jobs", name="FlinkJob"):
    """A Flink job: declared here, run on its cluster, with its state carried over.

    Takes a `FlinkJobArgs`, or the same names as keywords.
    """

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
        print_no_interrupts()
        props = declared_inputs(args, inputs)
        outputs = dict.fromkeys(computed_names())
        props[RESOURCE_KEY] = _identity(resource_name, opts.parent if opts else None)
        if pulumi.runtime.is_dry_run():
            props[PREVIEW_KEY] = True
        if has_outputs(props):
            props[SECRETS_KEY] = Output.from_input(secret_paths(dict(props)))
        self._problems = invalid_name(resource_name)
        props[OPTIONS_KEY] = self._problems
        opts = ResourceOptions.merge(opts, taking_over(PLUGIN_TYPE, resource_name, opts))
        super().__init__(FlinkJobProvider(), resource_name, {**outputs, **props}, opts)

    def _get_providers(
        self, t: str, pkg: str | None, opts: ResourceOptions
    ) -> tuple[pulumi.ProviderResource | None, Mapping[str, pulumi.ProviderResource]]:
        """Check the options after all transformations: the SDK calls this with those."""
        self._problems += without_effect(opts)
        return super()._get_providers(t, pkg, opts)


with_outputs(FlinkJob)


def declared_inputs(args: FlinkJobArgs | JobArguments | None, inputs: JobInputs) -> dict[str, Any]:
    """Return the inputs of a job by name, with the default of its owner.

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
    return props


def taking_over(type_: str, resource_name: str, opts: ResourceOptions | None) -> ResourceOptions:
    """Return the options by which a resource goes on with the state of another type of the same.

    An alias is written as a URN where that is known: one by its type takes the SDK as long as a
    sixth of all else about a resource.
    """
    alias: Alias | str = Alias(type_=type_)
    if opts is None or opts.parent is None:
        stack, project = pulumi.get_stack(), pulumi.get_project()
        alias = f"urn:pulumi:{stack}::{project}::{type_}::{resource_name}"
    return ResourceOptions(aliases=[alias], additional_secret_outputs=_SECRET_OUTPUTS)


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
    return owner_of_stack(pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack())
