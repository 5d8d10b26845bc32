"""What needs attention of a job by its record, also where its cluster does not answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.observing.attention import Attention, Concern
from flink_jobs_provider.observing.attention_sentences import Sentence, Statement
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

_START = Statement(Sentence.START_FROM_LAST)


def with_record(row: JobRow, listed: Collection[Attention] | None) -> Sequence[Attention] | None:
    """Return all reasons why a job needs attention.

    Args:
        row: The job on record.
        listed: What its cluster shows; None where the cluster does not answer.

    Returns:
        None where the cluster does not answer, and the record alone shows nothing.
    """
    known = {each.concern for each in listed or ()}
    found = [each for each in _recorded(row) if each.concern not in known]
    return None if listed is None and not found else [*(listed or ()), *found]


def _recorded(row: JobRow) -> list[Attention]:
    """Return what the record shows, in the order of its urgency."""
    found = []
    if row.status == "FAILED":
        failed = Statement(Sentence.FAILED)
        found.append(Attention(Concern.FAILED, failed, _START, _time(row.ended_at)))
    if row.status == "LOST":
        found.append(Attention(Concern.LOST, Statement(Sentence.WAS_ACTIVE), _START))
    if row.status == LAUNCH_FAILED or row.last.result is ActionResult.FAILED:
        last = row.last
        failed = Statement.of(Sentence.ACTION_FAILED, action=str(last.action))
        found.append(
            Attention(
                Concern.ACTION_FAILED,
                failed.because_of(str(last.output)),
                Statement(Sentence.REPEAT_ACTION),
                _time(last.finished_at),
            )
        )
    return found


def _time(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment else None
