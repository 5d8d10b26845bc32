"""What brings jobs to what is wanted, whatever system they run on; and which one does for which."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from flink_jobs_provider.model.target import DliTarget, FlinkTarget, HDInsightTarget

if TYPE_CHECKING:
    from flink_jobs_provider.artifacts import Jar
    from flink_jobs_provider.control_planes.clusters import Clusters
    from flink_jobs_provider.model.record import JobRecord, Removed
    from flink_jobs_provider.model.spec import JobSpec


class JobReconciler(Protocol):
    """Carries out changes to the jobs of one target. All raise the errors of `model.errors`."""

    async def bring_about(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.
        """
        ...

    async def look(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the target shows it now; nothing is changed."""
        ...

    async def look_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same, with what a start would begin from where that can be found."""
        ...

    async def remove(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one."""
        ...


def reconciler_of(
    clusters: Clusters,
    target: FlinkTarget | HDInsightTarget | DliTarget,
    say: Callable[[str], None],
) -> JobReconciler:
    """Return the reconciler of a target; what it needs is imported when the first one is asked for.

    Args:
        clusters: Opens its control plane.
        target: Where the job runs.
        say: Told each step in a line, while it happens.
    """
    if isinstance(target, HDInsightTarget):
        from flink_jobs_provider.reconciling.hdinsight import ActionReconciler

        return ActionReconciler(clusters.of(target), say)
    if isinstance(target, DliTarget):
        from flink_jobs_provider.reconciling.dli import StepReconciler

        return StepReconciler(clusters.of(target), say)
    from flink_jobs_provider.reconciling.flink.reconciler import Reconciler

    return Reconciler(clusters.of(target), target.loopback, say)
