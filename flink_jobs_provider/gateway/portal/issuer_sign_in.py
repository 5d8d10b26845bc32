"""Signing in with an issuer: OpenID Connect, authorization code flow with PKCE.

What a sign-in must remember until the browser comes back is one random secret in a cookie of the
browser itself: state, nonce and code verifier are made of it, each in its own way, so that the
gateway keeps nothing and any of several gateways may take the answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flink_jobs_provider.gateway.auth.jwt import trust
from flink_jobs_provider.gateway.portal.addresses import ISSUER_RETURN, Addresses
from flink_jobs_provider.gateway.portal.pages.sign_in import SignInPages
from flink_jobs_provider.gateway.portal.portal_configuration import IssuerSignIn
from flink_jobs_provider.gateway.portal.sessions import Cookies, Sessions
from flink_jobs_provider.gateway.portal.templating import NOT_STORED, Templates
from flink_jobs_provider.gateway.portal.visit import Visits
from flink_jobs_provider.gateway.refusals import Refusal

_COOKIE = "portal-issuer"
#: Seconds within which somebody must have signed in with their issuer.
_TIME = 600
_FRESH = 3600.0
_TIMEOUT = httpx.Timeout(10.0)

_log = structlog.get_logger("gateway.access")


@dataclass(frozen=True)
class IssuerAccess:
    """How an issuer is asked.

    Attributes:
        issuer: The issuer, and what the gateway is to it.
        secret: The client secret; empty for a public client.
        ca_file: Certificates to trust, instead of the system's.
        transport: Stands in for the network in tests.
    """

    issuer: IssuerSignIn
    secret: str = field(default="", repr=False)
    ca_file: str | None = None
    transport: httpx.AsyncBaseTransport | None = None


class IssuerPages:
    """Leads to an issuer and back.

    Args:
        access: How the issuer is asked.
        sessions: Where a sign-in becomes a session.
        pages: Shows why one did not.
        visits: How those who come back are spoken to.
        cookies: The portal's cookies.
        templates: Its pages.
        addresses: Their addresses.
    """

    def __init__(
        self,
        access: IssuerAccess,
        sessions: Sessions,
        pages: SignInPages,
        visits: Visits,
        cookies: Cookies,
        templates: Templates,
        addresses: Addresses,
    ) -> None:
        self._issuer = access.issuer
        self._secret = access.secret
        self._trust = trust(access.ca_file)
        self._transport = access.transport
        self._sessions = sessions
        self._pages = pages
        self._visits = visits
        self._cookies = cookies
        self._templates = templates
        self._addresses = addresses
        self._document: dict[str, Any] = {}
        self._fetched = float("-inf")

    async def leave(self, request: Request) -> Response:
        """Lead to the issuer."""
        wanted = self._addresses.own(request.query_params.get("next", ""))
        secret = secrets.token_urlsafe(32)
        try:
            async with self._client(request) as client:
                endpoint = (await self._discovered(client))["authorization_endpoint"]
                url, _ = client.create_authorization_url(
                    endpoint,
                    state=_state(secret, wanted),
                    nonce=_made(secret, "nonce"),
                    code_verifier=_made(secret, "verifier"),
                )
        except _failures() as error:
            return self._pages.not_signed_in(request, wanted, self._away(error))
        response = RedirectResponse(url, 303, NOT_STORED)
        # The issuer leads back from another site, whence a Strict cookie would not come along.
        self._cookies.set(request, response, _COOKIE, secret, _TIME, returns=True)
        return response

    async def come_back(self, request: Request) -> Response:
        """Begin a session for somebody whom the issuer has led back."""
        secret = self._cookies.read(request, _COOKIE)
        state = request.query_params.get("state", "")
        wanted = self._addresses.own(_wanted(state))
        if not secret or not hmac.compare_digest(state.encode(), _state(secret, wanted).encode()):
            refusal = Refusal(
                "AuthenticationFailed",
                "This sign-in was begun in another browser, or too long ago. Begin again.",
            )
            return self._pages.not_signed_in(request, wanted, refusal)
        response = self._templates.page("arriving", self._visits.text(request), None, to=wanted)
        try:
            token = await self._token(request, secret)
            nonce = _made(secret, "nonce")
            principal = await self._sessions.begin(request, token, response, nonce)
        except Refusal as refusal:
            return self._pages.not_signed_in(request, wanted, refusal)
        self._cookies.set(request, response, _COOKIE, "", 0, returns=True)
        self._pages.signed_in(request, principal.name, 200)
        return response

    async def _token(self, request: Request, secret: str) -> str:
        """Exchange the code that the browser brought for an ID token."""
        if said := request.query_params.get("error"):
            raise Refusal(
                "AuthenticationFailed",
                f"{self._issuer.name} did not sign you in: {said[:100]}. "
                f"{request.query_params.get('error_description', '')[:300]}".rstrip(),
            )
        try:
            async with self._client(request) as client:
                endpoint = (await self._discovered(client))["token_endpoint"]
                answer = await client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=request.query_params.get("code", ""),
                    code_verifier=_made(secret, "verifier"),
                )
        except _failures() as error:
            raise self._away(error) from None
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Refusal("AuthenticationFailed", f"{self._issuer.name} has given no ID token.")
        return token

    def _client(self, request: Request) -> Any:
        return _oauth_client()(
            self._issuer.client_id,
            self._secret or None,
            scope=" ".join(self._issuer.scopes),
            redirect_uri=self._addresses.whole(request, ISSUER_RETURN),
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            code_challenge_method="S256",
            timeout=_TIMEOUT,
            verify=self._trust,
            transport=self._transport,
        )

    async def _discovered(self, client: Any) -> dict[str, Any]:
        """Return the issuer's own description of itself."""
        if time.monotonic() - self._fetched < _FRESH:
            return self._document
        address = f"{self._issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        answer = await client.request("GET", address, withhold_token=True)
        answer.raise_for_status()
        document = answer.json()
        if document.get("issuer") != self._issuer.issuer:
            raise ValueError(f"{address} is of another issuer")
        for name in ("authorization_endpoint", "token_endpoint"):
            url = document.get(name)
            secure = str(url).startswith("https://") or self._issuer.issuer.startswith("http://")
            if not isinstance(url, str) or not secure:
                raise ValueError(f"{address} names no https {name}")
        self._document, self._fetched = document, time.monotonic()
        return self._document

    def _away(self, error: Exception) -> Refusal:
        """Return the refusal of a sign-in that the issuer would not help with; log why."""
        _log.warning(
            "an issuer did not sign somebody in", issuer=self._issuer.issuer, reason=str(error)
        )
        return Refusal(
            "AuthenticationUnavailable",
            f"{self._issuer.name} cannot be asked, or did not accept this sign-in. Begin again; "
            "the gateway's log has the reason.",
        )


@cache
def _oauth_client() -> Any:
    """Return Authlib's client. It is imported when it is needed first: few gateways need it."""
    import authlib.deprecate  # noqa: F401 - it sets a filter of its own, which the next one replaces

    with warnings.catch_warnings():
        # Authlib 1.9 would rather have httpx's successor, and works with either.
        warnings.simplefilter("ignore", DeprecationWarning)
        from authlib.integrations.httpx_client import AsyncOAuth2Client

    return AsyncOAuth2Client


def _failures() -> tuple[type[Exception], ...]:
    from authlib.common.errors import AuthlibBaseError

    return (AuthlibBaseError, httpx.HTTPError, ValueError, KeyError)


def _made(secret: str, of: str) -> str:
    return hmac.new(secret.encode(), of.encode(), hashlib.sha256).hexdigest()


def _state(secret: str, wanted: str) -> str:
    """Return what the issuer sends back, and from which the page is known that was wanted."""
    page = base64.urlsafe_b64encode(wanted.encode()).decode()
    return f"{_made(secret, f'state {page}')}.{page}"


def _wanted(state: str) -> str:
    try:
        return base64.urlsafe_b64decode(state.partition(".")[2].encode()).decode()
    except ValueError:
        return ""
