"""A cluster of HDInsight on AKS as the place where a job runs, and what its job API cannot carry.

Its `args` is one text that is split at blanks, its `flinkConfiguration` a map of texts in which
two keys are its own, and it has no field at all for some inputs of a job.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from flink_jobs_provider.model.target.address import (
    KIND,
    RUNS_ONE_VERSION,
    Reference,
    Segment,
    Tls,
    UploadDirectory,
    checked_url,
    host_and_path,
    is_local,
    is_this_machine,
    of_tls,
    split_arguments,
    unreadable_jar,
)
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.hdinsight import PARALLELISM_KEY, SAVEPOINT_DIRECTORY_KEY, ApiVersion

#: The address of Azure Resource Manager, and the scope of its tokens.
AZURE = "https://management.azure.com"
AZURE_SCOPE = f"{AZURE}/.default"
_AZURE_HOSTS = {
    "management.azure.com",
    "management.chinacloudapi.cn",
    "management.usgovcloudapi.net",
}

#: The properties of a credential that each kind must have, and may have besides `scope`.
_CREDENTIALS: dict[str, tuple[set[str], set[str]]] = {
    "default": (set(), set()),
    "service-principal": ({"tenant_id", "client_id", "client_secret"}, set()),
    "workload-identity": (set(), {"tenant_id", "client_id"}),
    "managed-identity": (set(), {"client_id"}),
    "cli": (set(), {"tenant_id"}),
}


class AzureCredential(BaseModel):
    """How a token of Entra ID is obtained, through azure-identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal[
        "default", "service-principal", "workload-identity", "managed-identity", "cli"
    ] = Field(
        description="`default` (whatever this machine has, in azure-identity's order), "
        "`service-principal`, `workload-identity`, `managed-identity`, or `cli` (`az login`)."
    )
    tenant_id: str | None = Field(
        None, validate_default=True, description="Tenant (service-principal; may be given others)."
    )
    client_id: str | None = Field(
        None, validate_default=True, description="Client (service-principal; may be given others)."
    )
    client_secret: Reference | None = Field(
        None, validate_default=True, description="Secret of a service-principal, by reference."
    )
    scope: str = Field(
        AZURE_SCOPE, min_length=1, description="What the token is for; a gateway may want another."
    )

    @field_validator("tenant_id", "client_id", "client_secret")
    @classmethod
    def _fits_kind(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if kind is None or info.field_name is None:
            return value  # the kind itself is invalid, or not known yet
        needed, allowed = _CREDENTIALS[kind]
        if not value and info.field_name in needed:
            raise ValueError(f"is required for kind {kind}")
        if value is not None and info.field_name not in needed | allowed:
            raise ValueError(f"must not be given for kind {kind}")
        return value


def _endpoint(value: str) -> str:
    return checked_url(value, "token or credential")


class HDInsightTarget(BaseModel):
    """A Flink cluster of HDInsight on AKS, by its Azure resource; or a gateway that serves its API.

    The job service identifies jobs by name. `check` refuses what its API cannot carry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", title="HDInsightCluster")

    label: ClassVar[str] = "HDInsight"
    is_job_service: ClassVar[Literal[True]] = True
    checks_state_before_start: ClassVar[bool] = False
    dates_savepoints: ClassVar[bool] = True
    changes_running_jobs: ClassVar[bool] = False
    queue: ClassVar[str | None] = None

    kind: Literal["hdinsight"] = Field(description=KIND)
    subscription: Segment = Field(description="Subscription id.")
    resource_group: Segment = Field(description="Resource group.")
    cluster_pool: Segment = Field(description="Cluster pool.")
    cluster: Segment = Field(description="Cluster.")
    api_version: Literal["2023-06-01-preview", "2023-11-01-preview", "2024-05-01-preview"] = Field(
        "2024-05-01-preview", description="Version of the API."
    )
    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        AZURE,
        description="Address of Azure Resource Manager, or of a gateway.",
        examples=["https://gateway:8090"],
    )
    token: Reference | None = Field(None, description="Bearer token, by reference.")
    credential: AzureCredential | None = Field(
        None, description="Azure credential; `default`, where no `token` is given either."
    )
    jar_upload_directory: UploadDirectory | None = Field(
        None,
        description="URI of the directory that local jars are uploaded to; the cluster, or the "
        "gateway by its mounts, must know it by the same URI.",
        examples=["abfs://jobs@account.dfs.core.windows.net/jars"],
    )
    tls: Tls | None = Field(None, description="TLS options; https alone uses the system's trust.")

    @field_validator("credential")
    @classmethod
    def _one_of_both(
        cls, value: AzureCredential | None, info: ValidationInfo
    ) -> AzureCredential | None:
        if value is not None and info.data.get("token"):
            raise ValueError("must not be given with token")
        return value

    @property
    def path(self) -> str:
        """The cluster's resource id, which is its path below the endpoint."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.HDInsight/clusterpools/{self.cluster_pool}"
            f"/clusters/{self.cluster}"
        )

    @property
    def place(self) -> str:
        """The cluster's identity: host and resource id, whose case does not count."""
        return host_and_path(self.endpoint) + self.path.lower()

    @property
    def address(self) -> str:
        """The cluster's name in messages."""
        return f"{self.cluster_pool}/{self.cluster} at {self.endpoint}"

    @property
    def is_cloud(self) -> bool:
        """Whether this is Azure itself, in any of its clouds, and no gateway."""
        return urlsplit(self.endpoint).hostname in _AZURE_HOSTS

    @property
    def finds_newest_state(self) -> bool:
        """Whether a start finds a job's newest state: what Azure's own does is documented nowhere.

        A gateway does.
        """
        return not self.is_cloud

    @property
    def loopback(self) -> bool:
        """Whether a gateway on this machine serves the API, so that its local paths are ours."""
        return is_this_machine(self.endpoint)

    def references(self) -> dict[str, str]:
        """Return the references to secrets, by the path of the property that holds each."""
        given = {"token": self.token, **of_tls(self.tls)}
        if self.credential:
            given["credential.client_secret"] = self.credential.client_secret
        return {path: each for path, each in given.items() if each}

    def needed_extra(self) -> tuple[str, str] | None:
        """Return the extra of the package that it needs, with the property that needs it."""
        return None if self.token else ("credential", "azure")


_KEYS = {
    PARALLELISM_KEY: "use parallelism",
    SAVEPOINT_DIRECTORY_KEY: "use savepoint_directory",
    SPEC_NOTE: "the provider records in it which version it has requested",
}


def limits_of(inputs: dict[str, Any], unknown: set[tuple[int | str, ...]]) -> list[tuple[str, str]]:
    """Return the inputs that a target of HDInsight cannot carry: path, and what would be valid.

    The inputs are of any type, valid or not, as far as they are known; `unknown` has the paths of
    the others.
    """
    target = inputs.get("target")
    if not isinstance(target, dict) or target.get("kind") != "hdinsight":
        return []
    problems = [
        *_jar(inputs.get("jar"), target, unknown),
        *split_arguments(inputs.get("args"), "an HDInsight target"),
    ]
    configuration = inputs.get("flink_configuration")
    if isinstance(configuration, dict):
        problems += [
            ("flink_configuration", f"must not set {key} on an HDInsight target: {instead}")
            for key, instead in _KEYS.items()
            if key in configuration
        ]
    version = target.get("api_version")
    lacks_it = version in list(ApiVersion) and not ApiVersion(version).has_last_state_update
    if inputs.get("upgrade_mode") == "last-state" and lacks_it:
        problems.append(
            ("upgrade_mode", f'must not be "last-state" with api_version {version}, which lacks it')
        )
    if inputs.get("upgrade_mode") == "blue-green":
        problems.append(("upgrade_mode", f'must not be "blue-green": {RUNS_ONE_VERSION}'))
    return problems


def _jar(
    jar: Any, target: dict[str, Any], unknown: set[tuple[int | str, ...]]
) -> list[tuple[str, str]]:
    if not isinstance(jar, str) or is_local(jar):
        return unreadable_jar(jar, target, unknown, "cluster", "abfs://…/dir/name.jar")
    if jar.endswith(".jar") and jar.rpartition("/")[2] != ".jar":
        return []
    return [("jar", "must end with a file name in .jar: the cluster reads it where it lies")]
