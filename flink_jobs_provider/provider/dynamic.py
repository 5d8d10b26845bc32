"""The dynamic provider, as Pulumi pickles it: an adapter of Pulumi's calls to `ProviderService`.

The dotted path of `FlinkJobProvider` is part of every user's state, since the class is pickled by
reference: it never moves, and it holds no data. A program only refers to it, so that what it does
is imported with its first call, in the provider process.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct
from pulumi import Output
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
from pulumi.runtime.proto import provider_pb2, status_pb2
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

from flink_jobs_provider.provider.dynamic_state import PROVIDER_KEY

if TYPE_CHECKING:
    from flink_jobs_provider.provider.run_output import Partial
    from flink_jobs_provider.provider.service import ProviderService


# An engine passes a dynamic provider neither the URN nor the name of a resource, nor its options,
# nor whether a run is a preview. It also removes the marks of secret values before it calls a
# provider that was written in Python. `FlinkJob` passes them as further inputs, which this module
# removes, so that they are never part of the state.
#: The identity of a resource within its stack; see `run_registry`.
RESOURCE_KEY = "__resource"
#: Set in a preview, in which new jobs are tried on their cluster.
PREVIEW_KEY = "__preview"
#: Names the options that were set without effect, and the resource's name where it is not valid.
OPTIONS_KEY = "__options"
#: Names the paths of the other inputs that are secret.
SECRETS_KEY = "__secrets"
#: What the properties of a resource hold besides its inputs and outputs.
CONTEXT_KEYS = frozenset({PROVIDER_KEY, RESOURCE_KEY, PREVIEW_KEY, OPTIONS_KEY, SECRETS_KEY})

_REASONS = {
    "custom_timeouts": "has no effect on a FlinkJob, since Pulumi does not pass it to a dynamic "
    "provider: set the input timeouts instead (submit, running, savepoint, cancel)",
    "replace_on_changes": "has no effect on a FlinkJob, since Pulumi needs more of a provider for "
    "it than a dynamic one can answer: remove it. A change upgrades the job with its state; one "
    "of target or job_name replaces it",
}
_NAME = "resource_name"
_BLANKS = "must be given without blanks around it"

_SERVER = "pulumi.dynamic.__main__"
_DETAILS = "grpc-status-details-bin"
#: Another SDK may keep the call elsewhere: then the next run does not know what was begun.
_UNRECORDED = (
    "The stack does not record this, as this version of the Pulumi SDK gives no way to: see to it "
    "that no such job is left on the cluster."
)
_UNKNOWN = 2  # the code of the SDK's own answer
#: What marks a secret value in the provider protocol.
_SECRET = {_special_sig_key: _special_secret_sig}

_service: ProviderService | None = None
_lock = Lock()


class FlinkJobProvider(ResourceProvider):
    """The dynamic provider of Flink jobs; `ProviderService` does its work."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Prepare the clusters' clients."""
        from flink_jobs_provider.provider.process import EngineLiveness
        from flink_jobs_provider.provider.run_output import FlinkJobError

        answer_in_words(FlinkJobError)
        service().configure(req.config.get, EngineLiveness())

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate all inputs, and fill in defaults."""
        from flink_jobs_provider.provider.input_checks import CheckRequest

        service().output.hide(*secret_values(news))
        request = CheckRequest(
            inputs=without_context(news),
            recorded=without_context(_olds),
            resource=str(news.get(RESOURCE_KEY) or ""),
            preview=bool(news.get(PREVIEW_KEY)),
            problems=tuple(problems_of_options(news, _olds)),
            secret=secret_names(news),
        )
        checked = service().check(request)
        return CheckResult(checked.inputs, [CheckFailure(*each) for each in checked.failures])

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is recorded with what is wanted."""
        found = service().diff(id_, without_context(olds), without_context(news))
        return DiffResult(found.needed, list(found.replaces), [], bool(found.replaces))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start the job, or adopt it."""
        return CreateResult(*service().create(without_context(props)))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the job to what is wanted."""
        return UpdateResult(service().update(id_, without_context(olds), without_context(news)))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the job as its cluster shows it."""
        seen = service().read(id_, without_context(props))
        return ReadResult(id_, seen.outputs, seen.inputs) if seen else ReadResult(id_, props)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """End the job."""
        service().delete(id_, without_context(props))


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


def without_context(props: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs and outputs of a resource."""
    return {name: value for name, value in props.items() if name not in CONTEXT_KEYS}


def invalid_name(name: str) -> list[str]:
    """Return the problem that a resource's name is invalid, if it is, as `OPTIONS_KEY` has it."""
    return [_NAME] if name != name.strip() else []


def without_effect(options: Any) -> list[str]:
    """Return the names of the options that are set, and would have no effect."""
    return [name for name in _REASONS if getattr(options, name, None)]


def problems_of_options(inputs: dict[str, Any], recorded: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the problems of a resource itself: the name of each option, and why.

    A recorded resource keeps its name: another one would make it another resource.
    """
    reasons = _REASONS if recorded else {**_REASONS, _NAME: _BLANKS}
    return [(name, reasons[name]) for name in inputs.get(OPTIONS_KEY) or () if name in reasons]


async def secret_paths(props: dict[str, Any]) -> list[list[str | int]]:
    """Return the paths of the inputs that are secret."""
    found = []
    for path, output in _outputs(props, []):
        if await output.is_secret():
            found.append(path)
    return found


def has_outputs(props: dict[str, Any]) -> bool:
    """Whether any input is an output, which may be secret."""
    return any(True for _ in _outputs(props, []))


def secret_names(inputs: dict[str, Any]) -> frozenset[str]:
    """Return the names of the inputs that are secret, or hold what is."""
    paths = inputs.get(SECRETS_KEY)
    firsts = (path[0] if isinstance(path, list) else path for path in paths or ())
    return frozenset(map(str, firsts)) if isinstance(paths, list) else frozenset()


def secret_values(inputs: dict[str, Any]) -> list[str]:
    """Return the values of the secret inputs, as far as they are known."""
    from flink_jobs_provider.model.redaction import texts_in

    paths = inputs.get(SECRETS_KEY)
    values: list[str] = []
    for path in paths if isinstance(paths, list) else []:
        value: Any = inputs
        for part in path if isinstance(path, list) else [path]:
            value = _below(value, part)
        values += texts_in(value)
    return values


def _outputs(value: Any, path: list[str | int]) -> Iterator[tuple[list[str | int], Output[Any]]]:
    if isinstance(value, Output):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _outputs(item, [*path, key])
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _outputs(item, [*path, index])


def _below(value: Any, part: Any) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int | float):
        return value[int(part)] if int(part) < len(value) else None
    return None


class _ShortTracebacks:
    """A substitute for the module `traceback`, for errors of one class.

    `pulumi.dynamic` answers a failed call with `traceback.format_exc()` (SDK 3.272), and the Pulumi
    CLI prints all of it before the one line with what happened. This answers with our errors'
    own words. Another SDK may do without the name `traceback`: then nothing changes.

    The SDK has no way to answer `ErrorResourceInitFailed` either, by which an engine records a
    resource that was begun and did not come up: it is added to the failing call's context here.
    """

    def __init__(self, kind: type[Exception]) -> None:
        self._kind = kind

    def format_exc(self) -> str:
        """Return the error in progress: in its own words, or with its traceback."""
        error = sys.exc_info()[1]
        if not isinstance(error, self._kind):
            return traceback.format_exc()
        partial = getattr(error, "partial", None)
        call = sys._getframe(1).f_locals  # noqa: SLF001 - the SDK passes the call on to no one
        if partial is None:
            return str(error)
        if "request" not in call or "context" not in call:
            return f"{error} {_UNRECORDED}"
        _add_partial(partial, str(error), call["request"], call["context"])
        return str(error)

    def __getattr__(self, name: str) -> object:
        return getattr(traceback, name)


def _add_partial(partial: Partial, reason: str, request: Any, context: Any) -> None:
    """Add a resource to a failing answer, as the engine expects it of a partial failure.

    An engine marks outputs as secret where the new inputs are. What goes back to the version before
    may be secret in that one alone, so it is marked here: where that is not known, too.
    """
    from google.protobuf.json_format import MessageToDict

    inputs = request.news if hasattr(request, "news") else request.properties
    wanted = MessageToDict(inputs)
    properties = Struct()
    for name, value in partial.outputs.items():
        other = name in wanted and wanted[name] != value
        secret = partial.secret.get(name, other)
        properties.update({name: {**_SECRET, "value": value} if secret else value})
    properties.fields[PROVIDER_KEY].CopyFrom(inputs.fields[PROVIDER_KEY])
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=getattr(request, "id", "") or partial.id, properties=properties, reasons=[reason]
        )
    )
    status = status_pb2.Status(code=_UNKNOWN, message=reason, details=[detail])
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))


def answer_in_words(kind: type[Exception], module: ModuleType | None = None) -> None:
    """Make the provider server of this process answer with the own words of errors of a kind."""
    server = module or sys.modules["__main__"]
    spec = getattr(server, "__spec__", None)
    if spec is not None and spec.name == _SERVER and hasattr(server, "traceback"):
        server.traceback = _ShortTracebacks(kind)  # type: ignore[attr-defined]
