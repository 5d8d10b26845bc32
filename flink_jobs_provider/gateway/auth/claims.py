"""Whom the claims of a JSON Web Token name, and which roles an issuer's grants give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_jobs_provider.gateway.auth.access_configuration import Issuer
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.model.errors import Signal

_LONGEST_NAME = 200
#: Claims whose text is a list of words: Microsoft's name of it, and that of the standard.
_SCOPES = ("scp", "scope")


class RefusedToken(Signal):
    """A token that is not accepted; the text says why, without anything of it."""


def principal_of(claims: Mapping[str, Any], issuer: Issuer) -> Principal:
    """Return who the claims of a valid token name, and the roles that they are granted.

    Raises:
        RefusedToken: They name nobody.
    """
    name = claims.get(issuer.name_claim)
    if not isinstance(name, str) or not name or len(name) > _LONGEST_NAME:
        raise RefusedToken(f"it names nobody: its claim {issuer.name_claim} is no name")
    return Principal(f"{name} of {issuer.issuer}", _roles(claims, issuer))


def _roles(claims: Mapping[str, Any], issuer: Issuer) -> dict[str, Role]:
    """Return the roles that the values of the claims grant; the higher one where several do."""
    roles: dict[str, Role] = {}
    for claim in issuer.claims:
        for granted in _values(claim, claims.get(claim)):
            for cluster, role in issuer.grants.get(granted, {}).items():
                if roles.get(cluster) is not Role.OPERATE:
                    roles[cluster] = role
    return roles


def _values(claim: str, value: object) -> list[str]:
    """Return the values of a claim that grants may name.

    Only scopes are words separated by blanks (RFC 8693, section 4.2). Any other text is one value,
    blanks included: who chooses their own name must not be able to choose a role with it.
    """
    if isinstance(value, str):
        return value.split(" ") if claim in _SCOPES else [value]
    listed = value if isinstance(value, list) else []
    return [item for item in listed if isinstance(item, str)]
