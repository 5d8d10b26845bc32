"""What an action reports is stored as a text, and as data where an API words it by itself."""

from __future__ import annotations

import pytest

from flink_jobs_provider.gateway.apis.dli.call_words import CALL_WORDS
from flink_jobs_provider.gateway.outputs import ErrorOutput, in_words, read_output, stored_output
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.remedies import Remedy

_ERROR = StateUnavailable(
    "orders: it is LOST", now="Nothing was started", remedy=Remedy.RESTORE_OR_EMPTY_OR_STOPPED
)
_TEXT = (
    "orders: it is LOST. Nothing was started. START or RE_LAUNCH with a savepoint starts it from "
    "there; STATELESS_UPDATE starts it from nothing."
)


def test_an_error_reads_in_each_apis_words_after_it_was_stored() -> None:
    stored = stored_output(ErrorOutput.of(_ERROR).followed_by("Retried until noon."))
    read = read_output(stored)
    assert read == f"{_TEXT} Retried until noon."
    assert stored.startswith(read), "an earlier version of the gateway shows the text first"
    assert in_words(read, CALL_WORDS) == (
        "orders: it is LOST. Nothing was started. Import a savepoint and run it with "
        "resume_savepoint to start it from there; a run without resume_savepoint starts it from "
        "nothing. Retried until noon."
    )


def test_facts_and_property_are_stored() -> None:
    error = StateUnavailable(
        "orders: {field} is gone",
        field="restore_from",
        remedy=Remedy.RETAIN_CHECKPOINTS.of(option="a.b", value="KEEP"),
    )
    read = read_output(stored_output(ErrorOutput.of(error)))
    assert read == (
        "orders: savePointName is gone. Set a.b to KEEP in flinkConfiguration with an UPDATE "
        "first, or use UPDATE alone, which takes a savepoint."
    )
    assert in_words(read, CALL_WORDS) == (
        "orders: savepoint_path is gone. Set a.b to KEEP in runtime_config and run it again."
    )


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "Job canceled",
        "2026-01-01 file:/a\n2025-01-01 file:/b",
        "Retried until noon. STATELESS_UPDATE starts it from nothing",
    ],
)
def test_a_text_alone_stays_as_it_is(stored: str) -> None:
    """Shows it of outputs that earlier versions stored, too."""
    assert read_output(stored) == stored
    assert in_words(read_output(stored), CALL_WORDS) == stored
    assert stored_output(stored) == stored


def test_an_error_that_all_word_alike_is_stored_as_its_text() -> None:
    error = StateUnavailable("orders: it is LOST", remedy="Fix it")
    assert stored_output(ErrorOutput.of(error)) == "orders: it is LOST. Fix it."


@pytest.mark.parametrize(
    "data",
    [
        '{"parts": ["a", "b"], "field": "", "then": "", "code": "OF_A_LATER_VERSION", "facts": {}}',
        '{"parts": ["a"], "field": "", "then": ""}',
        "{",
        "[]",
    ],
)
def test_data_of_a_later_version_leaves_the_text(data: str) -> None:
    assert read_output(f"It failed.\x1e{data}") == "It failed."


def test_places_are_masked_in_text_and_facts() -> None:
    error = StateUnavailable(
        "orders: /srv/jobs/a.jar is gone",
        now="/srv/jobs/b runs",
        remedy=Remedy.STOP_FIRST.of(put_back="Put it back at /srv/jobs/a.jar"),
    )
    output = ErrorOutput.of(error, lambda text: text.replace("/srv/jobs", "abfs://jobs@account"))
    assert "/srv" not in output + in_words(output, CALL_WORDS) + stored_output(output)
    assert "Put it back at abfs://jobs@account/a.jar; or stop" in output
