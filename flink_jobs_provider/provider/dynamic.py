"""The dynamic provider, as Pulumi pickles it.

The dotted path of `FlinkJobProvider` is part of every user's state, since the class is pickled by
reference: it never moves, and it holds no data. A program only refers to it, so that what it does
is imported with its first call, in the provider process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

if TYPE_CHECKING:
    from flink_jobs_provider.provider.service import FlinkJobService


class FlinkJobProvider(ResourceProvider):
    """Creates, reads, updates and deletes Flink jobs; see `FlinkJobService`."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Prepare the clusters' clients."""
        _service().configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate all inputs, and fill in defaults."""
        return _service().check(_olds, news)

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is recorded with what is wanted."""
        return _service().diff(id_, olds, news)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start the job, or adopt it."""
        return _service().create(props)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the job to what is wanted."""
        return _service().update(id_, olds, news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the job as its cluster shows it."""
        return _service().read(id_, props)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """End the job."""
        _service().delete(id_, props)


def _service() -> FlinkJobService:
    from flink_jobs_provider.provider.service import FlinkJobService

    return FlinkJobService()
