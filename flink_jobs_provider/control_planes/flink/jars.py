"""The jars that submissions leave on a cluster: one for each version that may be needed again.

A jar is uploaded under a name that says whose it is and what it holds, so that a repeated
submission finds it, a rollback has it, and a deletion removes it:
<job_name>-<18 digits of the job's identity>-<first 32 digits of the content's digest>.jar

An empty jar is a mark on a running job that another stack can read, since the job itself bears
none: that it was adopted, released or moved, by whom, and its jobId in place of the digest. Another
is on a version that was started alongside the one that it is to replace.

A jar that lies there only while programs are tried is named apart, so that no submission finds one
which is about to be removed. One that a killed preview left behind is removed by a later one.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.flink.client import (
    ConnectionBroke,
    FlinkAnswer,
    FlinkClient,
    RequestTooLarge,
)
from flink_jobs_provider.control_planes.http import SharedCall
from flink_jobs_provider.control_planes.protocol import (
    JobMark,
    Mark,
    MonotonicClock,
    Submission,
)
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterRefused,
    ClusterUnreachable,
    JarError,
)
from flink_jobs_provider.model.identity import identity_of

#: Stands for the job's name in the name of a jar that is lent to previews; no job has such a name.
LENT = "_preview"
#: Stand for the job's name in the names of marks.
_MARKS = {f"_{kind}": kind for kind in Mark}
_IDENTITY = 18
_DIGEST = 32
#: Seconds for which a list is trusted. A jar that another process removed meanwhile shows when it
#: is run, before anything started; one that it uploaded is uploaded twice.
_TRUSTED_S = 60.0
#: Seconds for which a list is trusted where a job is to be stopped on the strength of it.
_FRESH_S = 5.0
#: Seconds for which a list is trusted where a killed run may have left a jar: a gateway takes up
#: another's actions later than that after its last sign of life.
_TAKEN_UP_S = 20.0
#: Age at which a lent jar is surely not in use any more, in seconds: no plan takes that long.
_LEFT_BEHIND_S = 3600.0


@dataclass(frozen=True)
class UploadedJar:
    """A jar of ours on the cluster, and when it was uploaded: seconds since the epoch."""

    id: str
    job_name: str
    prefix: str
    digest: str
    uploaded: float = 0.0

    @property
    def of_job(self) -> bool:
        """Whether a job was submitted with it, or is to be."""
        return self.job_name != LENT and self.job_name not in _MARKS


class ClusterJars:
    """Uploads, finds and removes the jars of our jobs."""

    def __init__(self, client: FlinkClient, clock: MonotonicClock = time.monotonic) -> None:
        self._client = client
        # Flink opens every jar for a list, so with many jobs it is the dearest call of all.
        self._listing = SharedCall(self._list, clock)
        self._clock = clock
        self._uploaded: dict[str, tuple[UploadedJar, float]] = {}
        self._gone: set[str] = set()
        self._lent: dict[str, LentJar] = {}
        self._swept = False

    async def list(self) -> tuple[UploadedJar, ...]:
        """Return the jars of jobs on the cluster."""
        return tuple(jar for jar in await self._listing.get() if jar.of_job)

    async def _list(self) -> tuple[UploadedJar, ...]:
        try:
            body = await self._client.get("jars", "files")
        except FlinkAnswer as answer:
            if answer.status != 404:
                raise ActionFailed(f"the jars could not be listed: {answer.cause}") from None
            raise ClusterRefused(
                f"the cluster at {self._client.url} takes no jars",
                remedy="Set web.submit.enable to true in its configuration",
            ) from None
        found = (_parse(file) for file in body["files"])
        return tuple(jar for jar in found if jar)

    async def _present(self, max_age: float = _TRUSTED_S) -> tuple[UploadedJar, ...]:
        """Return the jars of jobs: those of a list, and what this process did since."""
        return tuple(jar for jar in await self._all(max_age) if jar.of_job)

    async def _all(self, max_age: float) -> tuple[UploadedJar, ...]:
        there = {jar.id: jar for jar in await self._listing.get(max_age)}
        there |= {jar_id: jar for jar_id, (jar, _) in self._uploaded.items()}
        return tuple(jar for jar in there.values() if jar.id not in self._gone)

    async def _of(self, identity: str, max_age: float = _TRUSTED_S) -> tuple[UploadedJar, ...]:
        return tuple(jar for jar in await self._present(max_age) if jar.prefix == identity)

    async def ensure(self, submission: Submission, timeout: float) -> str:
        """Return the id of the submission's jar, uploading it if it is not there.

        Another process may have removed it since: then call `lose`, and ask again.

        Raises:
            ActionFailed: The upload was refused, or the jar is only known by a digest and gone.
        """
        identity = identity_of(submission.job_id)
        digest = submission.jar_digest[:_DIGEST]
        for max_age in (_TRUSTED_S, 0.0) if isinstance(submission.jar, str) else (_TRUSTED_S,):
            for jar in await self._of(identity, max_age):
                if jar.digest == digest:
                    return jar.id
        if isinstance(submission.jar, str):
            raise ActionFailed(
                f"the jar with SHA-256 {submission.jar_digest[:12]}… is no longer on the cluster, "
                "and no copy of it was found"
            )
        return await self._upload(submission.jar, submission.job_name, identity, timeout)

    async def has_any(self, identity: str) -> bool:
        """Return whether there is any jar of a job, as a killed run may have left one."""
        return bool(await self._of(identity, _TAKEN_UP_S))

    async def with_content(self, digest: str) -> str | None:
        """Return the id of any job's jar with this content; None where there is none."""
        same = (jar.id for jar in await self._present() if jar.digest == digest[:_DIGEST])
        return next(same, None)

    async def upload_to_lend(self, jar: Jar, timeout: float) -> str:
        """Upload a jar under a name that no submission searches for; return its id."""
        return await self._upload(jar, LENT, "0" * _IDENTITY, timeout)

    @contextlib.asynccontextmanager
    async def lend(self, jar: Jar, timeout: float) -> AsyncIterator[LentJar]:
        """Lend a jar to who tries its program, once for all who do so at the same time.

        When the last who has it returns it, what was uploaded is removed.
        """
        if not self._swept:
            self._swept = True
            for old in await self._listing.get(_TRUSTED_S):
                if old.job_name == LENT and old.uploaded < time.time() - _LEFT_BEHIND_S:
                    await self.discard(old.id)
        lent = self._lent.setdefault(jar.digest, LentJar(self, jar, timeout))
        lent.borrowers += 1
        try:
            yield lent
        finally:
            lent.borrowers -= 1
            if not lent.borrowers:
                del self._lent[jar.digest]
                await lent.discard()

    async def discard(self, jar_id: str) -> None:
        """Remove a jar; somebody else may have done so (an unknown jar is 400, measured)."""
        with contextlib.suppress(FlinkAnswer):
            await self._client.change("DELETE", f"jars/{jar_id}", repeatable=True)
        self.lose(jar_id)

    async def provide(self, submission: Submission, timeout: float) -> bool:
        """Make sure that a submission's jar is on the cluster now, uploading it if it is missing.

        It returns False where the jar is missing, and only its digest is known.

        Raises:
            ActionFailed: The upload was refused.
        """
        identity = identity_of(submission.job_id)
        digest = submission.jar_digest[:_DIGEST]
        oldest = self._clock() - _FRESH_S
        listed = {jar.id for jar in await self._listing.get(_FRESH_S)}
        for jar in await self._of(identity):
            if jar.digest != digest:
                continue
            _, uploaded_at = self._uploaded.get(jar.id, (jar, float("-inf")))
            if jar.id in listed or uploaded_at >= oldest:
                return True
            self.lose(jar.id)  # somebody removed the file since this process uploaded it
        if isinstance(submission.jar, str):
            return False
        await self._upload(submission.jar, submission.job_name, identity, timeout)
        return True

    def lose(self, jar_id: str) -> None:
        """Note that a jar is no longer on the cluster, whatever a list shows."""
        self._gone.add(jar_id)
        self._uploaded.pop(jar_id, None)

    async def _upload(self, jar: Jar, job_name: str, identity: str, timeout: float) -> str:
        digest = jar.digest[:_DIGEST]
        name = f"{job_name}-{identity}-{digest}.jar"
        try:
            with jar.path.open("rb") as content:
                files = {"jarfile": (name, content, "application/x-java-archive")}
                body = await self._client.change(
                    "POST",
                    "jars/upload",
                    files=files,
                    timeout=timeout,
                    repeatable=True,
                    has="filename",
                )
        except FlinkAnswer as answer:
            happened = f"the jar could not be uploaded: Flink answered {answer}"
            if answer.status < 500:
                raise ActionFailed(happened) from None
            raise ClusterUnreachable(
                happened, remedy="Look into the log of its JobManager if this does not pass"
            ) from None
        except RequestTooLarge as error:
            raise ClusterRefused(
                f"{job_name}: the jar ({_size(jar)}) could not be uploaded: {error.reason}",
                remedy="Raise the limit for requests of what is in front of the cluster, such as a "
                "proxy or an ingress, to more than the jar's size",
            ) from None
        except ConnectionBroke as error:
            raise ClusterUnreachable(  # main has not run yet
                f"{job_name}: the connection broke each time while the jar ({_size(jar)}) was "
                f"uploaded: {error.reason}",
                remedy="Is the cluster up? What is in front of it may close uploads of this size, "
                "or of this length of time",
            ) from None
        except OSError as error:
            raise JarError(f"cannot read {jar.uri}: {error.strerror or error}") from None
        jar_id = str(body["filename"]).replace("\\", "/").rsplit("/", 1)[-1]
        self._gone.discard(jar_id)
        uploaded = UploadedJar(jar_id, job_name, identity, digest)
        self._uploaded[jar_id] = uploaded, self._clock()
        return jar_id

    async def marks(self, job_id: str) -> tuple[JobMark, ...]:
        """Return the marks of a job as they are now, the oldest first."""
        return await self.marks_on(job_id, now=True)

    async def marks_by(self, identity: str) -> tuple[JobMark, ...]:
        """Return the marks that a job's runs have put, as of a few seconds ago at most."""
        jars = await self._all(_FRESH_S)
        return tuple(
            _mark(jar) for jar in jars if jar.job_name in _MARKS and jar.prefix == identity
        )

    async def marks_on(self, *identities: str, now: bool = False) -> tuple[JobMark, ...]:
        """Return the marks on submissions whose jobIds begin so, the oldest first.

        They are as of a few seconds ago at most, or as they are `now`.
        """
        listed = await (self._listing.get(0.0) if now else self._all(_FRESH_S))
        found = [
            _mark(jar)
            for jar in listed
            if jar.job_name in _MARKS
            and jar.digest.startswith(identities)
            and jar.id not in self._gone
        ]
        return tuple(sorted(found, key=lambda mark: (mark.at, mark.id)))

    async def marked_jobs(self) -> dict[str, Mark]:
        """Return the marks of adopted and released jobs, by jobId: of two, that of adoption."""
        kinds = (f"_{Mark.ADOPTED}", f"_{Mark.RELEASED}")
        marks = [jar for jar in await self._listing.get(0.0) if jar.job_name in kinds]
        marks.sort(key=lambda jar: _MARKS[jar.job_name] is Mark.ADOPTED)
        return {jar.digest: _MARKS[jar.job_name] for jar in marks}

    async def put_mark(self, kind: Mark, identity: str, job_id: str, timeout: float) -> None:
        """Mark a job."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "mark.jar")
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
            jar = Jar(str(path), path, job_id, "")
            await self._upload(jar, f"_{kind}", identity, timeout)

    async def remove(self, identity: str, keep: frozenset[str]) -> None:
        """Remove a job's jars, but for those with the digests to keep; and its marks of adoption.

        A job that was adopted has an owner of its own as soon as it has a jobId of its own. That
        one has swallowed records is over when a version of it is kept here.
        """
        marks = {f"_{Mark.ADOPTED}", *((f"_{Mark.SWALLOWED}",) if keep else ())}
        kept = {digest[:_DIGEST] for digest in keep}
        for jar in await self._all(_TRUSTED_S):
            if jar.prefix != identity or (jar.of_job and jar.digest in kept):
                continue
            if jar.of_job or jar.job_name in marks:
                await self.discard(jar.id)


def _mark(jar: UploadedJar) -> JobMark:
    return JobMark(_MARKS[jar.job_name], jar.prefix, jar.id, jar.uploaded, jar.digest)


def _size(jar: Jar) -> str:
    """Return a jar's size for a message, in megabytes."""
    return f"{jar.path.stat().st_size / 1_000_000:.1f} MB"


def _parse(file: dict[str, Any]) -> UploadedJar | None:
    parts = str(file["name"]).removesuffix(".jar").rsplit("-", 2)
    if len(parts) != 3 or len(parts[1]) != _IDENTITY or len(parts[2]) != _DIGEST:
        return None
    uploaded = float(file.get("uploaded") or 0) / 1000
    return UploadedJar(file["id"], parts[0], parts[1], parts[2], uploaded)


class LentJar:
    """One jar that is on the cluster while it has borrowers."""

    def __init__(self, jars: ClusterJars, jar: Jar, timeout: float) -> None:
        self.borrowers = 0
        self._jars = jars
        self._jar = jar
        self._timeout = timeout
        self._id: str | None = None
        self._uploaded: list[str] = []
        self._lock = asyncio.Lock()

    async def id(self) -> str:
        """Return the jar's id: that of a submission with the same content, or of an upload."""
        async with self._lock:
            if self._id is None:
                self._id = await self._jars.with_content(self._jar.digest)
            if self._id is None:
                self._id = await self._jars.upload_to_lend(self._jar, self._timeout)
                self._uploaded.append(self._id)
            return self._id

    def lose(self, jar_id: str) -> None:
        """Note that the jar is no longer on the cluster, whatever a list shows."""
        self._jars.lose(jar_id)
        if self._id == jar_id:
            self._id = None

    async def discard(self) -> None:
        """Remove what was uploaded."""
        for jar_id in self._uploaded:
            await self._jars.discard(jar_id)
