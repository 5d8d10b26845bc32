"""Where a job's jar lies: in the cluster's storage already, or uploaded to it first.

An uploaded jar is there completely, or not at all. It is named by job, owner and content, so that a
version's jar is never written over: the previous version's stays for a rollback.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path

from flink_jobs_provider.artifacts.jar import Jar, find_jar, open_jar
from flink_jobs_provider.artifacts.storage import (
    StorageError,
    answered,
    ask,
    file_exists,
    list_names,
    local_path,
    open_filesystem,
    reason_of,
)
from flink_jobs_provider.model.errors import JarError, JarMissing
from flink_jobs_provider.model.identity import digest
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import DliTarget, HDInsightTarget
from flink_jobs_provider.model.target.address import is_local


def upload(source: Path, uri: str) -> None:
    """Copy a local file to a URI that is named by its content; one that is there stays.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        if target := local_path(uri):
            _copy(source, target)
            return
        filesystem, path = open_filesystem(uri)
        # An object store shows an object when it is complete, so one of that size is this one.
        there = answered(lambda: ask(filesystem, "info", path), {})
        if there.get("size") == source.stat().st_size:
            return
        filesystem.put_file(str(source), path)
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise StorageError(reason_of(error)) from None


def remove_file(uri: str) -> None:
    """Remove a file; one that is not there is no error.

    Raises:
        StorageError: It cannot be removed.
    """
    filesystem, path = open_filesystem(uri)
    answered(lambda: ask(filesystem, "rm_file", path), None)


def _copy(source: Path, target: Path) -> None:
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as copy, source.open("rb") as original:
            shutil.copyfileobj(original, copy)
        partial.chmod(0o644)  # the cluster may run as somebody else
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


_DIGITS = 32


class UploadedJars:
    """The jars of the jobs of one target."""

    def __init__(self, target: HDInsightTarget | DliTarget) -> None:
        self._target = target

    def where(self, spec: JobSpec, digest: str) -> str:
        """Return the URI under which the cluster finds a version's jar, as soon as it is placed.

        Raises:
            JarError: There is no directory to upload it to.
        """
        if not is_local(spec.jar):
            return spec.jar
        directory = self._target.jar_upload_directory
        if directory is None:
            raise JarError(
                f"{spec.job_name}: the cluster cannot read {spec.jar}",
                remedy="Set target.jar_upload_directory, or let jar be a URI of its storage",
            )
        return f"{directory}/{self._prefix(spec)}{digest[:_DIGITS]}.jar"

    async def place(self, spec: JobSpec, jar: Jar) -> str:
        """Return the URI under which the cluster finds a jar; upload it if it must be.

        Raises:
            JarError: It cannot be uploaded.
        """
        uri = self.where(spec, jar.digest)
        if not is_local(spec.jar):
            return uri
        try:
            await asyncio.to_thread(upload, jar.path, uri)
        except StorageError as error:
            raise JarError(
                f"{spec.job_name}: {spec.jar} cannot be uploaded to "
                f"{self._target.jar_upload_directory}: {error}",
                now="Nothing was changed",
                remedy="Check target.jar_upload_directory, and that this machine may write there",
            ) from None
        return uri

    async def provide_former(self, spec: JobSpec, shown: str = "") -> None:
        """Make sure that a version that ran can be started again: its jar is where it was read.

        One that was uploaded is uploaded again where it has gone, from where it came from or from
        this machine's cache. The system reports that it lies at `shown`, if that is not empty.

        Raises:
            JarMissing: It is no longer there, and cannot be put back.
            JarError: That is unknown.
        """
        digest = spec.jar_digest or ""
        uri = self.where(spec, digest)
        if shown not in ("", uri):  # another version than the recorded one: its digest is unknown
            if not await exists(shown):
                raise JarMissing(f"{shown} does not exist")
            return
        if not is_local(spec.jar):
            if (await asyncio.to_thread(open_jar, uri)).digest != digest:
                raise JarMissing(
                    f"{uri} has other content now than the recorded jar (SHA-256 {digest[:12]}…)"
                )
            return
        if await exists(uri):
            return
        try:
            jar = await asyncio.to_thread(find_jar, spec.jar, digest)
        except JarError as error:
            raise JarMissing(f"{uri} does not exist, and {error.reason}") from None
        await self.place(spec, jar)

    async def forget(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were uploaded for a job, but for those with the digests to keep.

        Raises:
            JarError: One of them cannot be removed.
        """
        directory = self._target.jar_upload_directory
        if directory is None:
            return
        kept = {digits[:_DIGITS] for digits in keep}
        pattern = re.compile(re.escape(self._prefix(spec)) + rf"([0-9a-f]{{{_DIGITS}}})\.jar")
        try:
            for name in await asyncio.to_thread(list_names, directory):
                match = pattern.fullmatch(name)
                if match and match.group(1) not in kept:
                    await asyncio.to_thread(remove_file, f"{directory}/{name}")
        except StorageError as error:
            raise JarError(
                f"{spec.job_name}: old jars in {directory} could not be removed: {error}"
            ) from None

    def _prefix(self, spec: JobSpec) -> str:
        """Begin the names of a job's jars: no other job's begin so, nor another stack's."""
        return f"{spec.job_name}-{digest('jar', self._target.place, spec.owner)[:8]}-"


async def exists(uri: str) -> bool:
    """Whether a file is in the storage.

    Raises:
        JarError: That is unknown.
    """
    try:
        return await asyncio.to_thread(file_exists, uri)
    except StorageError as error:
        raise JarError(f"cannot open {uri}: {error}") from None
