"""The monitoring API of a gateway process, on a real cluster."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import trustme

from flink_jobs_provider.gateway.principal import Role
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import GatewayProcess, await_result, new_job, run_job
from tests.waiting import wait_until

_FILES = Path(__file__).parents[4] / "docs/gateway"


def test_a_job_that_runs(flink_2: FlinkCluster, tmp_path: Path) -> None:
    """Shows its cluster and its health to a caller who may only read."""
    (tmp_path / "gateway").mkdir()
    args = ["--output", str(tmp_path / "out"), "--rate", "200", "--checkpoint-interval", "200"]
    authority = trustme.CA()
    with closing(GatewayProcess(tmp_path / "gateway", flink_2.url, authority)) as gateway:
        token = gateway.token("ci", Role.READ)
        operator = gateway.token("operator", Role.OPERATE)
        gateway.start()
        with gateway.client(operator) as client:
            assert new_job(client, "orders", *args).status_code == 202
            await_result(client, "orders")
        with gateway.client(token) as client:

            def get(path: str) -> Any:
                return client.get(f"/api/v1/{path}").raise_for_status().json()

            (cluster,) = get("clusters")["value"]
            assert cluster["reachable"]
            assert cluster["jobs"]["RUNNING"] == 1
            assert cluster["slots"] > cluster["free_slots"]

            def gathered() -> int:
                (cluster,) = get("clusters")["value"]
                assert cluster["metaspace"], cluster
                return int(cluster["metaspace"]["used"])

            # Its metrics are there a moment after they were asked for first.
            assert wait_until(gathered, 30, "its memory is reported") > 0
            (job,) = get("jobs?status=RUNNING")["value"]
            assert (job["name"], job["needs_attention"]) == ("orders", [])

            def loaded() -> dict[str, Any]:
                health: dict[str, Any] = get(f"jobs/{job['number']}")["health"]
                assert health["throughput"], health
                return health

            health = wait_until(loaded, 30, "its load is reported")
            assert health["state"] == "RUNNING"
            assert health["checkpoint_counts"]["completed"] > 0
            assert get(f"jobs/{job['number']}/exceptions")["value"] == []
            (action,) = get(f"jobs/{job['number']}/actions")["value"]
            assert (action["action"], action["by"], action["result"]) == (
                *("NEW", "operator", "SUCCESS"),
            )
            (version,) = get(f"jobs/{job['number']}/versions")["value"]
            assert version["action_id"] == action["id"]
            assert version["entry_class"] == "flinkjobs.counting.CountingJob"

            assert get(f"jobs/{job['number']}/series?resolution=1m")["resolution_minutes"] == 1
            used = (_FILES / "alerts.yml").read_text() + (_FILES / "dashboard.json").read_text()
            names = set(re.findall(r"flink_jobs_\w+", used))
            told = client.get("/metrics").raise_for_status().text
            assert {name for name in names if f"{name}{{" not in told} == set()
            assert 'job_name="orders",status="RUNNING"} 1.0' in told
            refused = client.get("/api/v1/jobs?sort=up")
            assert refused.json()["error"]["target"] == "sort"
        with gateway.client(operator) as client:
            assert run_job(client, "orders", "SAVEPOINT").status_code == 202
            await_result(client, "orders")
            path = f"/api/v1/jobs/{job['number']}"
            (savepoint,) = client.get(f"{path}/savepoints").json()["value"]
            assert (savepoint["origin"], savepoint["state"]) == ("SAVEPOINT", "present")
            assert savepoint["size_bytes"] > 0
            with client.stream("GET", f"{path}/events") as stream:
                lines = stream.iter_lines()
                assert next(line for line in lines if line.startswith("event:")) == "event: job"
                assert '"status": "RUNNING"' in next(lines)
                # Another connection changes the job, and revokes the token of this one.
                assert run_job(client, "orders", "CANCEL").status_code == 202
                assert next(line for line in lines if '"status": "CANCELED"' in line)
                assert gateway.run("gateway", "token", "revoke", "operator").returncode == 0
                assert next(line for line in lines if line.startswith("event: end"))
