"""An action on a job, as the page with its form shows it."""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.gateway.jobs.transitions import TAKES_NEXT_RESTORE
from flink_jobs_provider.gateway.portal.action_forms import (
    CONFIRM,
    REHEARSAL_ARGS,
    VERSION_FIELDS,
    shown_version,
)
from flink_jobs_provider.gateway.portal.job_view import JobView
from flink_jobs_provider.gateway.portal.meanwhile import FIRST_SHOWN, first_shown
from flink_jobs_provider.gateway.portal.offered_actions import JobAction, Offers
from flink_jobs_provider.gateway.portal.pages.job_page import FoundJob
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

#: Name of the field that carries the id of the job's last action.
SEEN = "seen"
#: Fields of what a start begins from: one of the job's savepoints, or the path of any.
_FROM = ("savepoint", "savepoint_path")


@dataclass(frozen=True)
class ShownAction:
    """What the page of an action on a job is made of.

    Attributes:
        found: The job.
        job_action: The action.
        view: The job as it is shown.
        whole: The same with its secrets.
        offers: The actions of the job.
    """

    found: FoundJob
    job_action: JobAction
    view: JobView
    whole: JobView
    offers: Offers
    reveal: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields that change the job."""
        names: tuple[str, ...] = VERSION_FIELDS if self.job_action.changes else ()
        if self.job_action.takes_args and not names:
            names = ("args",)
        return (*names, *_FROM) if self.job_action.takes_savepoint else names

    @property
    def rehearses(self) -> bool:
        """Whether a copy of the version can be rehearsed first."""
        return self.job_action.action is Action.UPDATE

    @property
    def starts_from(self) -> str:
        """The savepoint it starts from unless the form names one; empty for the newest state."""
        row, action = self.found.row, self.job_action.action
        if action not in TAKES_NEXT_RESTORE:
            return ""
        never_ran = action is Action.RE_LAUNCH and row.status == LAUNCH_FAILED
        return row.next_restore or (never_ran and row.record.spec.restore_from) or ""

    @property
    def refused(self) -> str:
        """Why it is not offered; empty where it is, or where a savepoint makes it possible."""
        if self.offers.restart is self.job_action:
            return ""
        offer = self.offers.of(self.job_action)
        assert offer is not None  # noqa: S101 - so it was looked for
        return offer.reason

    def first_values(self, savepoint: str) -> dict[str, str]:
        """Return what the fields hold at first."""
        values = shown_version((self.whole if self.reveal else self.view).properties)
        values = {name: values.get(name, "") for name in self.fields}
        if any(one.path == savepoint for one in self.view.savepoints):
            values |= {name: savepoint for name in ("savepoint",) if name in values}
        else:
            values |= {name: savepoint for name in ("savepoint_path",) if name in values}
        if self.rehearses:
            values[REHEARSAL_ARGS] = ""
        return {
            **values,
            CONFIRM: "",
            SEEN: self.found.row.last.id,
            FIRST_SHOWN: first_shown(values),
        }
