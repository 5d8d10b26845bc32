"""`flink-jobs jobs start`: a savepoint that the command names, and one that is left in the file."""

from __future__ import annotations

import asyncio

import pytest

from flink_jobs_provider.cli.starting import start_from
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.flink import Reconciler
from tests.unit.reconciling.flink.stack import Stack, jar
from tests.unit.reconciling.flink.test_honouring import HOUR, NAMED, forgotten, wanted


def start(stack: Stack, given: str | None) -> JobRecord:
    """Start the job as the command does."""
    reconciler = Reconciler(stack.flink, clock=stack.time.clock())
    return asyncio.run(start_from(reconciler, wanted(), jar(wanted()), given))


@pytest.mark.parametrize("pause", [60.0, HOUR])
def test_one_that_the_command_names_counts(pause: float) -> None:
    stack = forgotten(wanted("Old"), wanted(), pause=pause)
    record = start(stack, NAMED)
    assert record.restored_from == stack.flink.the_job().restored_from == NAMED
    assert record.spec.restore_from == NAMED


def test_one_that_was_left_in_the_file_does_not_set_the_job_back() -> None:
    stack = forgotten(wanted("Old"), wanted())
    job = stack.flink.the_job()
    assert start(stack, None).job_id == job.job_id


def test_whether_it_was_is_not_known() -> None:
    stack = forgotten(wanted("Old"), wanted(), pause=HOUR)
    job = stack.flink.the_job()
    with pytest.raises(StateUnavailable) as caught:
        start(stack, None)
    assert caught.value.remedy == (
        "To go on from the state it has, take restore_from out of the file; to go back to that "
        f"one, give it with --from {NAMED}."
    )
    assert stack.flink.the_job() is job
