"""The health gate of a job: what a version must show after its start, and what follows if not."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from flink_jobs_provider.model.duration import Duration, Window, seconds
from flink_jobs_provider.model.inputs import WholeNumber

#: How long a version that takes checkpoints is watched where no window is given.
DEFAULT_WINDOW = "30s"


class OnGateFailure(StrEnum):
    """What follows when a version does not pass its health gate.

    `rollback`: the previous version runs again. `keep`: the version is left running, and the run
    fails.
    """

    ROLLBACK = "rollback"
    KEEP = "keep"


def _ratio(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"must be a number (got {value})")
    return value


Ratio = Annotated[float, Field(ge=1), BeforeValidator(_ratio)]


class HealthGate(BaseModel):
    """What a version must show after its start; with `{}`, all of it by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: Window | None = Field(
        None,
        description="How long the version is watched, at most `1h`; `30s` if not given, and "
        "`settle_time` for a job without checkpoints. The gate ends later where the checkpoints "
        "that it asks for take longer, within `timeouts.running`.",
        examples=["2m"],
    )
    max_restarts: WholeNumber = Field(
        0, ge=0, description="How often it may be restarted after a failure."
    )
    min_checkpoints: WholeNumber = Field(
        1,
        ge=1,
        description="How many checkpoints it must complete; a job without periodic ones needs "
        "none.",
    )
    max_checkpoint_slowdown: Ratio | None = Field(
        None,
        description="How many times as long its checkpoints may take as those of the version "
        "before; not compared if not given.",
        examples=[3.0],
    )
    require_output: bool = Field(
        default=False,
        description="Whether its sinks must receive records until the end of the window, if those "
        "of the version before did.",
    )
    max_lag_growth: Duration | None = Field(
        None,
        description="By how much it may be further behind in event time than the version before, "
        "at the end of the window; not compared if not given.",
        examples=["1m"],
    )
    max_exceptions: Annotated[WholeNumber, Field(ge=0)] | None = Field(
        None,
        description="How many exceptions Flink may list of it; as many as `max_restarts` if not "
        "given.",
    )
    on_failure: OnGateFailure = Field(
        OnGateFailure.ROLLBACK,
        description="`rollback` runs the previous version again, `keep` leaves the version "
        "running. The run fails either way.",
    )

    @property
    def window_seconds(self) -> float | None:
        """How long the version is watched, in seconds; None for the default."""
        return None if self.window is None else seconds(self.window)

    @property
    def most_exceptions(self) -> int:
        """How many exceptions Flink may list."""
        return self.max_restarts if self.max_exceptions is None else self.max_exceptions

    @property
    def lag_growth_seconds(self) -> float | None:
        """By how much event time may be further behind, in seconds; None where not compared."""
        return None if self.max_lag_growth is None else seconds(self.max_lag_growth)

    @property
    def reads_load(self) -> bool:
        """Whether metrics of the job's vertices are needed."""
        return self.require_output or self.max_lag_growth is not None

    @property
    def compares(self) -> bool:
        """Whether it needs numbers of the version before."""
        return self.reads_load or self.max_checkpoint_slowdown is not None


class EarlierNumbers(BaseModel):
    """Numbers of the version before, as they were read before its stop.

    Of a job that was rescaled while it ran, those before that.

    Attributes:
        checkpoint_ms: The median time that its checkpoints took, in milliseconds.
        output_rate: Records per second that its sinks received.
        lag_ms: Milliseconds by which it was behind in event time.
        rescaled_at: When the job ran rescaled, in milliseconds since the epoch by the cluster's
            clock: what it did before is not judged. 0 for another job than the one before.
        completed: How many checkpoints and savepoints that had completed before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint_ms: float | None = None
    output_rate: float | None = None
    lag_ms: float | None = None
    rescaled_at: int = 0
    completed: int = 0


class FailedGate(BaseModel):
    """A health gate that the running version did not pass, where `on_failure` is `keep`.

    Attributes:
        check: The input of the gate that was not met.
        reason: What was seen.
        earlier: What it was compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    reason: str
    earlier: EarlierNumbers = EarlierNumbers()
