"""Languages: the same phrases in each, and none anywhere else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from string import Formatter

import pytest

from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import (
    DAMAGED,
    GONE,
    PRESENT,
    UNKNOWN,
)
from flink_jobs_provider.gateway.portal.charts import MEASURES
from flink_jobs_provider.gateway.portal.offered_actions import JOB_ACTIONS
from flink_jobs_provider.gateway.portal.templating import TEMPLATES
from flink_jobs_provider.gateway.portal.text import (
    FALLBACK,
    UNITS,
    languages,
    preferred,
    text_of,
)
from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.observing.attention import Concern
from tests.unit.docs.pages import ROOT

PORTAL = ROOT / "flink_jobs_provider/gateway/portal"


def _phrases(language: str) -> dict[str, str]:
    return dict(text_of(language)._phrases)


def _values(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name is not None}


def test_there_are_languages() -> None:
    assert languages() == ("en", "fr")


@pytest.mark.parametrize("language", languages())
def test_each_language_says_all_of_it(language: str) -> None:
    """Shows that a language is a file with the same keys, and the same values in its phrases."""
    here, there = _phrases(language), _phrases(FALLBACK)
    assert here.keys() == there.keys()
    for key, phrase in here.items():
        assert _values(phrase) == _values(there[key]), key
        assert phrase.strip() == phrase != "", key


def test_every_phrase_is_used_and_there() -> None:
    """Shows it of the keys in templates and code, and of those made of words of the API."""
    sources = [
        path.read_text(encoding="utf-8")
        for path in (*TEMPLATES.glob("*.html"), *PORTAL.rglob("*.py"))
    ]
    whole = "\n".join(sources)
    keys = set(_phrases(FALLBACK))
    used = set(
        re.findall(r"""(?<![\w.])(?:t|text|visit\.text)\(\s*['"]([a-z_.]+)['"]\s*[,)]""", whole)
    )
    used |= set(re.findall(r"t\.pattern\('([a-z_.]+)'\)", whole))
    for counted in re.findall(r"counted\('([a-z_.]+)'", whole):
        used |= {f"{counted}.one", f"{counted}.other"}
    used |= set(re.findall(r"'(job\.ended|job\.since)'", whole))
    made: dict[str, set[str]] = {
        "action": {*Action, "release"},
        "result": set(ActionResult),
        "savepoint_reason": set(SavepointReason),
        "does": {Action.NEW, *(each.text for each in JOB_ACTIONS)},
        "drops": {each.text for each in JOB_ACTIONS if each.drops},
        "language": set(languages()),
        "api": {"hdinsight", "dli", "flink", "monitoring", "command_line"},
        "concern": {each.name for each in Concern},
        "checkpoint_kind": {"checkpoint", "savepoint"},
        "unit": set(UNITS),
        "presence": {PRESENT, GONE, DAMAGED, UNKNOWN},
        "trend": {each.name for each in MEASURES},
        "memory": {"heap", "metaspace", "job_manager_heap", "job_manager_metaspace"},
    }
    used |= {f"{group}.{word}" for group, words in made.items() for word in words}
    open_groups = ("field.", "hint.", "column.")
    assert used - keys == set()
    assert {key for key in keys - used if not key.startswith(open_groups)} == set()


class _Words(HTMLParser):
    """Collects what a reader would see or hear of a template that is not of the catalogue."""

    HEARD = ("alt", "aria-label", "placeholder", "title", "data-label")

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.words += [value or "" for name, value in attrs if name in self.HEARD]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.stem)
def test_no_text_is_in_a_template(path: object) -> None:
    source = TEMPLATES.joinpath(str(path)).read_text(encoding="utf-8")
    plain = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", source, flags=re.DOTALL)
    words = _Words()
    words.feed(plain)
    assert [word for word in words.words if re.search(r"[^\W\d_]", word)] == []


def test_no_text_is_in_a_script() -> None:
    """Shows that scripts say what their page has given them."""
    for path in sorted((PORTAL / "static").glob("*.js")):
        code = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        said = re.findall(r'"([^"\n]*)"', code)
        assert [text for text in said if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", text)] == []


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "fr", "fr"),
        (None, "fr-CA", "fr"),
        (None, "de,fr;q=0.5,en;q=0.4", "fr"),
        (None, "en;q=0.4,fr;q=0.5", "fr"),
        (None, "fr;q=0", "en"),
        (None, "de", "en"),
        (None, "\x00;;q=,,fr;q=9", "en"),
        ("fr", "en", "fr"),
        ("xx", "fr", "fr"),
        ("../secrets", "", "en"),
    ],
)
def test_whose_language(chosen: str | None, accepted: str, language: str) -> None:
    assert preferred(chosen, accepted) == language


def test_counting() -> None:
    """Shows that French counts nothing as one."""
    english, french = text_of("en"), text_of("fr")
    assert [english.counted("jobs.total", number) for number in (0, 1, 2)] == [
        *("0 jobs", "1 job", "2 jobs"),
    ]
    assert [french.counted("jobs.total", number) for number in (0, 1, 2)] == [
        *("0 travail", "1 travail", "2 travaux"),
    ]


def test_numbers_with_their_units() -> None:
    """Shows them as each language writes them."""
    english, french = text_of("en"), text_of("fr")
    assert (english.number(12345), french.number(12345)) == ("12,345", "12\u202f345")
    assert (english.rate(3.25), french.rate(3.25)) == ("3.2/s", "3,2/s")
    assert (english.rate(1234.5), english.percent(0.974)) == ("1,234/s", "97%")
    sizes = {
        0: "0 B",
        1023: "1,023 B",
        1536: "1.5 KiB",
        5 * 2**30: "5.0 GiB",
        2**60: "1,048,576 TiB",
    }
    assert {size: english.size(size) for size in sizes} == sizes
    spans = {0: "0 ms", 999: "999 ms", 1500: "1.5 s", 119_000: "119 s", 120_000: "2 min"}
    spans |= {3 * 3_600_000: "3 h", 50 * 3_600_000: "2 days"}
    assert {length: english.span(length) for length in spans} == spans
    assert (french.size(1536), french.span(50 * 3_600_000)) == ("1,5 Kio", "2 jours")
