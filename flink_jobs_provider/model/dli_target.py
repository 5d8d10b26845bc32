"""A project of Data Lake Insight as the place where a job runs."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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

#: Where Huawei Cloud and Open Telekom Cloud serve their APIs.
_DLI_CLOUDS = (
    "myhuaweicloud.com",
    "myhuaweicloud.com.cn",
    "myhuaweicloud.eu",
    "huaweicloud.com",
    "otc.t-systems.com",
)
_USUAL_DOMAIN = "myhuaweicloud.com"
#: Regions of Huawei Cloud whose APIs are in another domain (the list in Huawei's own SDK).
_DOMAINS = {"eu-west-101": "myhuaweicloud.eu"}


def _dli_endpoint(value: str) -> str:
    return checked_url(value, "token, or access_key and secret_key")


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", value):
        raise ValueError(f"must be a region of Huawei Cloud, such as eu-west-101 (got {value!r})")
    return value


def _queue(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        raise ValueError(
            f"must be a queue's name: 1 to 128 letters, digits, '_' and '-' (got {value!r})"
        )
    return value


class DliTarget(BaseModel):
    """A project of Data Lake Insight, in Huawei Cloud or another; or a gateway that serves its API.

    What a job cannot have there, and which of these must be given, is said by `check`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", title="DliProject")

    label: ClassVar[str] = "Data Lake Insight"
    is_job_service: ClassVar[bool] = True

    kind: Literal["dli"] = Field(description=KIND)
    region: Annotated[str, AfterValidator(_region)] | None = Field(
        None, description="Region of Huawei Cloud; or give `endpoint`.", examples=["eu-west-101"]
    )
    endpoint: Annotated[str, AfterValidator(_dli_endpoint)] | None = Field(
        None,
        description="Address of the service in another cloud, or of a gateway.",
        examples=["https://dli.eu-de.otc.t-systems.com", "https://gateway:8090"],
    )
    project_id: Segment = Field(description="Project id.")
    queue: Annotated[str, AfterValidator(_queue)] | None = Field(
        None, description="Queue that the jobs run in; the service's own choice if not given."
    )
    token: Reference | None = Field(
        None, description="Token of IAM or of a gateway (X-Auth-Token), by reference."
    )
    access_key: Reference | None = Field(
        None, description="Access key, by reference: requests are signed (extra `dli`)."
    )
    secret_key: Reference | None = Field(None, description="Its secret key, by reference.")
    security_token: Reference | None = Field(
        None, description="Security token of a temporary access key, by reference."
    )
    jar_upload_directory: UploadDirectory | None = Field(
        None,
        description="URI of the directory that local jars are uploaded to; the service, or the "
        "gateway by its mounts, must know it by the same URI.",
        examples=["obs://bucket/jars"],
    )
    tls: Tls | None = Field(None, description="TLS options; https alone uses the system's trust.")

    @property
    def url(self) -> str:
        """The service's address."""
        domain = _DOMAINS.get(self.region or "", _USUAL_DOMAIN)
        return self.endpoint or f"https://dli.{self.region}.{domain}"

    @property
    def place(self) -> str:
        """What tells one project from another; a job can move from one queue to the next."""
        return f"{host_and_path(self.url)}/{self.project_id}"

    @property
    def address(self) -> str:
        """The project, as people are told of it."""
        return f"project {self.project_id} at {self.url}"

    @property
    def is_cloud(self) -> bool:
        """Whether this is known to be a cloud's own service, and no gateway."""
        host = urlsplit(self.url).hostname or ""
        return any(host.endswith(f".{cloud}") for cloud in _DLI_CLOUDS)

    @property
    def loopback(self) -> bool:
        """Whether a gateway on this machine serves the API, so that its local paths are ours."""
        return is_this_machine(self.url)

    def references(self) -> dict[str, str]:
        """Return the references to secrets, by the path of the property that holds each."""
        given = {
            "token": self.token,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "security_token": self.security_token,
            **of_tls(self.tls),
        }
        return {path: each for path, each in given.items() if each}

    def needed_extra(self) -> tuple[str, str] | None:
        """Return the extra of the package that it needs, with the property that needs it."""
        return ("access_key", "dli") if self.access_key else None
