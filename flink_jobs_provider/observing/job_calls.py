"""What reads one job from Flink's REST API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from flink_jobs_provider.control_planes.flink.client import FlinkClient
from flink_jobs_provider.control_planes.flink.inspection import MetricReader


class JobCalls:
    """Calls about one job.

    Args:
        client: The cluster's API.
        job_id: Flink's jobId.
        clock: Seconds that only ever grow.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        client: FlinkClient,
        job_id: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._path = f"jobs/{job_id}"
        self._job_id = job_id
        self._metrics = MetricReader(client, clock, sleep)
