"""Who is signed in: a random id in a cookie, and its digest in the records.

The id is made anew at each sign-in, so that nobody can bring one along. What a session's holder may
do is looked up at each request, by what they signed in with: a token that was revoked ends it, one
with another role changes it, at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

#: Browsers accept a cookie of such a name from a secure page of this very host alone.
_HOST_ONLY = "__Host-"
_LONGEST = 100


class Proofs(Protocol):
    """Returns what tokens are good for."""

    async def proof(self, token: str, nonce: str | None = None) -> dict[str, Any]:
        """Return what is kept of a token, or raise a Refusal."""

    def recall(self, proof: Mapping[str, Any]) -> Principal:
        """Return who a proof is of, and what they may do now, or raise a Refusal."""


@dataclass(frozen=True)
class Session:
    """A session as one request has it.

    Attributes:
        secret: What the browser holds.
        principal: Who it is of, and what they may do now.
        expires_at: When it ends by itself.
    """

    secret: str = field(repr=False)
    principal: Principal
    expires_at: datetime

    @property
    def form_key(self) -> str:
        """What forms carry that only pages of this session know."""
        return form_key(self.secret)


def form_key(secret: str) -> str:
    """Return what forms carry, from what the browser holds in a cookie."""
    return hmac.new(secret.encode(), b"forms of the portal", hashlib.sha256).hexdigest()


class Cookies:
    """Reads and sets the portal's cookies, which no script and no other site can use.

    Args:
        addresses: Tells whether browsers reach the gateway over TLS.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def read(self, request: Request, name: str) -> str:
        """Return the value of a cookie; empty where there is none."""
        value = request.cookies.get(self._name(request, name), "")
        return value if len(value) <= _LONGEST else ""

    def set(
        self,
        request: Request,
        response: Response,
        name: str,
        value: str,
        age: int,
        *,
        returns: bool = False,
    ) -> None:
        """Set a cookie for N seconds; 0 removes it.

        Args:
            request: Tells whether browsers reach the gateway over TLS.
            response: What sets it.
            name: Its name.
            value: Its value.
            age: For how many seconds.
            returns: Whether it comes along when another site leads back to the portal.
        """
        response.set_cookie(
            self._name(request, name),
            value,
            max_age=age,
            path="/",
            secure=self._addresses.encrypted(request),
            httponly=True,
            samesite="lax" if returns else "strict",
        )

    def _name(self, request: Request, name: str) -> str:
        if self._addresses.encrypted(request):
            return f"{_HOST_ONLY}{name}"
        # Cookies know no ports: two gateways on one machine would take each other's.
        _, port = request.scope.get("server") or ("", None)
        return f"{name}-{port}" if port else name


class Sessions:
    """Begins, finds and ends sessions.

    Args:
        records: Where they are on record.
        proofs: Returns what tokens are good for.
        cookies: The portal's cookies.
        lifetime: For how many seconds a session lasts.
    """

    _COOKIE = "portal-session"
    _FORM_COOKIE = "portal-form"

    def __init__(
        self, records: JobBoard, proofs: Proofs, cookies: Cookies, lifetime: float
    ) -> None:
        self._records = records
        self._proofs = proofs
        self._cookies = cookies
        self._lifetime = lifetime

    async def begin(
        self, request: Request, token: str, response: Response, nonce: str | None = None
    ) -> Principal:
        """Begin a session with a new id; one that the browser has had before is ended.

        Args:
            request: The request.
            token: What its sender shows.
            response: The answer, which sets the cookie.
            nonce: What a token carries that was issued for this sign-in. Such a one counts for as
                long as the session: it says who somebody is, not for how long.

        Raises:
            Refusal: The token is not accepted, or cannot be checked now.
        """
        proof = await self._proofs.proof(token, nonce)
        if nonce is not None:
            proof["claims"]["exp"] = time.time() + self._lifetime
        return await self.begin_by(request, proof, response)

    async def begin_by(
        self, request: Request, proof: Mapping[str, Any], response: Response
    ) -> Principal:
        """Begin a session for somebody who has shown a proof before; see `begin`."""
        principal = self._proofs.recall(proof)
        await self.end(request, response)
        secret = secrets.token_urlsafe(32)
        await self._records.put_session(_digest(secret), proof, self._lifetime)
        self._cookies.set(request, response, self._COOKIE, secret, int(self._lifetime))
        return principal

    async def find(self, scope: Scope) -> Session | None:
        """Return the session of a request; None where there is none, or it is no longer one.

        Raises:
            Refusal: It cannot be told now.
        """
        secret = self._cookies.read(Request(scope), self._COOKIE)
        found = await self._records.session(_digest(secret)) if secret else None
        if found is None:
            return None
        try:
            principal = self._proofs.recall(found.proof)
        except Refusal as refusal:
            if refusal.code == "AuthenticationUnavailable":
                raise
            await self._records.end_session(_digest(secret))
            return None
        return Session(secret, principal, found.expires_at)

    async def end(self, request: Request, response: Response) -> None:
        """End the session of a request, if it has one."""
        if secret := self._cookies.read(request, self._COOKIE):
            await self._records.end_session(_digest(secret))
            self._cookies.set(request, response, self._COOKIE, "", 0)

    def form_secret(self, request: Request) -> str:
        """Return the secret of the forms of a browser that is not signed in; empty for none."""
        return self._cookies.read(request, self._FORM_COOKIE)

    def keep_form_secret(self, request: Request, response: Response, secret: str) -> None:
        """Set the secret of the forms of a browser that is not signed in."""
        self._cookies.set(request, response, self._FORM_COOKIE, secret, int(self._lifetime))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
