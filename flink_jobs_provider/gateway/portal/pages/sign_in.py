"""Signing in with a gateway token, and signing out."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flink_jobs_provider.gateway.http.api_answers import Audit, status_of
from flink_jobs_provider.gateway.ops.log import AuditEntry
from flink_jobs_provider.gateway.portal.addresses import SIGN_IN, Addresses
from flink_jobs_provider.gateway.portal.forms import sent_form
from flink_jobs_provider.gateway.portal.sessions import Cookies, Sessions, form_key
from flink_jobs_provider.gateway.portal.templating import NOT_STORED, Templates
from flink_jobs_provider.gateway.portal.text import languages
from flink_jobs_provider.gateway.portal.visit import LANGUAGE_COOKIE, Visits
from flink_jobs_provider.gateway.refusals import Refusal

_A_YEAR = 31_536_000


class SignInPages:
    """Exchanges tokens for sessions.

    Args:
        sessions: The sessions.
        visits: How those who look are spoken to.
        cookies: The portal's cookies.
        templates: The portal's pages.
        addresses: Their addresses.
        audit: Where it is recorded who signed in and out.
        body_bytes: The longest form.
        issuer: What people call the issuer that they may sign in with; empty for none.
    """

    def __init__(
        self,
        sessions: Sessions,
        visits: Visits,
        cookies: Cookies,
        templates: Templates,
        addresses: Addresses,
        audit: Audit,
        body_bytes: int,
        issuer: str = "",
    ) -> None:
        self._sessions = sessions
        self._visits = visits
        self._cookies = cookies
        self._templates = templates
        self._addresses = addresses
        self._audit = audit
        self._body_bytes = body_bytes
        self._issuer = issuer

    async def show(self, request: Request) -> Response:
        """Return the page; somebody who is signed in is led on."""
        wanted = self._addresses.own(request.query_params.get("next", ""))
        if await self._sessions.find(request.scope) is not None:
            return RedirectResponse(wanted, 303, NOT_STORED)
        return self._page(request, wanted)

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, if a token is accepted."""
        secret = self._sessions.form_secret(request)
        form = await sent_form(
            request, self._addresses, form_key(secret) if secret else "", self._body_bytes
        )
        wanted = self._addresses.own(form.get("next", ""))
        response = RedirectResponse(wanted, 303, NOT_STORED)
        try:
            principal = await self._sessions.begin(request, form.get("token", "").strip(), response)
        except Refusal as refusal:
            return self.not_signed_in(request, wanted, refusal)
        self.signed_in(request, principal.name, 303)
        return response

    def signed_in(self, request: Request, name: str, status: int) -> None:
        """Record that somebody has signed in."""
        self._write(request, name, "sign-in", "ACCEPTED", status)

    def not_signed_in(self, request: Request, wanted: str, refusal: Refusal) -> Response:
        """Record that somebody could not sign in, and return the page that says why."""
        self._write(request, None, "sign-in", refusal.code, status_of(refusal))
        return self._page(request, wanted, refusal)

    async def confirm(self, _: Request) -> Response:
        """Confirm that somebody is signed in, as the middleware has seen to; ask no cluster."""
        return Response(status_code=204, headers=NOT_STORED)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        visit = self._visits.of(request)
        await sent_form(request, self._addresses, visit.session.form_key, self._body_bytes)
        response = RedirectResponse(self._addresses.of(SIGN_IN), 303, NOT_STORED)
        await self._sessions.end(request, response)
        self._write(request, visit.name, "sign-out", "ACCEPTED", 303)
        return response

    async def choose_language(self, request: Request) -> Response:
        """Remember a language, and return to the page."""
        wanted = self._addresses.own(request.query_params.get("next", ""))
        response = RedirectResponse(wanted, 303, NOT_STORED)
        chosen = request.query_params.get("to", "")
        if chosen in languages():
            self._cookies.set(request, response, LANGUAGE_COOKIE, chosen, _A_YEAR)
        return response

    def _page(self, request: Request, wanted: str, refusal: Refusal | None = None) -> Response:
        secret = self._sessions.form_secret(request) or secrets.token_urlsafe(32)
        page = self._templates.page(
            "sign_in",
            self._visits.text(request),
            None,
            status_of(refusal) if refusal else 200,
            wanted=wanted,
            here=self._addresses.of(SIGN_IN, next=wanted),
            form_key=form_key(secret),
            refusal=refusal,
            issuer=self._issuer,
        )
        self._sessions.keep_form_secret(request, page, secret)
        return page

    def _write(
        self, request: Request, who: str | None, what: str, result: str, status: int
    ) -> None:
        request.scope["audited"] = True
        self._audit(AuditEntry(who=who, what=what, result=result, status=status))
