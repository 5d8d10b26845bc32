"""Bringing one job to what is wanted on a system that takes whole actions.

Where it stands is read from the system each time: the job's row is found, an action in progress
on it is waited for, the next action is decided, ordered once, and waited for until the row shows
that it was ours and how it ended. Then all is judged anew, until nothing is left to do. So a run
that died anywhere is taken up by the next one.
"""

from __future__ import annotations

from collections.abc import Callable

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.action_plane import ActionJob, ActionPlane, Version
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.hdinsight.action_runner import Orders
from flink_jobs_provider.reconciling.hdinsight.change import Change
from flink_jobs_provider.reconciling.hdinsight.delete import remove
from flink_jobs_provider.reconciling.hdinsight.transitions import kept
from flink_jobs_provider.reconciling.ownership import own_row
from flink_jobs_provider.reconciling.service_loop import forget_jars, until_reached
from flink_jobs_provider.reconciling.service_records import seen
from flink_jobs_provider.reconciling.version_marker import mark_of, read_mark
from flink_jobs_provider.reconciling.waiting import Clock

#: Reads of one refresh share a list that is at most this old, in seconds.
_SHARED_AGE = 15.0
#: The most turns of a change: an action in progress, DELETE, NEW, UPDATE, and some not taken.
_MOST_TURNS = 10


class ActionReconciler:
    """Carries out changes to the jobs of one cluster.

    Args:
        plane: The cluster.
        say: Told each step in a line, while it happens.
        clock: Time and sleep.
    """

    def __init__(
        self,
        plane: ActionPlane,
        say: Callable[[str], None] = lambda _line: None,
        clock: Clock | None = None,
    ) -> None:
        self._plane = plane
        self._say = say
        self._orders = Orders(plane, clock or Clock(), say)

    async def bring_about(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.

        Raises:
            JobError: What happened, what runs now, and what to do.
        """
        wanted = wanted.carrying_on(recorded.spec) if recorded else wanted
        change = Change(self._plane, self._orders, self._say, recorded, wanted, jar)
        record = await until_reached(change.turn, _MOST_TURNS, wanted.job_name, "action")
        await forget_jars(self._plane, recorded, wanted, self._say)
        return record.model_copy(update={"honoured": None})

    async def look(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now; nothing is touched."""
        rows = await self._plane.jobs(max_age=_SHARED_AGE)
        row = own_row(rows, recorded, recorded.spec)
        return seen(recorded, row, row is not None and _is_other(row, recorded.spec))

    async def look_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same: what a start begins from shows at the start."""
        return await self.look(recorded)

    async def remove(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one."""
        return await remove(self._plane, self._orders, recorded, self._say)


def _is_other(row: ActionJob, spec: JobSpec) -> bool:
    """Whether a row is of another version than a spec, by its mark and what it shows."""
    mark = read_mark(row.version.mark)
    if mark.key and mark.spec != mark_of(spec).spec:
        return True
    asked = Version(
        entry_class=spec.entry_class,
        args=tuple(spec.args),
        parallelism=spec.parallelism,
        configuration=spec.flink_configuration,
    )
    return bool(kept(asked, row.version, None))
