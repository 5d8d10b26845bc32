"""The policy pack in the hands of the Pulumi CLI, on a real Flink."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.policy import PACK_DIRECTORY
from tests.end_to_end.flink.counting_stack import RETAINED, CountingStack
from tests.end_to_end.flink.targets import open_target
from tests.flink_cluster import FlinkCluster
from tests.stack_project import PULUMI_CLI, StackProject

_NO_CLI = "the Pulumi CLI is not on the PATH: the pack was asked in its own process alone"
pytestmark = [pytest.mark.pulumi_cli, pytest.mark.skipif(not PULUMI_CLI, reason=_NO_CLI)]

FACES = ("dynamic", "plugin")


class Judged:
    """A stack whose runs are judged by the pack.

    Attributes:
        configuration: The policies' configuration; edit it, and run again.
    """

    def __init__(self, stack: CountingStack, python: Path) -> None:
        self.stack = stack
        self.configuration: dict[str, Any] = {}
        self._python = python

    def run(self, *words: str) -> tuple[int, str]:
        """Run the Pulumi CLI with the pack, and return its exit code and all that it wrote."""
        project = self.stack.project
        project._write_jobs()
        file = project.root / "policies.json"
        file.write_text(json.dumps(self.configuration), encoding="utf-8")
        environment = project._whole_environment()
        # The pack runs in the first Python of the PATH, as that of an activated environment;
        # the plugin is next to this one.
        places = [str(self._python / "bin"), environment["PATH"], str(Path(sys.executable).parent)]
        environment["PATH"] = os.pathsep.join(places)
        command = ["pulumi", *words, "--cwd", str(project.root), "--stack", project.stack]
        command += ["--policy-pack", str(PACK_DIRECTORY), "--policy-pack-config", str(file)]
        command += ["--non-interactive", "--color=never"]
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300
        )
        return finished.returncode, finished.stdout + finished.stderr


@pytest.fixture(params=FACES)
def judged(
    request: pytest.FixtureRequest, flink_2: FlinkCluster, pulumi_python: Path, tmp_path: Path
) -> Iterator[Judged]:
    """Return a judged stack of each face, named as those of production."""
    target = open_target("flink", flink_2, tmp_path / "target")
    stack = f"prod-{request.param}"
    with closing(
        StackProject(
            tmp_path / "project",
            "pulumi",
            flink_2.url,
            pulumi_python,
            stack=stack,
            target=target.inputs,
        )
    ) as project:
        project.face = request.param
        project.write_program()
        yield Judged(CountingStack(project, target, tmp_path / "counts"), pulumi_python)


def test_a_careless_job_is_refused_and_a_careful_one_runs(judged: Judged, tmp_path: Path) -> None:
    """Shows that nothing is started until all is permitted, and what the CLI prints of it."""
    stack = judged.stack
    stack.declare("orders", upgrade_mode="stateless")
    code, text = judged.run("preview")
    assert code != 0
    assert "orders: upgrade_mode is stateless, which drops the job's state" in text
    assert "orders: on_delete is cancel" in text
    assert "[mandatory]" in text
    code, text = judged.run("up", "--yes", "--skip-preview")
    assert code != 0
    assert stack.active("orders") == []

    shared = tmp_path / "savepoints"
    judged.configuration = {"savepoint-directory": {"directories": [f"file://{shared}"]}}
    stack.change(
        "orders",
        upgrade_mode="savepoint",
        on_delete="savepoint",
        savepoint_directory=f"file://{shared}",
        flink_configuration=RETAINED,
    )
    code, text = judged.run("up", "--yes")
    assert code == 0, text
    assert "jar-pinned" in text  # advice, which stops nothing
    stack.assert_runs("orders", restored_from=None)


def test_secrets_of_the_configuration_are_no_plain_ones(judged: Judged) -> None:
    """Shows that the CLI hands a secret argument on as one, and a plain one as it is."""
    stack = judged.stack
    judged.configuration = {"all": "disabled", "no-plain-secrets": "mandatory"}
    args = stack.args("orders")
    stack.declare("orders")
    stack.change("orders", args=[*args, "--password", {"secret": "hunter2"}])
    code, text = judged.run("preview")
    assert code == 0, text
    stack.change("orders", args=[*args, "--password", "hunter2"])
    code, text = judged.run("preview")
    assert code != 0
    assert f"orders: args[{len(args) + 1}] looks like a secret in plain text" in text


def test_an_invalid_configuration_is_refused(judged: Judged) -> None:
    """Shows that a run ends before anything is judged, with the name of what is invalid."""
    judged.stack.declare("orders")
    judged.configuration = {"job-paralelism": {"enforcementLevel": "advisory", "maximum": 4}}
    code, text = judged.run("preview")
    assert code != 0
    assert "job-paralelism is no policy: did you mean job-parallelism?" in text
    judged.configuration = {"job-parallelism": {"maximum": "many"}}
    code, text = judged.run("preview")
    assert code != 0
    assert "job-parallelism" in text
    assert "maximum" in text
