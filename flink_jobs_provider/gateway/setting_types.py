"""The kinds of values that the gateway's settings are made of."""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import ErrorDetails

from flink_jobs_provider.model.duration import (
    LONGEST_LIFETIME,
    LONGEST_TIMEOUT,
    Duration,
    seconds_at_most,
)
from flink_jobs_provider.model.inputs import properties_at, suggestion
from flink_jobs_provider.model.validation import property_path

#: Key of the validation context: the directory that relative paths are meant from.
DIRECTORY = "directory"


class Settings(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def from_file(value: str, info: ValidationInfo) -> str:
    """Make a path absolute, from the directory of the configuration file."""
    if not value:
        raise ValueError("must be a path")
    base = (info.context or {}).get(DIRECTORY, ".")
    return os.path.abspath(os.path.join(base, os.path.expanduser(value)))


FilePath = Annotated[str, AfterValidator(from_file)]


def _environment_reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind != "env" or not name:
        raise ValueError("must be a reference to an environment variable, env:NAME")
    return value


EnvironmentReference = Annotated[
    str, AfterValidator(_environment_reference), Field(examples=["env:GATEWAY_KEY_PASSWORD"])
]


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"must be a URL such as https://gateway.example.com ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("must be a URL such as https://gateway.example.com")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("must end with the path, and carry no credentials")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]


def is_loopback(host: str) -> bool:
    """Whether an address or name is reached by this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def at_most(longest: str) -> AfterValidator:
    """Return what refuses a duration that is longer than another one."""

    def check(duration: str) -> str:
        seconds_at_most(duration, longest)
        return duration

    return AfterValidator(check)


Timeout = Annotated[Duration, at_most(LONGEST_TIMEOUT)]
Lifetime = Annotated[Duration, at_most(LONGEST_LIFETIME)]


_VALID = {
    "missing": "is required",
    "extra_forbidden": "is not a property that is known here",
    "model_type": "must be a map",
    "dict_type": "must be a map",
    "list_type": "must be a list",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def problems_of_settings(error: ValidationError, schema: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the problems of settings: (property path, what would be valid).

    Never the value, which may hold a secret. `schema` is the JSON Schema of all of them.
    """
    details = error.errors(include_url=False)
    return [(property_path(detail["loc"]), _valid(detail, schema)) for detail in details]


def _valid(detail: ErrorDetails, schema: dict[str, Any]) -> str:
    kind, message = detail["type"], detail["msg"]
    if kind == "extra_forbidden":
        *above, name = detail["loc"]
        return f"{_VALID[kind]}; {suggestion(str(name), properties_at(schema, above))}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return _VALID.get(kind) or message.replace("Input should", "must")
