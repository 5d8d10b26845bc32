"""How many savepoints of a job are kept, and for how long."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from flink_jobs_provider.model.duration import Duration, seconds
from flink_jobs_provider.model.inputs import WholeNumber

#: As many as a record lists: what is no longer listed could not be disposed of.
MOST_KEPT = 50


class SavepointRetention(BaseModel):
    """Which savepoints of a job are disposed of: those that exceed either limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: WholeNumber = Field(
        MOST_KEPT,
        ge=1,
        le=MOST_KEPT,
        description="How many of its newest savepoints are kept.",
        examples=[10],
    )
    max_age: Duration | None = Field(
        None,
        description="How old a savepoint may become; not limited if not given.",
        examples=["7d"],
    )

    @property
    def max_age_seconds(self) -> float | None:
        """How old a savepoint may become, in seconds; None for any age."""
        return None if self.max_age is None else seconds(self.max_age)
