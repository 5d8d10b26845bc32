"""What the gateway itself answers to a form, in the reader's language.

The job service speaks English, to all its callers. A file for each other language has its
sentences, with braces for values, next to the same in that language. A sentence without an entry
stays as it is: nothing is lost that way.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.strict_yaml import read_yaml

_FILES = Path(__file__).with_name("texts") / "service"
_VALUE = re.compile(r"\{(\w+)\}")
#: A value that may be missing: what was given, in parentheses.
_OPTIONAL = "got"


@lru_cache
def sentences(language: str) -> dict[str, str]:
    """Return the sentences of a language by the English ones; none of English itself."""
    path = _FILES / f"{language}.yaml"
    if not path.exists():
        return {}
    return {str(english): str(other) for english, other in read_yaml(path).items()}


def translated(message: str, language: str) -> str:
    """Return a message in a language; as it is where that has no such sentence."""
    for pattern, other in _patterns(language):
        if match := pattern.fullmatch(message):
            values = match.groupdict()
            if _OPTIONAL in values:
                got = values[_OPTIONAL]
                values[_OPTIONAL] = f" ({got})" if got else ""
            return other.format(**values)
    return message


def worded(refusal: Refusal, language: str) -> str:
    """Return a refusal in a language: what happened and what would help, each by itself."""
    whole = refusal.message
    remedy = whole.removeprefix(refusal.happened).strip()
    if not whole.startswith(refusal.happened) or not remedy:
        return translated(whole, language)
    return f"{translated(refusal.happened, language)} {translated(remedy, language)}"


@lru_cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    return [(_pattern(english), other) for english, other in sentences(language).items()]


def _pattern(english: str) -> re.Pattern[str]:
    parts = _VALUE.split(english)  # texts and names of values, by turns
    pattern = "".join(
        re.escape(part) if number % 2 == 0 else _group(part) for number, part in enumerate(parts)
    )
    return re.compile(pattern, re.DOTALL)


def _group(name: str) -> str:
    return rf"(?: \(got (?P<{name}>.*)\))?" if name == _OPTIONAL else rf"(?P<{name}>.+?)"
