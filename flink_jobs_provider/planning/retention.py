"""The warning that a job's checkpoints are gone when somebody cancels it."""

from __future__ import annotations

from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.retention import RETAINED, RETENTION
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode


def retention_warning(job_name: str) -> str:
    """Return the warning of a job whose checkpoints are not retained."""
    return (
        f"warning: the checkpoints of {job_name} do not survive a cancel: a cancel from outside "
        f"sets it back to its last savepoint. Set {RETENTION} to {RETAINED} in its "
        "flink_configuration, or in the cluster's configuration"
    )


def is_set_back_by_a_cancel(record: JobRecord, wanted: JobSpec) -> bool:
    """Whether a job runs whose checkpoints are not retained, and nobody asked for that.

    It is asked for by another value of the option, and by dropping the state with each update. A
    change of the option is yet to come into effect.
    """
    if record.retains_checkpoints is not False or not record.status.active:
        return False
    if wanted.upgrade_mode is UpgradeMode.STATELESS:
        return False
    chosen = wanted.flink_configuration.get(RETENTION)
    return chosen is None or chosen == RETAINED == record.spec.flink_configuration.get(RETENTION)
