"""The local cluster's one error, and its reports of progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flink_jobs_provider.model.errors import SetupError


class LocalClusterError(SetupError):
    """What happened, how things stand now, and what to do, one sentence each.

    Everything that a user or a machine can bring about is raised as this; anything else that
    leaves this package is a defect of it.
    """

    def __init__(self, what: str, *, now: str, advice: str, details: str = "") -> None:
        super().__init__(f"{what} {now} {advice}")
        self.what = what
        self.now = now
        self.advice = advice
        self.details = details
        """Lines of a log or of another program's output, to be shown below the message."""


Report: TypeAlias = Callable[[str], None]
"""Takes what is being done now, as a short phrase without a full stop."""


def silent(step: str) -> None:
    """Show nothing."""
