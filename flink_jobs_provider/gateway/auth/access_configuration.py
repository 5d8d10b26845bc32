"""The part of the configuration that decides who may call."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from flink_jobs_provider.gateway.principal import EVERY_CLUSTER, Role
from flink_jobs_provider.gateway.setting_types import (
    EnvironmentReference,
    FilePath,
    HttpUrl,
    Settings,
    is_loopback,
)

#: Who asks for what the gateway does of its own accord.
_OURSELVES = "gateway"


def caller_name(value: str) -> str:
    """Check the name of a caller."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", value):
        raise ValueError(f"must be 1 to 64 letters, digits, or any of . _ @ - (got {value!r})")
    if value.lower() == _OURSELVES:
        raise ValueError(f"must not be {value}: the audit log calls the gateway itself so")
    return value


#: A role by cluster id, or by "*" for every cluster. Ids are turned to keys: lower case.
Grants = Annotated[
    dict[str, Role],
    AfterValidator(lambda grants: {cluster.lower(): role for cluster, role in grants.items()}),
    Field(min_length=1, examples=[{EVERY_CLUSTER: "operate"}]),
]


class Issuer(Settings):
    """Who issues JSON Web Tokens that the gateway accepts, and what they may do."""

    issuer: HttpUrl = Field(
        description="The `iss` of its tokens, to the letter; its keys are found from here.",
        examples=["https://login.microsoftonline.com/<tenant>/v2.0"],
    )
    audience: list[str] = Field(
        min_length=1, description="The `aud` that a token must have: one of these."
    )
    jwks_url: HttpUrl | None = Field(
        None, description="Where its keys are, for an issuer without OpenID discovery."
    )
    ca_file: FilePath | None = Field(
        None, description="Certificates to trust, instead of the system's."
    )
    claims: list[str] = Field(
        default=["roles", "scp"],
        min_length=1,
        description="Claims that name roles: a text, which is one value, or a list of texts. Of "
        "`scp` and `scope` alone, a text is a list of words.",
    )
    name_claim: str = Field(
        "sub", min_length=1, description="Claim that names the caller in the audit log."
    )
    grants: dict[str, Grants] = Field(
        min_length=1,
        description="By the value of such a claim: the role, by cluster id or * for every one.",
        examples=[{"Jobs.Operate": {EVERY_CLUSTER: "operate"}}],
    )

    @model_validator(mode="after")
    def _keys_not_in_the_open(self) -> Self:
        for name in ("issuer", "jwks_url"):
            url = getattr(self, name)
            if (
                url
                and not url.startswith("https://")
                and not is_loopback(urlsplit(url).hostname or "")
            ):
                raise ValueError(
                    f"must have an https URL for {name}: whoever can change the keys on the way "
                    "can make tokens"
                )
        return self


def _access_key(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{8,128}", value):
        raise ValueError("must be 8 to 128 letters and digits")
    return value


class SigningKey(Settings):
    """An access key whose holder signs requests of the Data Lake Insight API."""

    name: Annotated[str, AfterValidator(caller_name)] = Field(
        description="Who it was given to; the audit log names them so."
    )
    access_key: Annotated[str, AfterValidator(_access_key)] = Field(
        description="What a signed request names. It is no secret."
    )
    secret_key: EnvironmentReference = Field(description="What requests are signed with.")
    security_token: EnvironmentReference | None = Field(
        None, description="For a temporary key: the X-Security-Token that must come with it."
    )
    roles: Grants = Field(description="The role, by cluster id or * for every one.")
    expires: AwareDatetime | None = Field(None, description="When it is accepted no more.")


class Access(Settings):
    """Who may call. Nothing is served without a token or a signature."""

    tokens_file: FilePath | None = Field(
        None, description="File of token hashes, kept by `flink-jobs gateway token`."
    )
    issuers: list[Issuer] = Field(default=[], description="Issuers of JSON Web Tokens.")
    signing_keys: list[SigningKey] = Field(
        default=[], description="Keys that requests of the Data Lake Insight API are signed with."
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.tokens_file or self.issuers or self.signing_keys):
            raise ValueError(
                "must have a tokens_file, an issuer or signing_keys: else nobody can call"
            )
        for what in ("name", "access_key"):
            values = [getattr(key, what) for key in self.signing_keys]
            if len(set(values)) != len(values):
                raise ValueError(f"must not have two signing_keys of the same {what}")
        issuers = [issuer.issuer for issuer in self.issuers]
        if len(set(issuers)) != len(issuers):
            raise ValueError("must not name an issuer twice: give it all its audiences and grants")
        return self
