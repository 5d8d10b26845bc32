"""The inputs of a `FlinkJob` as a Pulumi program gives them: typed, each an `Input`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from pulumi import Input, Output


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


class AzureCredential(_InputObject):
    """How a token of Entra ID is had, through azure-identity (extra `azure`).

    Args:
        kind: `default`, `service-principal`, `workload-identity`, `managed-identity` or `cli`.
        tenant_id: Tenant; a service principal needs it.
        client_id: Client; a service principal needs it.
        client_secret: Reference to a service principal's secret: `env:NAME` or `config:KEY`.
        scope: What the token is for; Azure Resource Manager if not given.
    """

    def __init__(
        self,
        kind: Input[str],
        *,
        tenant_id: Input[str] | None = None,
        client_id: Input[str] | None = None,
        client_secret: Input[str] | None = None,
        scope: Input[str] | None = None,
    ) -> None:
        self.kind = kind
        self.tenant_id = tenant_id
        self.client_id = client_id
        self.client_secret = client_secret
        self.scope = scope


class HDInsightCluster(_InputObject):
    """A Flink cluster of HDInsight on AKS as a target, or a gateway that serves its API.

    Args:
        subscription: Subscription id.
        resource_group: Resource group.
        cluster_pool: Cluster pool.
        cluster: Cluster.
        api_version: Version of the API; 2024-05-01-preview if not given.
        endpoint: Address of a gateway; Azure Resource Manager if not given.
        token: Reference to a bearer token: `env:NAME` or `config:KEY`.
        credential: Azure credential, instead of a token.
        jar_upload_directory: URI of the directory that local jars are uploaded to.
        tls: TLS options; https alone uses the system's trust.
    """

    def __init__(
        self,
        subscription: Input[str],
        resource_group: Input[str],
        cluster_pool: Input[str],
        cluster: Input[str],
        *,
        api_version: Input[str] | None = None,
        endpoint: Input[str] | None = None,
        token: Input[str] | None = None,
        credential: AzureCredential | Input[Mapping[str, Input[str]]] | None = None,
        jar_upload_directory: Input[str] | None = None,
        tls: Tls | Input[Mapping[str, Input[str]]] | None = None,
    ) -> None:
        self.kind = "hdinsight"
        self.subscription = subscription
        self.resource_group = resource_group
        self.cluster_pool = cluster_pool
        self.cluster = cluster
        self.api_version = api_version
        self.endpoint = endpoint
        self.token = token
        self.credential = credential
        self.jar_upload_directory = jar_upload_directory
        self.tls = tls


class DliProject(_InputObject):
    """A project of Data Lake Insight as a target, or a gateway that serves its API.

    Args:
        project_id: Project id.
        region: Region of Huawei Cloud.
        endpoint: Address of the service in another cloud, or of a gateway, instead of a region.
        queue: Queue that the jobs run in.
        token: Reference to a token: `env:NAME` or `config:KEY`.
        access_key: Reference to an access key, instead of a token (extra `dli`).
        secret_key: Reference to its secret key.
        security_token: Reference to the security token of a temporary access key.
        jar_upload_directory: URI of the directory that local jars are uploaded to.
        tls: TLS options; https alone uses the system's trust.
    """

    def __init__(
        self,
        project_id: Input[str],
        *,
        region: Input[str] | None = None,
        endpoint: Input[str] | None = None,
        queue: Input[str] | None = None,
        token: Input[str] | None = None,
        access_key: Input[str] | None = None,
        secret_key: Input[str] | None = None,
        security_token: Input[str] | None = None,
        jar_upload_directory: Input[str] | None = None,
        tls: Tls | Input[Mapping[str, Input[str]]] | None = None,
    ) -> None:
        self.kind = "dli"
        self.project_id = project_id
        self.region = region
        self.endpoint = endpoint
        self.queue = queue
        self.token = token
        self.access_key = access_key
        self.secret_key = secret_key
        self.security_token = security_token
        self.jar_upload_directory = jar_upload_directory
        self.tls = tls


class DliResourceSpec(_InputObject):
    """CPU and memory of a process of Flink on Data Lake Insight.

    Args:
        cpu: CPU cores.
        memory: Memory, such as "4G".
    """

    def __init__(self, cpu: Input[float], memory: Input[str]) -> None:
        self.cpu = cpu
        self.memory = memory


class DliResourceConfig(_InputObject):
    """Resources of version 2 of a job on Data Lake Insight.

    Args:
        max_slot: Task slots of a TaskManager.
        jobmanager_resource_spec: What the JobManager has.
        taskmanager_resource_spec: What each TaskManager has.
    """

    def __init__(
        self,
        *,
        max_slot: Input[int] | None = None,
        jobmanager_resource_spec: DliResourceSpec | Input[Mapping[str, Any]] | None = None,
        taskmanager_resource_spec: DliResourceSpec | Input[Mapping[str, Any]] | None = None,
    ) -> None:
        self.max_slot = max_slot
        self.jobmanager_resource_spec = jobmanager_resource_spec
        self.taskmanager_resource_spec = taskmanager_resource_spec


class _DliSettings(TypedDict, total=False):
    """The settings of a job on Data Lake Insight; docs/resource-reference.md says what each is."""

    desc: Input[str] | None
    tags: Input[Mapping[str, Input[str]]] | None
    flink_version: Input[str] | None
    feature: Input[str] | None
    image: Input[str] | None
    dependency_jars: Input[Sequence[Input[str]]] | None
    dependency_files: Input[Sequence[Input[str]]] | None
    execution_agency_urn: Input[str] | None
    cu_number: Input[int] | None
    manager_cu_number: Input[int] | None
    tm_cus: Input[int] | None
    tm_slot_num: Input[int] | None
    resource_config: DliResourceConfig | Input[Mapping[str, Any]] | None
    checkpoint_enabled: Input[bool] | None
    checkpoint_mode: Input[str] | None
    checkpoint_interval: Input[int] | None
    checkpoint_path: Input[str] | None
    resume_checkpoint: Input[bool] | None
    resume_max_num: Input[int] | None
    restart_when_exception: Input[bool] | None
    log_enabled: Input[bool] | None
    obs_bucket: Input[str] | None
    smn_topic: Input[str] | None
    flink_log_config: Input[str] | None


class DliSettings(_InputObject):
    """What a job on Data Lake Insight has besides: the `dli` of a `FlinkJob`.

    An unknown name is refused in the preview, together with all else that is invalid.
    """

    def __init__(self, **settings: Unpack[_DliSettings]) -> None:
        for name, value in settings.items():
            setattr(self, name, value)


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


class JobInputs(TypedDict, total=False):
    """The inputs of a job but its arguments; docs/resource-reference.md says what each means."""

    target: FlinkSessionCluster | HDInsightCluster | DliProject | Input[Mapping[str, Any]]
    job_name: Input[str]
    jar: Input[str]
    entry_class: Input[str] | None
    parallelism: Input[int] | None
    flink_configuration: Input[Mapping[str, Input[str]]] | None
    savepoint_directory: Input[str] | None
    desired_state: Input[str] | None
    upgrade_mode: Input[str] | None
    restore_from: Input[str] | None
    allow_non_restored_state: Input[bool] | None
    savepoint_format: Input[str] | None
    savepoint_trigger: Input[str] | None
    restart_trigger: Input[str] | None
    on_delete: Input[str] | None
    settle_time: Input[str] | None
    timeouts: Timeouts | Input[Mapping[str, Input[str]]] | None
    dli: DliSettings | Input[Mapping[str, Any]] | None
    owner: Input[str] | None


#: The arguments of the job's `main`: a list, or one text that is split at blanks.
JobArguments = Input[Sequence[Input[str]]] | Input[str]


class FlinkJobArgs(_InputObject):
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
