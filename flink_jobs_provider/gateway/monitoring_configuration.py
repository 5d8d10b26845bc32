"""What a gateway observes by itself, without anybody looking."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flink_jobs_provider.gateway.setting_types import Settings, at_most
from flink_jobs_provider.model.duration import Duration

#: A job that changes all the time has a row for each minute.
LONGEST_HISTORY = "31d"


class Monitoring(Settings):
    """What is observed of jobs by itself."""

    history: bool = Field(
        default=True, description="Whether it is recorded, once a minute, how each job is."
    )
    history_retention: Annotated[Duration, at_most(LONGEST_HISTORY)] = Field(
        "24h", description=f"How long that is kept; at most `{LONGEST_HISTORY}`."
    )
