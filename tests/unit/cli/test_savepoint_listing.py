"""Where `flink-jobs jobs savepoints` looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import fsspec
import pytest
from typer.testing import CliRunner

from flink_jobs_provider.cli import jobs
from flink_jobs_provider.cli.app import app
from flink_jobs_provider.cli.job_choice import Owners, named_jobs
from flink_jobs_provider.cli.savepoint_listing import Listing, list_savepoints
from flink_jobs_provider.control_planes.protocol import (
    Purpose,
    SavepointRequest,
    Submission,
)
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.identity import JobKey
from flink_jobs_provider.model.savepoint import SavepointFormat
from flink_jobs_provider.model.target import FlinkTarget
from tests.unit.model.made_up_jobs import DIGEST_1, OWNER, spec
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink


class NamingFlink(FakeFlink):
    """A Flink in memory, whose jars tell the names of its jobs."""

    def __init__(self) -> None:
        super().__init__(FakeClock(), readable=True)
        self.names: dict[str, str] = {}
        self.own = f"{self.cluster.savepoint_directory}-of-a-job"

    async def job_names(self) -> dict[str, str]:
        """Return them."""
        return self.names

    def start(self, name: str, digits: str = "abcd1234", restore_from: str | None = None) -> str:
        """Start a job and return its jobId."""
        key = JobKey(name, OWNER)
        job_id = key.job_id(1, digits)
        self.names[key.prefix] = name
        self.submit_by_hand(
            Submission(job_id, spec(job_name=name, parallelism=1), DIGEST_1, restore_from)
        )
        self.pass_time(1)
        return job_id

    def save(self, job_id: str, directory: str) -> str:
        """Take a savepoint of a job; return its path."""
        request = SavepointRequest(
            job_id, directory, Purpose.SAVEPOINT, SavepointFormat.CANONICAL, directory
        )
        return asyncio.run(self.take_savepoint(request, 60))


@pytest.fixture
def flink() -> NamingFlink:
    return NamingFlink()


def listed(flink: NamingFlink, wanted: str, directory: str | None = None) -> Listing:
    """List a job's savepoints."""

    async def work() -> Listing:
        jobs = await named_jobs(flink, Owners())
        return await list_savepoints(flink, jobs, wanted, directory, False)

    return asyncio.run(work())


def paths(listing: Listing) -> set[str]:
    """Return their paths."""
    return {point.path for point in listing.points}


def test_the_clusters_directory_and_the_one_that_the_job_used(flink: NamingFlink) -> None:
    cluster = flink.cluster.savepoint_directory
    job_id = flink.start("orders")
    one = flink.save(job_id, f"{cluster}/orders/{job_id}")
    two = flink.save(job_id, f"{flink.own}/orders/{job_id}")
    flink.save(flink.start("returns"), f"{cluster}/returns/{job_id}")
    found = listed(flink, "orders")
    assert paths(found) == {one, two}
    assert found.places == (f"{cluster}/orders", f"{flink.own}/orders")


def test_a_directory_that_is_given_alone_is_looked_in(flink: NamingFlink) -> None:
    job_id = flink.start("orders")
    one = flink.save(job_id, f"{flink.cluster.savepoint_directory}/orders/{job_id}")
    two = flink.save(job_id, f"{flink.own}/orders/{job_id}")
    assert paths(listed(flink, "orders", flink.own)) == {two}
    assert paths(listed(flink, "orders", flink.cluster.savepoint_directory)) == {one}


def test_what_a_job_started_from(flink: NamingFlink) -> None:
    """Shows a job that has taken none itself, on a cluster that has no directory."""
    flink.cluster = replace(flink.cluster, savepoint_directory="")
    first = flink.start("orders")
    origin = flink.save(first, f"{flink.own}/orders/{first}")
    flink.end(flink.jobs_by_id.pop(first), "CANCELED")
    flink.start("orders", "1234abcd", restore_from=origin)
    assert paths(listed(flink, "orders")) == {origin}


def test_checkpoints_are_no_savepoints(flink: NamingFlink) -> None:
    """Shows a job that went on from one, and checkpoints that lie where savepoints do."""
    former = JobKey("orders", OWNER).job_id(2, "12345678")
    retained = f"{flink.own}/orders/{former}/chk-7"
    flink.progress_in[retained] = 5
    job_id = flink.start("orders", restore_from=retained)
    cluster = flink.cluster.savepoint_directory
    path = flink.save(job_id, f"{cluster}/orders/{job_id}")
    for place in (retained, f"{cluster}/orders/{job_id}/chk-8"):
        fsspec.filesystem("memory").pipe_file(f"{place}/_metadata".split("//", 1)[1], b"")
    found = listed(flink, "orders")
    assert (found.places, paths(found)) == ((f"{cluster}/orders",), {path})


def test_a_job_by_its_id_is_looked_for_by_its_name(flink: NamingFlink) -> None:
    job_id = flink.start("orders")
    path = flink.save(job_id, f"{flink.cluster.savepoint_directory}/orders/{job_id}")
    found = listed(flink, job_id[:10])
    assert (found.name, paths(found)) == ("orders", {path})


def test_a_job_that_its_cluster_has_forgotten(flink: NamingFlink) -> None:
    job_id = flink.start("orders")
    path = flink.save(job_id, f"{flink.cluster.savepoint_directory}/orders/{job_id}")
    flink.restart_job_manager()
    flink.names.clear()
    assert paths(listed(flink, "orders")) == {path}


def test_a_name_is_known_where_the_jars_are_gone(flink: NamingFlink) -> None:
    job_id = flink.start("orders")
    path = flink.save(job_id, f"{flink.cluster.savepoint_directory}/orders/{job_id}")
    flink.names.clear()
    assert paths(listed(flink, "orders")) == {path}


def test_no_place_to_look_in(flink: NamingFlink) -> None:
    flink.cluster = replace(flink.cluster, savepoint_directory="")
    flink.start("orders")
    with pytest.raises(PermanentError, match="Give --directory"):
        listed(flink, "orders")


def test_digits_of_several_jobs(flink: NamingFlink, monkeypatch: pytest.MonkeyPatch) -> None:
    first = flink.start("orders")
    twin = first[:12] + "f" * 6 + first[18:]
    flink.jobs_by_id[twin] = replace(flink.jobs_by_id[first], job_id=twin)
    flink.names[twin[:18]] = "other"
    with pytest.raises(PermanentError, match=r"these do: orders \(.*\), other \(owner ff"):
        listed(flink, first[:10])


@pytest.mark.parametrize(
    ("more", "hinted"), [([], True), (["--directory", "memory:///elsewhere"], False)]
)
def test_what_the_command_says_where_there_are_none(
    flink: NamingFlink, monkeypatch: pytest.MonkeyPatch, more: list[str], hinted: bool
) -> None:
    """Shows that it names where it looked, and how to have it look elsewhere."""

    def with_fake(_url: str, _file: None, work: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(work(flink, FlinkTarget(url="http://flink:8081")))

    monkeypatch.setattr(jobs, "with_cluster", with_fake)
    result = CliRunner().invoke(app, ["jobs", "savepoints", "orders", *more])
    assert result.exit_code == 0, result.output
    place = "memory:///elsewhere" if more else flink.cluster.savepoint_directory
    hint = " Give its savepoint_directory (--directory), if it has one." if hinted else ""
    assert result.output == (
        f"No savepoints of orders are to be seen from here, below {place}/orders.{hint}\n"
    )
