"""Jars in object stores, over the stores' own protocols: S3 by moto's server, ABFS by Azurite."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import adlfs
import httpx
import pytest
import s3fs

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.artifacts.storage import StorageError, list_directory
from flink_jobs_provider.artifacts.uploading import remove_file, upload
from flink_jobs_provider.model.errors import JarError
from tests.integration.stores.servers import (
    ACCOUNT,
    azurite,
    connection,
    node_is_there,
    s3_server,
)
from tests.unit.gateway.actions.gateway import make_jar


@dataclass(frozen=True)
class Bucket:
    """A bucket or container: its URI, that of one that is not there, and how it is spoilt.

    Attributes:
        lock_out: Makes the credentials wrong.
        move: Sends requests to another address.
    """

    uri: str
    missing: str
    lock_out: Callable[[], None]
    move: Callable[[str], None]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have no client, and no cached jar, of an earlier test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _forget_clients()


def _forget_clients() -> None:
    s3fs.S3FileSystem.clear_instance_cache()
    adlfs.AzureBlobFileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of an Azurite."""
    if not node_is_there():
        pytest.skip("Azurite needs node and npm, which are not on the PATH")
    with azurite(tmp_path_factory.mktemp("azurite")) as address:
        adlfs.AzureBlobFileSystem(connection_string=connection(address)).mkdir("jobs")
        yield address


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Give a bucket of the store that the test asks for."""
    if request.param == "abfs":
        yield _container(request.getfixturevalue("blobs"), monkeypatch)
        return
    with s3_server() as address:
        httpx.post(f"{address}/moto-api/reset")  # what it holds is the process's, not the server's
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "anybody")
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem().mkdir("jobs")

        def lock_out() -> None:
            plain = {"Content-Type": "text/plain"}
            httpx.post(f"{address}/moto-api/reset-auth", content=b"0", headers=plain)
            _forget_clients()

        def move(elsewhere: str) -> None:
            monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
            _forget_clients()

        yield Bucket("s3://jobs/jars", "s3://no-such-bucket/jars", lock_out, move)
        httpx.post(
            f"{address}/moto-api/reset-auth",
            content=b"inf",
            headers={"Content-Type": "text/plain"},
        )


def _container(address: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    def connect(to: str) -> None:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", to)
        _forget_clients()

    connect(connection(address))
    return Bucket(
        f"abfs://jobs@{ACCOUNT}.dfs.core.windows.net/jars",
        f"abfs://no-such@{ACCOUNT}.dfs.core.windows.net/jars",
        lambda: connect(connection(address, "AAAA" * 22)),
        lambda elsewhere: connect(connection(elsewhere)),
    )


each_store = pytest.mark.parametrize("bucket", ["s3", "abfs"], indirect=True)


@each_store
def test_a_jar_is_uploaded_read_changed_and_removed(bucket: Bucket, tmp_path: Path) -> None:
    jar, uri = make_jar(tmp_path / "orders.jar", "1"), f"{bucket.uri}/orders.jar"
    upload(jar, uri)
    first = open_jar(uri)
    assert (first.uri, first.path.read_bytes()) == (uri, jar.read_bytes())
    assert [entry.path for entry in list_directory(bucket.uri)] == [uri]
    remove_file(uri)
    upload(make_jar(tmp_path / "orders.jar", "22"), uri)
    assert open_jar(uri).path.read_bytes() == jar.read_bytes()
    assert open_jar(uri).digest != first.digest
    remove_file(uri)
    with pytest.raises(JarError, match="does not exist"):
        open_jar(uri)


@each_store
def test_what_is_not_there(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(JarError, match=r"no\.jar does not exist"):
        open_jar(f"{bucket.uri}/no.jar")
    with pytest.raises(JarError, match="does not exist"):
        open_jar(f"{bucket.missing}/no.jar")
    with pytest.raises(StorageError, match=r"does not exist|No such container"):
        upload(make_jar(tmp_path / "orders.jar"), f"{bucket.missing}/orders.jar")


@each_store
def test_wrong_credentials(bucket: Bucket, tmp_path: Path) -> None:
    jar = make_jar(tmp_path / "orders.jar")
    upload(jar, f"{bucket.uri}/orders.jar")
    bucket.lock_out()
    with pytest.raises(JarError, match=r"Forbidden|failed to authenticate"):
        open_jar(f"{bucket.uri}/orders.jar")
    with pytest.raises(StorageError, match=r"Forbidden|failed to authenticate"):
        upload(jar, f"{bucket.uri}/other.jar")


@each_store
def test_an_endpoint_that_does_not_answer(bucket: Bucket) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        bucket.move(f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(JarError, match="onnect"):
            open_jar(f"{bucket.uri}/orders.jar")
