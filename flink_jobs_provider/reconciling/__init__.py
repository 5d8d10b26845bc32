"""What brings jobs to what is wanted, whatever system they run on; and which one does for which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

from flink_jobs_provider.model.target import DliTarget, FlinkTarget, HDInsightTarget

if TYPE_CHECKING:
    from flink_jobs_provider.artifacts import Jar
    from flink_jobs_provider.control_planes.connection import Clusters
    from flink_jobs_provider.model.record import JobRecord, Removed
    from flink_jobs_provider.model.spec import JobSpec


Say: TypeAlias = Callable[[str], None]
#: Whether the run has been cancelled.
IsCancelled: TypeAlias = Callable[[], bool]


def never() -> bool:
    """Return that no run is cancelled: that of an engine which tells nobody so."""
    return False


class JobReconciler(Protocol):
    """Applies changes to the jobs of one target. All raise the errors of `model.errors`."""

    async def bring_about(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.
        """

    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the target shows it now; nothing is changed."""

    async def refresh_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same, with what a start would begin from where that can be found."""

    async def delete(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one."""


def _on_flink(clusters: Clusters, target: FlinkTarget, say: Say) -> JobReconciler:
    from flink_jobs_provider.reconciling.flink.reconciler import Reconciler

    return Reconciler(clusters.of(target), local_paths=target.loopback, say=say)


def _on_hdinsight(clusters: Clusters, target: HDInsightTarget, say: Say) -> JobReconciler:
    from flink_jobs_provider.reconciling.hdinsight.reconciler import ActionReconciler

    return ActionReconciler(clusters.of(target), say)


def _on_dli(clusters: Clusters, target: DliTarget, say: Say) -> JobReconciler:
    from flink_jobs_provider.reconciling.dli.reconciler import StepReconciler

    return StepReconciler(clusters.of(target), say)


#: The reconciler of each kind of target.
_RECONCILERS: Mapping[str, Callable[..., JobReconciler]] = {
    "flink": _on_flink,
    "hdinsight": _on_hdinsight,
    "dli": _on_dli,
}


def reconciler_of(
    clusters: Clusters, target: FlinkTarget | HDInsightTarget | DliTarget, say: Say
) -> JobReconciler:
    """Return the reconciler of a target; what it needs is imported when the first one is asked for.

    It calls `say` with a line for each step, while it happens.
    """
    return _RECONCILERS[target.kind](clusters, target, say)
