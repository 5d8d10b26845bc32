"""Answers that are lost, and proxies that answer in a cluster's place: nothing is done twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.fault_proxy import Answer, Exchange, Moment, Rule, Verdict, at_request
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import CANCEL, CHECKPOINT, FORGET, PLAN, RUN, STOP, UPLOAD, Next, Point

pytestmark = pytest.mark.parametrize("engine", ["embedded"])

UP = ("up", "--yes", "--skip-preview")


@pytest.mark.parametrize(
    "lost", [Verdict.DROP, Answer(502), Answer(200)], ids=["dropped", "bad_gateway", "page"]
)
def test_a_submission_whose_answer_is_lost(running_job: CountedJob, lost: Verdict | Answer) -> None:
    """The job that was started is found by its id, and is not submitted again."""
    running_job.next_version()
    known = set(running_job.cluster.jobs())
    running_job.proxy.begin(at_request(RUN.pattern, Moment.AFTER, verdict=lost))
    running_job.project.up()
    assert len([x for x in running_job.proxy.changes if RUN.matches(x)]) == 1
    assert len(set(running_job.cluster.jobs()) - known) == 1
    running_job.assert_runs()


def _lost_once(points: list[Point]) -> Rule:
    """Lose the first answer to each of the requests."""
    rules = [at_request(point.pattern, Moment.AFTER) for point in points]

    def rule(exchange: Exchange, now: Moment) -> Verdict | Answer:
        verdicts = [each(exchange, now) for each in rules]
        return Verdict.DROP if Verdict.DROP in verdicts else Verdict.PASS

    return rule


def test_every_other_answer_of_an_update_is_lost(running_job: CountedJob) -> None:
    """What may be sent again is; the update succeeds, with one savepoint."""
    points = [UPLOAD, PLAN, STOP, CHECKPOINT, FORGET]
    running_job.next_version()
    before = running_job.outputs()["savepoints"]
    running_job.proxy.begin(_lost_once(points))
    running_job.project.up()
    running_job.assert_runs()
    sent = running_job.proxy.changes
    assert all(len([x for x in sent if point.matches(x)]) > 1 for point in points)
    assert len(running_job.outputs()["savepoints"]) == len(before) + 1


def test_a_cancel_whose_answer_is_lost(running_job: CountedJob) -> None:
    """A cancel is sent again, and finds the job cancelled."""
    running_job.next_version(upgrade_mode="stateless", fresh_output=True)
    running_job.proxy.begin(at_request(CANCEL.pattern, Moment.AFTER))
    running_job.project.up()
    running_job.inputs["upgrade_mode"] = "savepoint"
    running_job.assert_runs()


def _away(points: list[Point], seconds: float) -> Rule:
    """Answer as the proxy of a restarting gateway does, for a while after each of the requests."""
    until = 0.0
    awaited = list(points)

    def rule(exchange: Exchange, now: Moment) -> Verdict | Answer:
        nonlocal until
        if now is Moment.BEFORE and time.monotonic() < until:
            return Answer(503)
        if now is Moment.AFTER and awaited and awaited[0].matches(exchange):
            awaited.pop(0)
            until = time.monotonic() + seconds
        return Verdict.PASS

    return rule


def test_a_gateway_that_is_away_for_seconds(running_job: CountedJob) -> None:
    """Waiting for a stop, a start and a checkpoint goes on when the cluster is back."""
    running_job.next_version()
    running_job.proxy.begin(_away([STOP, RUN, CHECKPOINT], 3.5))
    running_job.project.up()
    running_job.assert_runs()
    assert [x.status for x in running_job.proxy.exchanges].count(None) >= 3


@pytest.mark.parametrize("then", [Next.SAME, Next.ANOTHER], ids=lambda then: then.value)
def test_a_submission_that_arrives_late(running_job: CountedJob, then: Next) -> None:
    """The request of a killed run arrives when the next has ended: what that one started stays.

    The same version is refused by its jobId. Another one runs until it is looked for, and then
    gives way.
    """
    running_job.next_version(same_jar=True)  # a late request finds its jar
    arrive, arrived = threading.Event(), threading.Event()

    def strike(then: Callable[[], None], **_how: object) -> Rule:
        held: list[Exchange] = []

        def rule(exchange: Exchange, now: Moment) -> Verdict:
            if not held and RUN.matches(exchange) and now is Moment.BEFORE:
                held.append(exchange)
                then()
                arrive.wait(240)
            elif held and exchange is held[0]:
                arrived.set()
            return Verdict.PASS

        return rule

    running_job.interrupted(UP, strike, Victims.ENGINE_AND_PROVIDER)
    if then is Next.ANOTHER:
        running_job.next_version(same_jar=True)
    running_job.recover()
    running_job.assert_runs()
    job_id = running_job.outputs()["job_id"]
    arrive.set()
    assert arrived.wait(60)
    if then is Next.SAME:
        running_job.assert_runs()
        return
    running_job.settled = False
    assert len(running_job.active()) == 2
    running_job.recover(*UP, "--refresh")
    assert running_job.active() == [job_id] == [running_job.outputs()["job_id"]]
