"""A gateway as a process on a real cluster: stopped, killed and started again while jobs go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import trustme

from flink_jobs_provider.gateway.principal import Role
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import (
    API,
    CLUSTER,
    GatewayProcess,
    await_result,
    new_job,
    rows,
    run_job,
)
from tests.waiting import wait_until

#: Stands in each place that no log may show.
SECRET = "MARKER-Zq7x"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def gateway(
    tmp_path: Path, authority: trustme.CA, flink_2: FlinkCluster
) -> Iterator[GatewayProcess]:
    (tmp_path / "gateway").mkdir()
    log = {"level": "debug", "audit_file": "audit.log"}
    process = GatewayProcess(tmp_path / "gateway", flink_2.url, authority, preloaded=False, log=log)
    with closing(process):
        yield process


def active(cluster: FlinkCluster) -> list[str]:
    """Return the ids of the jobs that run."""
    ended = {"FINISHED", "CANCELED", "FAILED"}
    return [job_id for job_id, row in cluster.jobs().items() if row["state"] not in ended]


def test_jobs_outlive_their_gateway_and_actions_end_once(
    gateway: GatewayProcess, flink_2: FlinkCluster, tmp_path: Path, authority: trustme.CA
) -> None:
    """NEW over TLS, stop, start again, kill -9 in the middle of an UPDATE, start again, CANCEL."""
    token = gateway.token("ci", Role.OPERATE)
    args = ["--output", str(tmp_path / "out"), "--rate", "200", "--checkpoint-interval", "200"]
    gateway.start()
    with gateway.client(token) as client:
        accepted = new_job(client, "orders", *args)
        assert accepted.status_code == 202, accepted.text
        assert accepted.headers["Location"].startswith(gateway.url)
        row = await_result(client, "orders")
        assert (row["status"], row["actionResult"]) == ("RUNNING", "SUCCESS"), row
        assert active(flink_2) == [row["jobId"]]
        metrics = client.get("/metrics").text
        ended = r'gateway_actions_total\{action="NEW",result="SUCCESS"\} 1\.0'
        assert re.search(ended, metrics), metrics

    gateway.issue_certificate(authority)  # a renewal meets a restart well, too
    assert gateway.stop() == 0
    assert active(flink_2) == [row["jobId"]], "a job does not end with its gateway"

    gateway.start()
    with gateway.client(token) as client:
        assert rows(client)["orders"]["status"] == "RUNNING"
        assert run_job(client, "orders", "UPDATE", args=" ".join(args)).status_code == 202
        gateway.kill()

    gateway.start()
    with gateway.client(token) as client:
        row = await_result(client, "orders")
        assert (row["action"], row["actionResult"]) == ("UPDATE", "SUCCESS"), row
        assert active(flink_2) == [row["jobId"]], "one job, and the one on record"
        assert_counts_continuous(tmp_path / "out")
        # A stop that is asked for while an action is in progress waits for it.
        assert run_job(client, "orders", "CANCEL").status_code == 202
        assert gateway.stop() == 0
    assert active(flink_2) == []

    gateway.start()
    with gateway.client(token) as client:
        row = rows(client)["orders"]
        assert (row["status"], row["actionResult"]) == ("CANCELED", "SUCCESS"), row
        assert run_job(client, "orders", "DELETE").status_code == 202
        wait_until(lambda: not rows(client), 30, "the job is forgotten")

    def audited() -> bool:
        ends = [(line["what"], line["result"]) for line in gateway.audit if "status" not in line]
        assert ends == [(name, "SUCCESS") for name in ("NEW", "UPDATE", "CANCEL", "DELETE")]
        return True

    wait_until(audited, 30, "a deletion is audited, once its row is gone")
    assert {line["who"] for line in gateway.audit} == {"ci"}


def test_a_gateway_without_its_records_takes_over_what_runs(
    gateway: GatewayProcess, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows that losing the database loses no state and starts no job twice."""
    token = gateway.token("ci", Role.OPERATE)
    args = ["--output", str(tmp_path / "out"), "--rate", "200", "--checkpoint-interval", "200"]
    gateway.start()
    with gateway.client(token) as client:
        assert new_job(client, "orders", *args).status_code == 202
        first = await_result(client, "orders")
    assert gateway.stop() == 0
    for file in (gateway.directory / "data").glob("gateway.db*"):
        file.unlink()

    gateway.start()
    with gateway.client(token) as client:
        assert rows(client) == {}
        assert active(flink_2) == [first["jobId"]]
        assert new_job(client, "orders", *args, "--rate", "300").status_code == 202
        row = await_result(client, "orders")
        assert (row["status"], row["actionResult"]) == ("RUNNING", "SUCCESS"), row
        assert active(flink_2) == [row["jobId"]]
        assert_counts_continuous(tmp_path / "out")


def test_no_log_shows_a_secret(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Shows it for all that callers send, right and wrong, with the log at its most talkative."""
    token = gateway.token("ci", Role.OPERATE)
    secret_header = {"X-Secret": "env:FLINK_SECRET"}
    flink = {"url": gateway.content["clusters"][0]["flink"]["url"], "secret_headers": secret_header}
    gateway.content["clusters"][0]["flink"] = flink
    gateway.write()
    gateway.start({"FLINK_SECRET": SECRET})
    with gateway.client(token) as client:
        for job, send in _with_secrets(tmp_path).items():
            answer = send(client)
            assert answer.status_code < 500, answer.text
            if answer.status_code == 202:
                await_result(client, job)
    assert gateway.stop() == 0
    written = gateway.everything_written()
    for line in gateway.log.splitlines():
        json.loads(line)
    assert "orders" in written
    assert '"path": "/readyz"' in written, "the log was at its most talkative"
    assert SECRET not in written
    assert token not in written


def _with_secrets(directory: Path) -> dict[str, Callable[[httpx.Client], httpx.Response]]:
    """Return requests with the secret in every place that may hold one."""
    args = ["--output", str(directory / "out"), "--password", SECRET]
    properties = {"jobType": "FlinkJob", "jobName": "wrong", "action": "NEW"}
    jwt = f"eyJhbGciOiJSUzI1NiJ9.eyJz{SECRET}.{SECRET}"

    def authorized(value: str) -> dict[str, str]:
        return {"Authorization": value}

    def post(client: httpx.Client, **options: object) -> httpx.Response:
        return client.post(f"{CLUSTER}/runJob", params=API, **options)  # type: ignore[arg-type]

    return {
        "orders": lambda client: new_job(client, "orders", *args),
        "failing": lambda client: new_job(client, "failing", "--rate", SECRET, "--output", "/x"),
        "wrong-arguments": lambda client: post(
            client, json={"properties": {**properties, "args": {"password": SECRET}}}
        ),
        "wrong-option": lambda client: post(
            client,
            json={"properties": {**properties, "flinkConfiguration": {"s3.key": [SECRET]}}},
        ),
        "no-json": lambda client: post(client, content=f'{{"args": "{SECRET}"'),
        "header": lambda client: client.get("/metrics", headers={"X-Api-Key": SECRET}),
        "query": lambda client: client.get("/readyz", params={"access_token": SECRET}),
        "basic": lambda client: client.get(
            "/metrics", headers={"Authorization": f"Basic {SECRET}"}
        ),
        "jwt": lambda client: client.get("/metrics", headers={"Authorization": f"Bearer {jwt}"}),
        "token": lambda client: client.get(
            "/metrics", headers={"Authorization": f"Bearer fjg_{SECRET}"}
        ),
    }
