"""Who decides with what parallelism a job runs."""

from __future__ import annotations

from enum import StrEnum


class ParallelismManager(StrEnum):
    """Who decides with what parallelism the job runs after its first start.

    `provider`: `parallelism`, always. `other`: whoever rescales the running job over REST, such as
    an autoscaler. That is no drift, and a restart keeps it.
    """

    PROVIDER = "provider"
    OTHER = "other"
