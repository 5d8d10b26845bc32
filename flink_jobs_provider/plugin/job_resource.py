"""`Job` and `Provider` of the plugin, as a Pulumi program in Python declares them."""

from collections.abc import Mapping
from typing import Any, Unpack

from pulumi import CustomResource, Input, Output, ProviderResource, ResourceOptions

from flink_jobs_provider.provider.args import FlinkJobArgs, InputObject, JobArguments, JobInputs
from flink_jobs_provider.provider.job_outputs import JobOutputs, computed_names, with_outputs
from flink_jobs_provider.provider.program_interrupts import print_no_interrupts
from flink_jobs_provider.provider.resource import PLUGIN_TYPE, declared_inputs, taking_over

PACKAGE = "flink-jobs"
#: The type of the same resource as the dynamic provider has it: its state is taken over.
DYNAMIC_TYPE = "pulumi-python:dynamic/flink_jobs:FlinkJob"


class Job(JobOutputs, CustomResource):
    """A Flink job: declared here, run on its cluster, with its state carried over.

    Takes a `FlinkJobArgs`, or the same names as keywords: those of `FlinkJob`.
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
        props = dict.fromkeys(computed_names()) | declared_inputs(args, inputs)
        opts = ResourceOptions.merge(opts, taking_over(DYNAMIC_TYPE, resource_name, opts))
        super().__init__(PLUGIN_TYPE, resource_name, props, opts)

    @staticmethod
    def get(resource_name: str, id: Input[str], opts: ResourceOptions | None = None) -> "Job":  # noqa: A002 - the name that SDKs have for it
        """Return a job that is there, by its id: `<address of the cluster>/<name or jobId>`."""
        found = Job.__new__(Job)
        props: dict[str, Any] = dict.fromkeys(["job_name", *computed_names()])
        CustomResource.__init__(
            found,
            PLUGIN_TYPE,
            resource_name,
            props,
            ResourceOptions.merge(opts, ResourceOptions(id=id)),
        )
        return found


with_outputs(Job)


class Provider(ProviderResource):
    """A provider with a configuration of its own, for `ResourceOptions(provider=…)`.

    Each is a process of its own.
    """

    def __init__(
        self,
        resource_name: str,
        opts: ResourceOptions | None = None,
        *,
        target: InputObject | Input[Mapping[str, Any]] | None = None,
        organization: Input[str] | None = None,
        secrets: Input[Mapping[str, Input[str]]] | None = None,
        max_concurrent_submissions: Input[int] | None = None,
    ) -> None:
        """Declare a provider.

        Args:
            resource_name: The resource's name in the stack.
            opts: Pulumi's resource options.
            target: The cluster of jobs that name no target.
            organization: The stack's organization, part of the default owner of a job.
            secrets: What references `config:KEY` of targets refer to, by KEY.
            max_concurrent_submissions: How many jobs are submitted to one cluster at once.
        """
        objects = {
            "target": target.props() if isinstance(target, InputObject) else target,
            "secrets": None if secrets is None else Output.secret(secrets),
            "max_concurrent_submissions": max_concurrent_submissions,
        }
        # An engine takes only texts for the inputs of a provider.
        props: dict[str, Any] = {
            name: Output.json_dumps(value) for name, value in objects.items() if value is not None
        }
        if organization is not None:
            props["organization"] = organization
        super().__init__(PACKAGE, resource_name, props, opts)
