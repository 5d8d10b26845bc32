"""`FlinkJob`, as a Pulumi program declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.provider.dynamic import FlinkJobProvider


class _InputObject:
    """Named inputs of one object; those that are not given are left out."""

    def props(self) -> dict[str, Any]:
        """Return the inputs by name, nested ones as plain maps."""
        return {name: _plain(value) for name, value in vars(self).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, _InputObject):
        return value.props()
    if isinstance(value, Output):
        return value.apply(_plain)
    return value


class BasicAuth(_InputObject):
    """HTTP basic authentication.

    Args:
        username: User name.
        password: Reference to the password: `env:NAME` or `config:KEY`.
    """

    def __init__(self, username: Input[str], password: Input[str]) -> None:
        self.username = username
        self.password = password


class Tls(_InputObject):
    """How a cluster's certificate is checked, and which one is shown to it.

    Args:
        ca_file: PEM file with the certificates to trust, instead of the system's.
        certificate_file: PEM file with a client certificate, for mutual TLS.
        key_file: PEM file with its key.
        key_password: Reference to the key's password: `env:NAME` or `config:KEY`.
    """

    def __init__(
        self,
        ca_file: Input[str] | None = None,
        certificate_file: Input[str] | None = None,
        key_file: Input[str] | None = None,
        key_password: Input[str] | None = None,
    ) -> None:
        self.ca_file = ca_file
        self.certificate_file = certificate_file
        self.key_file = key_file
        self.key_password = key_password


class FlinkSessionCluster(_InputObject):
    """A Flink session cluster as a target.

    Args:
        url: Address of its REST API, with any path that a proxy wants.
        basic_auth: User name, and password by reference.
        bearer_token: Reference to a bearer token: `env:NAME` or `config:KEY`.
        headers: Further headers, sent with each request.
        secret_headers: Further headers, each value a reference.
        tls: TLS options; https alone uses the system's trust.
    """

    def __init__(
        self,
        url: Input[str],
        *,
        basic_auth: BasicAuth | Input[Mapping[str, Input[str]]] | None = None,
        bearer_token: Input[str] | None = None,
        headers: Input[Mapping[str, Input[str]]] | None = None,
        secret_headers: Input[Mapping[str, Input[str]]] | None = None,
        tls: Tls | Input[Mapping[str, Input[str]]] | None = None,
    ) -> None:
        self.kind = "flink"
        self.url = url
        self.basic_auth = basic_auth
        self.bearer_token = bearer_token
        self.headers = headers
        self.secret_headers = secret_headers
        self.tls = tls


class Timeouts(_InputObject):
    """How long each step may take, as durations ("90s", "10m", "1h30m").

    Args:
        submit: Uploading the jar and having Flink accept the job (5m).
        running: From accepted to all tasks running (10m).
        savepoint: Taking a savepoint, and stopping with one (30m).
        cancel: From a cancel to the job's end (5m).
    """

    def __init__(
        self,
        submit: Input[str] | None = None,
        running: Input[str] | None = None,
        savepoint: Input[str] | None = None,
        cancel: Input[str] | None = None,
    ) -> None:
        self.submit = submit
        self.running = running
        self.savepoint = savepoint
        self.cancel = cancel


class FlinkJobArgs(_InputObject):
    """The inputs of a `FlinkJob`; the resource reference in the docs says what each means."""

    def __init__(
        self,
        *,
        target: FlinkSessionCluster | Input[Mapping[str, Any]] | None = None,
        job_name: Input[str] | None = None,
        jar: Input[str] | None = None,
        entry_class: Input[str] | None = None,
        args: Input[Sequence[Input[str]]] | Input[str] | None = None,
        parallelism: Input[int] | None = None,
        flink_configuration: Input[Mapping[str, Input[str]]] | None = None,
        savepoint_directory: Input[str] | None = None,
        desired_state: Input[str] | None = None,
        upgrade_mode: Input[str] | None = None,
        restore_from: Input[str] | None = None,
        allow_non_restored_state: Input[bool] | None = None,
        savepoint_format: Input[str] | None = None,
        savepoint_trigger: Input[str] | None = None,
        restart_trigger: Input[str] | None = None,
        on_delete: Input[str] | None = None,
        timeouts: Timeouts | Input[Mapping[str, Input[str]]] | None = None,
        owner: Input[str] | None = None,
    ) -> None:
        self.target = target
        self.job_name = job_name
        self.jar = jar
        self.entry_class = entry_class
        self.args = args
        self.parallelism = parallelism
        self.flink_configuration = flink_configuration
        self.savepoint_directory = savepoint_directory
        self.desired_state = desired_state
        self.upgrade_mode = upgrade_mode
        self.restore_from = restore_from
        self.allow_non_restored_state = allow_non_restored_state
        self.savepoint_format = savepoint_format
        self.savepoint_trigger = savepoint_trigger
        self.restart_trigger = restart_trigger
        self.on_delete = on_delete
        self.timeouts = timeouts
        self.owner = owner


class FlinkJob(Resource, module="flink_jobs", name="FlinkJob"):
    """A Flink job: declared here, carried out on its cluster with its state kept.

    Takes a `FlinkJobArgs`, or the same names as keywords.
    """

    job_name: Output[str]
    jar_digest: Output[str]
    job_id: Output[str | None]
    status: Output[str]
    action: Output[str | None]
    action_result: Output[str | None]
    job_output: Output[str]
    last_savepoint: Output[str | None]
    savepoints: Output[list[dict[str, Any]]]
    generation: Output[int]
    restored_from: Output[str | None]
    running_parallelism: Output[int | None]
    flink_version: Output[str | None]
    dashboard_url: Output[str | None]
    duplicates: Output[list[str]]

    def __init__(
        self,
        resource_name: str,
        args: FlinkJobArgs | Input[Sequence[Input[str]]] | Input[str] | None = None,
        opts: ResourceOptions | None = None,
        **inputs: Any,
    ) -> None:
        """Declare a job.

        Args:
            resource_name: The resource's name in the stack.
            args: All inputs as a `FlinkJobArgs`; else the job's own arguments.
            opts: Pulumi's resource options.
            inputs: The inputs, as keywords of the names of `FlinkJobArgs`.

        Raises:
            TypeError: A `FlinkJobArgs` and keywords are given, or a keyword is unknown.
        """
        if not isinstance(args, FlinkJobArgs):
            args = FlinkJobArgs(args=args, **inputs)
        elif inputs:
            raise TypeError("give either a FlinkJobArgs or keywords, not both")
        props = args.props()
        props.setdefault("owner", default_owner())
        outputs = dict.fromkeys([*JobRecord.output_names(), "jar_digest"])
        super().__init__(FlinkJobProvider(), resource_name, {**outputs, **props}, opts)


def default_owner() -> str:
    """Return who owns the jobs of this stack: organization/project/stack."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
