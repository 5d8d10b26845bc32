"""The jars that submissions leave on a cluster: one for each version that may be needed again.

A jar is uploaded under a name that says whose it is and what it holds, so that a repeated
submission finds it, a rollback has it, and a deletion removes it:
<job_name>-<18 digits of the job's identity>-<first 32 digits of the content's digest>.jar
"""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.flink_rest.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.control_planes.flink_rest.shared_call import SharedCall
from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import ActionFailed, ClusterRefused, JarError
from flink_jobs_provider.model.identity import identity_of

_IDENTITY = 18
_DIGEST = 32


@dataclass(frozen=True)
class UploadedJar:
    """A jar of ours on the cluster."""

    id: str
    job_name: str
    prefix: str
    digest: str


class ClusterJars:
    """Uploads, finds and removes the jars of our jobs."""

    def __init__(self, client: FlinkClient) -> None:
        self._client = client
        # Flink opens every jar for a list, so with many jobs it is the dearest call of all.
        self._listing = SharedCall(self._list)

    async def list(self) -> tuple[UploadedJar, ...]:
        """Return the jars on the cluster that bear a name of ours.

        Raises:
            ClusterRefused: The cluster takes no jars.

        """
        return await self._listing.get()

    async def _list(self) -> tuple[UploadedJar, ...]:
        try:
            body = await self._client.get("jars")
        except FlinkAnswer as answer:
            if answer.status != 404:
                raise ActionFailed(f"the jars could not be listed: {answer.cause}") from None
            raise ClusterRefused(
                f"the cluster at {self._client.url} takes no jars",
                remedy="Set web.submit.enable to true in its configuration",
            ) from None
        found = (_parse(file["id"], file["name"]) for file in body["files"])
        return tuple(jar for jar in found if jar)

    async def _find(self, identity: str, digest: str) -> str | None:
        """Return the id of a job's jar of this content; none where it is not there."""
        for jar in await self.list():
            if jar.prefix == identity and jar.digest == digest[:_DIGEST]:
                return jar.id
        return None

    async def ensure(self, submission: Submission, timeout: float) -> str:
        """Return the id of the submission's jar, uploading it if it is not there.

        Raises:
            ActionFailed: The upload was refused, or the jar is only known by a digest and gone.
        """
        identity = identity_of(submission.job_id)
        found = await self._find(identity, submission.jar_digest)
        if found:
            return found
        if isinstance(submission.jar, str):
            raise ActionFailed(
                "the jar of the previous version is no longer on the cluster, nor in the cache"
            )
        name = f"{submission.job_name}-{identity}-{submission.jar.digest[:_DIGEST]}.jar"
        return await self._upload(submission.jar, name, timeout)

    async def _upload(self, jar: Jar, name: str, timeout: float) -> str:
        try:
            with jar.path.open("rb") as content:
                files = {"jarfile": (name, content, "application/x-java-archive")}
                body = await self._client.change(
                    "POST", "jars/upload", files=files, timeout=timeout, repeatable=True
                )
        except FlinkAnswer as answer:
            raise ActionFailed(f"the jar could not be uploaded: {answer.cause}") from None
        except OSError as error:
            raise JarError(f"cannot read {jar.uri}: {error.strerror or error}") from None
        return str(body["filename"]).replace("\\", "/").rsplit("/", 1)[-1]

    async def remove(self, identity: str, keep: frozenset[str]) -> None:
        """Remove a job's jars, but for those with the digests to keep."""
        kept = {digest[:_DIGEST] for digest in keep}
        for jar in await self.list():
            if jar.prefix == identity and jar.digest not in kept:
                try:
                    await self._client.change("DELETE", f"jars/{jar.id}", repeatable=True)
                except FlinkAnswer:
                    continue  # somebody else removed it: an unknown jar is 400 (measured)


def _parse(jar_id: str, name: str) -> UploadedJar | None:
    parts = name.removesuffix(".jar").rsplit("-", 2)
    if len(parts) != 3 or len(parts[1]) != _IDENTITY or len(parts[2]) != _DIGEST:
        return None
    return UploadedJar(jar_id, parts[0], parts[1], parts[2])
