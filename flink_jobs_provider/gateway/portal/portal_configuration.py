"""The part of the configuration that opens the portal, and says how people sign in."""

from __future__ import annotations

from pydantic import Field, field_validator

from flink_jobs_provider.gateway.setting_types import (
    EnvironmentReference,
    HttpUrl,
    Lifetime,
    Settings,
)
from flink_jobs_provider.model.duration import LONGEST_LIFETIME


class IssuerSignIn(Settings):
    """An issuer that people sign in with: OpenID Connect, code flow with PKCE."""

    issuer: HttpUrl = Field(
        description="One of `access.issuers`, to the letter: whose claims grant roles as there.",
        examples=["https://login.microsoftonline.com/<tenant>/v2.0"],
    )
    client_id: str = Field(
        min_length=1,
        description="What the gateway is to the issuer; one of that issuer's `audience`.",
    )
    client_secret: EnvironmentReference | None = Field(
        None, description="Its secret; none for a public client."
    )
    scopes: list[str] = Field(
        default=["openid", "profile"],
        min_length=1,
        description="What is asked for; `openid` is among them.",
    )
    name: str = Field(
        "your organization", min_length=1, max_length=60, description="What people call it."
    )

    @field_validator("scopes")
    @classmethod
    def _says_who(cls, scopes: list[str]) -> list[str]:
        if "openid" not in scopes:
            raise ValueError("must hold openid: else the issuer does not say who signed in")
        return scopes


class PortalConfiguration(Settings):
    """Pages on which people look at jobs and act on them, at `/portal/`."""

    session_lifetime: Lifetime = Field(
        "8h",
        description="How long somebody who signed in stays so, as long as their token is valid; at "
        f"most `{LONGEST_LIFETIME}`.",
    )
    upload_bytes: int = Field(
        256 << 20, ge=1 << 20, description="Largest jar that is uploaded (`clusters[].uploads`)."
    )
    sign_in: IssuerSignIn | None = Field(
        None, description="Issuer that people sign in with; else they paste a token."
    )
