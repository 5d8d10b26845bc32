"""What the state check adds to an update, and to nothing else."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.control_planes.flink.client import open_client
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.model.state_check_mode import StateCheckMode
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.bench.comparison import SHORT, Aim, Comparison, Measured
from tests.bench.counting_proxy import CountingProxy
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.job_jars import COUNTING_JAR

_PLAN = "POST /jars/…/plan"
_HOW = """
{n} updates of the counting job of examples/ (parallelism 1, a checkpoint every 200 ms), each by a
changed option, with `state_check` strict and off in turns; ours: strict, baseline: off.
`Reconciler.bring_about` in process, without a settle time, by a new client for each update, which
knows no graph of a program. The program is planned once before each update, whether state is
checked or not.
"""


def measure(directory: Path, rounds: int) -> Measured:
    """Measure, with several updates in each of the `rounds`."""
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(FlinkCluster(directory, FLINK_2)))
        proxy = stack.enter_context(CountingProxy(cluster.url))
        return asyncio.run(_measure(proxy, directory, rounds * SHORT))


async def _measure(proxy: CountingProxy, directory: Path, updates: int) -> Measured:
    target = FlinkTarget(url=proxy.url)
    jar, versions = open_jar(str(COUNTING_JAR)), count()
    spec = JobSpec(
        target=target,
        job_name="checked",
        owner="organization/bench/dev",
        jar=str(COUNTING_JAR),
        jar_digest=jar.digest,
        args=["--output", str(directory / "counts"), "--checkpoint-interval", "200"],
        parallelism=1,
        savepoint_directory=str(directory / "savepoints"),
        settle_time="0s",
    )

    async def bring_about(record: JobRecord | None, wanted: JobSpec) -> JobRecord:
        plane = FlinkRest(open_client(target, lambda _reference: ""))
        proxy.forget()
        try:
            return await Reconciler(plane, local_paths=True).bring_about(record, wanted, jar)
        finally:
            await plane.close()

    record = await bring_about(None, spec)
    taken: dict[StateCheckMode, list[float]] = {StateCheckMode.STRICT: [], StateCheckMode.OFF: []}
    plans: dict[StateCheckMode, list[float]] = {mode: [] for mode in taken}

    async def update(record: JobRecord, mode: StateCheckMode) -> JobRecord:
        options = {"pipeline.auto-watermark-interval": f"{100 + next(versions)} ms"}
        wanted = spec.model_copy(update={"flink_configuration": options, "state_check": mode})
        began = time.monotonic()
        updated = await bring_about(record, wanted)
        taken[mode].append(time.monotonic() - began)
        plans[mode].append(sum(str(each).startswith(_PLAN) for each in proxy.exchanges))
        return updated

    for _ in range(updates + 1):  # the first round loads classes
        for mode in taken:
            record = await update(record, mode)
    await bring_about(
        record, record.spec.model_copy(update={"desired_state": DesiredState.STOPPED})
    )
    (strict, off), (with_check, without) = (
        [each[1:] for each in kind.values()] for kind in (taken, plans)
    )
    return Measured(
        "The state check of an update",
        _HOW.format(n=2 * updates),
        [
            Comparison("an update", strict, off),
            Comparison(
                "runs of main for a plan",
                with_check,
                without,
                "",
                Aim("at most two more", ours=3),
            ),
        ],
    )
