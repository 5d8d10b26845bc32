"""Jars that people upload: into directories that the configuration names, and over no other jar.

A jar is there as a whole or not at all, and one that is there stays as it is: jobs may be started
from it at any time. Whoever uploads other content gives it another name.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from flink_jobs_provider.artifacts.jar import UnreadableManifest, read_main_class
from flink_jobs_provider.artifacts.storage import local_path
from flink_jobs_provider.gateway.jobs.background import QueueTimeout, Threads
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.jar", re.IGNORECASE)
_CHUNK = 1 << 20
#: Seconds that the storage may take, and that an upload waits for others.
_WRITE_WITHIN = 120.0
_PATIENCE = 30.0


@dataclass(frozen=True)
class UploadedJar:
    """A jar that is in its place.

    Attributes:
        uri: Its place, as callers name it.
        was_there: Whether the same content was there already.
    """

    uri: str
    was_there: bool


class JarUploads:
    """Puts uploaded jars into their places.

    Args:
        threads: Where storages are written to: one that hangs holds up nothing else.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def put(
        self, cluster: ClusterConfiguration, directory: str, name: str, content: BinaryIO
    ) -> UploadedJar:
        """Write a jar into a directory.

        Args:
            cluster: The cluster whose storage it is.
            directory: One of the directories that its configuration names for uploads.
            name: The jar's name there.
            content: Its bytes.

        Raises:
            Refusal: It is no jar, another one of that name is there, or it cannot be written.
        """
        if directory not in cluster.uploads:
            raise Refusal("AuthorizationFailed", f"Nothing is uploaded to {directory[:200]}.")
        if not _NAME.fullmatch(name):
            raise Refusal(
                "InvalidParameter",
                f"{name[:200]!r} is not the name of a jar: letters, digits, ., _, + and -, and "
                ".jar at the end.",
            )
        try:
            return await self._threads.call_within(
                _WRITE_WITHIN, _PATIENCE, partial(_put, cluster, directory, name, content)
            )
        except (TimeoutError, QueueTimeout):
            text = f"{directory} was not written to in time. Whether the jar is there is not known."
            raise Refusal("ServiceUnavailable", text) from None
        except OSError as error:
            raise Refusal(
                "ServiceUnavailable",
                f"{directory} cannot be written to: {error.strerror or type(error).__name__}.",
            ) from None


def _put(
    cluster: ClusterConfiguration, directory: str, name: str, content: BinaryIO
) -> UploadedJar:
    place = local_path(cluster.storage.resolve(directory, "directory"))
    assert place is not None  # noqa: S101 - so the configuration was checked
    place = Path(os.path.realpath(place))
    if not cluster.storage.holds(place):
        text = f"{directory} leads out of the storage that is mounted for this cluster."
        raise Refusal("AuthorizationFailed", text)
    uri = f"{directory.rstrip('/')}/{name}"
    partial_copy = place / f".{name}.{secrets.token_hex(8)}.part"
    try:
        digest = _copied(content, partial_copy, place.stat().st_mode & 0o666)
        _check_jar(partial_copy, name)
        try:
            # Unlike a rename, a link never takes the place of a file that is there.
            os.link(partial_copy, place / name)
        except FileExistsError:
            _check_same(place / name, uri, digest)
            return UploadedJar(uri, was_there=True)
        return UploadedJar(uri, was_there=False)
    finally:
        partial_copy.unlink(missing_ok=True)


def _copied(content: BinaryIO, path: Path, mode: int) -> str:
    """Write a new file, as open to others as its directory is; return its digest."""
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as copy:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fchmod(copy.fileno(), mode | 0o600)
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _check_jar(path: Path, name: str) -> None:
    try:
        read_main_class(path)
    except zipfile.BadZipFile:
        raise Refusal("InvalidParameter", f"{name} is not a jar (no zip archive).") from None
    except UnreadableManifest as error:
        text = f"{name} is not a jar that Flink can run: {error}."
        raise Refusal("InvalidParameter", text) from None


def _check_same(path: Path, uri: str, digest: str) -> None:
    with path.open("rb") as file:
        present = hashlib.file_digest(file, "sha256").hexdigest()
    if present != digest:
        raise Refusal(
            "Conflict",
            f"{uri} is there already, with other content (SHA-256 {present[:12]}…, and not "
            f"{digest[:12]}…). It stays as it is: give the file another name, and upload it again.",
        )
