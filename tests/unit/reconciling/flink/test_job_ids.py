"""Which jobId a job gets that existed before."""

from __future__ import annotations

import fsspec
import pytest

from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version


@pytest.mark.parametrize("left", ["savepoint", "checkpoint", "checkpoint of its own place"])
def test_a_forgotten_job_does_not_get_its_jobid_again(left: str) -> None:
    """What lies in its directories tells which generations there were, when the cluster forgot."""
    stack = Stack()
    flink, below = stack.flink, stack.flink.cluster.checkpoint_directory
    wanted = version("Old", "savepoint")
    if left == "checkpoint of its own place":
        below += "-own"
        options = {**wanted.flink_configuration, "state.checkpoints.dir": below}
        wanted = wanted.model_copy(update={"flink_configuration": options})
    first = stack.up(wanted)
    if left == "savepoint":
        stack.up(wanted.model_copy(update={"savepoint_trigger": "1"}))
    else:
        path = f"{below}/{first.job_id}/chk-1/_metadata"
        fsspec.filesystem("memory").pipe_file(path.split("//", 1)[1], b"")
    stack.destroy()
    flink.restart_job_manager()
    again = stack.up(wanted)
    assert again.generation == first.generation + 1
    assert again.job_id != first.job_id
    assert again.restored_from is None


def test_a_renamed_owner_leaves_no_jar_behind() -> None:
    """The jobId of the running version begins as its former owner's; so does its jar's name."""
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", owner="org/shop/renamed"))
    assert stack.recorded.spec.owner == "org/shop/renamed"
    assert len(stack.flink.jars) == 1
    stack.up(version("New", "savepoint", owner="org/shop/renamed"))
    assert [identity for identity, _ in stack.flink.jars] == [stack.recorded.spec.key.prefix]
    stack.destroy()
    assert not stack.flink.jars
