"""The portal's own addresses, also behind a proxy that serves the gateway below a path."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request

from flink_jobs_provider.gateway.http.requests import base_url

#: What all paths of the portal begin with.
PORTAL = "/portal/"
STATIC = "/portal/static/"
SIGN_IN = "/portal/sign-in"
#: Where a sign-in link is made, and where it leads.
SIGN_IN_LINK = "/portal/sign-in/link"
SIGN_IN_ONCE = "/portal/sign-in/once"
SIGN_OUT = "/portal/sign-out"
#: Confirms that somebody is signed in, and shows nothing.
SIGNED_IN = "/portal/signed-in"
LANGUAGE = "/portal/language"
ISSUER_SIGN_IN = "/portal/issuer"
ISSUER_RETURN = "/portal/issuer/return"
#: What anybody may ask for.
OPEN = (SIGN_IN, SIGN_IN_LINK, SIGN_IN_ONCE, LANGUAGE, ISSUER_SIGN_IN, ISSUER_RETURN)
NEW_JOB = "/portal/new"
CLUSTERS = "/portal/clusters"
#: The list of jobs alone.
LIST_PART = "/portal/parts/jobs"
JOB = "/portal/jobs/{number:int}"

_OWN = re.compile(r"/[A-Za-z0-9/_.~-]*(\?[A-Za-z0-9/_.~%&=+*,:@!$'()-]*)?")


def job_path(number: int) -> str:
    """Return the path of a job's page within the gateway."""
    return JOB.replace("{number:int}", str(number))


class Addresses:
    """Makes addresses as the callers' browsers know them.

    Args:
        public_url: What callers reach the gateway by; the request's own Host, if None.
    """

    def __init__(self, public_url: str | None) -> None:
        self._public_url = public_url
        self._prefix = urlsplit(public_url).path.rstrip("/") if public_url else ""

    def of(self, path: str, **query: str | int) -> str:
        """Return the address of a path of the gateway, without scheme and host."""
        given = urlencode({name: value for name, value in query.items() if value != ""})
        return f"{self._prefix}{path}?{given}" if given else f"{self._prefix}{path}"

    def job(self, number: int, page: str = "", **query: str | int) -> str:
        """Return the address of a job's page, or of one below it."""
        path = job_path(number)
        return self.of(f"{path}/{page}" if page else path, **query)

    def version(self, number: int, version: str) -> str:
        """Return the address of the way back to an earlier version of a job."""
        return self.job(number, f"versions/{version}")

    def whole(self, request: Request, path: str) -> str:
        """Return an address that may be used elsewhere."""
        return f"{base_url(request, self._public_url)}{path}"

    def origin(self, request: Request) -> str:
        """Return what browsers call the origin of the portal's own pages."""
        scheme, host, *_ = urlsplit(base_url(request, self._public_url).lower())
        port = ":443" if scheme == "https" else ":80"
        return f"{scheme}://{host.removesuffix(port)}"

    def encrypted(self, request: Request) -> bool:
        """Whether browsers reach the gateway over TLS."""
        return self.origin(request).startswith("https://")

    def own(self, wanted: str) -> str:
        """Return the address of a page of the portal that somebody wanted; else its first page.

        Whatever leads out of the portal, or could in some browser, is not followed: a sign-in must
        not be the first half of a trick.
        """
        begins = f"{self._prefix}{PORTAL}"
        plain = bool(_OWN.fullmatch(wanted)) and "//" not in wanted.partition("?")[0]
        dots = {".", ".."} & set(wanted.partition("?")[0].split("/"))
        return wanted if plain and not dots and wanted.startswith(begins) else self.of(PORTAL)

    def asked(self, path: str, query: str) -> str:
        """Return the address that a request came to."""
        return self._prefix + path + (f"?{query}" if query else "")
