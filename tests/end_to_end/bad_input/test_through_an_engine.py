"""What a user sees of wrong input: one report, in few lines, and a cluster that was left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.counting_output import assert_counts_continuous
from tests.fault_proxy import Answer, Exchange, FaultProxy, Moment, Verdict
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR
from tests.stack_project import Finished, StackProject
from tests.waiting import wait_until

_numbers = count()


@pytest.fixture
def proxy(flink_2: FlinkCluster) -> Iterator[FaultProxy]:
    """Put a proxy before a Flink 2.3."""
    with FaultProxy(flink_2.url) as running:
        yield running


@pytest.fixture(params=["dynamic", "plugin"])
def project(
    make_stack: Callable[..., StackProject], proxy: FaultProxy, request: pytest.FixtureRequest
) -> StackProject:
    """Return a stack on each engine, with jobs of each face."""
    made = make_stack(proxy.url)
    made.face = request.param
    made.write_program()
    return made


@pytest.fixture
def embedded(tmp_path: Path, proxy: FaultProxy) -> Iterator[StackProject]:
    """Return a stack on the embedded engine alone."""
    stack = f"bad-input-{next(_numbers)}"  # not one whose jobs the cluster remembers
    project = StackProject(tmp_path / "project", "embedded", proxy.url, stack=stack)
    yield project
    project.close()


def _job(tmp_path: Path, **replaced: Any) -> dict[str, Any]:
    args = ["--output", str(tmp_path / "output"), "--checkpoint-interval", "200"]
    return {"jar": str(COUNTING_JAR), "args": args, "parallelism": 1, **replaced}


def _complaint(finished: Finished, about: str) -> str:
    """Return the line that names something; there must be no more than the one and no traceback."""
    assert "Traceback" not in finished.text, finished.text
    assert 'File "' not in finished.text, finished.text
    lines = {line for line in finished.lines if about in line}
    assert len(lines) == 1, finished.text
    return lines.pop()


_WRONG = {
    "jar": "/nowhere/orders.jar",
    "parallelism": 0,
    "upgrade_mode": "statless",
    "timeouts": {"submit": "soon"},
    "flink_configuration": {"taskmanager.numberOfTaskSlots": "4"},
}
_NAMED = (
    *("/nowhere/orders.jar", "parallelism", "upgrade_mode", "timeouts.submit"),
    "flink_configuration.taskmanager.numberOfTaskSlots",
)


def test_all_that_is_wrong_is_in_one_report(project: StackProject, proxy: FaultProxy) -> None:
    """Several wrong properties of a job are all named, by one preview and by one `up`."""
    project.declare("orders", **_WRONG)
    for finished in (project.preview(code=None), project.failing_up()):
        assert finished.code != 0
        for named in _NAMED:
            assert any(named in line for line in finished.lines), f"{named}\n{finished.text}"
        assert "Traceback" not in finished.text, finished.text
    assert proxy.exchanges == []


def test_misspelt_properties_are_named_with_what_was_meant(
    project: StackProject, proxy: FaultProxy
) -> None:
    """In one report with what else is wrong, of a job and its target; no traceback is of ours."""
    target = {"kind": "flink", "url": proxy.url, "bearer_tokn": "env:TOKEN"}
    project.declare("orders", **_WRONG, paralelism=2, entry_clas="orders.Main", target=target)
    meant = {"paralelism": "parallelism", "entry_clas": "entry_class"}
    for finished in (project.preview(code=None), project.failing_up()):
        assert finished.code != 0
        for misspelt, right in {**meant, "bearer_tokn": "bearer_token"}.items():
            lines = [line for line in finished.lines if misspelt in line]
            assert any(f"did you mean {right}?" in line for line in lines), finished.text
        for named in _NAMED:
            assert any(named in line for line in finished.lines), f"{named}\n{finished.text}"
        assert "Traceback" not in finished.text, finished.text
        assert "flink_jobs_provider/" not in finished.text, finished.text
    assert proxy.exchanges == []


def test_two_wrong_jobs_are_in_one_report(embedded: StackProject, proxy: FaultProxy) -> None:
    """Each job's problems are named (the Pulumi CLI ends the program at the first)."""
    embedded.declare("orders", **_WRONG)
    embedded.declare("returns", jar=str(COUNTING_JAR), on_delete="drop")
    finished = embedded.preview(code=None)
    assert finished.code != 0
    for named in (*_NAMED, "on_delete"):
        _complaint(finished, named)
    assert proxy.exchanges == []


def test_a_secret_address_of_a_jar_is_not_shown(embedded: StackProject, proxy: FaultProxy) -> None:
    """Shows that the provider learns from the program that an input is secret."""
    embedded.declare("orders", jar={"secret": "/nowhere/hidden-place.jar"})
    finished = embedded.preview(code=None)
    assert "cannot open ***: No such file" in _complaint(finished, "cannot open")
    assert "hidden-place" not in finished.text
    assert proxy.exchanges == []


def test_a_cluster_that_is_down(tmp_path: Path, embedded: StackProject) -> None:
    """`up` says which address does not answer, and what to look at."""
    embedded.cluster_url = "http://127.0.0.1:9"
    embedded.declare("orders", **_job(tmp_path))
    line = _complaint(embedded.failing_up(), "no connection to")
    assert "http://127.0.0.1:9" in line
    assert "Is the cluster up, and the address right?" in line
    assert embedded.resources() == {}


def test_an_address_that_is_not_flinks(
    tmp_path: Path, embedded: StackProject, proxy: FaultProxy
) -> None:
    """A server that answers with pages is no cluster."""
    proxy.begin(lambda _exchange, _moment: Answer(200))
    embedded.declare("orders", **_job(tmp_path))
    line = _complaint(embedded.failing_up(), "not as a Flink REST API does")
    assert proxy.url in line
    assert "Check target.url" in line
    assert proxy.changes == []


@pytest.mark.parametrize("mode", ["create", "update"])
def test_no_savepoint_directory_anywhere(
    tmp_path: Path, embedded: StackProject, proxy: FaultProxy, mode: str
) -> None:
    """Without a place for savepoints a job starts; a change of it is refused, and it goes on."""

    def no_directories(exchange: Exchange, now: Moment) -> Verdict | Answer:
        if now is Moment.BEFORE and exchange.path == "/jobmanager/config":
            return Answer(200, b"[]", "application/json")
        return Verdict.PASS

    proxy.begin(no_directories)
    embedded.declare("orders", **_job(tmp_path))
    embedded.up()
    if mode == "create":
        assert embedded.outputs("orders")["status"] == "RUNNING"
        return
    proxy.begin(no_directories)
    embedded.jobs["orders"]["args"] += ["--label", "v2"]
    line = _complaint(embedded.failing_up(), "savepoint directory")
    assert "orders: no savepoint can be taken" in line
    assert "goes on as it was" in line
    assert "Set savepoint_directory" in line
    assert proxy.changes == []


@pytest.mark.parametrize(
    ("directory", "cause"),
    [
        ("hdfz://host/savepoints", "UnsupportedFileSystemSchemeException"),
        ("file:/proc/savepoints", "orders: the stop with savepoint failed"),
    ],
    ids=["unknown_scheme", "not_writable"],
)
def test_a_savepoint_directory_that_cannot_be_used(
    tmp_path: Path,
    embedded: StackProject,
    flink_2: FlinkCluster,
    directory: str,
    cause: str,
) -> None:
    """Only Flink can tell, when the savepoint is taken: the job goes on, and nothing is lost."""
    embedded.declare("orders", **_job(tmp_path))
    embedded.up()
    job_id = embedded.outputs("orders")["job_id"]
    embedded.jobs["orders"] |= {"savepoint_directory": directory, "parallelism": 2}
    line = _complaint(embedded.failing_up(), "the stop with savepoint failed")
    assert cause in line
    assert f"Job {job_id} is RUNNING; no other version was started." in line
    flink_2.await_tasks_running(job_id)
    before = assert_counts_continuous(tmp_path / "output").total
    wait_until(
        lambda: assert_counts_continuous(tmp_path / "output").total > before, 30, "it goes on"
    )


@pytest.mark.parametrize("running", [False, True], ids=["create", "update"])
def test_a_savepoint_that_does_not_exist(
    tmp_path: Path, embedded: StackProject, proxy: FaultProxy, flink_2: FlinkCluster, running: bool
) -> None:
    """A restore point that is not there is refused before anything is changed."""
    embedded.declare("orders", **_job(tmp_path))
    if running:
        embedded.up()
    before = flink_2.jobs().keys()
    proxy.begin()
    embedded.jobs["orders"]["restore_from"] = f"{tmp_path}/savepoint-1"
    line = _complaint(embedded.failing_up(), "restore_from: there is no savepoint at")
    assert f"{tmp_path}/savepoint-1" in line
    assert "Name the directory that holds its _metadata file" in line
    if running:
        shown = embedded.preview(code=None)
        assert shown.code != 0
        assert "savepoint-1 is not there" in _complaint(
            shown, "must be the directory of a savepoint"
        )
    assert flink_2.jobs().keys() == before
    assert proxy.changes == []


def test_a_savepoint_of_an_unknown_scheme(
    tmp_path: Path, embedded: StackProject, flink_2: FlinkCluster
) -> None:
    """Only Flink can tell, when the job has stopped: it runs again, from where it was."""
    embedded.declare("orders", **_job(tmp_path))
    embedded.up()
    embedded.jobs["orders"]["restore_from"] = "hdfz://host/savepoint-1"
    line = _complaint(embedded.failing_up(), "error: orders: version 2 did not start")
    assert "orders: version 2 did not start: UnsupportedFileSystemSchemeException" in line
    (active,) = (id_ for id_, row in flink_2.jobs().items() if row["state"] == "RUNNING")
    assert f"The previous version runs again as job {active}, from file:" in line
    before = assert_counts_continuous(tmp_path / "output").total
    wait_until(
        lambda: assert_counts_continuous(tmp_path / "output").total > before, 30, "it goes on"
    )
