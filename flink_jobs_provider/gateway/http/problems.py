"""Wrong properties of a request: all of them are told at once, each on its path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flink_jobs_provider.gateway.http.statuses import status_of
from flink_jobs_provider.gateway.refusals import Refusal

#: How many problems of one request are reported.
MOST_PROBLEMS = 50


class Problem(NamedTuple):
    """One property that is wrong: its path, and a sentence that says what would be right."""

    target: str
    message: str


class RefusedProperties(Refusal):
    """A request with wrong properties, all of them at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = problems[:MOST_PROBLEMS]
        message = " ".join(problem.message for problem in self.problems)
        target = problems[0].target
        if len(problems) > 1:
            message, target = f"{len(problems)} properties are wrong. {message}", ""
        super().__init__("InvalidParameter", message, target=target)


class Collecting:
    """Takes the refusal of one property among the problems, and goes on."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if isinstance(error, RefusedProperties):
            self._problems += error.problems
            return True
        if isinstance(error, Refusal) and status_of(error) == 400:
            self._problems.append(Problem(error.target, error.message))
            return True
        return False
