"""JSON Web Tokens of the issuers that are configured: signature, issuer, audience, times, roles.

Nothing that a token says of itself is believed before its signature is checked, but for which
issuer and which key it claims to be of. Addresses of keys in a token (`jku`, `x5u`) are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import jwt

from flink_jobs_provider.gateway.auth.access_configuration import Issuer
from flink_jobs_provider.gateway.auth.jwks import ALGORITHMS, IssuerKeys
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.model.errors import Signal

#: How far the clocks of issuer and gateway may be apart.
LEEWAY = 60.0
_LONGEST_NAME = 200
#: Claims whose text is a list of words: Microsoft's name of it, and that of the standard.
_SCOPES = ("scp", "scope")


class RefusedToken(Signal):
    """A token that is not accepted; the text says why, without anything of it."""


class ExpiredWebToken(RefusedToken):
    """A token whose time is over."""


class WebTokens:
    """Checks the tokens of all configured issuers.

    Args:
        issuers: The issuers.
        transport: Stands in for the network in tests.
    """

    def __init__(
        self, issuers: Sequence[Issuer], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._issuers = {
            issuer.issuer: (issuer, IssuerKeys(issuer, transport)) for issuer in issuers
        }

    async def principal(self, token: str) -> Principal:
        """Return who a token is of, and the roles it gives; none may be among them.

        Raises:
            RefusedToken: It is not accepted.
            KeysUnavailable: It cannot be checked now.
        """
        claimed, header = _claimed(token)
        if claimed not in self._issuers:
            raise RefusedToken("its issuer is none of those that are configured")
        issuer, keys = self._issuers[claimed]
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise RefusedToken(f"its algorithm is none of {', '.join(ALGORITHMS)}")
        key = await keys.key(header.get("kid"), algorithm)
        if key is None:
            raise RefusedToken("it is signed with a key that its issuer does not have")
        claims = _checked(token, key, algorithm, issuer)
        name = claims.get(issuer.name_claim)
        if not isinstance(name, str) or not name or len(name) > _LONGEST_NAME:
            raise RefusedToken(f"it names nobody: its claim {issuer.name_claim} is no name")
        return Principal(f"{name} of {issuer.issuer}", _roles(claims, issuer))

    async def close(self) -> None:
        """Close all connections."""
        for _, keys in self._issuers.values():
            await keys.close()


def _claimed(token: str) -> tuple[str, dict[str, Any]]:
    """Return the issuer that a token claims to be of, and its header; nothing of it is checked."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return str(claims.get("iss")), dict(jwt.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, TypeError):
        raise RefusedToken("it is no JSON Web Token") from None


def _checked(token: str, key: jwt.PyJWK, algorithm: str, issuer: Issuer) -> dict[str, Any]:
    """Return the claims of a token whose signature, issuer, audience and times are right."""
    try:
        return dict(
            jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=issuer.issuer,
                audience=issuer.audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        )
    except jwt.ExpiredSignatureError:
        raise ExpiredWebToken("it has expired") from None
    except jwt.ImmatureSignatureError:
        raise RefusedToken("it is not valid yet") from None
    except jwt.InvalidAudienceError:
        raise RefusedToken("it was issued for another audience") from None
    except jwt.MissingRequiredClaimError as error:
        raise RefusedToken(f"it has no claim {error.claim}") from None
    except jwt.InvalidSignatureError:
        raise RefusedToken("its signature is invalid") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise RefusedToken("it is no JSON Web Token that can be checked") from None


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
