"""When an action has ended, on recorded sequences of rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.control_planes.service_planes import ActionJob, Order
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet
from flink_jobs_provider.reconciling.hdinsight.action_watch import ActionEnded, StaysUp, described
from flink_jobs_provider.reconciling.service_loop import Idle
from tests.unit.reconciling.recorded import history

Row = ActionJob | None
BEFORE = ActionJob(
    "run", "orders", "j1", JobStatus.RUNNING, "RUNNING", action=Action.NEW,
    result=ActionResult.SUCCESS,
)  # fmt: skip
BEGUN = replace(BEFORE, action=Action.UPDATE, result=ActionResult.IN_PROGRESS)
DONE = replace(BEGUN, result=ActionResult.SUCCESS, job_id="j2")
STARTING = replace(DONE, status=JobStatus.STARTING, status_word="STARTING")
REFUSED = replace(BEGUN, result=ActionResult.FAILED, output="no space")
PONDERING = replace(DONE, status=None, status_word="PONDERING")
ORDER = Order(Action.UPDATE, "orders", "run")
ENDED = ActionEnded(ORDER, BEFORE, 600, arrived=True)


@pytest.mark.parametrize(
    ("rows", "met"),
    [
        ([(0, BEFORE)], False),
        ([(0, BEFORE), (2, BEGUN)], False),
        ([(0, BEFORE), (2, BEGUN), (9, DONE)], True),
        ([(0, BEGUN), (9, STARTING)], False),
        ([(0, BEGUN), (9, PONDERING)], False),
        ([(0, BEGUN), (9, REFUSED)], True),
        ([(0, None), (100, None)], False),
    ],
)
def test_an_action_has_ended_when_its_row_says_so(rows: list[tuple[float, Row]], met: bool) -> None:
    assert isinstance(ENDED.judge(history(*rows)), Met) == met


def test_the_row_of_the_same_action_before_ours_is_not_taken_for_it() -> None:
    """Shows that a failure which looks as the one before counts after a while, a success never."""
    for before, met in ((REFUSED, True), (DONE, False)):
        ended = ActionEnded(ORDER, before, 600, arrived=True)
        assert isinstance(ended.judge(history((0, before))), NotYet)
        assert isinstance(ended.judge(history((0, before), (30, before))), Met) == met
        assert not ended.shown(history((0, before), (30, before)))


def test_an_order_whose_answer_was_lost_must_show_within_a_minute() -> None:
    lost = ActionEnded(ORDER, BEFORE, 600, arrived=False)
    assert isinstance(lost.judge(history((0, BEFORE), (59, BEFORE))), NotYet)
    assert lost.judge(history((0, BEFORE), (60, BEFORE))) == Failed(
        "the list of jobs does not show that it arrived", lost
    )
    assert isinstance(lost.judge(history((0, BEGUN), (99, BEGUN))), NotYet)


def test_a_deleted_row_is_gone() -> None:
    ended = ActionEnded(Order(Action.DELETE, "orders", "run"), BEFORE, 60, arrived=True)
    assert ended.judge(history((0, BEFORE), (1, None))) == Met()
    assert ended.shown(history((0, BEFORE), (1, None)))


RESTARTING = replace(DONE, status=JobStatus.RESTARTING, status_word="RESTARTING")
AGAIN = replace(DONE, job_id="j3")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, DONE), (9, DONE)], NotYet(described(DONE), 1)),
        ([(0, DONE), (10, DONE)], Met()),
        ([(0, DONE), (2, replace(DONE, status=JobStatus.FINISHED))], Met()),
        ([(0, DONE), (2, replace(DONE, action=Action.STOP))], Met()),
        ([(0, DONE), (2, RESTARTING)], described(RESTARTING)),
        ([(0, DONE), (2, AGAIN)], "the job service started it again, as job j3"),
        ([(0, DONE), (2, None)], "it is not listed"),
        ([(0, DONE), (12, PONDERING)], NotYet(described(PONDERING))),
        ([(0, DONE), (40, PONDERING)], described(PONDERING)),
    ],
)
def test_a_job_that_stays_up(rows: list[tuple[float, Row]], expected: Judgement | str) -> None:
    judgement = StaysUp(DONE, 10).judge(history(*rows))
    assert (judgement.reason if isinstance(judgement, Failed) else judgement) == expected


def test_idle() -> None:
    assert isinstance(Idle().judge(history((0, BEGUN))), NotYet)
    assert isinstance(Idle().judge(history((0, PONDERING))), NotYet)
    assert Idle(known=False).judge(history((0, PONDERING))) == Met()
    assert Idle().judge(history((0, BEGUN), (1, None))) == Met()
