"""What the errors of Azure Resource Manager say."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.control_planes.responses import plain


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
