"""`flink-jobs jobs start`: whose place a file names, and which savepoint counts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from flink_jobs_provider.cli.app import app
from flink_jobs_provider.cli.job_start import start_from, start_inputs
from flink_jobs_provider.model.errors import InvalidSpec, PermanentError, StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.flink import Reconciler
from tests.job_jars import COUNTING_JAR
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
