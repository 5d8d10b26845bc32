"""Long-running operations: followed by the headers of the reply that began them.

That an operation has succeeded says that the service has dealt with the order, not that the job
is as it was ordered to be: that is in the job's row (seen in recorded traffic of 2023 and 2024).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from flink_jobs_provider.control_planes.hdinsight.client import ArmClient, error_in
from flink_jobs_provider.control_planes.responses import json_of, retry_after
from flink_jobs_provider.model.errors import ActionFailed, ClusterRefused, ClusterUnreachable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Operations:
    """Follows operations to their end."""

    def __init__(
        self,
        client: ArmClient,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep

    async def follow(self, reply: httpx.Response, timeout: float) -> str:
        """Return when the operation has ended, when it can be followed no further, or in time.

        Returns:
            What a gateway says of the job; empty where nothing was said.

        Raises:
            ActionFailed: The service says that it failed.
        """
        headers = reply.headers
        address = headers.get("azure-asyncoperation") or headers.get("location")
        if not address:
            return ""
        deadline, pause = self._clock() + timeout, _FIRST_PAUSE
        said = retry_after(reply)
        while self._clock() < deadline:
            await self._sleep(min(said or pause, max(0.0, deadline - self._clock())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            try:
                answer = await self._client.read(address)
            except ClusterUnreachable:
                continue
            except ClusterRefused:
                return ""  # its document has gone; the job's row is what counts
            if _ended(answer):
                return _output(answer)
            said = retry_after(answer)
        return ""


def _output(answer: httpx.Response) -> str:
    body: Any = json_of(answer)
    properties = body.get("properties") if isinstance(body, dict) else None
    return str(properties.get("jobOutput") or "") if isinstance(properties, dict) else ""


def _ended(answer: httpx.Response) -> bool:
    """Whether an operation has ended well.

    Raises:
        ActionFailed: It has failed, or was given up.
    """
    body: Any = json_of(answer)
    status = str(body.get("status") or "") if isinstance(body, dict) else ""
    if status.lower() in ("failed", "canceled", "cancelled"):
        code, message = error_in(body)
        raise ActionFailed(message or code or f"the operation is {status}")
    if not status:
        return answer.status_code != 202
    return status.lower() == "succeeded"
