"""Where a job runs: a Flink session cluster and how it is reached.

Credentials are never part of a target: each is a reference, `env:NAME` for an environment variable
or `config:KEY` for a key of the Pulumi stack's configuration (`pulumi config set --secret KEY`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind not in ("env", "config") or not name:
        raise ValueError(
            "must be a reference, env:NAME or config:KEY, so that the secret stays out of the state"
        )
    return value


Reference = Annotated[str, AfterValidator(_reference), Field(examples=["env:FLINK_TOKEN"])]


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL such as http://host:8081 ({error})") from None
    if parts.username or parts.password:
        raise ValueError("must not carry credentials: use basic_auth or bearer_token")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f"must be a URL such as http://host:8081 (got {value!r})")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path: no query, no fragment")
    return value.rstrip("/")


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

    username: str = Field(min_length=1)
    password: Reference


class Tls(BaseModel):
    """How the cluster's certificate is checked, and which one is shown to it.

    All are paths of PEM files on the machine that runs Pulumi.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca_file: str | None = Field(None, description="Certificates to trust, instead of the system's.")
    certificate_file: str | None = Field(None, description="Client certificate, for mutual TLS.")
    key_file: str | None = Field(None, description="Key of the client certificate.")
    key_password: Reference | None = Field(None, description="Password of the key, by reference.")


class FlinkTarget(BaseModel):
    """A Flink session cluster, by the address of its REST API.

    A path in `url` is kept, for a cluster behind a proxy (https://gateway/flink/one).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["flink"] = "flink"
    url: Annotated[str, AfterValidator(_url)] = Field(
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
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{(parts.hostname or '').lower()}:{port}{parts.path}"

    @property
    def loopback(self) -> bool:
        """Whether the cluster runs on this machine, so that its local paths are ours."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
