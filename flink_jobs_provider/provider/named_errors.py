"""Errors of a cluster that cannot be asked, told with the job that a call was about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable

#: What is recorded of a job whose cluster is gone for good can be given up by hand.
FORGET = (
    "Run again when it can be asked; if that cluster is gone for good, take the resource out of "
    "the stack's state (pulumi state delete), which touches no job"
)


@contextmanager
def naming(job_name: str, call: str, *, now: str, remedy: str = "") -> Iterator[None]:
    """Name the job in an error of a cluster without an answer, with how it is then.

    What the user gave wrongly, such as a reference that leads nowhere, is told as it is, unless
    it keeps a job from being ended.

    Args:
        job_name: The job.
        call: What failed, such as "it could not be updated".
        now: What is known of the job, where the error does not say.
        remedy: What else the user can do.
    """
    try:
        yield
    except (ClusterRefused, ClusterUnreachable) as error:
        told = isinstance(error, ClusterRefused) and not remedy
        if told or error.happened.startswith(f"{job_name}:"):
            raise
        kind = ClusterUnreachable if isinstance(error, ClusterUnreachable) else ClusterRefused
        raise kind(
            f"{job_name}: {call}: {error.reason}",
            now=error.now or now,
            remedy=" ".join(part for part in (error.remedy, remedy) if part),
        ) from None
