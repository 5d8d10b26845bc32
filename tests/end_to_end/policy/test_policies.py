"""The policy pack in the hands of both engines, on a real Flink."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.policy import PACK_DIRECTORY
from tests.end_to_end.flink.counting_stack import RETAINED, CountingStack
from tests.end_to_end.flink.targets import open_target
from tests.flink_cluster import FlinkCluster
from tests.stack_project import StackProject

FACES = ("dynamic", "plugin")
_numbers = count(1)


class Judged:
    """A stack whose runs are judged by the pack.

    Attributes:
        configuration: The policies' configuration; edit it, and run again.
    """

    def __init__(self, stack: CountingStack, python: Path | None) -> None:
        self.stack = stack
        self.configuration: dict[str, Any] = {}
        self._python = python

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command with the pack, and return its exit code and all that it wrote."""
        project = self.stack.project
        file = project.root / "policies.json"
        file.write_text(json.dumps(self.configuration), encoding="utf-8")
        # With the CLI, the pack runs in the first Python of the PATH, as that of an activated
        # environment; the plugin is next to this one.
        places = [os.environ["PATH"], str(Path(sys.executable).parent)]
        if self._python:
            places.insert(0, str(self._python / "bin"))
        project.environment["PATH"] = os.pathsep.join(places)
        packs = ("--policy-pack", str(PACK_DIRECTORY), "--policy-pack-config", str(file))
        finished = project.run(*words, *packs, "--non-interactive", code=None)
        return finished.code, finished.text


@pytest.fixture(params=FACES)
def judged(
    request: pytest.FixtureRequest, engine: str, flink_2: FlinkCluster, tmp_path: Path
) -> Iterator[Judged]:
    """Return a judged stack of each face by each engine, named as those of production."""
    python = request.getfixturevalue("pulumi_python") if engine == "pulumi" else None
    target = open_target("flink", flink_2, tmp_path / "target")
    stack = f"prod-{next(_numbers)}"  # not one whose jobs the cluster remembers
    with closing(
        StackProject(
            tmp_path / "project", engine, flink_2.url, python, stack=stack, target=target.inputs
        )
    ) as project:
        project.face = request.param
        project.write_program()
        yield Judged(CountingStack(project, target, tmp_path / "counts"), python)


def test_a_careless_job_is_refused_and_a_careful_one_runs(judged: Judged, tmp_path: Path) -> None:
    """Shows that nothing is started until all is permitted, and what is printed of it."""
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
    """Shows that an engine hands a secret argument on as one, and a plain one as it is."""
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


def test_a_stack_is_judged_before_any_of_it_begins(judged: Judged) -> None:
    """Shows a sum that is too high, also without a preview being asked for by the embedded engine.

    The CLI judges a stack when its update is done, and so ends a preview alone in time.
    """
    stack = judged.stack
    judged.configuration = {"all": "disabled", "stack-parallelism": {"maximum": 1}}
    judged.configuration["stack-parallelism"]["enforcementLevel"] = "mandatory"
    stack.declare("orders")
    stack.declare("payments")
    options = ["--skip-preview"] if stack.project.engine == "embedded" else []
    code, text = judged.run("up", "--yes", *options)
    assert code != 0
    assert "stack-parallelism" in text
    assert "[mandatory]" in text
    assert "is 2 over all 2 running jobs, above the maximum of 1" in " ".join(text.split())
    assert stack.active("orders") == stack.active("payments") == []
    judged.configuration["stack-parallelism"]["enforcementLevel"] = "advisory"
    code, text = judged.run("up", "--yes", *options)
    assert code == 0, text
    assert "[advisory]" in text
    stack.assert_runs("orders", restored_from=None)
    stack.assert_runs("payments", restored_from=None)


def test_what_a_preview_cannot_judge_is_judged_before_the_job_changes(judged: Judged) -> None:
    """Shows an input that is known only once another job runs: its own job is not started."""
    stack = judged.stack
    judged.configuration = {"all": "disabled", "savepoint-on-delete": "mandatory"}
    stack.declare("orders", on_delete="release")
    stack.declare("payments")
    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    declared = "    job = FlinkJob(name, **read(inputs))"
    later = """    if name == "payments":
        inputs["on_delete"] = job.job_id.apply(lambda _: "cancel")
    job = FlinkJob(name, **{key: read(each) for key, each in inputs.items()})"""
    reads = "    if isinstance(value, dict):"
    given = f"    if isinstance(value, pulumi.Output):\n        return value\n{reads}"
    assert declared in source
    source = source.replace(declared, later).replace(reads, given, 1)
    program.write_text(source, encoding="utf-8")
    code, text = judged.run("preview")
    assert code == 0, text
    assert "payments: on_delete is known only once the update has run" in " ".join(text.split())
    code, text = judged.run("up", "--yes")
    assert code != 0
    assert "payments: on_delete is cancel" in " ".join(text.split())
    stack.assert_runs("orders", restored_from=None)
    assert stack.submissions("payments") == {}
