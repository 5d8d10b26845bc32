"""Two gateways, each a process of its own, on one PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from flink_jobs_provider.gateway.principal import Role
from tests.gateway_process import API, CLUSTER, GatewayProcess, new_job, rows
from tests.postgres_server import PostgresServer
from tests.waiting import wait_until

NO_FLINK = "http://127.0.0.1:9"


def test_what_one_hands_over_the_other_takes_up(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Shows it for an action that its cluster keeps waiting, and for a database that fails."""
    url = {"GATEWAY_DATABASE": postgres_server.new_database()}
    with ExitStack() as opened:
        gateways = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            process = GatewayProcess(
                tmp_path / name, NO_FLINK, database="env:GATEWAY_DATABASE", stop_timeout="1s"
            )
            gateways.append(opened.enter_context(closing(process)))
        one, other = gateways
        token, same = (gateway.token("ci", Role.OPERATE) for gateway in gateways)
        one.start(url)
        other.start(url)
        with one.client(token) as client:
            assert new_job(client, "orders").status_code == 202
        with other.client(same) as client:
            assert rows(client)["orders"]["actionResult"] == "IN_PROGRESS"
            assert one.stop() == 0
            wait_until(lambda: "NEW, is taken over" in other.log, 60, "the other takes it up")
            assert rows(client)["orders"]["actionResult"] == "IN_PROGRESS"

            assert client.get("/readyz").status_code == 200
            postgres_server.kill()
            try:
                wait_until(lambda: client.get("/readyz").status_code == 503, 60, "not ready")
                problems = client.get("/readyz").json()["problems"]
                assert problems == ["The database does not answer."]
                assert client.get("/healthz").status_code == 200
                jobs = f"{CLUSTER}/jobs"
                for path in (jobs, f"{jobs}/orders/savepoints"):
                    answer = client.get(path, params=API)
                    assert answer.status_code == 503
                    assert answer.json()["error"]["code"] == "RecordsUnavailable"
            finally:
                postgres_server.start()
            wait_until(lambda: client.get("/readyz").status_code == 200, 60, "ready again")
            assert rows(client)["orders"]["actionResult"] == "IN_PROGRESS"
        assert other.stop() == 0
