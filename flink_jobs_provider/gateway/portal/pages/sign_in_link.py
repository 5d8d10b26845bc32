"""Signing in once by a link, for whoever sits at this machine.

A link holds a random code and not the token: it works once, within a few minutes, and only from a
browser of this machine that reaches the gateway without a proxy. The page that it opens signs in
when its button is pressed, so that a program which looks at links uses none up.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from flink_jobs_provider.gateway.http.api_answers import Audit, status_of
from flink_jobs_provider.gateway.ops.log import AuditEntry
from flink_jobs_provider.gateway.portal.addresses import PORTAL, SIGN_IN_ONCE, Addresses
from flink_jobs_provider.gateway.portal.forms import sent_form
from flink_jobs_provider.gateway.portal.pages.sign_in import SignInPages
from flink_jobs_provider.gateway.portal.sessions import Proofs, Sessions, form_key
from flink_jobs_provider.gateway.portal.templating import NOT_STORED, Templates
from flink_jobs_provider.gateway.portal.visit import Visits
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.setting_types import is_loopback

#: Seconds for which a link works, and how many there are at once.
LIFETIME = 300.0
_MOST = 20
#: Set by proxies: whoever is behind one may be anywhere.
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class LinkCodes:
    """The codes of links that were not used yet, as digests.

    Args:
        clock: Seconds that only ever grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._proofs: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def make(self, proof: Mapping[str, Any]) -> str:
        """Return a code for whoever has shown a proof; the oldest of too many is given up."""
        code = secrets.token_urlsafe(32)
        while len(self._proofs) >= _MOST:
            del self._proofs[next(iter(self._proofs))]
        self._proofs[_digest(code)] = (self._clock() + LIFETIME, proof)
        return code

    def take(self, code: str) -> Mapping[str, Any] | None:
        """Return the proof of a code, which is used up by that; None where it counts no more."""
        until, proof = self._proofs.pop(_digest(code), (0.0, None))
        return proof if self._clock() < until else None


@dataclass(frozen=True)
class SignInLinkPages:
    """Makes links, and signs in who follows one.

    Attributes:
        sessions: The sessions.
        proofs: Returns what tokens are good for.
        pages: Shows why a sign-in failed.
        visits: How those who look are spoken to.
        templates: The portal's pages.
        addresses: Their addresses.
        audit: Where it is recorded who made a link, and who used it.
        body_bytes: The longest form.
        codes: The codes of links that were not used yet.
    """

    sessions: Sessions
    proofs: Proofs
    pages: SignInPages
    visits: Visits
    templates: Templates
    addresses: Addresses
    audit: Audit
    body_bytes: int
    codes: LinkCodes = field(default_factory=LinkCodes)

    async def make(self, request: Request) -> Response:
        """Return a link as JSON, for the token that the request carries."""
        request.scope["audited"] = True
        name = None
        try:
            self._check_machine(request)
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                raise Refusal("AuthenticationFailed", "A sign-in link is made for a bearer token.")
            proof = await self.proofs.proof(token.strip())
            name = self.proofs.recall(proof).name
        except Refusal as refusal:
            self._record(name, refusal.code, status_of(refusal))
            return JSONResponse({"error": refusal.message}, status_of(refusal), NOT_STORED)
        path = self.addresses.of(SIGN_IN_ONCE, code=self.codes.make(proof))
        link = self.addresses.whole(request, "") + path
        self._record(name, "ACCEPTED", 200)
        return JSONResponse({"link": link, "expires_in": int(LIFETIME)}, headers=NOT_STORED)

    async def show(self, request: Request) -> Response:
        """Return the page that a link opens; nothing is used up."""
        self._check_machine(request)
        secret = self.sessions.form_secret(request) or secrets.token_urlsafe(32)
        page = self.templates.page(
            "sign_in_once",
            self.visits.text(request),
            None,
            here="",
            form_key=form_key(secret),
            link_code=request.query_params.get("code", ""),
        )
        self.sessions.keep_form_secret(request, page, secret)
        return page

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, if the code counts still."""
        self._check_machine(request)
        secret = self.sessions.form_secret(request)
        key = form_key(secret) if secret else ""
        form = await sent_form(request, self.addresses, key, self.body_bytes)
        wanted = self.addresses.of(PORTAL)
        response = RedirectResponse(wanted, 303, NOT_STORED)
        proof = self.codes.take(form.get("code", ""))
        try:
            if proof is None:
                raise Refusal(
                    "AuthenticationFailed",
                    "This link was used already, or is older than 5 minutes. "
                    "`flink-jobs gateway sign-in-link` makes another one.",
                )
            principal = await self.sessions.begin_by(request, dict(proof), response)
        except Refusal as refusal:
            return self.pages.not_signed_in(request, wanted, refusal)
        self.pages.signed_in(request, principal.name, 303)
        return response

    def _check_machine(self, request: Request) -> None:
        """Check that a request comes from this machine, and by no proxy.

        Raises:
            Refusal: It does not, or that is not known.
        """
        host = urlsplit(self.addresses.whole(request, "")).hostname or ""
        client = request.client.host if request.client else ""
        proxied = any(name in request.headers for name in _OF_PROXIES)
        if proxied or not is_loopback(host) or not is_loopback(_plain(client)):
            raise Refusal(
                "AuthorizationFailed",
                "A sign-in link works only on the machine of the gateway, at its own address. "
                "Sign in with a token, or with your issuer.",
            )

    def _record(self, who: str | None, result: str, status: int) -> None:
        self.audit(AuditEntry(who=who, what="sign-in link", result=result, status=status))


def _plain(host: str) -> str:
    """Return an address; one of IPv4 that a socket of IPv6 has written as such."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
