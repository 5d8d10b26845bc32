"""Making pages of templates; whatever a template is given is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from flink_jobs_provider.gateway.portal.addresses import (
    CLUSTERS,
    ISSUER_SIGN_IN,
    LANGUAGE,
    NEW_JOB,
    PORTAL,
    SIGN_IN,
    SIGN_IN_ONCE,
    SIGN_OUT,
    SIGNED_IN,
    STATIC,
    Addresses,
)
from flink_jobs_provider.gateway.portal.forms import KEY_FIELD
from flink_jobs_provider.gateway.portal.kept_forms import OWNER_FIELD
from flink_jobs_provider.gateway.portal.service_texts import worded
from flink_jobs_provider.gateway.portal.text import Text, languages
from flink_jobs_provider.gateway.portal.visit import Visit

TEMPLATES = Path(__file__).with_name("templates")

#: What browsers are told of every answer of the portal. Its pages have no code and no style of
#: their own in them, so that none can be smuggled in; no other site may frame them. The referrer is
#: not `no-referrer`: browsers then call the origin of forms "null".
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NOT_STORED = {"Cache-Control": "no-store"}


class Templates:
    """Makes pages.

    Args:
        addresses: The portal's addresses.
        stamp: Returns what a form carries to say whose it is.
    """

    def __init__(self, addresses: Addresses, stamp: Callable[[str], str]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"iso": iso, "utc": utc}
        self._environment.globals |= {
            "addresses": addresses,
            "languages": languages(),
            "now": lambda: datetime.now(UTC),
            "KEY_FIELD": KEY_FIELD,
            "OWNER_FIELD": OWNER_FIELD,
            "stamp": stamp,
            "worded": worded,
            "ISSUER_SIGN_IN": ISSUER_SIGN_IN,
            "LANGUAGE": LANGUAGE,
            "CLUSTERS": CLUSTERS,
            "NEW_JOB": NEW_JOB,
            "PORTAL": PORTAL,
            "SIGN_IN": SIGN_IN,
            "SIGN_IN_ONCE": SIGN_IN_ONCE,
            "SIGN_OUT": SIGN_OUT,
            "SIGNED_IN": SIGNED_IN,
            "STATIC": STATIC,
        }

    def part(self, name: str, text: Text, **values: Any) -> str:
        """Return a part of a page."""
        return self._environment.get_template(f"{name}.html").render(t=text, **values)

    def page(
        self,
        name: str,
        text: Text,
        visit: Visit | None,
        code: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a page.

        Args:
            name: The template.
            text: The phrases of its language.
            visit: Who looks; None for somebody who is not signed in.
            code: HTTP status of the answer.
            headers: Further headers of it.
            values: What the template shows.
        """
        html = self.part(name, text, visit=visit, **values)
        return HTMLResponse(html, code, {**(headers or {}), **NOT_STORED})


def iso(moment: datetime) -> str:
    """Return a time as programs read it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(moment: datetime) -> str:
    """Return a time as people read it where nothing knows their time zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
