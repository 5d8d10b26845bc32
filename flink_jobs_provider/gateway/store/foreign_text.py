"""Texts that programs and clusters wrote, as each database can hold them.

PostgreSQL holds no text with a NUL character, and nothing encodes half of a surrogate pair. Both
come in exceptions of programs that print what they could not read. An action must end whatever its
cluster reports, so such characters are replaced where they are written.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: The same as JSON escapes it, and whole surrogate pairs.
_ESCAPED = re.compile(r"\\u(?:0000|d[89a-f])")


def storable(text: str) -> str:
    """Return a text with U+FFFD in place of what a database cannot hold."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def storable_json(document: Any) -> str:
    """Return a document as JSON, its texts as `storable` returns them."""
    written = json.dumps(document)
    return json.dumps(_storable_texts(document)) if _ESCAPED.search(written) else written


def _storable_texts(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): _storable_texts(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable_texts(each) for each in value]
    return value


class ForeignText(TypeDecorator[str]):
    """A column of text that may come from a cluster, or from a caller's identity."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is written."""
        del dialect
        return None if value is None else storable(value)
