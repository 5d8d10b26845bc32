"""Routes that know their operation, and name themselves to the metrics and the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope

from flink_jobs_provider.gateway.http.operations import Described


class DescribedRoute(Route):
    """A route whose path may end in a slash.

    Its template and its operation are put into the scope of a request.

    Args:
        path: Its template.
        endpoint: What answers; its docstring is the operation's summary.
        methods: Its methods.
        operation: What the OpenAPI document says of it.
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
