"""The part of the configuration that says who may call."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from flink_jobs_provider.gateway.principal import EVERY_CLUSTER, Role
from flink_jobs_provider.gateway.settings import FilePath, HttpUrl, Settings, is_loopback

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
        description="Claims that name roles: a list of texts, or one text with blanks between.",
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


class Access(Settings):
    """Who may call. Nothing is served without a token."""

    tokens_file: FilePath | None = Field(
        None, description="File of token hashes, kept by `flink-jobs gateway token`."
    )
    issuers: list[Issuer] = Field(default=[], description="Issuers of JSON Web Tokens.")

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.tokens_file or self.issuers):
            raise ValueError("must have a tokens_file or an issuer: else nobody can call")
        issuers = [issuer.issuer for issuer in self.issuers]
        if len(set(issuers)) != len(issuers):
            raise ValueError("must not name an issuer twice: give it all its audiences and grants")
        return self
