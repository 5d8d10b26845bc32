"""Jars in object stores, read and written over the stores' own protocols; and jobs of them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flink_jobs_provider.artifacts import (
    NoSnapshot,
    StorageError,
    list_directory,
    list_names,
    open_jar,
    read_snapshot,
    storage,
)
from flink_jobs_provider.artifacts.uploaded_jars import remove_file, upload
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.model.errors import JarError
from tests.contract.flink.record_snapshots import recorded
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import CLUSTER, GatewayProcess
from tests.integration.provided_job import ProvidedJob, end_run
from tests.integration.stores.conftest import Bucket
from tests.job_jars import TEST_JOBS_JAR, copy_with_other_bytes
from tests.unit.gateway.jobs.gateway import make_jar


def test_a_jar_is_uploaded_read_changed_and_removed(bucket: Bucket, tmp_path: Path) -> None:
    jar, uri = make_jar(tmp_path / "orders.jar", "1"), f"{bucket.uri}/orders.jar"
    upload(jar, uri)
    first = open_jar(uri)
    assert (first.uri, first.path.read_bytes()) == (uri, jar.read_bytes())
    assert [entry.path for entry in list_directory(bucket.uri)] == [uri]
    assert list_names(bucket.uri) == ["orders.jar"]
    remove_file(uri)
    upload(make_jar(tmp_path / "orders.jar", "2"), uri)
    assert open_jar(uri).path.read_bytes() == jar.read_bytes(), "of the same size, and not cached"
    assert open_jar(uri).digest != first.digest
    remove_file(uri)
    with pytest.raises(JarError, match="does not exist"):
        open_jar(uri)
    assert list_directory(bucket.uri) == []


def test_a_snapshot_is_read(bucket: Bucket, tmp_path: Path) -> None:
    """Shows a savepoint's operators, and which of savepoint, directory and bucket is missing."""
    file = tmp_path / "_metadata"
    file.write_bytes(recorded("2.3.0")["heap-stop"].metadata)
    place = f"{bucket.uri}/counting/savepoint-1"
    upload(file, f"{place}/_metadata")
    for spelt in (place, f"{place}/", f"{place}/_metadata"):
        assert len(read_snapshot(spelt).operators) == 10
    with pytest.raises(NoSnapshot, match=r"no _metadata file, but below it savepoint-1$"):
        read_snapshot(f"{bucket.uri}/counting")
    with pytest.raises(NoSnapshot, match="there is no such directory"):
        read_snapshot(f"{bucket.uri}/none")
    with pytest.raises(StorageError, match=r"the (bucket|container) no-such\S* does not exist"):
        read_snapshot(bucket.missing)
    bucket.lock_out()
    with pytest.raises(StorageError, match=r"(?i)forbidden|authenticat|invalid"):
        read_snapshot(place)


def test_a_missing_jar_and_a_missing_bucket_are_two_errors(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(JarError, match=rf"{re.escape(bucket.uri)}/no\.jar does not exist"):
        open_jar(f"{bucket.uri}/no.jar")
    assert list_names(f"{bucket.uri}/nothing") == []
    missing = r"the (bucket|container) no-such\S* does not exist"
    with pytest.raises(JarError, match=missing):
        open_jar(f"{bucket.missing}/no.jar")
    with pytest.raises(StorageError, match=missing):
        upload(make_jar(tmp_path / "orders.jar"), f"{bucket.missing}/orders.jar")
    for listing in (list_directory, list_names):
        with pytest.raises(StorageError, match=missing):
            listing(bucket.missing)


def test_wrong_credentials(bucket: Bucket, tmp_path: Path) -> None:
    jar = make_jar(tmp_path / "orders.jar")
    upload(jar, f"{bucket.uri}/orders.jar")
    bucket.lock_out()
    refused = r"Forbidden|failed to authenticate"
    with pytest.raises(JarError, match=refused):
        open_jar(f"{bucket.uri}/orders.jar")
    with pytest.raises(StorageError, match=refused):
        upload(jar, f"{bucket.uri}/other.jar")
    with pytest.raises(StorageError, match=rf"{refused}|Access Key Id you provided"):
        list_names(bucket.uri)


@pytest.mark.parametrize("answers", ["refuses", "is silent"])
def test_an_endpoint_that_does_not_answer(
    bucket: Bucket, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the wait has an end, and one plain reason."""
    monkeypatch.setattr(storage, "ANSWER_WITHIN", 1.0)
    monkeypatch.setattr(storage, "LIST_WITHIN", 1.0)
    with socket.socket() as endpoint:
        endpoint.bind(("127.0.0.1", 0))
        if answers == "is silent":
            endpoint.listen()
        bucket.move(f"http://127.0.0.1:{endpoint.getsockname()[1]}")
        reason = (
            r"(the store did not answer within 1 s|[Cc]ould not connect to the endpoint .*)\.?$"
        )
        with pytest.raises(JarError, match=rf"^cannot open \S+: {reason}"):
            open_jar(f"{bucket.uri}/orders.jar")
        with pytest.raises(StorageError, match=f"^{reason}"):
            list_names(bucket.uri)


@pytest.fixture
def gateway(
    bucket: Bucket, tmp_path: Path, flink_2_session: FlinkCluster
) -> Iterator[GatewayProcess]:
    """Serve the shared cluster; the bucket is mounted as callers name it."""
    cluster = {
        "id": CLUSTER,
        "flink": {"url": flink_2_session.url},
        "mounts": {bucket.uri: bucket.uri},
    }
    with closing(GatewayProcess(tmp_path, flink_2_session.url, clusters=[cluster])) as process:
        process.token("first", Role.READ)
        process.start()
        yield process


def test_a_job_runs_from_a_store_through_a_gateway(
    bucket: Bucket,
    gateway: GatewayProcess,
    flink_2: FlinkCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows the provider's upload, the gateway's mount, and the jar's way to a real Flink."""
    monkeypatch.setenv("GATEWAY_TEST_TOKEN", gateway.token("tests", Role.OPERATE))
    _, _, subscription, _, group, _, _, _, pool, _, name = CLUSTER.split("/")
    target = {
        "kind": "hdinsight",
        "subscription": subscription,
        "resource_group": group,
        "cluster_pool": pool,
        "cluster": name,
        "endpoint": gateway.url,
        "token": "env:GATEWAY_TEST_TOKEN",
        "jar_upload_directory": bucket.uri,
    }
    job = ProvidedJob(target, flink_2, tmp_path)
    try:
        first = job.up()
        job.assert_runs(None)
        (uploaded,) = list_names(bucket.uri)
        assert uploaded.endswith(".jar")
        assert open_jar(f"{bucket.uri}/{uploaded}").digest == first["jar_digest"]

        changed = tmp_path / "changed.jar"
        updated = job.up(jar=str(copy_with_other_bytes(TEST_JOBS_JAR, changed)))
        assert (updated["action"], updated["generation"]) == ("UPDATE", 2)
        job.assert_runs(updated["last_savepoint"])

        named = f"{bucket.uri}/named.jar"
        upload(copy_with_other_bytes(TEST_JOBS_JAR, changed, "in the store"), named)
        updated = job.up(jar=named)
        assert (updated["action"], updated["jar"]) == ("UPDATE", named)
        job.assert_runs(updated["last_savepoint"])
        assert job.unchanged()

        gone = {**job.inputs, "jar": f"{bucket.uri}/gone.jar"}
        (failure,) = job.provider.check(job.state, gone).failures
        assert "gone.jar does not exist" in failure.reason
    finally:
        end_run()
