"""The words of the job service's API, used everywhere: actions, results and statuses."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What can be done to a job (HDInsight on AKS job management, `properties.action`)."""

    NEW = "NEW"
    START = "START"
    STOP = "STOP"
    UPDATE = "UPDATE"
    STATELESS_UPDATE = "STATELESS_UPDATE"
    LAST_STATE_UPDATE = "LAST_STATE_UPDATE"
    RE_LAUNCH = "RE_LAUNCH"
    SAVEPOINT = "SAVEPOINT"
    LIST_SAVEPOINT = "LIST_SAVEPOINT"
    CANCEL = "CANCEL"
    DELETE = "DELETE"


#: The actions that start a version of a job.
STARTS = frozenset(
    {
        Action.NEW,
        Action.START,
        Action.UPDATE,
        Action.STATELESS_UPDATE,
        Action.LAST_STATE_UPDATE,
        Action.RE_LAUNCH,
    }
)


class ActionResult(StrEnum):
    """How the last action ended."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class JobStatus(StrEnum):
    """What a job is doing, as users see it.

    `STOPPED` is a job that ended with a savepoint; `FINISHED` one that came to its own end;
    `LOST` one that was recorded as active and that its cluster no longer knows.
    """

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    RESTARTING = "RESTARTING"
    STOPPED = "STOPPED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"
    LOST = "LOST"

    @property
    def active(self) -> bool:
        """Whether the cluster still works on the job."""
        return self in (JobStatus.STARTING, JobStatus.RUNNING, JobStatus.RESTARTING)
