"""Going on where a process ended that no state remembers: jars by digest, cancels, old names."""

from __future__ import annotations

import asyncio

import fsspec
import pytest

from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.flink.preflight import NotEnoughSlots
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.savepoint_metadata import metadata
from tests.unit.model.made_up_jobs import DIGEST_1
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version


def reconciler(stack: Stack) -> Reconciler:
    """Return the reconciler of a stack's cluster."""
    return Reconciler(stack.flink, clock=stack.time.clock())


def test_a_jar_that_is_on_the_cluster_is_started_by_its_digest() -> None:
    stack = running("savepoint")
    wanted = version("Old", "savepoint", parallelism=3)
    digest = str(stack.recorded.spec.jar_digest)
    assert wanted.jar_digest == digest
    record = asyncio.run(reconciler(stack).bring_about(stack.recorded, wanted, digest))
    assert record.status == "RUNNING"
    assert stack.flink.the_job().parallelism == 3
    assert stack.flink.jars == {(record.spec.key.prefix, digest[:32])}


def test_a_jar_that_is_nowhere_is_an_error() -> None:
    stack = Stack()
    with pytest.raises(PermanentError, match="no longer on the cluster"):
        asyncio.run(reconciler(stack).bring_about(None, version("Old", "savepoint"), DIGEST_1))
    assert stack.flink.submissions == []


def test_a_cancel_leaves_the_jars_and_says_whether_anything_ran() -> None:
    stack = running("savepoint")
    assert asyncio.run(reconciler(stack).cancel(stack.recorded))
    assert stack.flink.active() == []
    assert stack.flink.jars
    assert not asyncio.run(reconciler(stack).cancel(stack.recorded))
    assert asyncio.run(reconciler(stack).refresh(stack.recorded)).status == "CANCELED"


@pytest.mark.parametrize("end", ["STOPPED", "FAILED"])
def test_what_former_jobs_of_a_name_left_is_not_gone_on_from(end: str) -> None:
    stack = running("savepoint")
    wanted = version("Old", "savepoint")
    stack.flink.pass_time(70)
    if end == "STOPPED":
        stack.up(version("Old", "savepoint", desired_state="stopped"))
    else:
        stack.flink.end(stack.flink.the_job(), end)
    former = stack.recorded.generation
    new = JobRecord(spec=wanted, status="STARTING", generation=former)
    stack.record = asyncio.run(reconciler(stack).bring_about(new, wanted, DIGEST_1))
    assert stack.flink.the_job().restored_from == ""
    assert stack.recorded.generation == former + 1


def test_what_a_dead_start_of_this_job_left_is_gone_on_from() -> None:
    """Shows that only generations up to the recorded one are of others."""
    stack = running("savepoint")
    stack.flink.pass_time(70)
    stack.flink.end(stack.flink.the_job(), "FAILED")
    wanted = version("Old", "savepoint")
    new = JobRecord(spec=wanted, status="STARTING", generation=stack.recorded.generation - 1)
    asyncio.run(reconciler(stack).bring_about(new, wanted, DIGEST_1))
    assert stack.flink.the_job().restored_from


def test_slots_that_are_short_are_told_apart_from_what_would_fail_again() -> None:
    stack = Stack(slots=1)
    with pytest.raises(NotEnoughSlots, match="2 task slots are needed, 1 are free"):
        stack.up(version("Old", "savepoint"))


def test_the_savepoint_directory_is_listed_newest_first() -> None:
    stack = running("savepoint")
    paths = []
    for trigger in ("1", "2"):
        stack.up(version("Old", "savepoint", savepoint_trigger=trigger))
        paths.append(stack.recorded.last_savepoint)
    found = asyncio.run(reconciler(stack).savepoints(stack.recorded.spec))
    assert {point.path for point in found} == set(paths)
    assert [point.taken_at for point in found] == sorted(
        (point.taken_at for point in found), reverse=True
    )


def test_savepoints_of_another_owners_job_of_the_name_are_not_listed() -> None:
    """Shows it of a directory that two jobs of one name share; what was copied there is listed."""
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", savepoint_trigger="1"))
    own = stack.recorded.last_savepoint
    assert own is not None
    job_id = str(stack.recorded.job_id)
    foreign = own.replace(job_id, f"{job_id[:12]}{'f' * 20}")
    copied = f"{own.partition(job_id)[0]}savepoint-copied"
    for path in (foreign, copied):
        fsspec.filesystem("memory").pipe_file(f"{path}/_metadata".split("//", 1)[1], metadata())
    found = asyncio.run(reconciler(stack).savepoints(stack.recorded.spec))
    assert {point.path for point in found} == {own, copied}
