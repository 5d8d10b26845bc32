"""The events of a run, and who receives them."""

from dataclasses import dataclass, field
from enum import StrEnum

from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.steps import Op, PropertyDiff


class Severity(StrEnum):
    """The severity of a diagnostic."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Diagnostic:
    """A message about a resource, or about the stack where `urn` is empty."""

    severity: Severity
    message: str
    urn: str = ""
    details: str = ""


@dataclass(frozen=True, eq=False)
class Step:
    """One operation on one resource.

    `shown` is False for what only serves the engine, such as default providers. `drifted` marks a
    refresh that found a difference from the state.
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
        """Return whether the step is a change that `--expect-no-changes` counts."""
        if self.op is Op.REFRESH:
            return self.drifted or self.new is None
        return self.shown and self.op not in (Op.SAME, Op.READ)


class Listener:
    """Receives a run's events; this one ignores them."""

    def step_started(self, step: Step) -> None:
        """Receive the start of a step."""

    def step_ended(self, step: Step, *, failed: bool) -> None:
        """Receive the end of a step."""

    def phase(self, text: str) -> None:
        """Receive the name of the phase that begins."""

    def notice(self, text: str) -> None:
        """Receive a message that is to be shown at once."""

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Receive a diagnostic."""
