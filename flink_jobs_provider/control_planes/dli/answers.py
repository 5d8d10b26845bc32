"""What the answers of Data Lake Insight mean. Messages are shown, and never decided by."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx

from flink_jobs_provider.control_planes.responses import date_in, plain

#: A job that is not there: the codes of a job, and of any object (the latter with status 400).
MISSING = frozenset({"DLI.16001", "DLI.0002"})
#: Trouble of the service itself, also with status 400.
TROUBLE = "DLI.0999"

#: How far clocks may be apart before that is said; the service takes 15 minutes.
_SKEW = 300.0


def succeeded(body: Any) -> bool:
    """Whether an answer says so: as text or boolean, in any case; one that says nothing does not.

    A message that is itself such an answer counts, too (the reference shows one of a savepoint).
    """
    if not isinstance(body, dict) or str(body.get("is_success")).strip().lower() != "true":
        return False
    inner = _json_in(body.get("message"))
    return not (isinstance(inner, dict) and "is_success" in inner) or succeeded(inner)


def error_in(body: Any) -> tuple[str, str]:
    """Return code and message of an answer that is no success; empty texts where it has none."""
    if not isinstance(body, dict):
        return "", ""
    code = str(body.get("error_code") or "")
    message = body.get("error_msg") or body.get("message") or ""
    inner = _json_in(message)
    if isinstance(inner, dict):
        return code or str(inner.get("error_code") or ""), error_in(inner)[1]
    return code, plain(str(message))


def is_missing(status: int, code: str) -> bool:
    """Whether a job is not there. A path that an API gateway does not know is no missing job."""
    return code in MISSING or (status == 404 and code.startswith("DLI."))


def no_such_route(status: int, code: str) -> bool:
    """Whether the service has no such call."""
    return status in (404, 405, 501) and not code.startswith("DLI.")


def skew(response: httpx.Response, now: datetime) -> str:
    """Say by how much this machine's clock differs from the service's, if that is too much."""
    there = date_in(response.headers.get("date", ""))
    if there is None:
        return ""
    ahead = (now - there).total_seconds()
    if abs(ahead) <= _SKEW:
        return ""
    which = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {abs(ahead) / 60:.0f} minutes {which} the service's"


def _json_in(text: Any) -> Any:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
