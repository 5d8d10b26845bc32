"""Old savepoints of a gateway's jobs on a real Flink: which go, and that the others restore."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.job_service import ActionRequest, DraftRequest, InputChange
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.savepoint import canonical_path
from tests.flink_cluster import FlinkCluster
from tests.integration.gateway.jobs.gateway import RealGateway, until
from tests.unit.gateway.jobs.gateway import CLUSTER

RETAINED = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}


def there(path: str) -> bool:
    """Whether anything of a savepoint is there."""
    return Path(canonical_path(path)).exists()


async def saved(gateway: RealGateway, job: str) -> str:
    """Take a savepoint of a job, and return its path."""
    return (await gateway.done("SAVEPOINT", job)).record.last_savepoint or ""


def test_by_count_and_what_others_come_back_to_stays(tmp_path: Path, flink_2: FlinkCluster) -> None:
    """Shows files, records and refusals; the job counts on, and another starts from what stayed."""
    gateway = RealGateway(tmp_path, flink_2, cluster={"savepoint_retention": {"count": 1}})

    async def life() -> None:
        await gateway.start()
        await gateway.done("NEW", "kept", **gateway.version("v1", flink_configuration=RETAINED))
        await gateway.counts("v1")
        named, gone = await saved(gateway, "kept"), await saved(gateway, "kept")
        inputs = gateway.version("w1")
        draft = await gateway.jobs.draft(DraftRequest(CLUSTER, "another", inputs, {}, "tester"))
        await gateway.jobs.change(
            InputChange(CLUSTER, draft.number, draft.revision, {}, {}, "tester", named)
        )
        await saved(gateway, "kept")
        last = await saved(gateway, "kept")
        assert (there(named), there(gone), there(last)) == (True, False, True)
        row = await gateway.row("kept")
        listed = {canonical_path(each.path) for each in gateway.store.savepoints(row.number)}
        assert all(map(there, listed))
        assert canonical_path(gone) not in listed
        (disposed,) = gateway.store.disposed_savepoints(row.number)
        assert canonical_path(disposed.savepoint.path) == canonical_path(gone)
        with pytest.raises(Refusal, match="was disposed of"):
            await gateway.submit("UPDATE", "kept", restore_from=gone)
        assert (await gateway.done("UPDATE", "kept", **gateway.version("v2"))).status == "RUNNING"
        await gateway.counts("v2")
        await gateway.done("STOP", "kept")
        started = ActionRequest(CLUSTER, "another", Action.NEW, {}, {}, "tester", draft.run_id)
        ended = await gateway.ended((await gateway.jobs.submit(started)).id)
        assert ended.result is ActionResult.SUCCESS, ended.output
        another = await gateway.row("another")
        assert canonical_path(another.record.restored_from or "") == canonical_path(named)
        await gateway.done("STOP", "another")
        await gateway.stop()

    asyncio.run(life())


def age(path: str) -> float:
    """Return how many seconds ago a savepoint was written."""
    return time.time() - Path(canonical_path(path), "_metadata").stat().st_mtime


def test_by_age(tmp_path: Path, flink_2: FlinkCluster) -> None:
    """Shows that older ones go, but for the last one of a job that is stopped."""
    gateway = RealGateway(tmp_path, flink_2, cluster={"savepoint_retention": {"max_age": "1s"}})

    async def life() -> None:
        await gateway.start()
        await gateway.done("NEW", "aged", **gateway.version("v1", flink_configuration=RETAINED))
        await gateway.counts("v1")
        first = await saved(gateway, "aged")
        await gateway.counts("v1")
        await saved(gateway, "aged")
        await until(lambda: age(first) > 3)
        stopped = (await gateway.done("STOP", "aged")).record.last_savepoint or ""
        assert (there(first), there(stopped)) == (False, True)
        assert (await gateway.done("START", "aged")).status == "RUNNING"
        await gateway.counts("v1")
        await gateway.done("STOP", "aged")
        await gateway.stop()

    asyncio.run(life())
