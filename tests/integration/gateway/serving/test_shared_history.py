"""Two gateways that record one history: each minute once, also where one of them is killed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client.parser import text_string_to_metric_families

from flink_jobs_provider.gateway.principal import Role
from tests import hurried_gateway
from tests.fault_proxy import Exchange, FaultProxy, Moment, Verdict
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import GatewayProcess, await_result, new_job
from tests.postgres_server import PostgresServer
from tests.waiting import wait_until

_COMMAND = [sys.executable, str(Path(hurried_gateway.__file__))]
#: Notes which gateway has recorded which minute, and when.
_NOTED = """
CREATE TABLE done (minute bigint, gateway text, at double precision);
CREATE FUNCTION note_done() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO done VALUES (NEW.sampled, OLD.claimed_by, extract(epoch FROM clock_timestamp()));
  RETURN NEW;
END $$;
CREATE TRIGGER note_done AFTER UPDATE OF sampled ON sampled_clusters
  FOR EACH ROW EXECUTE FUNCTION note_done();
"""
#: Pairs of periods of a job that share a minute.
_OVERLAPS = """
SELECT count(*) FROM job_states AS a JOIN job_states AS b ON a.job_number = b.job_number
  WHERE a.begins < b.begins AND a.ends >= b.begins
"""


class _Records:
    """What the database has of the history."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+psycopg", "")

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type, unused-ignore]
            return cursor.fetchall() if cursor.description else []

    def minutes(self) -> list[int]:
        """Return the minutes that were recorded, in the order in which that was done."""
        return [minute for (minute,) in self.ask("SELECT minute FROM done ORDER BY at")]

    def claim(self, pid: int) -> float | None:
        """Return until when a process has claimed the cluster; None where it has not."""
        found = self.ask(
            "SELECT claimed_until FROM sampled_clusters "
            f"WHERE claimed_by LIKE '%-{pid}-%' AND claimed_until IS NOT NULL"
        )
        return found[0][0] if found else None


@contextmanager
def _held(proxy: FaultProxy) -> Iterator[None]:
    """Let the job list of a cluster not be answered for a while."""
    released = threading.Event()

    def hold(exchange: Exchange, moment: Moment) -> Verdict:
        if moment is Moment.BEFORE and exchange.path.endswith("/jobs/overview"):
            released.wait(60)
        return Verdict.PASS

    proxy.begin(hold)
    try:
        yield
    finally:
        released.set()


def test_each_minute_is_recorded_once_and_the_other_goes_on_when_one_is_killed(
    flink_2: FlinkCluster, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Shows it for one that is killed while it has claimed a minute, and the metrics of both."""
    url = postgres_server.new_database()
    records = _Records(url)
    with FaultProxy(flink_2.url) as proxy, ExitStack() as opened:
        one, other = (
            opened.enter_context(closing(_gateway(tmp_path / name, flink, url)))
            for name, flink in (("one", proxy.url), ("other", flink_2.url))
        )
        tokens = [gateway.token("ci", Role.OPERATE) for gateway in (one, other)]
        one.start()
        records.ask(_NOTED)
        other.start()
        with other.client(tokens[1]) as client:
            args = ("--output", str(tmp_path / "out"), "--rate", "10")
            assert new_job(client, "orders", *args).status_code == 202
            await_result(client, "orders")

        def shown() -> dict[str, set[tuple[str, ...]]]:
            first, second = map(_series, (one, other), tokens)
            assert first == second, (first, second)
            assert len(first["flink_jobs_job_tasks_deployed_timestamp_seconds"]) == 1
            return first

        # Once both have seen the job: the same series, which rules and dashboard count once.
        series = wait_until(shown, 60, "both gateways show the job alike")
        assert len(series["flink_jobs_job_status"]) == 1
        before = len(records.minutes())
        wait_until(lambda: len(records.minutes()) >= before + 3, 60, "minutes are recorded")

        with _held(proxy):
            wait_until(lambda: records.claim(one.pid), 120, "one has claimed a minute")
            pid = one.pid
            one.kill()
            until = records.claim(pid)
            assert until is not None, "the claim was given up before the kill"
            left_behind = records.ask("SELECT count(*) FROM done")[0][0]

            def gone_on() -> tuple[str, float]:
                later = "SELECT gateway, at FROM done ORDER BY at OFFSET " + str(left_behind)
                found = records.ask(later)
                assert found
                return found[0][0], found[0][1]

            gateway, at = wait_until(gone_on, 60, "the other records the next minute")
        assert f"-{other.pid}-" in gateway
        # Not before the claim ends; how soon after is a matter of how busy the machine is.
        assert until <= at < until + 3 * hurried_gateway.LEASE
        goes_on = len(records.minutes())
        wait_until(lambda: len(records.minutes()) >= goes_on + 3, 60, "and those after it")
        minutes = records.minutes()
        assert minutes == sorted(set(minutes))
        assert records.ask(_OVERLAPS) == [(0,)]
        assert _series(other, tokens[1])["flink_jobs_job_status"] == series["flink_jobs_job_status"]


def _gateway(directory: Path, flink_url: str, database: str) -> GatewayProcess:
    directory.mkdir()
    return GatewayProcess(directory, flink_url, command=_COMMAND, database=database)


def _series(gateway: GatewayProcess, token: str) -> dict[str, set[tuple[str, ...]]]:
    """Return the labels of what is shown of jobs and clusters, by metric."""
    with gateway.client(token) as client:
        text = client.get("/metrics").raise_for_status().text
    found: dict[str, set[tuple[str, ...]]] = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith(("flink_jobs_job_", "flink_jobs_cluster_")):
            # These two are Prometheus' own.
            assert not {"job", "instance"} & {key for each in family.samples for key in each.labels}
            found[family.name] = {tuple(sorted(each.labels.values())) for each in family.samples}
    return found
