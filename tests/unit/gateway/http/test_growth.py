"""What callers send is worked through in the event loop: the time must grow as the length does.

Each case is measured at two lengths, in CPU time of this thread, the least of several runs. For 16
times the length linear work takes 16 times as long, quadratic work 256 times; the bound between
them is far from both, so that no busy machine decides.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import pytest
from starlette.types import Message

from flink_jobs_provider.gateway.apis.dli import schema
from flink_jobs_provider.gateway.apis.dli.conventions import DliConventions
from flink_jobs_provider.gateway.apis.dli.runtime_config import options_of, same_duration
from flink_jobs_provider.gateway.apis.hdinsight.conventions import NEWEST
from flink_jobs_provider.gateway.apis.hdinsight.schema import validated
from flink_jobs_provider.gateway.apis.job_inputs import masked_args
from flink_jobs_provider.gateway.auth.signatures import ALGORITHM, SignedRequest
from flink_jobs_provider.gateway.http.property_problems import Checker
from flink_jobs_provider.gateway.http.requests import parse
from flink_jobs_provider.gateway.ops.log import hidden_in
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import Mounts
from tests.contract.gateway.calling import ByName

_TIMES = 16
#: The square root of 16 * 256: as far from linear as from quadratic growth.
_MOST = 64


def _seconds(call: Callable[[], object]) -> float:
    least = float("inf")
    for _ in range(3):
        began = time.thread_time()
        with suppress(Refusal):
            call()
        least = min(least, time.thread_time() - began)
    return least


def _names(number: int) -> list[str]:
    return [f"{name:x}" for name in range(number)]


def _twice(number: int) -> str:
    """Return an object of that many names, of which the last comes twice."""
    names = [*_names(number), f"{number - 1:x}"]
    return "{" + ",".join(f'"{name}":1' for name in names) + "}"


def _validate(properties: dict[str, Any]) -> None:
    validated({"properties": properties}, NEWEST)


def _batch(number: int) -> dict[str, Any]:
    """Return ids of two kinds, which cannot be sorted to find duplicates among them."""
    return {"job_ids": [*range(1, number), "x"]}


class _Signatures:
    def principal(self, request: SignedRequest) -> Principal:
        """Return the caller."""
        return Principal(f"{len(request.headers)} headers", {})


def _signed(number: int) -> Callable[[], Principal]:
    """Return what reads a signed request of that many headers."""
    headers = [(name.encode(), b"") for name in _names(number)]
    headers += [(b"authorization", f"{ALGORITHM} ".encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1.0/p/streaming/jobs/run",
        "query_string": b"",
        "headers": headers,
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def read() -> Principal:
        return (await DliConventions(ByName(), _Signatures(), 1).principal(scope, receive))[0]

    return lambda: asyncio.run(read())


_CHECKER = Checker(schema.batch_body(None), "this request", {}, ())


def _options(text: str) -> None:
    options_of({"runtime_config": text}, Mounts({}), [])


class _Case(NamedTuple):
    """A text or value that a caller sends, by its length, and what works through it."""

    length: int
    made: Callable[[int], Any]
    work: Callable[[Any], object]


_CASES = {
    "a name that comes twice": _Case(500, _twice, parse),
    "many objects": _Case(500, lambda n: f"[{'{},' * n}1]", parse),
    "deep lists": _Case(500, lambda n: "[" * n, parse),
    "typographic quotes": _Case(1000, lambda n: "“" * n, parse),
    "lines without commas": _Case(250, lambda n: '"":\n' * n, parse),
    "an open string": _Case(1000, lambda n: '"\\' * n, parse),
    "a name that comes twice, in options": _Case(500, _twice, _options),
    "options of no kind": _Case(
        500, lambda n: json.dumps({name: [] for name in _names(n)}), _options
    ),
    "blanks in an option": _Case(
        500, lambda n: "1" + " " * n + "!", lambda text: same_duration(text, "1s")
    ),
    "digits in an option": _Case(500, lambda n: "1" * n, lambda text: same_duration(text, "1s")),
    "unknown properties": _Case(500, lambda n: dict.fromkeys(_names(n), 1), _validate),
    "options": _Case(500, lambda n: {"flinkConfiguration": dict.fromkeys(_names(n), 1)}, _validate),
    "ids of jobs": _Case(500, _batch, _CHECKER.problems),
    "headers of a signed request": _Case(500, _signed, lambda read: read()),
    "halves of tokens in a log": _Case(500, lambda n: "eyJ" * n, hidden_in),
    "begun addresses in a log": _Case(500, lambda n: "a://b@" * n, hidden_in),
    "begun values of a password in a log": _Case(500, lambda n: "password='" * n, hidden_in),
    "begun parameters in a log": _Case(100, lambda n: "[parameters: " * n, hidden_in),
    "arguments that are masked": _Case(500, lambda n: "a" * n + " --key" * n, masked_args),
    "quotes that are masked": _Case(500, lambda n: "a='b=\"" * n, masked_args),
    "begun values in a log": _Case(100, lambda n: "input_value=" * n, hidden_in),
}


@pytest.mark.parametrize("case", _CASES)
def test_time_grows_as_the_length_does(case: str) -> None:
    length, made, work = _CASES[case]
    few, many = (_seconds(partial(work, made(n))) for n in (length, length * _TIMES))
    assert many < _MOST * max(few, 2e-5), f"{few * 1000:.3f} ms, then {many * 1000:.1f} ms"


def test_what_is_beyond_a_limit_is_one_problem() -> None:
    """Shows that entries beyond a limit are not validated one by one."""
    problems = _CHECKER.problems(_batch(1000))
    assert [problem.message for problem in problems] == [
        "job_ids must not hold more than 100 entries."
    ]
