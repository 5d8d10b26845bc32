"""A fuzzer of one operation of an OpenAPI document, and the checks of each answer."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.applications import Starlette

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: More of them for each operation: FLINK_JOBS_FUZZ_EXAMPLES=1000.
EXAMPLES = int(os.environ.get("FLINK_JOBS_FUZZ_EXAMPLES", "20"))


def fuzz(
    operation: APIOperation[Any, Any, Any, Any],
    app: Starlette,
    mode: GenerationMode,
    path: dict[str, Any] | None,
) -> int:
    """Send what the fuzzer makes of an operation, and check the answers; return how many.

    `path` has the parameters of the path, or is None where the fuzzer makes them, too.
    """
    sent = 0

    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=path))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Case[Any]) -> None:
        nonlocal sent
        sent += 1
        response = case.call(app=app, headers={"Authorization": "Bearer operator"})
        case.validate_response(response, checks=_CHECKS)

    # An application in memory is reached by no proxy; each request would look for one.
    with patch("requests.sessions.get_environ_proxies", lambda *_args, **_named: {}):
        send()
    return sent
