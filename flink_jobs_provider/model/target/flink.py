"""A Flink session cluster as the place where a job runs."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from flink_jobs_provider.model.target.address import (
    KIND,
    Reference,
    Tls,
    checked_url,
    host_and_path,
    is_this_machine,
    of_tls,
)


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
    is_job_service: ClassVar[Literal[False]] = False
    #: Whether this is a cloud's own service, in which nothing is known of this project.
    is_cloud: ClassVar[bool] = False
    #: Whether the state that a job is to start from is checked before, by this provider.
    checks_state_before_start: ClassVar[bool] = True
    #: Whether it is known if a savepoint is newer than a job's last start.
    dates_savepoints: ClassVar[bool] = True
    #: Whether a start of a job that has ended finds its newest savepoint or checkpoint by itself.
    finds_newest_state: ClassVar[bool] = False
    #: Whether a change of a setting counts for a job that runs.
    changes_running_jobs: ClassVar[bool] = False
    #: The queue that jobs run in, where there are queues.
    queue: ClassVar[str | None] = None

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
        """The cluster's identity: its address, without credentials or scheme."""
        return host_and_path(self.url)

    @property
    def address(self) -> str:
        """The cluster's name in messages."""
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
