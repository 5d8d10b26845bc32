"""The Data Lake Insight face as tests call it, with a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.contract.gateway.calling import Gateway
from tests.contract.gateway.memory_service import PROJECT

URL = f"/v1.0/{PROJECT}/streaming"
JOB: dict[str, Any] = {
    "name": "orders",
    "entrypoint": "obs://bucket/jars/orders.jar",
    "main_class": "com.example.Orders",
    "entrypoint_args": "--input  in",
    "parallel_number": 3,
}


@dataclass
class Dli:
    """A gateway in this process, called by the API's paths below the project."""

    gateway: Gateway = field(default_factory=Gateway)

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = "operator",
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> httpx.Response:
        """Send a request."""
        sent = {"X-Auth-Token": token} if token else {}
        return self.gateway.call(
            method, f"{URL}{path}", caller=None, headers={**sent, **(headers or {})}, **request
        )

    def create(self, **fields: Any) -> int:
        """Create a job; return its id."""
        answer = self.call("POST", "/flink-jobs", json={**JOB, **fields})
        number: int = done(answer)["job"]["job_id"]
        return number

    def act(self, what: str, *numbers: int, **flags: Any) -> httpx.Response:
        """Run, stop or delete jobs."""
        return self.call("POST", f"/jobs/{what}", json={"job_ids": list(numbers), **flags})

    def acted(self, what: str, number: int, **flags: Any) -> None:
        """Have one job run, stopped or deleted."""
        answer = self.act(what, number, **flags)
        assert answer.status_code == 200, answer.text
        (one,) = answer.json()
        assert one["is_success"] == "true"

    def running(self, **fields: Any) -> int:
        """Have a job that runs; return its id."""
        number = self.create(**fields)
        self.acted("run", number)
        return number

    def detail(self, number: int) -> dict[str, Any]:
        """Return a job."""
        found: dict[str, Any] = done(self.call("GET", f"/jobs/{number}"))["job_detail"]
        return found

    def listed(self, **query: Any) -> dict[str, Any]:
        """Return a page of the list."""
        found: dict[str, Any] = done(self.call("GET", "/jobs", params=query))["job_list"]
        return found


def done(answer: httpx.Response) -> dict[str, Any]:
    """Return the body of an answer that says that all is well."""
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["is_success"] == "true", "Go's clients read it as a text only"
    assert isinstance(body["message"], str)
    return body


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """Return what is said of a request that is refused with a code."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error_code", "error_msg"}
    assert body["error_code"] == code, body
    message: str = body["error_msg"]
    return message
