"""The masking of secrets in all that the provider, the command line and the gateway print.

Two kinds: what looks like a credential (user info and query of an address, tokens, `password=…`),
and values that are known to be secret. Callers of a gateway decide what some texts hold, so each
function takes a time that grows as the text does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

HIDDEN = "***"
#: Shorter values are parts of too many words.
_SHORTEST = 4

_ADDRESS = re.compile(r"[^\s'\"<>]+")
#: Stores whose addresses name a container before the account: abfss://container@account/…
_CONTAINER_SCHEMES = ("abfs", "abfss", "wasb", "wasbs")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}$")
_ENDS = re.compile(r"[).,;:\]}]{1,5}$")

_NAMES = (
    r"(password|passwd|pwd|secret|secret[_-]?key|access[_-]?key|account[_-]?key|api[_-]?key|token)"
)
_NAMED = re.compile(_NAMES, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?i){_NAMES}"
    r"(\s{0,3}=\s{0,3})(\"[^\"]*\"?|'[^']*'?|[^\s,;&'\"]+)"
)
_CREDENTIALS = [
    (re.compile(r"fjg_[A-Za-z0-9_-]{6,}"), HIDDEN),
    (re.compile(r"\b(bearer|basic)\s+[^\s'\",]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\bSignature=[0-9a-f]{6,}"), f"Signature={HIDDEN}"),
]
#: What a JSON Web Token may be a part of: it begins with "eyJ" and holds a dot.
_DOTTED = re.compile(r"[A-Za-z0-9_.-]{10,}")
_JSON_BEGINS = "eyJ"
_SHORTEST_HEADER = 9
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def without_controls(text: str) -> str:
    """Return a text without what a terminal would obey, or what turns the order of its text."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def mask_addresses(text: str) -> str:
    """Mask user info and query of every address in a text."""
    return _ADDRESS.sub(lambda match: _masked_address(match[0]), text) if "://" in text else text


def mask_user_info(text: str) -> str:
    """Mask the user info of every address in a text, and keep their queries."""
    if "://" not in text:
        return text
    return _ADDRESS.sub(lambda match: _masked_address(match[0], queries=False), text)


def mask_foreign(text: str) -> str:
    """Mask what looks like a credential in a text that programs and services wrote."""
    return _ASSIGNED.sub(rf"\1\2{HIDDEN}", mask_addresses(text))


def may_hold_secret(text: str) -> bool:
    """Whether a text names a secret, or has what looks like a credential in it."""
    return bool(_NAMED.search(text)) or mask_tokens(mask_addresses(text)) != text


def holds_credential(text: str) -> bool:
    """Whether a text has what looks like a credential in it: in an address, or as a token."""
    return mask_tokens(mask_user_info(text)) != text


def secret_name_pattern(further: Iterable[str] = ()) -> re.Pattern[str]:
    """Return the pattern of names that end in a word for a secret, or in one of further words."""
    words = "|".join([_NAMES, *map(re.escape, further)])
    return re.compile(rf"(?:{words})$", re.IGNORECASE)


def mask_tokens(text: str) -> str:
    """Mask tokens and signatures."""
    for pattern, instead in _CREDENTIALS:
        text = pattern.sub(instead, text)
    return _DOTTED.sub(_without_web_token, text)


class Redactor:
    """A filter that replaces values that are known to be secret."""

    def __init__(self, secrets: Iterable[str], instead: str = HIDDEN, shortest: int = 3) -> None:
        texts = {text for secret in secrets for text in (secret, *secret.splitlines())}
        # An address may have lost its query before its whole was found to be secret.
        texts |= {mask_addresses(text) for text in texts}
        worth = (text for text in texts if len(text) >= shortest)
        self._texts = sorted(worth, key=len, reverse=True)
        self._instead = instead

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        # A pattern of all of them would take a process of a thousand jobs minutes to compile.
        found = [secret for secret in self._texts if secret in text]
        if not found:
            return text
        return re.sub("|".join(map(re.escape, found)), lambda _: self._instead, text)


def texts_in(value: Any) -> list[str]:
    """Return the texts and numbers in a value of plain JSON types, as texts."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_in(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool)
    return [str(value)] if is_text else []


class KnownSecrets:
    """The secret values that a process knows."""

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._made = self._values, Redactor(())

    def add(self, *values: str) -> None:
        """Remember values; short ones are parts of too many words to be masked."""
        new = {value for value in values if len(value) >= _SHORTEST} - self._values
        if new:
            self._values = self._values | new

    def redact(self, text: str) -> str:
        """Return the text without these values."""
        values = self._values
        known, redactor = self._made
        if known is not values:  # made here, not with each value: a run learns of many
            redactor = Redactor(values, shortest=_SHORTEST)
            self._made = values, redactor
        return redactor.redact(text)


def _masked_address(text: str, *, queries: bool = True) -> str:
    first, *rest = text.split("://")
    if not rest:
        return text
    parts, scheme = [first], first
    for part in rest:
        before, query, _ = part.partition("?")
        authority, slash, path = before.partition("/")
        named = _SCHEME.search(scheme)
        user, at, host = authority.rpartition("@")
        if at and (":" in user or not named or named[0].lower() not in _CONTAINER_SCHEMES):
            authority = f"{HIDDEN}@{host}"
        if query and queries:
            end = _ENDS.search(part)
            tail = end[0] if end else ""
            return "://".join([*parts, f"{authority}{slash}{path}?{HIDDEN}{tail}"])
        rest_of_part = part[len(before) :]
        parts.append(f"{authority}{slash}{path}{rest_of_part}")
        scheme = part
    return "://".join(parts)


def _without_web_token(match: re.Match[str]) -> str:
    """Mask a run of a token's characters from where a token may begin in it."""
    text = match[0]
    begins = text.find(_JSON_BEGINS)
    if begins < 0 or text.find(".", begins + _SHORTEST_HEADER) < 0:
        return text
    return text[:begins] + HIDDEN
