"""A gateway as a process, called as Data Lake Insight is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx

from flink_jobs_provider.gateway.principal import Role
from tests.contract.gateway.apis.dli.huaweis_client import ACCESS_KEY, SECRET_KEY, client
from tests.contract.gateway.memory_service import PROJECT
from tests.gateway_process import GatewayProcess
from tests.job_jars import COUNTING_JAR
from tests.waiting import wait_until

URL = f"/v1.0/{PROJECT}/streaming"
ENTRY_CLASS = "flinkjobs.counting.CountingJob"
#: In none of these does a job stay.
MOVING = {"job_submitting", "job_savepointing", "job_canceling"}


class DliGateway:
    """A gateway for one cluster, and the storage that its callers name `obs://bucket`.

    Args:
        directory: Where all of it is.
        flink_url: The cluster.
        more: Further entries of the gateway's configuration.
    """

    def __init__(self, directory: Path, flink_url: str, **more: Any) -> None:
        self.storage = directory / "storage"
        (self.storage / "jars").mkdir(parents=True)
        shutil.copyfile(COUNTING_JAR, self.storage / "jars" / "counting.jar")
        cluster = {
            "dli": {"project_id": PROJECT, "queues": ["default"]},
            "flink": {"url": flink_url},
            "savepoint_directory": f"file://{self.storage}/savepoints",
            "mounts": {"obs://bucket": f"file://{self.storage}"},
        }
        access = {
            "tokens_file": "tokens.yaml",
            "signing_keys": [
                {
                    "name": "sdk",
                    "access_key": ACCESS_KEY,
                    "secret_key": "env:DLI_SECRET_KEY",
                    "roles": {"*": "operate"},
                }
            ],
        }
        self.process = GatewayProcess(
            directory, flink_url, clusters=[cluster], access=access, **more
        )
        self._token = self.process.token("tests", Role.OPERATE)

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.process.start({"DLI_SECRET_KEY": SECRET_KEY})

    def close(self) -> None:
        """See that nothing is left of it."""
        self.process.close()

    def sdk(self) -> Any:
        """Return Huawei's client, which signs its requests."""
        return client(self.process.url)

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request, with a token."""
        headers = {"X-Auth-Token": self._token, **request.pop("headers", {})}
        with self.process.client("") as http:
            return http.request(method, f"{URL}{path}", headers=headers, **request)

    def done(self, method: str, path: str, **request: Any) -> Any:
        """Send a request that must be taken, and return the answer."""
        answer = self.send(method, path, **request)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        for one in body if isinstance(body, list) else [body]:
            assert one["is_success"] == "true", body
        return body

    def create(self, name: str, output: Path, **fields: Any) -> int:
        """Create the counting job; return its id."""
        body = {**self.job(name, output), **fields}
        number: int = self.done("POST", "/flink-jobs", json=body)["job"]["job_id"]
        return number

    def job(self, name: str, output: Path) -> dict[str, Any]:
        """Return the fields of the counting job."""
        return {
            "name": name,
            "entrypoint": "obs://bucket/jars/counting.jar",
            "main_class": ENTRY_CLASS,
            "entrypoint_args": f"--output {output} --rate 200 --checkpoint-interval 200 "
            f"--label {name}",
        }

    def run(self, *numbers: int, resume: bool = False) -> None:
        """Run jobs, and wait until they do."""
        body = {"job_ids": list(numbers), "resume_savepoint": resume}
        self.done("POST", "/jobs/run", json=body)
        for number in numbers:
            self.becomes(number, "job_running")

    def detail(self, number: int) -> dict[str, Any]:
        """Return a job."""
        found: dict[str, Any] = self.done("GET", f"/jobs/{number}")["job_detail"]
        return found

    def becomes(self, number: int, status: str) -> dict[str, Any]:
        """Wait until a job has settled, and see that it is as it should be."""

        def settled() -> dict[str, Any]:
            detail = self.detail(number)
            assert detail["status"] not in MOVING, detail
            return detail

        detail = wait_until(settled, 120, f"job {number} is {status}", interval=0.1)
        assert detail["status"] == status, detail
        return detail

    def goes(self, number: int) -> None:
        """Wait until a job is no more."""

        def gone() -> bool:
            answer = self.send("GET", f"/jobs/{number}")
            return answer.status_code == 400 and answer.json()["error_code"] == "DLI.16001"

        wait_until(gone, 60, f"job {number} is deleted", interval=0.1)

    def job_id(self, number: int) -> str:
        """Return Flink's jobId of a job."""
        graph = self.done("GET", f"/jobs/{number}/execute-graph")["execute_graph"]
        found: str = graph["jid"]
        return found

    def savepoints(self) -> set[Path]:
        """Return all savepoints in the storage."""
        return {path.parent for path in self.storage.rglob("_metadata")}
