"""Which actions a job's page offers, and why it does not offer the others.

What a status allows is read where requests are decided on; here it is only put into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flink_jobs_provider.gateway.apis.hdinsight.schema import TAKES_SAVEPOINT
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.jobs.transitions import (
    ALLOWED,
    DRAFT,
    NOT_YET,
    RELEASABLE,
)
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.model.action import STARTS, Action
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED


@dataclass(frozen=True)
class JobAction:
    """An action on a job that is there, as the portal has it.

    Attributes:
        action: The action.
        drops: Whether it drops state or history, so that it is confirmed by the job's name.
        changes: Whether it takes another version of the job.
        takes_args: Whether it takes arguments of `main`.
        takes_savepoint: Whether it takes a savepoint to start from.
        releases: Whether it takes the job off the record and leaves it running.
    """

    action: Action
    drops: bool = False
    changes: bool = False
    takes_args: bool = False
    takes_savepoint: bool = False
    releases: bool = False

    @property
    def word(self) -> str:
        """The action whose name it goes by: to start a draft is a start to people."""
        return str(Action.START) if self.action is Action.NEW else self.text

    @property
    def text(self) -> str:
        """By what the portal's texts say what it does."""
        return "release" if self.releases else str(self.action)

    @property
    def allowed(self) -> frozenset[str]:
        """In which statuses it is possible."""
        return RELEASABLE if self.releases else ALLOWED[self.action]

    @property
    def starts(self) -> bool:
        """Whether it starts a version, which takes task slots."""
        return self.action in STARTS

    @property
    def page(self) -> str:
        """The last part of its page's address."""
        if self.action is Action.NEW:
            return "start-draft"
        if self.releases:
            return "release"
        return self.action.lower().replace("_", "-")


#: In the order in which they are offered.
JOB_ACTIONS = (
    JobAction(Action.START, takes_args=True, takes_savepoint=True),
    JobAction(Action.STOP),
    JobAction(Action.SAVEPOINT),
    JobAction(Action.UPDATE, changes=True, takes_args=True),
    JobAction(Action.STATELESS_UPDATE, drops=True, changes=True, takes_args=True),
    JobAction(Action.LAST_STATE_UPDATE, changes=True, takes_args=True),
    JobAction(Action.RE_LAUNCH, takes_args=True, takes_savepoint=True),
    JobAction(Action.LIST_SAVEPOINT),
    JobAction(Action.CANCEL, drops=True),
    JobAction(Action.DELETE, drops=True),
    JobAction(Action.DELETE, drops=True, releases=True),
)
#: What starts a job that is on record and was never started.
START_DRAFT = JobAction(Action.NEW)
BY_PAGE: Mapping[str, JobAction] = {each.page: each for each in (*JOB_ACTIONS, START_DRAFT)}


@dataclass(frozen=True)
class Offer:
    """An action on a job's page.

    Attributes:
        job_action: The action.
        reason: Why it is not offered; empty where it is.
    """

    job_action: JobAction
    reason: str = ""


@dataclass(frozen=True)
class Offers:
    """The actions of a job.

    Attributes:
        each: All of them, in order.
        restart: What starts it from a savepoint; None where nothing does.
        busy: Whether another action is in progress.
    """

    each: list[Offer] = field(default_factory=list)
    restart: JobAction | None = None
    busy: bool = False

    def of(self, job_action: JobAction) -> Offer | None:
        """Return one of them; None where the job has none such."""
        return next((offer for offer in self.each if offer.job_action is job_action), None)


def actions_of(status: str) -> tuple[JobAction, ...]:
    """Return the actions of a job with a status; some of them are not possible."""
    if status != DRAFT:
        return JOB_ACTIONS
    return (START_DRAFT, *(one for one in JOB_ACTIONS if one.action is not Action.START))


def offers(row: JobRow, text: Text, *, may_act: bool) -> Offers:
    """Return the actions of a job.

    Args:
        row: The job.
        text: The language of the reasons.
        may_act: Whether whoever looks may act on it.
    """
    busy = row.last.finished_at is None
    actions = actions_of(row.status)
    each = [Offer(one, _reason(one, row, text, may_act=may_act)) for one in actions]
    takers = [
        one.job_action
        for one in each
        if one.job_action.takes_savepoint
        and one.job_action.action in TAKES_SAVEPOINT
        and (not one.reason or (one.job_action.action is Action.RE_LAUNCH and _restarts(row)))
    ]
    return Offers(each, takers[0] if takers and may_act and not busy else None, busy)


def _restarts(row: JobRow) -> bool:
    """Whether a savepoint that is named makes a start possible which the status alone does not."""
    return row.status == "FINISHED"


def _reason(job_action: JobAction, row: JobRow, text: Text, *, may_act: bool) -> str:
    if not may_act:
        return text("reason.role")
    if row.last.finished_at is None:
        return text("reason.busy", action=text.word("action", row.last.action))
    status = LAUNCH_FAILED if row.status == NOT_YET else row.status
    if status in job_action.allowed:
        return ""
    possible = [
        text.word("action", each.word) for each in actions_of(status) if status in each.allowed
    ]
    return text("reason.status", status=status, possible=", ".join(possible))
