"""The inputs of a `FlinkJob` as a Pulumi program gives them: typed, each an `Input`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypedDict, Unpack

from pulumi import Input, Output


class InputObject:
    """Named inputs of one object; those that are not given are left out."""

    def props(self) -> dict[str, Any]:
        """Return the inputs by name, nested ones as plain maps."""
        return {name: _plain(value) for name, value in vars(self).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, InputObject):
        return value.props()
    if isinstance(value, Output):
        return value.apply(_plain)
    return value


#: The arguments of the job's `main`: a list, or one text that is split at blanks.
JobArguments = Input[Sequence[Input[str]]] | Input[str]


class FlinkJobArgs(InputObject):
    """The inputs of a `FlinkJob`, as one object.

    An unknown name is refused in the preview, together with all else that is invalid.

    Args:
        args: The arguments of the job's `main`.
        inputs: The other inputs, by name.

    Raises:
        TypeError: `jar_digest` is given, which is computed.
    """

    def __init__(self, *, args: JobArguments | None = None, **inputs: Unpack[JobInputs]) -> None:
        if "jar_digest" in inputs:
            raise TypeError("jar_digest is computed from jar: it is no input")
        self.args = args
        for name, value in inputs.items():
            setattr(self, name, value)


class DliSettings(InputObject):
    """What a job on Data Lake Insight has besides: the `dli` of a `FlinkJob`.

    An unknown name is refused in the preview, together with all else that is invalid.
    """

    def __init__(self, **settings: Unpack[DliSettingsInputs]) -> None:
        for name, value in settings.items():
            setattr(self, name, value)


# Below this line: written by tools/build_args.py from the model.


@dataclass(eq=False, repr=False)
class BasicAuth(InputObject):
    """HTTP basic authentication.

    Args:
        username: User name.
        password: Password, by reference (`env:NAME` or `config:KEY`).
    """

    username: Input[str]
    password: Input[str]


@dataclass(eq=False, repr=False)
class Tls(InputObject):
    """How the cluster's certificate is checked, and which one is shown to it.

    Args:
        ca_file: Certificates to trust, instead of the system's.
        certificate_file: Client certificate, for mutual TLS.
        key_file: Key of the client certificate.
        key_password: Password of the key, by reference (`env:NAME` or `config:KEY`).
    """

    ca_file: Input[str] | None = None
    certificate_file: Input[str] | None = None
    key_file: Input[str] | None = None
    key_password: Input[str] | None = None


@dataclass(eq=False, repr=False)
class FlinkSessionCluster(InputObject):
    """A Flink session cluster, by the address of its REST API.

    Args:
        url: Address of the cluster's REST API, with any path a proxy wants.
        basic_auth: User name, and password by reference (`env:NAME` or `config:KEY`).
        bearer_token: Bearer token, by reference (`env:NAME` or `config:KEY`).
        headers: Further headers, sent with each request.
        secret_headers: Further headers with values by reference (`env:NAME` or `config:KEY`).
        tls: TLS options; https alone uses the system's trust.
    """

    kind: str = field(default_factory=lambda: "flink", init=False)
    url: Input[str]
    _: KW_ONLY
    basic_auth: BasicAuth | Input[Mapping[str, Input[str]]] | None = None
    bearer_token: Input[str] | None = None
    headers: Input[Mapping[str, Input[str]]] | None = None
    secret_headers: Input[Mapping[str, Input[str]]] | None = None
    tls: Tls | Input[Mapping[str, Input[str]]] | None = None


@dataclass(eq=False, repr=False)
class AzureCredential(InputObject):
    """How a token of Entra ID is obtained, through azure-identity.

    Args:
        kind: `default` (whatever this machine has, in azure-identity's order), `service-principal`,
            `workload-identity`, `managed-identity`, or `cli` (`az login`).
        tenant_id: Tenant (service-principal; may be given others).
        client_id: Client (service-principal; may be given others).
        client_secret: Secret of a service-principal, by reference (`env:NAME` or `config:KEY`).
        scope: What the token is for; a gateway may want another.
    """

    kind: Input[str]
    _: KW_ONLY
    tenant_id: Input[str] | None = None
    client_id: Input[str] | None = None
    client_secret: Input[str] | None = None
    scope: Input[str] | None = None


@dataclass(eq=False, repr=False)
class HDInsightCluster(InputObject):
    """A Flink cluster of HDInsight on AKS, by its Azure resource; or a gateway that serves its API.

    Args:
        subscription: Subscription id.
        resource_group: Resource group.
        cluster_pool: Cluster pool.
        cluster: Cluster.
        api_version: Version of the API.
        endpoint: Address of Azure Resource Manager, or of a gateway.
        token: Bearer token, by reference (`env:NAME` or `config:KEY`).
        credential: Azure credential; `default`, where no `token` is given either.
        jar_upload_directory: URI of the directory that local jars are uploaded to; the cluster, or
            the gateway by its mounts, must know it by the same URI.
        tls: TLS options; https alone uses the system's trust.
    """

    kind: str = field(default_factory=lambda: "hdinsight", init=False)
    subscription: Input[str]
    resource_group: Input[str]
    cluster_pool: Input[str]
    cluster: Input[str]
    _: KW_ONLY
    api_version: Input[str] | None = None
    endpoint: Input[str] | None = None
    token: Input[str] | None = None
    credential: AzureCredential | Input[Mapping[str, Input[str]]] | None = None
    jar_upload_directory: Input[str] | None = None
    tls: Tls | Input[Mapping[str, Input[str]]] | None = None


@dataclass(eq=False, repr=False)
class DliProject(InputObject):
    """A project of Data Lake Insight, in Huawei Cloud or another; or a gateway that serves its API.

    Args:
        project_id: Project id.
        region: Region of Huawei Cloud; or give `endpoint`.
        endpoint: Address of the service in another cloud, or of a gateway.
        queue: Queue that the jobs run in; the service's own choice if not given.
        token: Token of IAM or of a gateway (X-Auth-Token), by reference (`env:NAME` or
            `config:KEY`).
        access_key: Access key, by reference (`env:NAME` or `config:KEY`): requests are signed
            (extra `dli`).
        secret_key: Its secret key, by reference (`env:NAME` or `config:KEY`).
        security_token: Security token of a temporary access key, by reference (`env:NAME` or
            `config:KEY`).
        jar_upload_directory: URI of the directory that local jars are uploaded to; the service, or
            the gateway by its mounts, must know it by the same URI.
        tls: TLS options; https alone uses the system's trust.
    """

    kind: str = field(default_factory=lambda: "dli", init=False)
    project_id: Input[str]
    _: KW_ONLY
    region: Input[str] | None = None
    endpoint: Input[str] | None = None
    queue: Input[str] | None = None
    token: Input[str] | None = None
    access_key: Input[str] | None = None
    secret_key: Input[str] | None = None
    security_token: Input[str] | None = None
    jar_upload_directory: Input[str] | None = None
    tls: Tls | Input[Mapping[str, Input[str]]] | None = None


@dataclass(eq=False, repr=False)
class DliResourceSpec(InputObject):
    """CPU and memory of a process of Flink.

    Args:
        cpu: CPU cores.
        memory: Memory, as the service writes it: "4G" or "4096M".
    """

    cpu: Input[float]
    memory: Input[str]


@dataclass(eq=False, repr=False)
class DliResourceConfig(InputObject):
    """Resources of version 2: what each process has; `parallelism` is the job's own input.

    Args:
        max_slot: Task slots of a TaskManager.
        jobmanager_resource_spec: Of the JobManager.
        taskmanager_resource_spec: Of each TaskManager.
    """

    _: KW_ONLY
    max_slot: Input[int] | None = None
    jobmanager_resource_spec: DliResourceSpec | Input[Mapping[str, Any]] | None = None
    taskmanager_resource_spec: DliResourceSpec | Input[Mapping[str, Any]] | None = None


@dataclass(eq=False, repr=False)
class HealthGate(InputObject):
    """What a version must show after its start; with `{}`, all of it by default.

    Args:
        window: How long the version is watched, at most `1h`; `30s` if not given, and `settle_time`
            for a job without checkpoints. The gate ends later where the checkpoints that it asks
            for take longer, within `timeouts.running`.
        max_restarts: How often it may be restarted after a failure.
        min_checkpoints: How many checkpoints it must complete; a job without periodic ones needs
            none.
        max_checkpoint_slowdown: How many times as long its checkpoints may take as those of the
            version before; not compared if not given.
        require_output: Whether its sinks must receive records until the end of the window, if those
            of the version before did.
        max_lag_growth: By how much it may be further behind in event time than the version before,
            at the end of the window; not compared if not given.
        max_exceptions: How many exceptions Flink may list of it; as many as `max_restarts` if not
            given.
        on_failure: `rollback` runs the previous version again, `keep` leaves the version running.
            The run fails either way.
    """

    _: KW_ONLY
    window: Input[str] | None = None
    max_restarts: Input[int] | None = None
    min_checkpoints: Input[int] | None = None
    max_checkpoint_slowdown: Input[float] | None = None
    require_output: Input[bool] | None = None
    max_lag_growth: Input[str] | None = None
    max_exceptions: Input[int] | None = None
    on_failure: Input[str] | None = None


@dataclass(eq=False, repr=False)
class Rehearsal(InputObject):
    """How the copy differs from the job: it needs other `args` or `flink_configuration`.

    Args:
        args: All arguments of `main`, instead of the job's own: such as send its output elsewhere.
        flink_configuration: Flink options that are added to the job's own, or win.
        parallelism: Default parallelism of the copy; the job's own if not given.
        window: How long the copy is watched, at most `1h`; that of `health` if not given.
        allow_restored_sinks: Let sinks that commit with checkpoints go on from their state in the
            copy: only where that holds nothing to commit, as of Kafka's with at-least-once.
    """

    _: KW_ONLY
    args: Input[Sequence[Input[str]]] | None = None
    flink_configuration: Input[Mapping[str, Input[str]]] | None = None
    parallelism: Input[int] | None = None
    window: Input[str] | None = None
    allow_restored_sinks: Input[bool] | None = None


@dataclass(eq=False, repr=False)
class SavepointRetention(InputObject):
    """Which savepoints of a job are disposed of: those that exceed either limit.

    Args:
        count: How many of its newest savepoints are kept.
        max_age: How old a savepoint may become; not limited if not given.
    """

    _: KW_ONLY
    count: Input[int] | None = None
    max_age: Input[str] | None = None


@dataclass(eq=False, repr=False)
class Timeouts(InputObject):
    """How long each step may take, as durations ("90s", "10m").

    Args:
        submit: Uploading the jar and having Flink accept the job.
        running: From accepted to all tasks running.
        savepoint: Taking a savepoint, and stopping with one.
        cancel: From a cancel to the job's end.
    """

    submit: Input[str] | None = None
    running: Input[str] | None = None
    savepoint: Input[str] | None = None
    cancel: Input[str] | None = None


class DliSettingsInputs(TypedDict, total=False):
    """The settings of a job on Data Lake Insight."""

    desc: Input[str] | None
    """Description, for people."""

    tags: Input[Mapping[str, Input[str]]] | None
    """Tags; they are set when the job is created."""

    flink_version: Input[str] | None
    """Flink version of the service's own image; with `feature` basic."""

    feature: Input[str] | None
    """Which image it runs in: the service's (`basic`), or `image` (`custom`)."""

    image: Input[str] | None
    """An image of one's own; with `feature` custom."""

    dependency_jars: Input[Sequence[Input[str]]] | None
    """Further jars, put on the class path."""

    dependency_files: Input[Sequence[Input[str]]] | None
    """Files the job needs."""

    execution_agency_urn: Input[str] | None
    """Agency through which the job reaches other services (Flink 1.15 on)."""

    cu_number: Input[int] | None
    """CUs of the job in all (v1)."""

    manager_cu_number: Input[int] | None
    """CUs of its JobManager (v1)."""

    tm_cus: Input[int] | None
    """CUs of each TaskManager (v1)."""

    tm_slot_num: Input[int] | None
    """Task slots of each TaskManager (v1)."""

    resource_config: DliResourceConfig | Input[Mapping[str, Any]] | None
    """CPU and memory instead of CUs (v2)."""

    checkpoint_enabled: Input[bool] | None
    """Whether checkpoints are taken."""

    checkpoint_mode: Input[str] | None
    """What checkpoints guarantee."""

    checkpoint_interval: Input[int] | None
    """Seconds between checkpoints."""

    checkpoint_path: Input[str] | None
    """Where checkpoints lie; each job needs a path of its own."""

    resume_checkpoint: Input[bool] | None
    """Whether a restart after a failure starts from the latest checkpoint."""

    resume_max_num: Input[int] | None
    """Most restarts in an hour; -1 for any number."""

    restart_when_exception: Input[bool] | None
    """Whether the service restarts a failed job; needs `resume_checkpoint`."""

    log_enabled: Input[bool] | None
    """Whether logs go to `obs_bucket`."""

    obs_bucket: Input[str] | None
    """Bucket of its logs, and of the savepoints of its stops."""

    smn_topic: Input[str] | None
    """Topic that is notified when the job fails."""

    flink_log_config: Input[str] | None
    """Log levels, as the service's JSON text."""


class JobInputs(TypedDict, total=False):
    """The inputs of a job, but its arguments."""

    target: FlinkSessionCluster | HDInsightCluster | DliProject | Input[Mapping[str, Any]]
    """The cluster the job runs on."""

    job_name: Input[str]
    """The job's identity on its cluster: lower-case letters, digits, dashes."""

    owner: Input[str] | None
    """Who owns the job, as organization/project/stack. Give it in words to keep owning the jobs of
    a stack that was renamed.
    """

    jar: Input[str]
    """Path or URI of the jar (file, http, https; abfs, s3, gs, obs with the extra of that name).
    Compared by content.
    """

    entry_class: Input[str] | None
    """Class with the `main` to run; the manifest's Main-Class if not given."""

    parallelism: Input[int] | None
    """Default parallelism of the job."""

    parallelism_managed_by: Input[str] | None
    """`other`: `parallelism` is that of the first start only, and whoever rescales the running job
    over REST, such as an autoscaler, decides from then on. That is no drift, and a restart keeps
    the parallelism that ran.
    """

    flink_configuration: Input[Mapping[str, Input[str]]] | None
    """Flink options passed with the submission."""

    savepoint_directory: Input[str] | None
    """Where savepoints are written, in <job_name>/<jobId>/ below it; the cluster's own savepoint
    directory if not given.
    """

    desired_state: Input[str] | None
    """`stopped` stops the job with a savepoint."""

    upgrade_mode: Input[str] | None
    """How state is carried over a restart: `savepoint` stops with one and starts from it,
    `last-state` takes the latest retained checkpoint, `stateless` drops the state; `blue-green`
    runs both until the new version is up, which may write output twice.
    """

    max_checkpoint_age: Input[str] | None
    """How old the checkpoint of a `last-state` update may be; older is refused."""

    restore_from: Input[str] | None
    """A savepoint to start from, when the job is new or when this changes."""

    adopt: Input[str] | None
    """A running job to take over when this one is new: its jobId, or the name that Flink shows. It
    goes on as it is; the declared jar, args and options count from the first change that restarts
    it, which carries its state over.
    """

    move: Input[bool] | None
    """Carry the job to another Flink cluster when its target changes: it is stopped with a
    savepoint, and started from it there. Both must reach its savepoints.
    """

    allow_no_way_back: Input[bool] | None
    """Let a job that was adopted be restarted although its program is not known to be the declared
    one, so that nothing can be started again if the new version fails.
    """

    allow_non_restored_state: Input[bool] | None
    """Let state of operators that the new version no longer has be dropped."""

    state_check: Input[str] | None
    """Whether the state of the running version is compared with the operators of the new one before
    anything stops: `strict` refuses to drop state without `allow_non_restored_state`, `warn` prints
    it, `off` saves up to two more runs of `main`.
    """

    savepoint_format: Input[str] | None
    """Format of the savepoints that are taken."""

    savepoint_retention: SavepointRetention | Input[Mapping[str, Any]] | None
    """Dispose of older savepoints of the job after an action that succeeded; `{}` takes all
    defaults. Without it, none is ever disposed of.
    """

    savepoint_trigger: Input[str] | None
    """Any text; a change of it takes a savepoint while the job goes on."""

    restart_trigger: Input[str] | None
    """Any text; a change of it restarts the job."""

    on_delete: Input[str] | None
    """`savepoint` stops the job with a savepoint when the resource is deleted; `release` forgets
    the job and leaves it running.
    """

    drain: Input[bool] | None
    """Fire all timers and windows at a STOP, and at a deletion with a savepoint."""

    settle_time: Input[str] | None
    """How long a version that was started must run without a restart before it counts as up; `0s`
    to the longest, `1h`.
    """

    health: HealthGate | Input[Mapping[str, Any]] | None
    """What a version must show after its start before it counts as up, and what follows if it does
    not; `{}` takes all defaults. Without it, a version must run for `settle_time` without a
    restart, and complete a checkpoint.
    """

    rehearsal: Rehearsal | Input[Mapping[str, Any]] | None
    """Before an UPDATE stops the job, a copy of the new version starts from a savepoint of the
    running one, with these inputs instead of the job's own. It must pass the health gate, and is
    cancelled.
    """

    timeouts: Timeouts | Input[Mapping[str, Input[str]]] | None
    """How long steps may take; each at most `7d`."""

    dli: DliSettings | Input[Mapping[str, Any]] | None
    """Settings of a job on Data Lake Insight; for that target alone."""
