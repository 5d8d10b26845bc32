"""Jobs that a cancel sets back: whose checkpoints do not outlive them."""

from __future__ import annotations

from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode


def retention_warning(job_name: str) -> str:
    """Return the warning of a job whose checkpoints are not retained."""
    return (
        f"warning: the checkpoints of {job_name} do not survive a cancel: a cancel from outside "
        f"sets it back to its last savepoint. Set {RETENTION} to {RETAINED} in its "
        "flink_configuration, or in the cluster's configuration"
    )


def is_set_back_by_a_cancel(record: JobRecord, wanted: JobSpec) -> bool:
    """Whether a job runs whose checkpoints are not retained, though its spec does not ask for that.

    Another value of the option asks for it, and so does dropping the state with each update. A
    change of the option has yet to take effect.
    """
    if record.retains_checkpoints is not False or not record.status.active:
        return False
    if wanted.upgrade_mode is UpgradeMode.STATELESS:
        return False
    chosen = wanted.flink_configuration.get(RETENTION)
    return chosen is None or chosen == RETAINED == record.spec.flink_configuration.get(RETENTION)
