"""Object stores by their own protocols: S3 of moto's server, ABFS of Azurite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import adlfs
import pytest
import s3fs

from tests.azurite import ACCOUNT, azurite, connection_string, why_no_azurite
from tests.s3_server import check_credentials, s3_server


@dataclass(frozen=True)
class Bucket:
    """A bucket or container that is there, and how it is spoilt.

    Attributes:
        uri: A directory in it.
        missing: A directory in one that is not there.
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
    monkeypatch.setenv("FLINK_JOBS_CACHE", str(tmp_path / "cache"))
    forget_clients()


def forget_clients() -> None:
    """Have stores opened anew, with what the environment says now."""
    s3fs.S3FileSystem.clear_instance_cache()
    adlfs.AzureBlobFileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def blobs() -> Iterator[str]:
    """Return the address of an Azurite with a container `jobs`."""
    if reason := why_no_azurite():
        pytest.skip(reason)
    with azurite() as address:
        adlfs.AzureBlobFileSystem(connection_string=connection_string(address)).mkdir("jobs")
        yield address


@pytest.fixture(params=["s3", "abfs"])
def bucket(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Bucket]:
    """Return a bucket of each store in turn, with a directory of the test's own."""
    directory = tmp_path.name
    if request.param == "abfs":
        yield _container(request.getfixturevalue("blobs"), directory, monkeypatch)
        return
    with s3_server() as address:

        def move(elsewhere: str) -> None:
            monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
            forget_clients()

        def lock_out() -> None:
            check_credentials(address)
            forget_clients()

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "anybody")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        move(address)
        s3fs.S3FileSystem().mkdir("jobs")
        yield Bucket(f"s3://jobs/{directory}", "s3://no-such-bucket/jars", lock_out, move)


def _container(address: str, directory: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    def connect(to: str) -> None:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", to)
        forget_clients()

    connect(connection_string(address))
    return Bucket(
        f"abfs://jobs@{ACCOUNT}.dfs.core.windows.net/{directory}",
        f"abfs://no-such@{ACCOUNT}.dfs.core.windows.net/jars",
        lambda: connect(connection_string(address, "AAAA" * 22)),
        lambda elsewhere: connect(connection_string(elsewhere)),
    )
