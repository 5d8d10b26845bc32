"""A service that answers as it is told, and a plane that asks it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from flink_jobs_provider.control_planes.dli.client import open_client
from flink_jobs_provider.control_planes.dli.plane import DliPlane
from flink_jobs_provider.model.target import DliTarget
from tests.contract.dli.fake_dli import FIRST_ID
from tests.contract.dli.stack import TARGET

RUN = str(FIRST_ID)
OK = {"is_success": "true", "message": ""}
TOKEN = "hunter2"


class Service:
    """Answers each request with the next of some answers, the last one again and again."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        number = min(len(self.requests), len(self._answers)) - 1
        answer = self._answers[number]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def ask(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of a plane that has this service."""

        async def asked() -> Any:
            target = DliTarget.model_validate(TARGET)
            client = open_client(target, lambda _reference: TOKEN, httpx.MockTransport(self))
            plane = DliPlane(target, client, sleep=self._sleep)
            try:
                return await getattr(plane, method)(*args, **options)
            finally:
                await plane.close()

        return asyncio.run(asked())


def answer(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    """Return an answer with a JSON body."""
    return httpx.Response(status, json=body, headers=headers)


def error(code: str, status: int = 400, message: str = "no", **headers: str) -> httpx.Response:
    """Return an error as the service writes it."""
    return answer({"error_code": code, "error_msg": message}, status, **headers)


def job(**detail: Any) -> httpx.Response:
    """Return the details of a job."""
    return answer({**OK, "job_detail": {"job_id": FIRST_ID, "name": "orders", **detail}})
