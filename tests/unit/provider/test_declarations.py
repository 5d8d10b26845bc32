"""A job belongs to one resource: two that declare it are refused, both by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pulumi.output import Unknown

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.control_planes.service_planes import ActionJob, StepJob
from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.target import DliTarget, FlinkTarget, HDInsightTarget
from flink_jobs_provider.provider.cluster_identity import is_same_cluster, is_same_job
from flink_jobs_provider.provider.dynamic import RESOURCE_KEY, FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.contract.hdinsight.stack import TARGET
from tests.unit.model.made_up_jobs import URL, record, spec
from tests.unit.provider.conftest import LOOP, UseClusters
from tests.unit.provider.test_calls import Job
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink

HDINSIGHT = {
    "kind": "hdinsight",
    "subscription": "0000",
    "resource_group": "Group",
    "cluster_pool": "Pool",
    "cluster": "one",
    "endpoint": "http://gateway:8090",
    "jar_upload_directory": "abfs://jobs@account.dfs.core.windows.net/jars",
}
DLI = {
    "kind": "dli",
    "project_id": "project1",
    "endpoint": "http://gateway:8090",
    "queue": "streams",
    "jar_upload_directory": "obs://jobs/jars",
}
TARGETS = pytest.mark.parametrize(
    "target", [{"kind": "flink", "url": URL}, HDINSIGHT, DLI], ids=["flink", "hdinsight", "dli"]
)


@pytest.fixture
def resource(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink
) -> Callable[..., Job]:
    """Return a maker of resources, which all declare one job unless told otherwise."""

    def make(name: str, **changes: Any) -> Job:
        return Job(provider, {**inputs, RESOURCE_KEY: f"::{name}", **changes})

    return make


def refusal(job: Job) -> str:
    """Return why `check` refuses the job's name; empty where it does not."""
    failures = job.provider.check(job.state, job.inputs).failures or []
    return "; ".join(each.reason for each in failures if each.property == "job_name")


@TARGETS
def test_the_second_is_refused_by_both_names(
    resource: Callable[..., Job], target: dict[str, Any], use_clusters: UseClusters
) -> None:
    """Shows that no cluster is asked for that."""
    use_clusters(None)
    assert refusal(resource("orders", target=target)) == ""
    told = refusal(resource("purchases", target=target))
    assert told.startswith(
        "is declared by two resources of this stack, 'orders' and 'purchases': both name job orders"
    )


def test_an_engine_may_check_one_resource_twice(resource: Callable[..., Job]) -> None:
    """Shows a replacement: the second check has nothing of before."""
    job = resource("orders")
    job.create()
    assert refusal(job) == ""
    job.state = {}
    assert refusal(job) == ""


def test_what_tells_resources_apart_is_not_recorded(resource: Callable[..., Job]) -> None:
    """Shows that a state of before is unchanged by it."""
    job = resource("orders")
    assert RESOURCE_KEY not in job.checked()
    assert RESOURCE_KEY not in job.create()
    assert not job.diff().changes


def test_another_owner_or_unknown_arguments_make_no_difference(
    resource: Callable[..., Job],
) -> None:
    resource("orders").checked()
    assert "'orders' and 'other'" in refusal(resource("other", owner="me/shop/other"))
    unknown = Unknown()  # type: ignore[no-untyped-call]
    assert "'orders' and 'third'" in refusal(resource("third", args=unknown))
    assert refusal(resource("fourth", job_name=unknown)) == ""


def test_a_rename_into_the_name_of_another(
    resource: Callable[..., Job], new_run: Callable[[], None]
) -> None:
    one, other = resource("one", job_name="a"), resource("other", job_name="b")
    one.state, other.state = ({**each.checked(), "status": "RUNNING"} for each in (one, other))
    new_run()
    one.checked()
    other.inputs["job_name"] = "a"
    assert "'one' and 'other'" in refusal(other)


def test_swapped_names(resource: Callable[..., Job], new_run: Callable[[], None]) -> None:
    """Shows the order in which an engine asks: the check of one, its diff, and then the other's."""
    stateless = {"upgrade_mode": "stateless"}
    one, other = resource("one", job_name="a"), resource("other", job_name="b")
    one.state, other.state = ({**each.checked(), "status": "RUNNING"} for each in (one, other))
    new_run()
    one.inputs |= {"job_name": "b", **stateless}
    other.inputs |= {"job_name": "a", **stateless}
    one.diff()
    assert "whose resource, 'one', is replaced by one of another job" in refusal(other)


def test_two_addresses_of_one_cluster(
    resource: Callable[..., Job], flink: FakeFlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flink, "cluster", replace(flink.cluster, instance="flink-web-1"))
    resource("orders").checked()
    told = refusal(resource("other", target={"kind": "flink", "url": "http://alias:8081"}))
    assert told == (
        "is declared by two resources of this stack, 'orders' and 'other': both name job orders on "
        f"http://alias:8081, the same cluster as {URL}. Give one of them another job_name, or take "
        "it out of the program."
    )


def test_two_addresses_that_only_a_started_job_tells_of(
    resource: Callable[..., Job], flink: FakeFlink
) -> None:
    """Shows both created at once: the second waits for the first, and is refused; one runs."""
    jobs = [
        resource("orders"),
        resource("other", target={"kind": "flink", "url": "http://alias:8081"}, parallelism=3),
    ]
    wanted = [job.checked() for job in jobs]
    flink.pass_time(1)
    outcomes = []
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(jobs[0].provider.create, each) for each in wanted]:
            try:
                outcomes.append(str(future.result().id))
            except FlinkJobError as error:
                outcomes.append(str(error))
    (told,) = [each for each in outcomes if each != "orders"]
    assert told.startswith("orders: job_name is declared by two resources of this stack, '")
    assert "the same cluster as " in told
    assert len(flink.submissions) == 1
    assert flink.active()


def test_jobs_of_one_name_on_two_clusters_are_two(
    resource: Callable[..., Job],
    flink: FakeFlink,
    use_clusters: UseClusters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = FakeFlink(FakeClock())
    for number, each in enumerate((flink, other)):
        monkeypatch.setattr(each, "cluster", replace(each.cluster, instance=f"flink-web-{number}"))

    class Two:
        """Gives each by its address."""

        def of(self, target: FlinkTarget) -> FakeFlink:
            """Return one."""
            return other if "other" in target.url else flink

    use_clusters(Two())
    resource("eu").create()
    resource("us", target={"kind": "flink", "url": "http://other:8081"}).create()
    assert len(flink.active()) == len(other.active()) == 1


@pytest.mark.parametrize(
    ("kind", "row", "same"),
    [
        ("hdinsight", ActionJob("7", "orders", job_id="ab", started=5), True),
        ("hdinsight", ActionJob("7", "orders", job_id="ab", started=6), None),
        ("hdinsight", ActionJob("7", "returns", job_id="ab", started=5), None),
        ("dli", StepJob("7", "orders", job_id="ab", started=5), True),
        ("dli", StepJob("8", "orders", job_id="ab", started=5), None),
        ("dli", None, None),
    ],
)
def test_two_addresses_of_one_service(kind: str, row: ActionJob | None, same: bool | None) -> None:
    """Shows that a job which both list tells; nothing else does."""
    here = (StepJob if kind == "dli" else ActionJob)("7", "orders", job_id="ab", started=5)
    targets: list[Any] = [
        DliTarget.model_validate({**DLI, "endpoint": f"http://{host}:8090"})
        if kind == "dli"
        else HDInsightTarget.model_validate({**HDINSIGHT, "endpoint": f"http://{host}:8090"})
        for host in ("one", "other")
    ]

    class Service:
        """Lists one job."""

        def __init__(self, job: ActionJob | None) -> None:
            self._job = job

        async def jobs(self) -> list[ActionJob]:
            """Return all."""
            if self._job is None:
                raise ClusterUnreachable("no answer")
            return [self._job]

        async def named(self, name: str) -> list[ActionJob]:
            """Return those of a name."""
            return [job for job in await self.jobs() if job.job_name == name]

    class Services:
        """Gives each by its address."""

        def of(self, target: Any) -> Service:
            """Return one."""
            return Service(here if target is targets[0] else row)

    services: Any = Services()
    answer = LOOP.run(is_same_cluster(services, targets[0], targets[1], "orders"))
    assert answer is same


def recorded(endpoint: str, **changes: Any) -> JobRecord:
    """Return what is recorded of the job behind an address."""
    base = {"run_id": "run-1", "job_id": "a" * 32, "started_at": "2026-11-01T10:00:00Z"}
    return record(spec(target={**TARGET, "endpoint": endpoint}), **{**base, **changes})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"run_id": "run-2"}, False),
        ({"job_id": "b" * 32}, False),
        ({"started_at": "2026-11-01T10:00:01Z"}, False),
    ],
)
def test_a_run_is_known_by_its_ids_and_its_start(changes: dict[str, str], same: bool) -> None:
    old, new = recorded("https://gateway"), recorded("https://gateway.example", **changes)
    assert asyncio.run(is_same_job(Clusters(str), old, new)) is same


def test_a_jobs_name_tells_no_run() -> None:
    """Shows one version of HDInsight's API, which calls a run by it."""
    old, new = (recorded(url, run_id="orders") for url in ("https://one", "https://two"))
    assert not asyncio.run(is_same_job(Clusters(str), old, new))
