"""Answers of the SDK's provider server that are errors of ours, without a traceback.

`pulumi.dynamic` answers a failed call with `traceback.format_exc()` (SDK 3.272), and the Pulumi CLI
prints all of it before the one line that says what happened. The name `traceback` in its module is
replaced by an object that returns our errors in their own words. Another SDK may do without
that name: then nothing changes.

The SDK has no way to answer `ErrorResourceInitFailed` either, by which an engine records a resource
that was begun and did not come up: it is added to the failing call's context here.
"""

from __future__ import annotations

import sys
import traceback
from types import ModuleType
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, status_pb2

from flink_jobs_provider.provider.run_output import Partial

_SERVER = "pulumi.dynamic.__main__"
_DETAILS = "grpc-status-details-bin"
_PROVIDER = "__provider"
#: Another SDK may keep the call elsewhere: then the next run does not know what was begun.
_UNRECORDED = (
    "The stack does not record this, as this version of the Pulumi SDK gives no way to: see to it "
    "that no such job is left on the cluster."
)
_UNKNOWN = 2  # the code of the SDK's own answer


class _ShortTracebacks:
    """A substitute for the module `traceback`, for errors of one class."""

    def __init__(self, kind: type[Exception]) -> None:
        self._kind = kind

    def format_exc(self) -> str:
        """Return the error in progress: in its own words, or with its traceback."""
        error = sys.exc_info()[1]
        if not isinstance(error, self._kind):
            return traceback.format_exc()
        partial = getattr(error, "partial", None)
        call = sys._getframe(1).f_locals  # the SDK passes the call on to no one
        if partial is None:
            return str(error)
        if "request" not in call or "context" not in call:
            return f"{error} {_UNRECORDED}"
        _add_partial(partial, str(error), call["request"], call["context"])
        return str(error)

    def __getattr__(self, name: str) -> object:
        return getattr(traceback, name)


def _add_partial(partial: Partial, reason: str, request: Any, context: Any) -> None:
    """Add a resource to a failing answer, as the engine expects it of a partial failure."""
    properties = Struct()
    properties.update(dict(partial.outputs))
    inputs = request.news if hasattr(request, "news") else request.properties
    properties.fields[_PROVIDER].CopyFrom(inputs.fields[_PROVIDER])
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=getattr(request, "id", "") or partial.id, properties=properties, reasons=[reason]
        )
    )
    status = status_pb2.Status(code=_UNKNOWN, message=reason, details=[detail])
    context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))


def answer_in_words(kind: type[Exception], module: ModuleType | None = None) -> None:
    """Make the provider server of this process answer with an error's own words.

    Args:
        kind: The errors that are worded for people.
        module: The server's module; that of this process if not given.
    """
    server = module or sys.modules["__main__"]
    spec = getattr(server, "__spec__", None)
    if spec is not None and spec.name == _SERVER and hasattr(server, "traceback"):
        server.traceback = _ShortTracebacks(kind)  # type: ignore[attr-defined]
