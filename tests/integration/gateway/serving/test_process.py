"""A gateway as a process, without a cluster: who gets in, what it tells, how it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from flink_jobs_provider.gateway.principal import Role
from tests.gateway_process import (
    API,
    CLUSTER,
    GatewayProcess,
    new_job,
    rows,
    run_job,
)
from tests.waiting import wait_until

#: Nobody listens there.
NO_FLINK = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA
) -> Iterator[GatewayProcess]:
    directory = tmp_path_factory.mktemp("gateway")
    limits = {"requests_per_second": 0.01, "burst": 40, "body_bytes": 2048}
    served = GatewayProcess(directory, NO_FLINK, authority, preloaded=False, limits=limits)
    with closing(served) as process:
        process.token("first", Role.OPERATE)
        process.start()
        yield process
        assert process.stop() == 0


@pytest.fixture(scope="module")
def reader(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    with gateway.client(gateway.token("reader", Role.READ)) as client:
        yield client


@pytest.fixture(scope="module")
def operator(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    with gateway.client(gateway.token("operator", Role.OPERATE)) as client:
        yield client


def code(answer: httpx.Response) -> str:
    """Return the code of an error in the envelope of the API."""
    return str(answer.json()["error"]["code"])


def test_health_and_readiness_need_no_token(gateway: GatewayProcess) -> None:
    with gateway.client("") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200


def test_nothing_else_is_answered_without_one(gateway: GatewayProcess) -> None:
    with gateway.client("") as client:
        for path in (f"{CLUSTER}/jobs", "/metrics", "/nothing", "/openapi.json"):
            answer = client.get(path, params=API)
            assert (answer.status_code, code(answer)) == (401, "AuthenticationFailed"), path
    with gateway.client("fjg_" + "x" * 43) as client:
        assert code(client.get(f"{CLUSTER}/jobs", params=API)) == "InvalidAuthenticationToken"


def test_plain_http_is_not_answered(gateway: GatewayProcess) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(gateway.url.replace("https", "http") + "/healthz", trust_env=False)


def test_who_may_read_may_not_operate(reader: httpx.Client, gateway: GatewayProcess) -> None:
    assert reader.get(f"{CLUSTER}/jobs", params=API).json()["value"] == []
    answer = run_job(reader, "orders", "STOP")
    assert (answer.status_code, code(answer)) == (403, "AuthorizationFailed")
    line = gateway.audit[-1]
    assert (line["who"], line["what"], line["result"]) == (
        "reader",
        "runJob",
        "AuthorizationFailed",
    )
    assert line["status"] == 403


def test_a_body_that_is_too_large_is_refused(operator: httpx.Client) -> None:
    assert run_job(operator, "orders", "NEW", args="x" * 3000).status_code == 413


def test_a_cluster_out_of_reach_is_said_in_metrics(
    operator: httpx.Client, gateway: GatewayProcess
) -> None:
    """Shows that requests are counted by route, and that such a cluster can be alerted on."""

    def values() -> dict[tuple[str, ...], float]:
        text = operator.get("/metrics").text
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    key = ("flink_jobs_gateway_cluster_reachable", CLUSTER.lower())
    wait_until(lambda: key in values(), 30, "the cluster was looked at")
    found = values()
    assert found[key] == 0
    assert found["flink_jobs_gateway_actions_in_progress",] == 0
    requests = {name[2:]: n for name, n in found.items() if name[0].endswith("requests_total")}
    assert sum(requests.values()) > 0
    assert not any("0000" in label for name in found for label in name[1:] if label != key[1])


def test_a_token_counts_from_its_creation_to_its_revocation(gateway: GatewayProcess) -> None:
    """Shows that neither needs a restart."""
    with gateway.client(gateway.token("short", Role.READ)) as client:
        assert client.get(f"{CLUSTER}/jobs", params=API).status_code == 200
        assert gateway.run("gateway", "token", "revoke", "short").returncode == 0
        assert client.get(f"{CLUSTER}/jobs", params=API).status_code == 401


def test_who_calls_too_often_is_told_when_to_come_back(gateway: GatewayProcess) -> None:
    with gateway.client(gateway.token("hasty", Role.READ)) as client:
        answers = [client.get(f"{CLUSTER}/jobs", params=API) for _ in range(45)]
    assert [answer.status_code for answer in answers[:40]] == [200] * 40
    refused = answers[-1]
    assert (refused.status_code, code(refused)) == (429, "TooManyRequests")
    assert int(refused.headers["Retry-After"]) > 0


def test_a_second_gateway_on_the_same_records_does_not_start(gateway: GatewayProcess) -> None:
    """Shows that two processes never work on one SQLite file."""
    done = gateway.run("gateway", "serve")
    assert done.returncode == 1
    assert "another gateway works on" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_log_is_json_with_the_ids_of_requests(
    operator: httpx.Client, gateway: GatewayProcess
) -> None:
    answer = operator.get(f"{CLUSTER}/jobs", params=API)
    request_id = answer.headers["x-ms-request-id"]

    def logged() -> list[dict[str, object]]:
        lines = [json.loads(line) for line in gateway.log.splitlines()]
        return [line for line in lines if line.get("request_id") == request_id]

    (line,) = wait_until(logged, 10, "the request was logged")
    assert (line["method"], line["path"], line["status"]) == ("GET", f"{CLUSTER}/jobs", 200)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_order(tmp_path: Path, number: int) -> None:
    with closing(GatewayProcess(tmp_path, NO_FLINK, preloaded=False)) as process:
        process.token("ci", Role.READ)
        process.start()
        process.send(number)
        assert process.wait() == 0
        assert "the gateway has stopped" in process.log
        assert "Traceback" not in process.log


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[GatewayProcess]:
    """Return a gateway with an action in progress that its cluster keeps waiting."""
    with closing(GatewayProcess(tmp_path, NO_FLINK, stop_timeout="10m")) as process:
        token = process.token("ci", Role.OPERATE)
        process.start()
        with process.client(token) as client:
            assert new_job(client, "orders").status_code == 202
        yield process


def test_a_stop_hands_over_what_does_not_end_in_time(waiting: GatewayProcess) -> None:
    """Shows that the next start takes it up."""
    waiting.kill()
    waiting.write(stop_timeout="1s")
    token = waiting.token("reader", Role.READ)
    waiting.start()
    wait_until(lambda: "is taken over" in waiting.log, 30, "the action is taken over")
    assert waiting.stop() == 0
    assert "waiting for actions to end" in waiting.log
    waiting.start()
    wait_until(lambda: "is taken over" in waiting.log, 30, "the action is taken up again")
    with waiting.client(token) as client:
        assert rows(client)["orders"]["actionResult"] == "IN_PROGRESS"


def test_a_second_signal_ends_the_wait(waiting: GatewayProcess) -> None:
    """Shows that an impatient operator loses nothing either."""
    waiting.send(signal.SIGTERM)
    wait_until(lambda: "waiting for actions to end" in waiting.log, 30, "it waits")
    waiting.send(signal.SIGTERM)
    assert waiting.wait(timeout=120) == 0, "it does not wait for the 10 minutes that it may take"
    token = waiting.token("reader", Role.READ)
    waiting.start()
    wait_until(lambda: "is taken over" in waiting.log, 30, "the action is taken over")
    with waiting.client(token) as client:
        assert rows(client)["orders"]["actionResult"] == "IN_PROGRESS"
