"""A gateway beside a local cluster: started, found again, ended with it, and its failures told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from flink_jobs_provider.local import LocalCluster, LocalClusterError
from flink_jobs_provider.local.launch import free_port

_CONFIGURATION = """\
listen: {{port: {port}}}
data_directory: {directory}/data
clusters:
  - id: /subscriptions/s/resourceGroups/g/providers/Microsoft.HDInsight/clusterpools/p/clusters/c
    flink: {{url: "{url}"}}
access: {{tokens_file: {directory}/tokens.yaml}}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Return a cluster's directory; what runs there is ended afterwards."""
    yield tmp_path / "cluster"
    LocalCluster(tmp_path / "cluster").down()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def configuration(tmp_path: Path, port: int) -> Path:
    """Return the file of a gateway; the Flink that it names need not run for it to start."""
    (tmp_path / "tokens.yaml").write_text("tokens: []\n")
    (tmp_path / "tokens.yaml").chmod(0o600)
    file = tmp_path / "gateway.yaml"
    file.write_text(_CONFIGURATION.format(port=port, directory=tmp_path, url="http://127.0.0.1:9"))
    return file


def test_it_is_started_once_and_ended_with_the_cluster(
    directory: Path, configuration: Path, port: int
) -> None:
    cluster = LocalCluster(directory)
    assert cluster.up_gateway(configuration) == "started"
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    assert cluster.up_gateway(configuration) == "already up"
    assert cluster.down() == ["gateway"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz")
    assert cluster.up_gateway(configuration) == "started"


def test_one_that_died_is_started_again(directory: Path, configuration: Path) -> None:
    cluster = LocalCluster(directory)
    cluster.up_gateway(configuration)
    process = psutil.Process(int((directory / "run/gateway.pid").read_text()))
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert cluster.up_gateway(configuration) == "started"


def test_one_with_another_configuration_is_left_alone(directory: Path, configuration: Path) -> None:
    cluster = LocalCluster(directory)
    cluster.up_gateway(configuration)
    other = configuration.with_name("other.yaml")
    with pytest.raises(LocalClusterError, match=r"already runs with .*/gateway\.yaml"):
        cluster.up_gateway(other)


def test_one_that_cannot_start_says_why(directory: Path, configuration: Path) -> None:
    configuration.write_text(configuration.read_text().replace("clusters:", "klusters:"))
    with pytest.raises(LocalClusterError, match="The gateway ended") as caught:
        LocalCluster(directory).up_gateway(configuration)
    assert "klusters" in caught.value.details
    assert not list((directory / "run").glob("*.pid"))
