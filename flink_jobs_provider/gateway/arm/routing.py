"""Routes of an API whose paths have no case."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope


class AnyCaseRoute(Route):
    """A route whose path is compared without regard to case, and may end in a slash."""

    def __init__(self, path: str, endpoint: Callable[..., Any], methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        pattern = self.path_regex.pattern.removesuffix("$") + r"/?\Z"
        self.path_regex = re.compile(pattern, re.IGNORECASE)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match, and say which route it was, for the metrics and the log."""
        match, found = super().matches(scope)
        return match, {**found, "route_path": self.path} if match is not Match.NONE else found
