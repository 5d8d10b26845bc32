"""What an action reports: a text, or an error whose data is stored alongside its text.

The `output` of an action is one column of text. An error that the APIs word differently is stored
as its text in the words of the actions, a separator, and its data: the HDInsight on AKS API, and
whoever reads the table, has the text; the Data Lake Insight API words the data. Outputs that an
earlier version stored are texts alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flink_jobs_provider.gateway.action_words import ACTION_WORDS, ActionRemedy
from flink_jobs_provider.model.errors import JobError, worded
from flink_jobs_provider.model.remedies import Advice, Remedy, RemedyCode, Wording

#: ASCII's record separator. No message holds one: white space in messages is folded.
_SEPARATOR = "\x1e"
_REMEDIES: dict[str, RemedyCode] = {each.name: each for each in (*Remedy, *ActionRemedy)}


class ErrorOutput(str):
    """An error as an action reports it; as a text, it is in the words of the actions.

    Attributes:
        parts: What happened, and how the job is now.
        remedy: What would help.
        field: The property that it is about, in the words of a declared job.
        then: What the gateway does next; empty where it does nothing more.
    """

    __slots__ = ("field", "parts", "remedy", "then")

    parts: tuple[str, str]
    remedy: str
    field: str
    then: str

    def __new__(
        cls, parts: tuple[str, str], remedy: str, field: str, then: str = ""
    ) -> ErrorOutput:
        """Make the text of an error."""
        text = worded(*parts, remedy, field, ACTION_WORDS)
        output = super().__new__(cls, f"{text} {then}".rstrip())
        output.parts, output.remedy, output.field, output.then = parts, remedy, field, then
        return output

    @classmethod
    def of(cls, error: JobError, mask: Callable[[str], str] = str) -> ErrorOutput:
        """Return an error as an action reports it.

        Args:
            error: The error.
            mask: Returns a text in which places are named as callers name them.
        """
        remedy = error.remedy
        if isinstance(remedy, Advice):
            facts = {name: mask(fact) for name, fact in remedy.facts.items()}
            remedy = remedy.code.of(**facts)
        else:
            remedy = mask(remedy)
        return cls((mask(error.template), mask(error.now)), remedy, error.field)

    def followed_by(self, then: str) -> ErrorOutput:
        """Return it with what the gateway does next."""
        return ErrorOutput(self.parts, self.remedy, self.field, then)

    def worded(self, wording: Wording) -> str:
        """Return it in the words of a face."""
        return f"{worded(*self.parts, self.remedy, self.field, wording)} {self.then}".rstrip()

    @property
    def has_words_of_faces(self) -> bool:
        """Whether faces word it differently."""
        return bool(self.field) or isinstance(self.remedy, Advice)


def in_words(output: str, wording: Wording) -> str:
    """Return what an action reported, in the words of a face."""
    return output.worded(wording) if isinstance(output, ErrorOutput) else output


def stored_output(output: str) -> str:
    """Return what an action reported, as its column holds it."""
    if not isinstance(output, ErrorOutput) or not output.has_words_of_faces:
        return str(output)
    data: dict[str, Any] = {"parts": output.parts, "field": output.field, "then": output.then}
    if isinstance(output.remedy, Advice):
        data |= {"code": output.remedy.code.name, "facts": output.remedy.facts}
    else:
        data["remedy"] = output.remedy
    return f"{output}{_SEPARATOR}{json.dumps(data, ensure_ascii=False)}"


def read_output(stored: str) -> str:
    """Return what an action reported, from its column.

    Data that this version cannot read, such as a remedy of a later one, leaves the text.
    """
    text, separator, data = stored.rpartition(_SEPARATOR)
    if not separator:
        return stored
    try:
        read = json.loads(data)
        happened, now = read["parts"]
        remedy = read.get("remedy", "")
        if code := read.get("code"):
            remedy = _REMEDIES[code].of(**read["facts"])
        return ErrorOutput((happened, now), remedy, read["field"], read["then"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return text
