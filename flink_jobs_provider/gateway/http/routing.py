"""Routes that say which they were, for the metrics and the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope


class NamedRoute(Route):
    """A route whose template is told."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match, and say which route it was."""
        match, found = super().matches(scope)
        return match, {**found, "route_path": self.path} if match is not Match.NONE else found


class SlashedRoute(NamedRoute):
    """A route whose path may end in a slash."""

    _flags = re.NOFLAG

    def __init__(self, path: str, endpoint: Callable[..., Any], methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        pattern = self.path_regex.pattern.removesuffix("$") + r"/?\Z"
        self.path_regex = re.compile(pattern, self._flags)


class AnyCaseRoute(SlashedRoute):
    """One whose path is also compared without regard to case."""

    _flags = re.IGNORECASE
