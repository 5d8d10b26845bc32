"""Whether a running version's checkpoints outlive a cancel, read once for each version.

The setting is fixed for a jobId, so it is read when a version has come up, and recorded: a preview
of many jobs costs no request for it.
"""

from __future__ import annotations

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import ActionFailed


async def retention(plane: ControlPlane, job_id: str) -> bool | None:
    """Return whether a job's checkpoints outlive a cancel; None where it has no periodic ones.

    None also where Flink does not say: a version that is up does not fail for this.
    """
    try:
        found = await plane.checkpointing(job_id)
    except ActionFailed:
        return None
    return found.retained if found.periodic else None
