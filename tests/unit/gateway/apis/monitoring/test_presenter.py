"""What the monitoring API shows to callers who may not read secrets."""

from __future__ import annotations

from flink_jobs_provider.gateway.apis.monitoring.presenter import attention_documents
from flink_jobs_provider.observing.attention import Attention, Concern
from flink_jobs_provider.observing.attention_sentences import Sentence, Share, Statement


def test_what_was_observed_and_what_to_do_are_masked() -> None:
    """Shows it of the name of a vertex, which comes from the program."""
    told = Statement.of(Sentence.SLOWEST, vertex="read hunter2", share=Share(1.0))
    shown = attention_documents(
        [Attention(Concern.FAILED, told, told)], lambda text: text.replace("hunter2", "***")
    )
    assert shown is not None
    [document] = shown
    assert document["reason"] == document["remedy"]
    assert "read ***" in document["remedy"]
