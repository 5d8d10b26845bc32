"""What is said of jobs and clusters that need attention, in the reader's language.

English is that of the command line and of the APIs. Another language is a file with its sentences
by code; one that is missing there stays in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from flink_jobs_provider.gateway.portal.text import FALLBACK, Text
from flink_jobs_provider.observing.attention_sentences import (
    ENGLISH,
    Statement,
    Wording,
    worded,
)
from flink_jobs_provider.strict_yaml import read_yaml

_FILES = Path(__file__).with_name("texts") / "attention"


@lru_cache
def attention_sentences(language: str) -> Mapping[str, str]:
    """Return the sentences of a language by code; none of English itself."""
    path = _FILES / f"{language}.yaml"
    return {str(code): str(text) for code, text in read_yaml(path).items()} if path.exists() else {}


def stated(statement: Statement, text: Text) -> str:
    """Return a statement in the language of a text."""
    if text.language == FALLBACK:
        return worded(statement, ENGLISH)
    return worded(statement, Wording(attention_sentences(text.language), text))
