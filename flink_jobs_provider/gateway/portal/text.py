"""What the portal says, in each of its languages: one file a language in `texts`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from flink_jobs_provider.strict_yaml import read_yaml

_FILES = Path(__file__).with_name("texts")
FALLBACK = "en"
#: Languages in which nothing at all is counted as one thing is.
_NONE_AS_ONE = ("fr",)


class Text:
    """The phrases of one language.

    Args:
        language: Its tag.
        phrases: The phrases by key.
    """

    def __init__(self, language: str, phrases: Mapping[str, str]) -> None:
        self.language = language
        self._phrases = phrases

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a phrase.

        Raises:
            KeyError: There is none of that key.
        """
        return self._phrases[key].format(**values)

    def pattern(self, key: str) -> str:
        """Return a phrase with its braces: what a script will put in for them, it has."""
        return self._phrases[key]

    def counted(self, key: str, number: int, /, **values: object) -> str:
        """Return a phrase that counts something: there is one for one, and one for any other."""
        one = number == 1 or (number == 0 and self.language in _NONE_AS_ONE)
        return self(f"{key}.{'one' if one else 'other'}", number=number, **values)

    def word(self, group: str, word: str) -> str:
        """Return what a word of the API is called, or the word itself."""
        return self._phrases.get(f"{group}.{word}", word)


@lru_cache
def languages() -> tuple[str, ...]:
    """Return the tags of all languages."""
    return tuple(sorted(path.stem for path in _FILES.glob("*.yaml")))


@lru_cache
def text_of(language: str) -> Text:
    """Return the phrases of a language, which must be one of `languages`."""
    phrases = read_yaml(_FILES / f"{language}.yaml")
    return Text(language, {str(key): str(phrase) for key, phrase in phrases.items()})


def preferred(chosen: str | None, accepted: str) -> str:
    """Return the language of somebody.

    Args:
        chosen: The one that they chose, if they did.
        accepted: Their browser's Accept-Language.
    """
    if chosen in languages():
        return chosen
    weighed: list[tuple[float, str]] = []
    for part in accepted[:1000].split(","):
        match = re.fullmatch(r"\s*([A-Za-z]{1,8})[A-Za-z0-9-]*\s*(?:;\s*q=([01](?:\.\d+)?))?", part)
        if match and match[1].lower() in languages():
            weighed.append((-float(match[2] or 1), match[1].lower()))
    weighed.sort(key=lambda weight: weight[0])
    return weighed[0][1] if weighed and weighed[0][0] < 0 else FALLBACK
