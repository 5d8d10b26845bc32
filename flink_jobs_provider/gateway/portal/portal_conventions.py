"""Who looks at the portal, what its answers carry, and how its errors look: as pages."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope
from structlog.contextvars import get_contextvars

from flink_jobs_provider.gateway.http.api_answers import fault, status_of, when_to_retry
from flink_jobs_provider.gateway.portal.addresses import OPEN, SIGN_IN, STATIC, Addresses
from flink_jobs_provider.gateway.portal.forms import has_file, read_form, read_upload_fields
from flink_jobs_provider.gateway.portal.kept_forms import KEPT, KeptForms
from flink_jobs_provider.gateway.portal.sessions import Sessions
from flink_jobs_provider.gateway.portal.templating import NOT_STORED, SECURITY_HEADERS, Templates
from flink_jobs_provider.gateway.portal.text import FALLBACK, Text, text_of
from flink_jobs_provider.gateway.portal.visit import SESSION, Visits
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

_REQUEST_ID = "x-ms-request-id"


class PageRefusal(Refusal):
    """A refusal with what its page needs: the language, and where a sign-in would lead to.

    Args:
        refusal: The refusal.
        text: The phrases of the language.
        asked: The address that was asked for by somebody who is not signed in; else empty.
        elsewhere: Whether a page of another site has led there, so that no cookie came along.
        scripted: Whether a script of the portal asked, which follows no sign-in.
    """

    def __init__(
        self,
        refusal: Refusal,
        text: Text,
        *,
        asked: str = "",
        elsewhere: bool = False,
        scripted: bool = False,
    ) -> None:
        super().__init__(
            refusal.code, refusal.happened, remedy=refusal.remedy, retry_after=refusal.retry_after
        )
        self.text = text
        self.asked = asked
        self.elsewhere = elsewhere
        self.scripted = scripted


class PortalConventions:
    """Sessions, security headers, and errors as pages.

    Args:
        sessions: Who is signed in.
        visits: How they are spoken to.
        addresses: The portal's addresses.
        templates: Its pages.
        kept: What was typed into forms whose session has ended.
        body_bytes: The longest form.
        upload_bytes: The largest file that comes with one.
    """

    fault = fault("the job's page", _REQUEST_ID)

    def __init__(
        self,
        sessions: Sessions,
        visits: Visits,
        addresses: Addresses,
        templates: Templates,
        kept: KeptForms,
        body_bytes: int,
        upload_bytes: int,
    ) -> None:
        self._sessions = sessions
        self._visits = visits
        self._addresses = addresses
        self._templates = templates
        self._kept = kept
        self._body_bytes = body_bytes
        self._upload_bytes = upload_bytes

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of; where nobody need be signed in, which address it is of."""
        path = scope["path"]
        if path in OPEN or path.startswith(STATIC):
            client = scope.get("client")
            return Principal(f"somebody at {client[0] if client else '?'}", {}), receive
        session = await self._sessions.find(scope)
        if session is None:
            raise await self._sign_in_needed(Request(scope, receive))
        scope[SESSION] = session
        return session.principal, receive

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the headers of every answer."""
        del given
        return {_REQUEST_ID: request_id, **SECURITY_HEADERS}

    def refused(
        self, refusal: Refusal, headers: Mapping[str, str], scope: Scope | None
    ) -> Response:
        """Return the answer to a request that is refused."""
        text, status = text_of(FALLBACK), status_of(refusal)
        if scope is not None:
            text = self._visits.text(Request(scope))
        if isinstance(refusal, PageRefusal):
            text = refusal.text
        if isinstance(refusal, PageRefusal) and refusal.asked and not refusal.scripted:
            if refusal.elsewhere:
                return self._templates.page("arriving", text, None, status, to="")
            to = self._addresses.of(SIGN_IN, next=refusal.asked)
            return RedirectResponse(to, 303, NOT_STORED)
        return self._templates.page(
            "error",
            text,
            None,
            status,
            {**headers, **when_to_retry(refusal)},
            refusal=refusal,
            status=status,
            request_id=get_contextvars().get("request_id", ""),
        )

    async def _sign_in_needed(self, request: Request) -> PageRefusal:
        refusal = Refusal("AuthenticationFailed", "Nobody is signed in here.")
        site = request.headers.get("sec-fetch-site", "")
        page = request.method in ("GET", "HEAD")
        request.scope["audited"] = page  # whoever is led to the sign-in was refused nothing
        asked = self._addresses.asked(request.url.path, request.url.query) if page else ""
        if request.method == "POST" and (key := await self._kept_key(request)):
            asked = self._addresses.of(request.url.path, **{KEPT: key})
        return PageRefusal(
            refusal,
            self._visits.text(request),
            asked=asked,
            elsewhere=site == "cross-site",
            scripted=request.headers.get("sec-fetch-mode") in ("cors", "same-origin"),
        )

    async def _kept_key(self, request: Request) -> str:
        """Keep what was typed into a form; return the key of it, empty where it is not kept."""
        try:
            fields = await self._fields(request)
        except Refusal:
            return ""
        return self._kept.keep(request.url.path, fields)

    async def _fields(self, request: Request) -> Mapping[str, str]:
        limit = self._body_bytes
        if not has_file(request):
            return await read_form(request, self._addresses, limit)
        # Of somebody unknown no file is read, not even to pass over it.
        return await read_upload_fields(
            request,
            self._addresses,
            limit,
            self._upload_bytes,
            lambda fields: bool(self._kept.owner(fields)),
        )
