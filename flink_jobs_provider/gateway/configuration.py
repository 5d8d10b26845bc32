"""The gateway's configuration: one YAML file, checked as a whole before anything starts.

Relative paths in it are meant from the file's own directory; a relative SQLite file from
`data_directory`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from flink_jobs_provider.control_planes.connection import environment
from flink_jobs_provider.gateway.auth.access_configuration import Access
from flink_jobs_provider.gateway.portal.portal_configuration import PortalConfiguration
from flink_jobs_provider.gateway.principal import EVERY_CLUSTER
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.setting_types import (
    DIRECTORY,
    EnvironmentReference,
    FilePath,
    HttpUrl,
    Lifetime,
    Settings,
    Timeout,
    at_most,
    is_loopback,
    problems_of_settings,
)
from flink_jobs_provider.model.duration import (
    LONGEST_LIFETIME,
    LONGEST_TIMEOUT,
    Duration,
    SettleTime,
)
from flink_jobs_provider.model.errors import SetupError
from flink_jobs_provider.model.validation import blanks_around, property_path
from flink_jobs_provider.strict_yaml import Document, UnreadableFile, read_document

#: A job that changes all the time has a row for each minute.
LONGEST_HISTORY = "31d"


class Monitoring(Settings):
    """What is observed of jobs by itself."""

    history: bool = Field(
        default=True, description="Whether it is recorded, once a minute, how each job is."
    )
    history_retention: Annotated[Duration, at_most(LONGEST_HISTORY)] = Field(
        "24h", description=f"How long that is kept; at most `{LONGEST_HISTORY}`."
    )
    job_metrics: bool = Field(
        default=True, description="Whether `/metrics` has metrics of each job and cluster."
    )
    job_metrics_limit: int = Field(
        1000, ge=1, le=100_000, description="Jobs that have metrics, by name; others are counted."
    )


class InvalidConfiguration(SetupError):
    """The configuration file is invalid.

    Args:
        path: The file.
        problems: One pair for each problem: the property's path (empty for the whole file), and
            what would be valid.
        document: The file's content, for the lines of the problems.
    """

    def __init__(
        self, path: Path, problems: list[tuple[str, str]], document: Document | None = None
    ) -> None:
        self.problems = problems
        known = {property_path(at): line for at, line in document.lines.items()} if document else {}
        lines = [f"{_line(where, known)}{where} {what}" for where, what in problems if where]
        whole = [what for where, what in problems if not where] or ["is invalid:"]
        super().__init__("\n  ".join([f"{path} {whole[0]}", *lines]))


def _line(where: str, known: Mapping[str, int]) -> str:
    """Return the line of a property, or of the nearest one that holds it."""
    while where and where not in known:
        where = where[: max(where.rfind("."), where.rfind("["), 0)]
    return f"line {known[where]}: " if where else ""


class TlsFiles(Settings):
    """The gateway's own certificate: PEM files."""

    certificate_file: FilePath = Field(description="Certificate, with those between it and a root.")
    key_file: FilePath = Field(description="Key of the certificate.")
    key_password: EnvironmentReference | None = Field(None, description="Password of the key.")


class Listen(Settings):
    """Where the gateway listens."""

    host: str = Field("127.0.0.1", min_length=1, description="Address or name to listen on.")
    port: int = Field(8090, ge=0, le=65535, description="Port; 0 takes any free one.")
    tls: TlsFiles | None = Field(None, description="Certificate; without it HTTP is plain.")
    plain_text: bool = Field(
        default=False,
        description="Listen beyond the loopback interface without TLS: only where a proxy that "
        "ends TLS stands before the gateway, since bearer tokens are readable on the way.",
    )

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @model_validator(mode="after")
    def _no_tokens_in_the_open(self) -> Self:
        if not (self.loopback or self.tls or self.plain_text):
            raise ValueError(
                f"must have tls to listen on {self.host}: tokens would be readable on the way. "
                "Where a proxy before the gateway ends TLS, set plain_text: true"
            )
        return self


class Limits(Settings):
    """What one caller, and all together, may ask for."""

    body_bytes: int = Field(65536, ge=1024, description="Largest request body.")
    requests_per_second: float = Field(
        50, gt=0, allow_inf_nan=False, description="Of one caller, over time."
    )
    burst: int = Field(100, ge=1, description="Of one caller, at once.")
    connections: int = Field(1000, ge=10, description="Connections that are served at once.")
    connections_per_address: int = Field(
        200, ge=1, description="Of one address at once; of IPv6, of one /64 network."
    )
    concurrent_actions: int = Field(32, ge=1, description="Actions in progress, of all callers.")


class Retention(Settings):
    """How long records are kept. No file of a savepoint is removed with its record."""

    actions: Lifetime = Field("90d", description=f"Of ended actions; at most `{LONGEST_LIFETIME}`.")
    savepoints: Lifetime = Field(
        "365d", description=f"Of savepoints' records; at most `{LONGEST_LIFETIME}`."
    )


class Log(Settings):
    """What is written about the gateway's work. It never holds a token, args or a Flink option."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="From here on.")
    format: Literal["json", "console"] = Field(
        "json", description="JSON, a line for each event; or text for people."
    )
    audit_file: FilePath | None = Field(
        None, description="Where the audit log is appended; else with the rest, on standard output."
    )


class GatewayConfiguration(Settings):
    """A gateway: what it serves, to whom, and within which limits."""

    listen: Listen = Field(default_factory=Listen, description="Where it listens.")
    public_url: HttpUrl | None = Field(
        None,
        description="What callers reach it by, for the addresses in its answers; else the Host of "
        "their request.",
    )
    database: str = Field(
        "sqlite:///gateway.db",
        min_length=1,
        description="SQLAlchemy URL of the records, or env:NAME of a variable that holds it.",
        examples=["env:GATEWAY_DATABASE", "postgresql+psycopg://gateway@db/gateway"],
    )
    data_directory: FilePath = Field(
        default=".",
        validate_default=True,
        description="Where jars of actions in progress are kept. It is made where it is missing.",
    )
    clusters: list[ClusterConfiguration] = Field(min_length=1, description="What it serves.")
    access: Access = Field(description="Who may call.")
    limits: Limits = Field(default_factory=Limits, description="How much.")
    retention: Retention = Field(default_factory=Retention, description="How long records stay.")
    monitoring: Monitoring = Field(
        default_factory=Monitoring, description="What it observes by itself."
    )
    action_timeout: Timeout = Field(
        "30m",
        description="How long an action is retried while a cluster cannot be reached; at most "
        f"`{LONGEST_TIMEOUT}`.",
    )
    settle_time: SettleTime = Field(
        "10s",
        description="How long a version that an action started must run without a restart before "
        "the action has succeeded; `0s` to the longest, `1h`.",
    )
    stop_timeout: Timeout = Field(
        "60s",
        description="How long a stop waits for actions; the next start goes on with the "
        "rest. At most "
        f"`{LONGEST_TIMEOUT}`.",
    )
    portal: PortalConfiguration | None = Field(
        None, description="Pages for people, at `/portal/`; none, if not given: `{}` suffices."
    )
    log: Log = Field(default_factory=Log, description="What it writes about its work.")

    @field_validator("clusters")
    @classmethod
    def _each_once(cls, clusters: list[ClusterConfiguration]) -> list[ClusterConfiguration]:
        seen = set()
        for cluster in clusters:
            queues = cluster.dli.queues if cluster.dli else []
            project = cluster.dli.project_id if cluster.dli else ""
            for place in (cluster.key, *((project, queue) for queue in queues)):
                if place in seen and place == cluster.key:
                    raise ValueError(f"must not hold a cluster twice ({cluster.name})")
                if place in seen:
                    raise ValueError(
                        f"must not have queue {place[1]} of project {project} on two clusters"
                    )
                seen.add(place)
        return clusters

    @model_validator(mode="after")
    def _grants_are_of_clusters(self) -> Self:
        known = {EVERY_CLUSTER, *(cluster.key for cluster in self.clusters)}
        granted = [
            (f"granted by {issuer.issuer} for {value}", grants)
            for issuer in self.access.issuers
            for value, grants in issuer.grants.items()
        ]
        granted += [(f"granted to {key.name}", key.roles) for key in self.access.signing_keys]
        for how, grants in granted:
            if unknown := sorted(set(grants) - known):
                raise ValueError(
                    f"must grant roles on the clusters it names, or on *: {unknown[0]!r}, "
                    f"{how}, is none of them"
                )
        return self

    @model_validator(mode="after")
    def _people_sign_in_with_a_known_issuer(self) -> Self:
        wanted = self.portal.sign_in if self.portal else None
        if wanted is None:
            return self
        audiences = {issuer.issuer: issuer.audience for issuer in self.access.issuers}
        if wanted.issuer not in audiences:
            raise ValueError(
                f"must have the portal.sign_in.issuer among access.issuers: {wanted.issuer} is none"
                " of them"
            )
        if wanted.client_id not in audiences[wanted.issuer]:
            raise ValueError(
                "must have the portal.sign_in.client_id among the audience of its issuer: the "
                "tokens of that sign-in are issued for it"
            )
        return self

    @model_validator(mode="after")
    def _keys_are_of_use(self) -> Self:
        if self.access.signing_keys and not any(cluster.dli for cluster in self.clusters):
            raise ValueError(
                "must have a cluster with dli to have access.signing_keys: no other API is signed"
            )
        return self

    @property
    def portal_url(self) -> str | None:
        """Where people find the portal; None where there is none, or the port is not known yet."""
        if self.portal is None or not (self.public_url or self.listen.port):
            return None
        scheme = "https" if self.listen.tls else "http"
        host = f"[{self.listen.host}]" if ":" in self.listen.host else self.listen.host
        base = self.public_url or f"{scheme}://{host}:{self.listen.port}"
        return f"{base.rstrip('/')}/portal/"

    def database_url(self) -> str:
        """Return the SQLAlchemy URL of the records, secrets and all.

        Raises:
            KeyError: `database` refers to an environment variable that is not set; its name.
        """
        url = environment(self.database) if self.database.startswith("env:") else self.database
        for start in ("sqlite:///", "sqlite+pysqlite:///"):
            path = url.removeprefix(start)
            if path not in (url, "", ":memory:") and not path.startswith(("/", "file:")):
                return start + os.path.join(self.data_directory, path)
        return url


def read_configuration(path: str | Path) -> GatewayConfiguration:
    """Read a configuration file.

    Raises:
        InvalidConfiguration: It is invalid: every problem at once, each on its property's path.
    """
    path = Path(path)
    try:
        document = read_document(path)
    except UnreadableFile as error:
        raise InvalidConfiguration(path, [("", error.reason)]) from None
    content = document.content
    if not isinstance(content, dict):
        raise InvalidConfiguration(path, [("", "must be a map: clusters, access, …")])
    context = {DIRECTORY: str(path.parent)}
    problems = list(blanks_around(content))
    try:
        configuration = GatewayConfiguration.model_validate(content, context=context)
    except ValidationError as error:
        blank = {where for where, _ in problems}
        found = problems_of_settings(error, configuration_schema())
        problems += [problem for problem in found if problem[0] not in blank]
        raise InvalidConfiguration(path, problems, document) from None
    if problems:
        raise InvalidConfiguration(path, problems, document)
    return configuration


def configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file."""
    schema = GatewayConfiguration.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
