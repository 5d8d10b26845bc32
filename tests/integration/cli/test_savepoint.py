"""`flink-jobs savepoint show` of a savepoint that a real cluster has just taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from flink_jobs_provider.cli.app import app
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, entry_class

#: Option names before Flink 1.19, and since.
_UNCHAINED = {"pipeline.operator-chaining": "false", "pipeline.operator-chaining.enabled": "false"}


def test_operators_are_those_of_the_program(flink: FlinkCluster, tmp_path: Path) -> None:
    """Shows that a savepoint's operators are nodes of the program's plan, by their ids.

    The plan is one with each operator on its own. Here the operator without a uid is among them.
    """
    jar = flink.upload(TEST_JOBS_JAR)
    program: dict[str, Any] = {
        "entryClass": entry_class("StateKinds"),
        "programArgsList": ["--output", str(tmp_path / "out")],
        "parallelism": 2,
    }
    answer = flink.rest.post(f"/jars/{jar}/run", json=program).raise_for_status()
    job_id = answer.json()["jobid"]
    flink.await_tasks_running(job_id)
    unchained = program | {"flinkConfiguration": _UNCHAINED}
    plan = flink.rest.post(f"/jars/{jar}/plan", json=unchained).raise_for_status().json()["plan"]
    nodes = {node["id"]: node["description"] for node in plan["nodes"]}
    path = flink.stop_with_savepoint(job_id)

    shown = CliRunner().invoke(app, ["savepoint", "show", path, "--json"])
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.output)
    assert (document["kind"], document["type"]) == ("savepoint", "Suspend Savepoint")
    operators = {operator["id"]: operator for operator in document["operators"]}
    assert len(operators) == 8
    assert set(operators) <= set(nodes)
    assert {each["parallelism"] for each in operators.values()} == {2}
    checkpoint = flink.get(f"/jobs/{job_id}/checkpoints")["latest"]["savepoint"]
    assert checkpoint["external_path"] == path
    coordinators = sum(each["coordinator_size_bytes"] for each in operators.values())
    assert document["size_bytes"] - coordinators == checkpoint["state_size"]
