"""Where a job runs, and how that is reached: Flink, HDInsight on AKS, or Data Lake Insight.

Credentials are never part of a target: each is a reference, `env:NAME` for an environment variable
or `config:KEY` for a key of the Pulumi stack's configuration (`pulumi config set --secret KEY`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from flink_jobs_provider.model.dli_target import DliTarget
from flink_jobs_provider.model.places import (
    KIND,
    Reference,
    Segment,
    Tls,
    UploadDirectory,
    checked_url,
    host_and_path,
    is_this_machine,
    of_tls,
)

__all__ = [
    "AZURE",
    "AZURE_SCOPE",
    "AzureCredential",
    "BasicAuth",
    "DliTarget",
    "FlinkTarget",
    "HDInsightTarget",
    "Reference",
    "Target",
    "Tls",
]


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):
        raise ValueError(f"must be a header name (got {value!r})")
    if value.lower() == "authorization":
        raise ValueError("must not be Authorization: use basic_auth or bearer_token")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]


class BasicAuth(BaseModel):
    """HTTP basic authentication."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str = Field(min_length=1, description="User name.")
    password: Reference = Field(description="Password, by reference.")


class FlinkTarget(BaseModel):
    """A Flink session cluster, by the address of its REST API.

    A path in `url` is kept, for a cluster behind a proxy (https://gateway/flink/one).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", title="FlinkSessionCluster")

    label: ClassVar[str] = "Flink"
    #: A job service, or a gateway, decides itself what a start goes on from, and finds jobs.
    is_job_service: ClassVar[bool] = False
    #: Whether this is a cloud's own service, in which nothing is known of this project.
    is_cloud: ClassVar[bool] = False

    kind: Literal["flink"] = Field("flink", description=KIND)
    url: Annotated[str, AfterValidator(checked_url)] = Field(
        description="Address of the cluster's REST API, with any path a proxy wants.",
        examples=["http://localhost:8081"],
    )
    basic_auth: BasicAuth | None = Field(None, description="User name, and password by reference.")
    bearer_token: Reference | None = Field(None, description="Bearer token, by reference.")
    headers: dict[HeaderName, str] = Field(
        default_factory=dict, description="Further headers, sent with each request."
    )
    secret_headers: dict[HeaderName, Reference] = Field(
        default_factory=dict, description="Further headers with values by reference."
    )
    tls: Tls | None = Field(None, description="TLS options; https alone uses the system's trust.")

    @property
    def place(self) -> str:
        """What tells one cluster from another: its address, without how it is reached."""
        return host_and_path(self.url)

    @property
    def address(self) -> str:
        """The cluster, as people are told of it."""
        return self.url

    @property
    def loopback(self) -> bool:
        """Whether the cluster runs on this machine, so that its local paths are ours."""
        return is_this_machine(self.url)

    def references(self) -> dict[str, str]:
        """Return the references to secrets, by the path of the property that holds each."""
        given = {"bearer_token": self.bearer_token, **of_tls(self.tls)}
        if self.basic_auth and not self.bearer_token:
            given["basic_auth.password"] = self.basic_auth.password
        given |= {f"secret_headers.{name}": each for name, each in self.secret_headers.items()}
        return {path: each for path, each in given.items() if each}

    def needed_extra(self) -> tuple[str, str] | None:
        """Return the extra of the package that it needs, with the property that needs it."""
        return None


#: The address of Azure Resource Manager, and what its tokens are asked for.
AZURE = "https://management.azure.com"
AZURE_SCOPE = f"{AZURE}/.default"
_AZURE_HOSTS = {
    "management.azure.com",
    "management.chinacloudapi.cn",
    "management.usgovcloudapi.net",
}

#: The properties of a credential that each kind must have, and those it may have beside `scope`.
_CREDENTIALS: dict[str, tuple[set[str], set[str]]] = {
    "default": (set(), set()),
    "service-principal": ({"tenant_id", "client_id", "client_secret"}, set()),
    "workload-identity": (set(), {"tenant_id", "client_id"}),
    "managed-identity": (set(), {"client_id"}),
    "cli": (set(), {"tenant_id"}),
}


class AzureCredential(BaseModel):
    """How a token of Entra ID is had, through azure-identity."""

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
            return value  # the kind itself is wrong, or not known yet
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

    The job service keeps jobs by name; what a job cannot have there is refused by `check`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", title="HDInsightCluster")

    label: ClassVar[str] = "HDInsight"
    is_job_service: ClassVar[bool] = True

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
            raise ValueError("must not be given beside token")
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
        """What tells one cluster from another: host and resource id, which has no case."""
        return host_and_path(self.endpoint) + self.path.lower()

    @property
    def address(self) -> str:
        """The cluster, as people are told of it."""
        return f"{self.cluster_pool}/{self.cluster} at {self.endpoint}"

    @property
    def is_cloud(self) -> bool:
        """Whether this is Azure itself, in any of its clouds, and no gateway."""
        return urlsplit(self.endpoint).hostname in _AZURE_HOSTS

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


def _kind(value: object) -> str | None:
    """Tell which kind of target is meant: a Flink session cluster, where it is not said."""
    if isinstance(value, dict):
        kind = value.get("kind")
        return "flink" if kind is None else str(kind)
    return getattr(value, "kind", "flink")


#: Any kind of target, told apart by `kind`.
Target = Annotated[
    Annotated[FlinkTarget, Tag("flink")]
    | Annotated[HDInsightTarget, Tag("hdinsight")]
    | Annotated[DliTarget, Tag("dli")],
    Discriminator(_kind),
]
#: The same, by the word that `kind` has for each.
TARGETS: Mapping[str, type[FlinkTarget] | type[HDInsightTarget] | type[DliTarget]] = {
    "flink": FlinkTarget,
    "hdinsight": HDInsightTarget,
    "dli": DliTarget,
}
