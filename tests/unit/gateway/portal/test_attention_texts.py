"""What needs attention is in the reader's language, and no sentence of it is missing in any."""

from __future__ import annotations

from string import Formatter

import pytest

from flink_jobs_provider.gateway.portal.attention_texts import attention_sentences, stated
from flink_jobs_provider.gateway.portal.text import FALLBACK, languages, text_of
from flink_jobs_provider.observing.attention_sentences import (
    Milliseconds,
    Sentence,
    Share,
    Statement,
)

OTHERS = [language for language in languages() if language != FALLBACK]


def _values(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_has_each_sentence_with_its_facts(language: str) -> None:
    sentences = attention_sentences(language)
    assert sentences.keys() == {each.name for each in Sentence}
    for each in Sentence:
        assert _values(sentences[each.name]) == _values(each.value), each
        assert each.value != sentences[each.name] or each is Sentence.WITH_CAUSE, each
        assert not sentences[each.name].endswith("."), "its page ends it"


def test_facts_are_written_as_the_language_does() -> None:
    """Shows numbers, times and shares, a part in its language, and a cause as it was reported."""
    last = Statement.of(Sentence.LAST_COMPLETED, ago=Milliseconds(3_500))
    failed = Statement.of(Sentence.CHECKPOINTS_FAILED, number=1234, last=last)
    whole = failed.because_of("IOException: {disk}")
    assert stated(whole, text_of("en")) == (
        "its last 1234 checkpoints failed, and the last one completed 3 s ago: IOException: {disk}"
    )
    assert stated(whole, text_of("fr")) == (
        "ses 1\u202f234 derniers points de contrôle ont échoué, et le dernier achevé date d'il y a "
        "3,5 s : IOException: {disk}"
    )
    slowest = Statement.of(Sentence.SLOWEST, vertex="count", share=Share(0.974))
    assert (
        stated(slowest, text_of("fr"))
        == "count travaille 97 % du temps, plus que tout autre sommet"
    )
    assert failed.because_of("") is failed
