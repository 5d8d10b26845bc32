"""What the answers of Azure Resource Manager mean: errors, and when to ask again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

_LONGEST = 500


def json_of(response: httpx.Response) -> Any:
    """Return the body of an answer; none where it is no JSON."""
    try:
        return response.json()
    except ValueError:
        return None


def error_in(body: Any) -> tuple[str, str]:
    """Return code and message of an error envelope; empty texts where it is none."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    message = str(error.get("message") or "")
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        text = str(detail.get("message") or "") if isinstance(detail, dict) else ""
        if text and text not in message:
            message += f" {text}"
    return str(error.get("code") or ""), plain(message)


def plain(text: str) -> str:
    """Return a text of the service as one line, without the signatures that addresses carry."""
    text = re.sub(r"(https?://[^\s?\"']+)\?[^\s\"']+", r"\1", " ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds after which to ask again; none where that is not said."""
    value = response.headers.get("retry-after", "").strip()
    if value.replace(".", "", 1).isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
