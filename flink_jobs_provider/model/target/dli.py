"""A project of Data Lake Insight as the place where a job runs, and the settings of jobs there.

The names of the settings are those of the service's own jar-job fields, so that they can be looked
up there.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from flink_jobs_provider.model.inputs import WholeNumber
from flink_jobs_provider.model.target.address import (
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
from flink_jobs_provider.wire.dli import AT_CREATION, DESCRIBING, JOB_FIELDS, WHILE_RUNNING

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

    `check` refuses what a job cannot have there, and names which of these must be given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", title="DliProject")

    label: ClassVar[str] = "Data Lake Insight"
    is_job_service: ClassVar[Literal[True]] = True
    checks_state_before_start: ClassVar[bool] = False

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
        """The project's identity; a job can move from one of its queues to another."""
        return f"{host_and_path(self.url)}/{self.project_id}"

    @property
    def address(self) -> str:
        """The project's name in messages."""
        return f"project {self.project_id} at {self.url}"

    @property
    def is_cloud(self) -> bool:
        """Whether this is known to be a cloud's own service, and no gateway."""
        host = urlsplit(self.url).hostname or ""
        return any(host.endswith(f".{cloud}") for cloud in _DLI_CLOUDS)

    @property
    def dates_savepoints(self) -> bool:
        """Whether it is known if a savepoint is newer than a job's last start: on a gateway."""
        return not self.is_cloud

    @property
    def finds_newest_state(self) -> bool:
        """Whether a start finds a job's newest state by itself: a gateway does."""
        return not self.is_cloud

    @property
    def changes_running_jobs(self) -> bool:
        """Whether a change of a setting counts at once: on a gateway it does at the next start."""
        return self.is_cloud

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


def _no_zero(value: int) -> int:
    if value == 0 or value < -1:
        raise ValueError(f"must be -1 (unlimited) or above 0 (got {value})")
    return value


Named = Annotated[str, Field(min_length=1)]


class DliResourceSpec(BaseModel):
    """CPU and memory of a process of Flink."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: float = Field(gt=0, description="CPU cores.")
    memory: str = Field(
        pattern=r"^[1-9]\d*(\.\d+)? ?[MG]B?$",
        description='Memory, as the service writes it: "4G" or "4096M".',
        examples=["4G"],
    )


class DliResourceConfig(BaseModel):
    """Resources of version 2: what each process has; `parallelism` is the job's own input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_slot: WholeNumber | None = Field(None, ge=1, description="Task slots of a TaskManager.")
    jobmanager_resource_spec: DliResourceSpec | None = Field(None, description="Of the JobManager.")
    taskmanager_resource_spec: DliResourceSpec | None = Field(
        None, description="Of each TaskManager."
    )


class DliSettings(BaseModel):
    """The settings of a job on Data Lake Insight; what is not given is left to the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    desc: str | None = Field(
        None, max_length=JOB_FIELDS["desc"].longest, description="Description, for people."
    )
    tags: dict[str, str] | None = Field(
        None, description="Tags; they are set when the job is created."
    )
    flink_version: Named | None = Field(
        None, description="Flink version of the service's own image; with `feature` basic."
    )
    feature: Literal["basic", "custom"] | None = Field(
        None, description="Which image it runs in: the service's (`basic`), or `image` (`custom`)."
    )
    image: Named | None = Field(None, description="An image of one's own; with `feature` custom.")
    dependency_jars: list[Named] | None = Field(
        None, description="Further jars, put on the class path."
    )
    dependency_files: list[Named] | None = Field(None, description="Files the job needs.")
    execution_agency_urn: Named | None = Field(
        None, description="Agency through which the job reaches other services (Flink 1.15 on)."
    )
    cu_number: WholeNumber | None = Field(None, ge=2, description="CUs of the job in all (v1).")
    manager_cu_number: WholeNumber | None = Field(
        None, ge=1, description="CUs of its JobManager (v1)."
    )
    tm_cus: WholeNumber | None = Field(None, ge=1, description="CUs of each TaskManager (v1).")
    tm_slot_num: WholeNumber | None = Field(
        None, ge=1, description="Task slots of each TaskManager (v1)."
    )
    resource_config: DliResourceConfig | None = Field(
        None, description="CPU and memory instead of CUs (v2)."
    )
    checkpoint_enabled: bool | None = Field(None, description="Whether checkpoints are taken.")
    checkpoint_mode: Literal["exactly_once", "at_least_once"] | None = Field(
        None, description="What checkpoints guarantee."
    )
    checkpoint_interval: WholeNumber | None = Field(
        None, ge=1, le=3600, description="Seconds between checkpoints."
    )
    checkpoint_path: Named | None = Field(
        None, description="Where checkpoints lie; each job needs a path of its own."
    )
    resume_checkpoint: bool | None = Field(
        None, description="Whether a restart after a failure starts from the latest checkpoint."
    )
    resume_max_num: Annotated[WholeNumber, AfterValidator(_no_zero)] | None = Field(
        None, description="Most restarts in an hour; -1 for any number."
    )
    restart_when_exception: bool | None = Field(
        None, description="Whether the service restarts a failed job; needs `resume_checkpoint`."
    )
    log_enabled: bool | None = Field(None, description="Whether logs go to `obs_bucket`.")
    obs_bucket: Named | None = Field(
        None, description="Bucket of its logs, and of the savepoints of its stops."
    )
    smn_topic: Named | None = Field(None, description="Topic that is notified when the job fails.")
    flink_log_config: Named | None = Field(
        None, description="Log levels, as the service's JSON text."
    )

    def of_version(self) -> dict[str, Any]:
        """Return what another value of makes another version, as plain JSON types."""
        return self.model_dump(
            mode="json", exclude_none=True, exclude=set(WHILE_RUNNING | DESCRIBING | AT_CREATION)
        )
