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
#: What languages other than English write between thousands, and before decimals.
_NUMBERS = {"fr": ("\u202f", ",")}
#: Units of time with their milliseconds, and of sizes; all of them are keys of the catalogue.
_TIMES = (("days", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
UNITS = (*(name for name, _ in _TIMES), "ms", *_SIZES, "percent", "per_s")


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
        return self(f"{key}.{'one' if one else 'other'}", number=self.number(number), **values)

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number as the language writes it."""
        thousands, point = _NUMBERS.get(self.language, (",", "."))
        return f"{value:,.{digits}f}".translate({ord(","): thousands, ord("."): point})

    def percent(self, share: float) -> str:
        """Return a share, 0 to 1."""
        return self._measured("percent", self.number(share * 100))

    def rate(self, per_second: float) -> str:
        """Return how many there are in a second."""
        return self._measured("per_s", self.number(per_second, 0 if per_second >= 10 else 1))

    def size(self, count: float) -> str:
        """Return a number of bytes in one unit."""
        for unit in _SIZES:
            if count < 1024 or unit == _SIZES[-1]:
                break
            count /= 1024
        return self._measured(unit, self.number(count, 0 if unit == "B" or count >= 10 else 1))

    def span(self, milliseconds: float) -> str:
        """Return a length of time in one unit."""
        for unit, length in _TIMES:
            if milliseconds >= (2 * length if unit != "s" else 1000):
                digits = 1 if unit == "s" and milliseconds < 10_000 else 0
                shown = milliseconds / length if digits else milliseconds // length
                return self._measured(unit, self.number(shown, digits))
        return self._measured("ms", self.number(milliseconds))

    def _measured(self, unit: str, number: str) -> str:
        return self._phrases[f"unit.{unit}"].format(number=number)

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
