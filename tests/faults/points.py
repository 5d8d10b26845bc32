"""Where runs are killed, who is killed, and which of all these cases a test run takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any

import pytest

from tests.fault_proxy import Exchange, Moment, Rule, at_request
from tests.faults.counted_job import Victims

#: Every request, victim, next spec and engine, instead of a choice of them.
FULL_VARIABLE = "FLINK_JOBS_FULL_FAULTS"
FULL = os.environ.get(FULL_VARIABLE) == "1"


@dataclass(frozen=True)
class Point:
    """A moment in the life of a run.

    Attributes:
        name: Names it in the test's name.
        pattern: The request.
        moment: Before the cluster sees it, or after it has carried it out.
        once_seen: A request that must have come before.

    """

    name: str
    pattern: str
    moment: Moment = Moment.AFTER
    once_seen: str = ""

    def strike(self, **how: Any) -> Rule:
        """Return the rule that strikes then."""
        return at_request(self.pattern, self.moment, once_seen=self.once_seen, **how)

    def matches(self, exchange: Exchange) -> bool:
        """Whether a request is the one of this point."""
        return bool(re.match(self.pattern, f"{exchange.method} {exchange.path}"))


UPLOAD = Point("upload", r"POST /jars/upload$")
PLAN = Point("plan", r"POST /jars/[^/]+/plan$")
STOP = Point("stop", r"POST /jobs/\w+/stop$")
CANCEL = Point("cancel", r"PATCH /jobs/\w+\?mode=cancel$")
RUN = Point("run", r"POST /jars/[^/]+/run$")
CHECKPOINT = Point("checkpoint", r"POST /jobs/\w+/checkpoints$")
FORGET = Point("forget_jar", r"DELETE /jars/")
STOP_POLL = Point("poll_of_stop", r"GET /jobs/\w+/savepoints/", once_seen=STOP.pattern)
RUN_POLL = Point("poll_of_run", r"GET /jobs/overview$", once_seen=RUN.pattern)
STOP_UNSENT = Point("stop_unsent", STOP.pattern, Moment.BEFORE)
CANCEL_UNSENT = Point("cancel_unsent", CANCEL.pattern, Moment.BEFORE)
RUN_UNSENT = Point("run_unsent", RUN.pattern, Moment.BEFORE)


class Next(Enum):
    """What is declared when the run after the killed one begins."""

    SAME = "same"
    ANOTHER = "another"
    """A third version."""
    PREVIOUS = "previous"
    """The version from before the killed run; found out by a refresh, as the state says it runs."""


@dataclass(frozen=True)
class Case:
    """One run to kill."""

    point: Point
    who: Victims = Victims.ENGINE_AND_PROVIDER
    then: Next = Next.SAME

    def __str__(self) -> str:
        return f"{self.point.name}-{self.who.name.lower()}-{self.then.value}"


def cases(points: Iterable[Point], then: Iterable[Next], chosen: Iterable[Case]) -> list[Case]:
    """Return all cases if so asked; else every point in its plainest form, and those chosen."""
    points = list(points)
    every = [Case(*each) for each in product(points, Victims, then)]
    picked = {*(Case(point) for point in points), *chosen}
    return [case for case in every if FULL or case in picked]


def requests_not_among(points: Iterable[Point], sent: Iterable[Exchange]) -> list[str]:
    """Return the changing requests of a run that no point strikes at."""
    known = list(points)
    return [str(each) for each in sent if not any(point.matches(each) for point in known)]


def on_engines(all_cases: Iterable[Case], few: Iterable[Case]) -> list[Any]:
    """Return the cases as parameters (engine, case): for the real CLI, which is slower, a few."""
    all_cases, few = list(all_cases), set(few)
    embedded = [pytest.param("embedded", case, id=f"embedded-{case}") for case in all_cases]
    cli = [
        pytest.param("pulumi", case, id=f"pulumi-{case}", marks=pytest.mark.pulumi_cli)
        for case in all_cases
        if FULL or case in few
    ]
    return embedded + cli
