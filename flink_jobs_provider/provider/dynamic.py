"""The dynamic provider, as Pulumi pickles it: an adapter of Pulumi's calls to `ProviderService`.

The dotted path of `FlinkJobProvider` is part of every user's state, since the class is pickled by
reference: it never moves, and it holds no data. A program only refers to it, so that what it does
is imported with its first call, in the provider process.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

if TYPE_CHECKING:
    from flink_jobs_provider.provider.service import ProviderService

_service: ProviderService | None = None
_lock = Lock()


class FlinkJobProvider(ResourceProvider):
    """The dynamic provider of Flink jobs; `ProviderService` does its work."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Prepare the clusters' clients."""
        from flink_jobs_provider.provider.engine_liveness import EngineLiveness
        from flink_jobs_provider.provider.run_output import FlinkJobError
        from flink_jobs_provider.provider.sdk_answers import answer_in_words

        answer_in_words(FlinkJobError)
        service().configure(req.config.get, EngineLiveness())

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate all inputs, and fill in defaults."""
        from flink_jobs_provider.provider import resource_context as context
        from flink_jobs_provider.provider.input_checks import CheckRequest

        service().hide(context.secret_values(news))
        request = CheckRequest(
            inputs=context.without_context(news),
            recorded=context.without_context(_olds),
            resource=str(news.get(context.RESOURCE_KEY) or ""),
            preview=bool(news.get(context.PREVIEW_KEY)),
            problems=tuple(context.problems_of_options(news, _olds)),
        )
        checked = service().check(request)
        return CheckResult(checked.inputs, [CheckFailure(*each) for each in checked.failures])

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is recorded with what is wanted."""
        found = service().diff(id_, _properties(olds), _properties(news))
        return DiffResult(found.needed, list(found.replaces), [], bool(found.replaces))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start the job, or adopt it."""
        return CreateResult(*service().create(_properties(props)))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the job to what is wanted."""
        return UpdateResult(service().update(id_, _properties(olds), _properties(news)))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the job as its cluster shows it."""
        seen = service().read(id_, _properties(props))
        return ReadResult(id_, seen.outputs, seen.inputs) if seen else ReadResult(id_, props)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """End the job."""
        service().delete(id_, _properties(props))


def new_service() -> ProviderService:
    """Return a service that recognises the unknown values of Pulumi's SDK."""
    from pulumi.output import Unknown

    from flink_jobs_provider.provider.service import ProviderService

    return ProviderService(lambda value: isinstance(value, Unknown))


def service() -> ProviderService:
    """Return the service of this process, whose worker threads share it."""
    global _service
    with _lock:
        if _service is None:
            _service = new_service()
        return _service


def _properties(props: dict[str, Any]) -> dict[str, Any]:
    from flink_jobs_provider.provider.resource_context import without_context

    return without_context(props)
