"""What no log may hold: tokens, passwords, arguments and Flink options; nor a forged line.

The gateway's own log calls are given none of these. This is the second wall, for what libraries log
and for the messages of unforeseen errors. `model/redaction.py` knows what looks like a credential
in any text; here is what logs hold besides.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any

from pydantic import ValidationError

from flink_jobs_provider.model.redaction import HIDDEN, mask_foreign, mask_tokens

_KEYS = {
    "args",
    "as_given",
    "authorization",
    "body",
    "changes",
    "flink_configuration",
    "flinkconfiguration",
    "headers",
    "hash",
    "params",
    "parameters",
    "password",
    "secret",
    "secret_key",
    "security_token",
    "token",
    "x-auth-token",
    "x-security-token",
}
#: Callers decide what some logged texts hold, so each of these takes a time that grows as the text
#: does: what is masked up to a mark is masked up to the end where the mark is missing.
_PATTERNS = [
    # SQLAlchemy and PostgreSQL quote the values of the row that was refused.
    (re.compile(r"\[parameters: (?:.*?\](?=\s|$)|.*)", re.DOTALL), f"[parameters: {HIDDEN}]"),
    (re.compile(r"DETAIL:.*"), f"DETAIL: {HIDDEN}"),
    # pydantic quotes the input.
    (
        re.compile(r"input_value=(?:.*?, input_type=|.*)", re.DOTALL),
        f"input_value={HIDDEN}, input_type=",
    ),
]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MULTI_LINE = {"exception"}
_LONGEST = 20_000


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what is secret in a log event (a structlog processor)."""
    for key in list(event):
        event[key] = HIDDEN if _is_secret(key) else _masked(event[key])
    return event


def one_line(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Write out control characters, so that no value can look like a line of its own."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _MULTI_LINE:
            event[key] = _CONTROL.sub(lambda match: repr(match[0])[1:-1], value)
    return event


def show_exception(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Turn `exc_info` into text: where, what, and of invalid values only where they stood."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = _shown(error)
    return event


def hidden_in(text: str) -> str:
    """Mask what is secret in a text."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return mask_tokens(mask_foreign(text))


def _shown(error: BaseException) -> str:
    parts = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{frames}{type(current).__name__}: {_message(current)}")
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "\n\ncaused:\n\n".join(reversed(parts))


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        places = [".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)]
        return f"{error.title}: {', '.join(places)}"
    return str(error)


def _is_secret(key: str) -> bool:
    return key.lower() in _KEYS


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return hidden_in(value[:_LONGEST])
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _is_secret(str(key)) else _masked(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return hidden_in(str(value)[:_LONGEST])
