"""What targets have in common: an address, secrets by reference, TLS, and limits of job services.

A job service reads jars from its own storage, and has one text for the arguments of `main`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: The meaning of `kind`, which no program gives.
KIND = "Kind of target; `FlinkSessionCluster`, `HDInsightCluster` and `DliProject` set it."


def _reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind not in ("env", "config") or not name:
        raise ValueError(
            "must be a reference, env:NAME or config:KEY, so that the secret stays out of the state"
        )
    return value


Reference = Annotated[str, AfterValidator(_reference), Field(examples=["env:FLINK_TOKEN"])]


def checked_url(value: str, instead: str = "basic_auth or bearer_token") -> str:
    """Return a URL without a slash at its end; `instead` names the properties for credentials.

    Raises:
        ValueError: It is none, or carries what has no place in it.
    """
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL such as http://host:8081 ({error})") from None
    if parts.username or parts.password:
        raise ValueError(f"must not carry credentials: use {instead}")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f"must be a URL such as http://host:8081 (got {value!r})")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path: no query, no fragment")
    return value.rstrip("/")


class Tls(BaseModel):
    """How the cluster's certificate is checked, and which one is shown to it.

    All are paths of PEM files on the machine that runs Pulumi.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca_file: str | None = Field(None, description="Certificates to trust, instead of the system's.")
    certificate_file: str | None = Field(None, description="Client certificate, for mutual TLS.")
    key_file: str | None = Field(None, description="Key of the client certificate.")
    key_password: Reference | None = Field(None, description="Password of the key, by reference.")


def of_tls(tls: Tls | None) -> dict[str, str | None]:
    """Return the references of TLS options, by the path of the property that holds each."""
    return {"tls.key_password": tls.key_password if tls else None}


def _segment(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._()-]{1,128}", value) or not value.strip("."):
        raise ValueError("must be the name alone, as in the cluster's resource id")
    return value


Segment = Annotated[str, AfterValidator(_segment)]


def _upload_directory(value: str) -> str:
    scheme, separator, path = value.strip().partition("://")
    if not separator or not path.strip("/") or scheme in ("http", "https"):
        raise ValueError(
            "must be a URI of a directory that this machine writes and the cluster reads, such as "
            f"abfs://container@account.dfs.core.windows.net/jars (got {value!r})"
        )
    return value.strip().rstrip("/")


UploadDirectory = Annotated[str, AfterValidator(_upload_directory)]


def host_and_path(url: str) -> str:
    """Return an address in one spelling: two that are equal lead to one place.

    This machine has several names, which are one.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = "localhost" if is_this_machine(url) else (parts.hostname or "").lower()
    return f"{host}:{port}{parts.path}"


def is_this_machine(url: str) -> bool:
    """Whether an address is one of this machine."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def is_local(jar: str) -> bool:
    """Whether a jar lies where no cluster reads it: on this machine, or behind http."""
    scheme, separator, _ = jar.partition("://")
    return not separator or scheme in ("file", "local", "http", "https")


#: Why a version is not started alongside the one that it replaces.
RUNS_ONE_VERSION = "the service runs one version of a job at a time"


def unreadable_jar(
    jar: Any,
    target: dict[str, Any],
    unknown: set[tuple[int | str, ...]],
    reader: str,
    example: str,
) -> list[tuple[str, str]]:
    """Return the problem of a local jar that is uploaded nowhere: path, and what would be valid.

    Args:
        jar: The jar, as far as it is known; of any type, valid or not.
        target: The target.
        unknown: Paths of what is not known yet.
        reader: What reads the jar: "cluster" or "service".
        example: A jar that it can read.
    """
    path = ("target", "jar_upload_directory")
    if not isinstance(jar, str) or not is_local(jar):
        return []
    if target.get(path[1]) is not None or path in unknown:
        return []
    why = (
        f"is required, since the {reader} cannot read {jar}; or let jar be a URI of its storage, "
        f"such as {example}"
    )
    return [(".".join(path), why)]


def split_arguments(args: Any, where: str) -> list[tuple[str, str]]:
    """Return the problems of arguments that are sent as one text, and would be split elsewhere.

    They are of any type, valid or not; `where` is the target, in words.
    """
    if not isinstance(args, list | tuple):
        return []
    return [
        (
            f"args[{number}]",
            f"must not be empty or hold blanks on {where}: its arguments are one text that is "
            "split at blanks",
        )
        for number, argument in enumerate(args)
        if isinstance(argument, str) and argument.split() != [argument]
    ]
