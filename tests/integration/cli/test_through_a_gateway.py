"""The commands that only read, through a gateway: as on the Flink cluster behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli.app import app
from flink_jobs_provider.gateway.principal import Role
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import GatewayProcess, await_result, new_job, run_job
from tests.integration.cli.terminal import on_a_terminal
from tests.integration.cli.test_jobs import jobs
from tests.waiting import wait_until

#: What a gateway has no other answer to than a cluster, or answers from a later observation.
OWN = {"name", "owner", "dashboard_url", "cluster", "last_action", "problem"}
LATER = {
    *("age", "last_checkpoint", "last_checkpoint_at", "last_checkpoint_age", "started_at"),
    *("health", "trend"),
}


class Gateway:
    """A gateway with a portal over TLS, a job on it, and commands through it."""

    def __init__(self, process: GatewayProcess, token: str, target: Path) -> None:
        self.process = process
        self.environment = {"FLINK_JOBS_GATEWAY_TOKEN": token}
        self.target = target

    def invoke(self, *words: str, code: int = 0) -> Result:
        """Run a command."""
        words = (*words, "--target-file", str(self.target))
        result = CliRunner().invoke(app, words, env=self.environment)
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str) -> Any:
        """Run a command for its JSON."""
        return json.loads(self.invoke(*words, "--json").stdout)


@pytest.fixture
def gateway(flink_2: FlinkCluster, tmp_path: Path) -> Iterator[Gateway]:
    directory = tmp_path / "gateway"
    directory.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    args = ["--output", str(tmp_path / "out"), "--rate", "500", "--checkpoint-interval", "200"]
    process = GatewayProcess(directory, flink_2.url, authority, portal={})
    with closing(process):
        reader = process.token("reader", Role.READ)
        operator = process.token("operator", Role.OPERATE)
        process.start()
        port = httpx.URL(process.url).port
        process.write(listen={**process.content["listen"], "port": port})
        target = tmp_path / "target.yaml"
        target.write_text(
            yaml.safe_dump(
                {
                    "kind": "gateway",
                    "url": process.url,
                    "tls": {"ca_file": str(tmp_path / "ca.pem")},
                }
            )
        )
        with process.client(operator) as client:
            assert new_job(client, "orders", *args).status_code == 202
            await_result(client, "orders")
        yield Gateway(process, reader, target)
        with process.client(operator) as client:
            assert run_job(client, "orders", "CANCEL").status_code == 202
            await_result(client, "orders")


def test_a_job_as_on_its_cluster(gateway: Gateway, flink_2: FlinkCluster) -> None:
    """Shows that each command prints what it prints of Flink itself, and the gateway's page."""
    # The gateway answers from its last observation; one made at the job's start has no metrics yet.
    (row,) = wait_until(
        lambda: [
            row
            for row in gateway.json("jobs", "list")
            if row["restarts"] is not None and row["last_checkpoint_age"] is not None
        ],
        30,
        "a row with the job's restarts and last checkpoint",
    )
    (direct,) = json.loads(jobs(flink_2, "list", "--json").stdout)
    assert set(row) == set(direct)
    same = set(row) - OWN - LATER
    assert {name: row[name] for name in same} == {name: direct[name] for name in same}
    assert (row["job_name"], row["owner"], row["restarts"]) == ("orders", "operator", 0)
    assert row["last_checkpoint_age"] < 60
    headings = [text.splitlines()[0].split() for text in (
        gateway.invoke("jobs", "list").stdout, jobs(flink_2, "list").stdout
    )]  # fmt: skip
    assert headings[0] == headings[1]

    described = gateway.json("jobs", "describe", "orders", "--trend", "4")
    of_flink = json.loads(jobs(flink_2, "describe", row["job_id"], "--json").stdout)
    assert set(described) == set(of_flink) | OWN
    same = set(of_flink) - OWN - LATER
    assert {name: described[name] for name in same} == {name: of_flink[name] for name in same}
    assert set(described["health"]) == set(of_flink["health"])
    assert described["trend"]["completed"] > 0
    assert described["last_action"].startswith("NEW SUCCESS by operator, ")
    text = gateway.invoke("jobs", "describe", row["job_id"][:8]).stdout
    assert "checkpoint trend" in text
    assert "needs attention" not in text

    listed = gateway.json("jobs", "checkpoints", "orders")
    assert [each["status"] for each in listed][-1] == "COMPLETED"
    assert set(listed[0]) == set(of_flink["last_checkpoint"])
    assert gateway.json("jobs", "exceptions", "orders") == []
    unknown = gateway.invoke("jobs", "exceptions", "order", code=1).stderr
    assert "no such job, or not for this token; names like it: orders" in " ".join(unknown.split())


def test_its_load_and_metrics(gateway: Gateway) -> None:
    def loaded() -> Any:
        (row,) = gateway.json("jobs", "top")
        assert row["records_per_second"], row
        return row

    row = wait_until(loaded, 30, "the load is reported")
    assert (row["job_name"], row["status"], row["needs_attention"]) == ("orders", "RUNNING", [])
    assert 0 <= row["busy"] <= 1
    (emitted,) = gateway.json("jobs", "metrics", "orders", "--get", "Source__numbers.numRecordsOut")
    assert emitted["sum"] > 0
    names = {each["metric"] for each in gateway.json("jobs", "metrics", "orders", "--names")}
    assert {"numRestarts", "busyTimeMsPerSecond"} <= names
    wrong = gateway.invoke("jobs", "metrics", "orders", "--get", "numRestart", code=1).stderr
    assert "no metric numRestart; names like it: numRestarts" in " ".join(wrong.split())


def test_a_watch_outlives_a_gateway_that_was_killed(gateway: Gateway) -> None:
    """Shows a table with the job, a warning while the gateway is away, and an end by Ctrl-C."""
    url = gateway.json("open", "orders")["url"]
    assert url == f"{gateway.process.url}/portal/jobs/1"
    assert gateway.invoke("open", "orders").stdout == f"{url}\n"

    words = ["jobs", "watch", "--interval", "0.5", "--target-file", str(gateway.target)]
    with on_a_terminal(words, gateway.environment) as terminal:
        terminal.read_until(lambda seen: "RUNNING" in seen and "2/2" in seen)
        gateway.process.kill()
        terminal.read_until(lambda seen: "Watching goes on." in seen)
        gateway.process.start()
        terminal.read_until(lambda seen: "answers again" in seen)
        assert terminal.interrupt() == 130
    assert "needs attention" in terminal.seen
    assert "Traceback" not in terminal.seen


def test_an_earlier_version_is_listed_and_gone_back_to(gateway: Gateway) -> None:
    """Shows it with the state of now and from a savepoint, for who may operate alone."""
    process = gateway.process
    with process.client(process.token("two", Role.OPERATE)) as client:
        given = {"flinkConfiguration": {"parallelism": "2"}}
        assert run_job(client, "orders", "UPDATE", **given).status_code == 202
        await_result(client, "orders")
    first = gateway.json("jobs", "history", "orders")[-1]
    assert (first["action"], first["by"], first["parallelism"]) == ("NEW", "operator", 1)
    table = gateway.invoke("jobs", "history", "orders").output.splitlines()
    assert table[-1].split()[:1] == [first["action_id"][:8]]
    back = ("jobs", "rollback", "orders", "--to", first["action_id"][:8])
    refused = gateway.invoke(*back, code=1)
    assert "does not have the role 'operate'" in refused.output
    gateway.environment["FLINK_JOBS_GATEWAY_TOKEN"] = process.token("three", Role.OPERATE)
    unknown = gateway.invoke("jobs", "rollback", "orders", "--to", "nothing", code=1)
    assert "one version must fit nothing, and 0 do. Nothing was begun." in unknown.output

    before = gateway.json("jobs", "describe", "orders")
    done = gateway.invoke(*back)
    assert "orders is back at version " in done.output
    now = gateway.json("jobs", "describe", "orders")
    assert (before["parallelism"], now["parallelism"]) == (2, 1)
    assert f"/{before['job_id']}/" in now["restored_from"]
    newest = gateway.json("jobs", "history", "orders")[0]
    assert (newest["action"], newest["by"], newest["parallelism"]) == ("UPDATE", "three", 1)

    named = (*back, "--from-savepoint", now["restored_from"])
    assert "confirm it with --yes" in gateway.invoke(*named, code=1).output
    gateway.invoke(*named, "--yes")
    again = gateway.json("jobs", "describe", "orders")
    assert again["job_id"] != now["job_id"]
    assert again["restored_from"] == now["restored_from"]
