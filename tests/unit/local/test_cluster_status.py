"""`flink-jobs local logs`, and a gateway's file that is checked before Flink is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from flink_jobs_provider.cli.local import FLINK_VERSION, app
from flink_jobs_provider.local import DEFAULT_FLINK_VERSION, LocalCluster
from flink_jobs_provider.local.cluster_status import follow, read_logs


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a cluster's directory with the logs of two processes."""
    logs = tmp_path / "cluster/log"
    logs.mkdir(parents=True)
    (logs / "jobmanager.log").write_text("one\ntwo\nthree\n")
    (logs / "jobmanager.out").write_text("")
    (logs / "gateway.out").write_text("serving\n")
    return tmp_path / "cluster"


def run(*words: str, directory: Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--directory", str(directory)])
    assert result.exit_code == code, result.output
    return result.output


def test_the_last_lines_of_each_process(directory: Path) -> None:
    """Shows files with content alone."""
    log = directory / "log"
    assert run("logs", "-n", "2", directory=directory).splitlines() == [
        f"==> gateway  {log}/gateway.out",
        "serving",
        f"==> jobmanager  {log}/jobmanager.log",
        "two",
        "three",
    ]


def test_those_of_one_process_in_json(directory: Path) -> None:
    (found,) = json.loads(run("logs", "jobmanager", "--json", directory=directory))
    assert (found["process"], found["lines"]) == ("jobmanager", ["one", "two", "three"])


def test_an_unknown_process_is_told_with_those_that_there_are(directory: Path) -> None:
    said = run("logs", "taskmanager-1", directory=directory, code=1)
    assert "There are logs of gateway, jobmanager." in said


def test_a_directory_without_logs(tmp_path: Path) -> None:
    assert "There are no logs in" in run("logs", directory=tmp_path, code=1)


def test_following_has_no_json(directory: Path) -> None:
    said = run("logs", "--follow", "--json", directory=directory, code=2)
    assert "--follow has no JSON" in said


def test_what_is_written_later_is_followed(directory: Path) -> None:
    """Shows whole lines only, of whichever process, and nothing twice."""
    lines = follow(read_logs(directory, None, 10))
    with (directory / "log/jobmanager.log").open("a") as file:
        file.write("four\nfive\nbegun")
    with (directory / "log/gateway.out").open("a") as file:
        file.write("stopping\n")
    seen = {(log.role, line) for log, line in (next(lines) for _ in range(3))}
    assert seen == {("jobmanager", "four"), ("jobmanager", "five"), ("gateway", "stopping")}
    with (directory / "log/jobmanager.log").open("a") as file:
        file.write(" and done\n")
    assert next(lines)[1] == "begun and done"
    lines.close()


@pytest.mark.parametrize("content", [None, "listen: {prot: 1}\n"])
def test_a_gateway_that_could_not_start_starts_no_flink(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """Shows a file that is not there, and one that is wrong."""

    def started(*_: object) -> NoReturn:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr(LocalCluster, "up", started)
    file = tmp_path / "gateway.yaml"
    if content:
        file.write_text(content)
    said = run("up", "--gateway", str(file), directory=tmp_path / "cluster", code=1)
    assert "gateway.yaml" in said
    assert "Nothing was started." in said
    assert not (tmp_path / "cluster").exists()


def test_the_version_in_the_help_is_the_one_that_is_taken() -> None:
    assert FLINK_VERSION == DEFAULT_FLINK_VERSION
