"""How long the steps of a job may take."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from flink_jobs_provider.model.duration import Duration


class Timeouts(BaseModel):
    """How long each step may take, as durations ("90s", "10m")."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    submit: Duration = Field("5m", description="Uploading the jar and having Flink accept the job.")
    running: Duration = Field("10m", description="From accepted to all tasks running.")
    savepoint: Duration = Field("30m", description="Taking a savepoint, and stopping with one.")
    cancel: Duration = Field("5m", description="From a cancel to the job's end.")
