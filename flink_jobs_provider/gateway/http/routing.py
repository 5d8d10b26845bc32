"""Routes with what the OpenAPI document has of them, and the paths of a document made of routes.

Path, method and the parameters within a path are the route's own, the summary is its endpoint's
docstring, and a body that is declared with a route is the one that its requests are checked by.
A route names itself to the metrics and the log.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope

Schema = dict[str, Any]
_JSON = "application/json"
TEXT: Schema = {"type": "string"}

#: Statuses that any request may be refused with: of reading, and of what has a body.
READING = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
OF_A_BODY = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
#: What statuses mean on every API.
REASONS: Mapping[HTTPStatus, str] = {
    HTTPStatus.METHOD_NOT_ALLOWED: "This method is not served here.",
    HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than the gateway takes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is no JSON by its headers.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of the gateway.",
}


@dataclass(frozen=True)
class Refused:
    """How an API refuses.

    Attributes:
        error: Its error's schema.
        reasons: What each status means.
    """

    error: Schema
    reasons: Mapping[HTTPStatus, str]


@dataclass(frozen=True)
class Operation:
    """A route in the document.

    Attributes:
        id: The operation's name.
        answers: The answers to what is accepted, by status.
        refused: How the API refuses.
        refusals: With which statuses, apart from those of a body.
        query: The parameters of the query.
        body: The schema that bodies are checked by; None where there is no body.
        body_name: The component that the document has it in; within the operation, if empty.
        security: What callers may show; None for what all of the document's may.
        id_by_method: Whether the method is part of the name.
    """

    id: str
    answers: Mapping[int, Schema]
    refused: Refused
    refusals: Sequence[HTTPStatus] = READING
    query: Sequence[Schema] = ()
    body: Schema | None = None
    body_name: str = ""
    security: Sequence[Schema] | None = None
    id_by_method: bool = False


#: The same in all versions of an API, or made for the version of a document.
Described = Operation | Callable[[str], Operation]


def described(
    routes: Iterable[DescribedRoute], version: str
) -> tuple[dict[str, Any], dict[str, Schema]]:
    """Return the paths of routes in a version of the API, and the components of their bodies."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Schema] = {}
    for route in routes:
        given = route.operation
        operation = given if isinstance(given, Operation) else given(version)
        if operation.body and operation.body_name:
            schemas[operation.body_name] = operation.body
        for method in sorted((route.methods or set()) - {"HEAD"}):
            entry = _entry(route, operation, method.lower())
            paths.setdefault(route.path, {})[method.lower()] = entry
    return paths, schemas


def _entry(route: DescribedRoute, operation: Operation, method: str) -> dict[str, Any]:
    names = route.param_convertors
    within = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    statuses = [*operation.refusals, *(OF_A_BODY if operation.body else ())]
    refusals = {
        str(int(status)): answer(operation.refused.reasons[status], operation.refused.error)
        for status in sorted(statuses)
    }
    entry: dict[str, Any] = {
        "operationId": f"{operation.id}-{method}" if operation.id_by_method else operation.id,
        "summary": (inspect.getdoc(route.endpoint) or "").partition("\n")[0],
        "responses": {str(status): each for status, each in operation.answers.items()} | refusals,
    }
    if parameters := [*within, *operation.query]:
        entry["parameters"] = parameters
    if operation.body is not None:
        schema = reference(operation.body_name) if operation.body_name else operation.body
        entry["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    if operation.security is not None:
        entry["security"] = list(operation.security)
    return entry


def answer(description: str, schema: Schema) -> Schema:
    """Return an answer in JSON."""
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def reference(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def query_parameter(name: str, schema: Schema, description: str = "", **more: Any) -> Schema:
    """Return a parameter of a query."""
    described = {"description": description} if description else {}
    return {"name": name, "in": "query", **described, **more, "schema": schema}


def object_of(**properties: Schema) -> Schema:
    """Return the schema of an object that has all of some properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


class DescribedRoute(Route):
    """A route whose path may end in a slash.

    Its template and its operation are added to the scope of a request. The docstring of its
    endpoint is the operation's summary in the OpenAPI document.
    """

    _flags = re.NOFLAG

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        methods: list[str],
        operation: Described,
    ) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.operation = operation
        pattern = self.path_regex.pattern.removesuffix("$") + r"/?\Z"
        self.path_regex = re.compile(pattern, self._flags)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match, and add which route it was."""
        match, found = super().matches(scope)
        if match is Match.NONE:
            return match, found
        return match, {**found, "route_path": self.path, "operation": self.operation}


class AnyCaseRoute(DescribedRoute):
    """One whose path is also compared without regard to case."""

    _flags = re.IGNORECASE
