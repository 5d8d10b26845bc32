"""A gateway as a process of its own, as operators run it, and a client that calls it."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import trustme
import yaml

from flink_jobs_provider.gateway.auth.tokens import create_token
from flink_jobs_provider.gateway.principal import EVERY_CLUSTER, Role
from tests.empty_stacks import PLAIN_COMMAND
from tests.job_jars import COUNTING_JAR
from tests.preloaded import PreloadedCommand, start
from tests.waiting import wait_until

CLUSTER = (
    "/subscriptions/0000/resourceGroups/group/providers/Microsoft.HDInsight"
    "/clusterpools/pool/clusters/flink"
)
API = {"api-version": "2023-06-01-preview"}
_numbers = count(1)
COMMAND = [str(Path(sys.executable).parent / "flink-jobs")]


def another_cluster_id() -> str:
    """Return a name of a cluster under which nothing was ever submitted."""
    return f"{CLUSTER}-{os.getpid()}-{next(_numbers)}"


class GatewayProcess:
    """A gateway in a directory of its own: started, called, stopped, killed, started again.

    Args:
        directory: Where its files are.
        flink_url: The cluster it serves.
        authority: Who signs its certificate; none for plain HTTP.
        preloaded: Whether it is forked off a process that has loaded what it needs.
        cluster_id: The name under which it serves that cluster. Jobs of the same name that two
            gateways serve under one are the same job: a NEW goes on from what the last one left.
        command: What serves, if not the command itself; it is not forked off.
        more: Further entries of its configuration.
    """

    def __init__(
        self,
        directory: Path,
        flink_url: str,
        authority: trustme.CA | None = None,
        *,
        preloaded: bool = True,
        cluster_id: str = CLUSTER,
        command: Sequence[str] = (),
        **more: Any,
    ) -> None:
        self._preloaded = preloaded and not command
        self._command = command or COMMAND
        self.directory = directory
        self.config = directory / "gateway.yaml"
        self._authority = authority
        self._process: subprocess.Popen[bytes] | PreloadedCommand | None = None
        self._starts = 0
        listen: dict[str, Any] = {"port": 0}
        if authority:
            listen["tls"] = {"certificate_file": "cert.pem", "key_file": "key.pem"}
            self.issue_certificate(authority)
        mounts = {"abfs://jobs@account": f"file://{COUNTING_JAR.parent}"}
        self.content: dict[str, Any] = {
            "listen": listen,
            "data_directory": "data",
            "clusters": [{"id": cluster_id, "flink": {"url": flink_url}, "mounts": mounts}],
            "access": {"tokens_file": "tokens.yaml"},
            "log": {"audit_file": "audit.log"},
            "settle_time": "0s",
            **more,
        }
        self.write()

    def write(self, **changes: Any) -> None:
        """Write the configuration."""
        self.content.update(changes)
        self.config.write_text(yaml.safe_dump(self.content))

    def issue_certificate(self, authority: trustme.CA) -> None:
        """Write a certificate, and its key, that an authority has signed."""
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(self.directory / "key.pem")
        (self.directory / "key.pem").chmod(0o600)
        chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
        (self.directory / "cert.pem").write_bytes(chain)

    def token(self, name: str, role: Role) -> str:
        """Make a token for all clusters."""
        return create_token(self.directory / "tokens.yaml", name, {EVERY_CLUSTER: role})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on its configuration, which may fail."""
        return subprocess.run(
            [*COMMAND, *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    # The process

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, and wait until it serves."""
        self._starts += 1
        with self.log_path.open("wb") as log:
            words = ["gateway", "serve", "--config", str(self.config)]
            whole = {**os.environ, **(environment or {})}
            started = None
            if self._preloaded:
                started = start([*PLAIN_COMMAND, *words], whole, output=log.fileno())
            self._process = started or subprocess.Popen(
                [*self._command, *words], stdout=log, stderr=subprocess.STDOUT, env=whole
            )
        self.url = wait_until(self._address, 60, "the gateway serves")

    def _address(self) -> str:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        found = re.search(r"https?://127\.0\.0\.1:\d+", self.log)
        assert "the gateway serves" in self.log, self.log
        assert found, self.log
        return found[0]

    @property
    def log_path(self) -> Path:
        """What its latest run wrote."""
        return self.directory / f"log-{self._starts}.txt"

    @property
    def log(self) -> str:
        """What its latest run wrote, as text."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    @property
    def audit(self) -> list[dict[str, Any]]:
        """The lines of its audit log."""
        path = self.directory / "audit.log"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def everything_written(self) -> str:
        """All logs of all runs."""
        paths = [*self.directory.glob("log-*.txt"), self.directory / "audit.log"]
        return "\n".join(path.read_text() for path in paths)

    @property
    def pid(self) -> int:
        """The id of its process, which is not a forked one."""
        assert isinstance(self._process, subprocess.Popen)
        return self._process.pid

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout: float = 60) -> int:
        """Wait until it has ended; return its exit code."""
        assert self._process is not None
        code = self._process.wait(timeout)
        self._process = None
        return code

    def stop(self) -> int:
        """Stop it in order; return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """See that nothing is left of it."""
        if self._process is not None:
            self.kill()

    # Calls

    def client(self, token: str) -> httpx.Client:
        """Return a client that trusts its certificate and sends a token."""
        verify: ssl.SSLContext | bool = False
        if self._authority:
            verify = ssl.create_default_context()
            self._authority.configure_trust(verify)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=self.url, headers=headers, verify=verify, timeout=60, trust_env=False
        )


def run_job(client: httpx.Client, name: str, action: str, **properties: Any) -> httpx.Response:
    """Post an action on a job."""
    given = {"jobType": "FlinkJob", "jobName": name, "action": action, **properties}
    return client.post(f"{CLUSTER}/runJob", params=API, json={"properties": given})


def new_job(client: httpx.Client, name: str, *args: str) -> httpx.Response:
    """Post NEW of the counting job."""
    return run_job(
        client,
        name,
        "NEW",
        jobJarDirectory="abfs://jobs@account/",
        jarName=COUNTING_JAR.name,
        entryClass="flinkjobs.counting.CountingJob",
        args=" ".join(args),
        flinkConfiguration={"parallelism": "1"},
    )


def rows(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """Return the properties of all jobs, by name."""
    answer = client.get(f"{CLUSTER}/jobs", params=API)
    assert answer.status_code == 200, answer.text
    found = (row["properties"] for row in answer.json()["value"])
    return {row["jobName"]: row for row in found}


def await_result(client: httpx.Client, name: str, timeout: float = 90) -> dict[str, Any]:
    """Wait until the last action on a job has ended, and return the job's properties."""

    def ended() -> dict[str, Any]:
        row = rows(client)[name]
        assert row["actionResult"] != "IN_PROGRESS", row
        return row

    return wait_until(ended, timeout, f"the action on {name} ended", interval=0.2)
