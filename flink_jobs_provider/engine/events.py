"""What a run tells while it goes on, for whoever shows it."""

from dataclasses import dataclass, field
from enum import StrEnum

from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.steps import Op, PropertyDiff


class Severity(StrEnum):
    """Say how much a diagnostic matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Diagnostic:
    """Hold something said about a resource, or about the stack where there is no `urn`."""

    severity: Severity
    message: str
    urn: str = ""
    details: str = ""


@dataclass(frozen=True, eq=False)
class Step:
    """Hold one thing that is done to one resource.

    `shown` is False for what only serves the engine, such as default providers. `drifted` marks a
    refresh that found something else than the state says.
    """

    op: Op
    urn: str
    old: ResourceState | None = None
    new: ResourceState | None = None
    diff: PropertyDiff = field(default_factory=PropertyDiff)
    replaces: tuple[str, ...] = ()
    shown: bool = True
    drifted: bool = False

    @property
    def is_change(self) -> bool:
        """Tell whether the step changes anything, as `--expect-no-changes` counts it."""
        if self.op is Op.REFRESH:
            return self.drifted or self.new is None
        return self.shown and self.op not in (Op.SAME, Op.READ)


class Listener:
    """Be told what happens; this one does not care."""

    def step_started(self, step: Step) -> None:
        """Hear that a step begins."""

    def step_ended(self, step: Step, *, failed: bool) -> None:
        """Hear that a step has ended."""

    def phase(self, text: str) -> None:
        """Hear what the run is at."""

    def notice(self, text: str) -> None:
        """Hear something that the user should see at once."""

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Hear what was said."""
