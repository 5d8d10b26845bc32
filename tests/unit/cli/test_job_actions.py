"""The actions of `flink-jobs jobs`: which place a file names, and which savepoints are found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml
from typer.testing import CliRunner

from flink_jobs_provider.cli.app import app
from flink_jobs_provider.cli.cluster_session import ClusterOptions
from flink_jobs_provider.cli.job_actions import start_from, start_inputs
from flink_jobs_provider.control_planes.protocol import (
    Purpose,
    SavepointRequest,
    Submission,
)
from flink_jobs_provider.inspecting.job_choice import Owners, named_jobs
from flink_jobs_provider.inspecting.job_savepoints import Listing, list_savepoints
from flink_jobs_provider.model.errors import InvalidSpec, PermanentError, StateUnavailable
from flink_jobs_provider.model.identity import JobKey
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointFormat
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.job_jars import COUNTING_JAR
from tests.unit.model.made_up_jobs import DIGEST_1, OWNER, spec
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.stack import Stack, jar
from tests.unit.reconciling.flink.test_honouring import HOUR, NAMED, forgotten, wanted

HERE = FlinkTarget(url="http://flink:8081")
HDINSIGHT = {
    "kind": "hdinsight",
    "subscription": "s",
    "resource_group": "g",
    "cluster_pool": "pool",
    "cluster": "one",
}
DLI = {"kind": "dli", "region": "eu-west-101", "project_id": "p", "token": "env:T"}
DLI_PLACE = "Data Lake Insight, project p at https://dli.eu-west-101.myhuaweicloud.eu"
WORDS = "and this command starts jobs on Flink itself at http://flink:8081. Nothing was started. "


@pytest.mark.parametrize("command", ["start", "check", "rehearse"])
def test_a_file_is_read_before_its_cluster_is_asked(command: str, tmp_path: Path) -> None:
    """Shows a file that is no YAML, one with invalid inputs, and a cluster that is not there."""
    path = job_file(tmp_path, parallelism=-1)

    def refused() -> str:
        words = ["jobs", command, str(path), "--url", "http://127.0.0.1:1"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 1
        return result.output

    assert "parallelism" in refused()
    path.write_text("job_name: [1")
    assert "is not YAML" in refused()
    path.unlink()
    assert "cannot be read" in refused()


def test_a_file_without_a_rehearsal_is_refused_before_its_cluster_is_asked(tmp_path: Path) -> None:
    path = job_file(tmp_path)
    result = CliRunner().invoke(app, ["jobs", "rehearse", str(path), "--url", "http://127.0.0.1:1"])
    assert "declares no rehearsal" in result.output


def job_file(directory: Path, **inputs: Any) -> Path:
    """Write a job file."""
    path = directory / "orders.yaml"
    path.write_text(yaml.safe_dump({"job_name": "orders", "jar": str(COUNTING_JAR), **inputs}))
    return path


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            {"target": {"url": "http://other:8081"}},
            f"target is Flink at http://other:8081, {WORDS}Give its address (--url), use "
            "`flink-jobs up`, or take target out of the file.",
        ),
        (
            {"target": HDINSIGHT},
            f"target is HDInsight, pool/one at https://management.azure.com, {WORDS}Use "
            "`flink-jobs up`, or take target out of the file.",
        ),
        (
            {"target": DLI},
            f"target is {DLI_PLACE}, {WORDS}Use `flink-jobs up`, or take target out of the file.",
        ),
        (
            {"target": DLI, "dli": {"cu_number": 4}},
            f"target is {DLI_PLACE}, {WORDS}Use `flink-jobs up`, or take target and dli out of "
            "the file.",
        ),
        (
            {"dli": {"cu_number": 4}},
            f"dli is for a target of Data Lake Insight, {WORDS}Use `flink-jobs up`, or take dli "
            "out of the file.",
        ),
    ],
)
def test_a_job_for_another_place_is_refused(
    tmp_path: Path, inputs: dict[str, Any], said: str
) -> None:
    path = job_file(tmp_path, **inputs)
    with pytest.raises(PermanentError) as caught:
        start_inputs(path, HERE)
    assert str(caught.value) == f"{path}: {said}"


def test_nothing_is_asked_of_the_cluster_before(tmp_path: Path) -> None:
    """Shows the command as a user gives it; nothing listens at its address."""
    path = job_file(tmp_path, target={"url": "http://other:8081"})
    words = ["jobs", "start", str(path), "--url", "http://127.0.0.1:9"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "starts jobs on Flink itself at http://127.0.0.1:9. Nothing was started." in (
        result.output
    )


@pytest.mark.parametrize(
    ("own", "here"),
    [
        ({"url": "http://FLINK:8081/"}, "http://flink:8081"),
        ({"kind": "flink", "url": "http://flink:8081", "bearer_token": "env:T"}, HERE.url),
        ({"url": "http://localhost:8081"}, "http://127.0.0.1:8081"),
        (None, "http://flink:8081"),
    ],
)
def test_a_job_for_this_cluster(tmp_path: Path, own: dict[str, Any] | None, here: str) -> None:
    """Shows that the cluster is reached as the command says."""
    path = job_file(tmp_path, **({"target": own} if own else {}))
    inputs = start_inputs(path, FlinkTarget(url=here), owner=None, restore_from="/savepoints/1")
    assert inputs["target"]["url"] == here
    assert "bearer_token" not in inputs["target"]
    assert (inputs["owner"], inputs["restore_from"]) == ("command-line", "/savepoints/1")


def test_another_port_is_another_cluster(tmp_path: Path) -> None:
    path = job_file(tmp_path, target={"url": "http://localhost:8082"})
    with pytest.raises(PermanentError, match="Nothing was started"):
        start_inputs(path, FlinkTarget(url="http://localhost:8081"))


def test_a_target_that_is_wrong(tmp_path: Path) -> None:
    path = job_file(tmp_path, target={"url": "nowhere"}, parallelism=4)
    with pytest.raises(InvalidSpec) as caught:
        start_inputs(path, HERE)
    ((where, why),) = caught.value.problems
    assert where == str(path)
    assert why.startswith("target.url: must be a URL")


def test_options_that_have_no_effect_are_refused(tmp_path: Path) -> None:
    options = {"rest.port": 8082, "pipeline.object-reuse": "ja"}
    with pytest.raises(InvalidSpec) as raised:
        start_inputs(job_file(tmp_path, flink_configuration=options), HERE)
    assert "flink_configuration.rest.port: is an option of the cluster" in str(raised.value)
    assert "flink_configuration.pipeline.object-reuse: must be true or" in str(raised.value)


def test_misspelt_options_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = job_file(tmp_path, flink_configuration={"pipeline.object-resue": True})
    start_inputs(file, HERE)
    warning = " ".join(capsys.readouterr().err.split())
    assert "warning: flink_configuration.pipeline.object-resue is not an option" in warning
    assert warning.endswith("did you mean pipeline.object-reuse?")


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
        return await list_savepoints(flink, jobs, wanted, directory, local_paths=False)

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
    with pytest.raises(PermanentError, match="no savepoint directory of its own"):
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

    def with_fake(_cluster: object, work: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(work(flink, FlinkTarget(url="http://flink:8081")))

    monkeypatch.setattr(ClusterOptions, "run", with_fake)
    result = CliRunner().invoke(app, ["jobs", "savepoints", "orders", *more])
    assert result.exit_code == 0, result.output
    place = "memory:///elsewhere" if more else flink.cluster.savepoint_directory
    hint = " Give its savepoint_directory (--directory), if it has one." if hinted else ""
    assert result.output == (
        f"No savepoints of orders are to be seen from here, below {place}/orders.{hint}\n"
    )


def test_the_command_says_which_directories_it_does_not_see(
    flink: NamingFlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that an empty answer is not taken for "there are none" where nothing could be read."""

    def with_fake(_cluster: object, work: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(work(flink, FlinkTarget(url="http://flink:8081")))

    monkeypatch.setattr(ClusterOptions, "run", with_fake)
    for place, why in (("nostore://a", "nostore"), ("/elsewhere", "a path of the cluster's")):
        asked = ["jobs", "savepoints", "orders", "--directory", place, "--json"]
        result = CliRunner().invoke(app, asked)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout) == []
        assert f"Savepoints below {place}/orders are not seen from here: " in result.stderr
        assert why in result.stderr
