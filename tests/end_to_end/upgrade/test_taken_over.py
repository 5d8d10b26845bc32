"""A stack's state and gateways' records that commit 6af54e6 wrote are taken over as they are.

The data are in `before/`; `record.py` says how they were made. Their jobs are started again on a
cluster under their recorded ids, as they ran when the state was written.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.model.savepoint import same_path
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import API, GatewayProcess
from tests.stack_project import StackProject

BEFORE = Path(__file__).parent / "before"
#: The jar that the jobs of before run.
JAR = BEFORE / "jar/counting-job.jar"
_SERVED = ("hdinsight", "dli")


class TakenOver:
    """What was there before, put into a directory, and brought up with the code of now."""

    def __init__(self, root: Path, cluster: FlinkCluster, opened: ExitStack) -> None:
        self.cluster = cluster
        self._signs = {"@ROOT@": str(root), "@FLINK@": cluster.url}
        self.project = StackProject(root / "project", "embedded", cluster.url)
        opened.enter_context(closing(self.project))
        self.job_ids = self._job_ids()
        self._put_jars(root)
        jar_id = cluster.upload(JAR)
        for name, job_id in self.job_ids.items():
            args = json.loads(self.read("jobs.json"))[name]["args"]
            cluster.submit(jar_id, args, jobId=job_id, parallelism=1).raise_for_status()
            cluster.await_tasks_running(job_id)
        self.gateways = {name: self._open_gateway(root / name, name) for name in _SERVED}
        for name, gateway in self.gateways.items():
            opened.enter_context(closing(gateway))
            token = gateway.token("stack", Role.OPERATE)
            self.project.environment[f"{name.upper()}_TOKEN"] = token
            gateway.start()
            self._signs[f"@{name.upper()}@"] = gateway.url
        self.project.jobs = json.loads(self.read("jobs.json"))
        self.project.checkpoint.write_text(self.read("state.json"), encoding="utf-8")
        stacks = self.project.root / "stacks"
        (stacks / "Pulumi.dev.yaml").write_text(self.read("Pulumi.dev.yaml"), encoding="utf-8")

    def read(self, name: str) -> str:
        """Return a file of before, with the places of now in it."""
        text = (BEFORE / name).read_text(encoding="utf-8")
        for sign, place in self._signs.items():
            text = text.replace(sign, place)
        return text

    def _job_ids(self) -> dict[str, str]:
        """Return the jobId that each job ran under, as the state or the gateway's records say."""
        resources = json.loads(self.read("state.json"))["checkpoint"]["latest"]["resources"]
        found = {
            resource["urn"].rpartition("::")[2]: resource["outputs"]["job_id"]
            for resource in resources
            if resource["type"].endswith(":FlinkJob") and resource["outputs"]["job_name"] == "flink"
        }
        for name in _SERVED:
            with closing(sqlite3.connect(":memory:")) as database:
                database.executescript(self.read(f"{name}.sql"))
                [[found[name]]] = database.execute("SELECT job_id FROM jobs")
        return found

    def _put_jars(self, root: Path) -> None:
        """Put the jar that the jobs run wherever it lay: with the program, in the storage."""
        texts = [self.read(path.name) for path in BEFORE.iterdir() if path.is_file()]
        for path in {
            Path(each) for text in texts for each in re.findall(rf"{root}[\w./-]+\.jar", text)
        }:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(JAR, path)

    def _open_gateway(self, directory: Path, name: str) -> GatewayProcess:
        """Return a gateway with the records of before, not started."""
        content: dict[str, Any] = yaml.safe_load(self.read(f"{name}.yaml"))
        data = directory / "data"
        (data / "jars").mkdir(parents=True)
        digest = hashlib.sha256(JAR.read_bytes()).hexdigest()
        shutil.copyfile(JAR, data / "jars" / f"{digest}.jar")
        with closing(sqlite3.connect(data / "gateway.db")) as database:
            database.executescript(self.read(f"{name}.sql"))
        return GatewayProcess(directory, self.cluster.url, clusters=content["clusters"])


@pytest.fixture(scope="module")
def before(
    tmp_path_factory: pytest.TempPathFactory, flink_2_session: FlinkCluster
) -> Iterator[TakenOver]:
    """Return what the version before has left, with its jobs running."""
    flink_2_session.clear()
    with ExitStack() as opened:
        yield TakenOver(tmp_path_factory.mktemp("before"), flink_2_session, opened)
    flink_2_session.clear()


def test_nothing_is_to_be_changed(before: TakenOver) -> None:
    """Shows preview, the drift gate and `up` on all three targets; the outputs stay the same."""
    recorded = before.project.resources()
    assert set(recorded) == {"flink", *_SERVED}
    before.project.preview("--expect-no-changes")
    before.project.preview("--refresh", "--expect-no-changes")
    before.project.up("--expect-no-changes")
    after = before.project.resources()
    for name, resource in recorded.items():
        assert after[name]["id"] == resource["id"]
        assert after[name]["outputs"] == resource["outputs"]
    assert {
        job_id: before.cluster.jobs()[job_id]["state"] for job_id in before.job_ids.values()
    } == dict.fromkeys(before.job_ids.values(), "RUNNING")


def test_a_gateway_serves_the_records_of_before(before: TakenOver) -> None:
    """Shows list and detail of both APIs, with the savepoint that was taken before."""
    hdinsight, dli = (before.gateways[name] for name in _SERVED)
    content = yaml.safe_load(before.read("hdinsight.yaml"))
    token = before.project.environment["HDINSIGHT_TOKEN"]
    cluster = content["clusters"][0]["id"]
    with hdinsight.client(token) as client:
        answer = client.get(f"{cluster}/jobs", params=API).raise_for_status()
        [row] = [each["properties"] for each in answer.json()["value"]]
    assert (row["jobName"], row["status"], row["actionResult"]) == (
        "hdinsight",
        "RUNNING",
        "SUCCESS",
    )
    assert "/savepoint-" in row["lastSavePoint"]
    content = yaml.safe_load(before.read("dli.yaml"))
    project = content["clusters"][0]["dli"]["project_id"]
    headers = {"X-Auth-Token": before.project.environment["DLI_TOKEN"]}
    with dli.client("") as client:
        path = f"/v1.0/{project}/streaming/jobs"
        listed = client.get(path, headers=headers).raise_for_status().json()["job_list"]["jobs"]
        [listed_job] = listed
        number = listed_job["job_id"]
        detail = client.get(f"{path}/{number}", headers=headers).raise_for_status().json()
    assert (listed_job["name"], listed_job["status"]) == ("dli", "job_running")
    assert detail["job_detail"]["name"] == "dli"


def test_an_update_goes_on_with_the_state(before: TakenOver) -> None:
    """Shows it through both gateways, too: from a savepoint of the job that ran before."""
    for job in before.project.jobs.values():
        job["args"][-1] = "three"
    before.project.up()
    for name, old in before.job_ids.items():
        outputs = before.project.resources()[name]["outputs"]
        assert outputs["action_result"] == "SUCCESS"
        [running] = [
            job_id
            for job_id, row in before.cluster.jobs().items()
            if job_id[:18] == old[:18] and row["state"] == "RUNNING"
        ]
        restored = before.cluster.get(f"/jobs/{running}/checkpoints")["latest"]["restored"]
        assert f"/{old}/" in restored["external_path"]
        assert same_path(outputs["restored_from"], restored["external_path"])
        assert outputs["generation"] == 3
