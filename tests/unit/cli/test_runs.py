"""Options of a run that the provider must be told of, whichever engine runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flink_jobs_provider.cli.app import app


@pytest.mark.parametrize("command", ["preview", "up"])
def test_offline_reaches_the_provider_by_its_environment(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLINK_JOBS_OFFLINE", "0")
    runner, where = CliRunner(), ["--engine", "embedded", "--cwd", str(tmp_path)]
    assert runner.invoke(app, [command, *where]).exit_code == 255
    assert os.environ["FLINK_JOBS_OFFLINE"] == "0"
    runner.invoke(app, [command, "--offline", *where])
    assert os.environ["FLINK_JOBS_OFFLINE"] == "1"


@pytest.mark.parametrize("command", ["refresh", "destroy"])
def test_commands_without_new_jobs_have_no_such_option(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--offline"]).exit_code == 2
