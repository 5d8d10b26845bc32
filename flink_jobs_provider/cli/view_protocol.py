"""What the commands that only read ask for: of a Flink cluster, or through a gateway."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from flink_jobs_provider.cli.load_rows import LoadRow
    from flink_jobs_provider.inspecting.job_rows import JobRow
    from flink_jobs_provider.inspecting.listed_job import ListedJob
    from flink_jobs_provider.model.errors import PermanentError


class JobListing(Protocol):
    """The jobs that a cluster, or a gateway, lists."""

    @property
    def problem(self) -> str:
        """Why a part of it is older than the list, a sentence; empty where none is."""

    def shown(self, wanted: str | None) -> list[ListedJob]:
        """Return the jobs that are meant, or all."""

    def unknown(self, wanted: str) -> PermanentError:
        """Return the error for a job that is not listed."""

    def vanished(self, wanted: str) -> PermanentError:
        """Return the error for a job that is no longer listed."""


class JobView(Protocol):
    """Jobs as the commands that only read show them. JOB is as a user gives it."""

    async def rows(self, *, ended: bool) -> list[JobRow]:
        """Return the active jobs, or all."""

    async def described(self, job: str, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Observe a job for some seconds; return its facts, and its health as plain JSON types."""

    async def checkpoints(self, job: str) -> list[dict[str, Any]]:
        """Return the last checkpoints and savepoints of a job, newest first."""

    async def exceptions(self, job: str, limit: int) -> list[dict[str, Any]]:
        """Return the exceptions of a job, newest first."""

    async def versions(self, job: str) -> list[dict[str, Any]]:
        """Return the versions of a job that are on record, newest first.

        Raises:
            PermanentError: None are recorded there.
        """

    async def go_back(
        self, job: str, version: str, savepoint: str | None, say: Callable[[str], None]
    ) -> dict[str, Any]:
        """Run an earlier version of a job again, and wait for the action's end; return it.

        Args:
            job: The job.
            version: The version, or the first characters of its id.
            savepoint: A savepoint on record to start from; the state of now, if None.
            say: Called with what the action waits for.

        Raises:
            PermanentError: No version is recorded there, or not that one.
            ActionFailed: It was refused, or it failed.
        """

    async def metrics(self, job: str, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Return metrics of a job by their names, by default those that tell its health."""

    async def metric_names(self, job: str) -> list[dict[str, Any]]:
        """Return the names of all metrics of a job, without values."""

    async def load(self, wanted: Collection[str]) -> list[LoadRow]:
        """Return the load of the active jobs, or of those that are wanted."""

    async def listed(self) -> JobListing:
        """Return the list of jobs, with what it shows to need attention."""

    async def page(self, job: str) -> dict[str, Any]:
        """Return `job_name`, `job_id`, and the `url` of a job's page."""
