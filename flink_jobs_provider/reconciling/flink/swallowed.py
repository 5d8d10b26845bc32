"""Versions that have swallowed records, which their health gate has found.

What such a version has read and never written is in its state alone: nothing is to go on from that.
It is marked on its cluster before it is ended, so that a run which follows a killed one knows it.
"""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.protocol import ControlPlane, JobMark, Mark
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.identity import generation_of, identity_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say


async def mark_swallowed(plane: ControlPlane, say: Say, wanted: JobSpec, job_id: str) -> None:
    """Mark a version that has swallowed records; it is ended also where it cannot be marked."""
    try:
        if not await _marked(plane, job_id):
            timeout = wanted.timeout("submit")
            await plane.put_mark(Mark.SWALLOWED, identity_of(job_id), job_id, timeout)
    except ActionFailed as error:
        say(f"warning: {wanted.job_name}: job {job_id} could not be marked: {error.reason}")


async def unmark_swallowed(plane: ControlPlane, identity: str) -> None:
    """Remove the marks of a job's versions, once another one runs from the state of before."""
    for mark in await plane.marks_by(identity):
        if mark.kind is Mark.SWALLOWED:
            await plane.remove_mark(mark)


async def swallowed(
    plane: ControlPlane,
    spec: JobSpec,
    recorded: JobRecord | None,
    among: Sequence[ObservedJob | str],
) -> set[str]:
    """Return the jobIds of a job's versions whose state is not gone on from.

    Those are later than the recorded one, which has passed its gate; where there are none among
    the versions that count, no request is made.
    """
    if recorded is None:
        return set()
    generations = (generation_of(one) if isinstance(one, str) else one.generation for one in among)
    if not any(generation > recorded.generation for generation in generations):
        return set()
    marks: list[JobMark] = []
    for prefix in {spec.key.prefix, recorded.spec.key.prefix}:
        marks += await plane.marks_on(prefix)
    return {mark.job_id for mark in marks if mark.kind is Mark.SWALLOWED}


async def _marked(plane: ControlPlane, job_id: str) -> bool:
    return any(mark.kind is Mark.SWALLOWED for mark in await plane.marks(job_id))
