"""Trying what new jobs would run, in a preview: their `main` runs for a plan, and nothing stays."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import PlannedGraph, Submission
from flink_jobs_provider.model.errors import ActionFailed, EntryClassUnusable, JobError
from flink_jobs_provider.model.observation import ClusterFacts
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.slots import (
    PAUSE,
    REGISTERING,
    SlotCount,
    SlotsRegistered,
)
from flink_jobs_provider.reconciling.flink.submit import submission
from flink_jobs_provider.reconciling.waiter import Clock, Waiter, constant_backoff

#: How long one program is tried, its upload included, in seconds.
PATIENCE_S = 60.0


class TrialPlane(Protocol):
    """A cluster on which programs can be tried."""

    async def facts(self) -> ClusterFacts:
        """Return the facts of the cluster."""
        ...

    async def task_slots(self) -> tuple[int, int]:
        """Return how many task slots are free, and how many there are."""
        ...

    async def try_out(self, submission: Submission) -> PlannedGraph:
        """Run the program's `main` as a submission would, and leave nothing on the cluster.

        Raises:
            EntryClassUnusable: The jar has no such class, or it has no `main`.
            ActionFailed: `main` throws, or the jar was refused.
        """
        ...


@dataclass(frozen=True)
class Trial:
    """What a trial has shown.

    Attributes:
        problems: What is wrong for certain: (property path, what would be right).
        warnings: What a run may fail with, each a line.
    """

    problems: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


class Trials:
    """The programs of new jobs that one preview tries on one cluster.

    Args:
        plane: The cluster.
        address: How people call it.
        clock: Time and sleep.
    """

    def __init__(self, plane: TrialPlane, address: str, clock: Clock | None = None) -> None:
        self._plane = plane
        self._address = address
        self._waiter = Waiter(clock or Clock())
        self._needed: dict[str, int] = {}
        self._began = self._waiter.clock.now()

    async def try_out(self, spec: JobSpec, jar: Jar) -> Trial:
        """Run a job's `main` for its plan, and compare the slots that it needs.

        Where `main` can end the cluster, it is not run. Whatever else keeps it from being tried is
        a warning: that a preview cannot tell is no fault of the job.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                facts = await self._plane.facts()
                if facts.intercepts_exit is not True:
                    return Trial(warnings=(self._unprotected(facts.intercepts_exit),))
                request = submission(spec, jar, 1, spec.restore_from)
                planned = await self._plane.try_out(request)
                if facts.fixed_slots:
                    return await self._slots(spec, planned.parallelism)
        except EntryClassUnusable as error:
            return Trial(problems=(("entry_class", f"cannot be run: {error.reason}"),))
        except ActionFailed as error:
            return _warned(f"{spec.job_name}: as things are, its start would fail: {error.reason}")
        except JobError as error:
            return _warned(f"{spec.job_name}: its main was not tried: {error.reason}")
        except TimeoutError:
            return _warned(
                f"{spec.job_name}: its main was not tried to its end, within {PATIENCE_S:.0f} s"
            )
        return Trial()

    async def _slots(self, spec: JobSpec, needed: int) -> Trial:
        """Compare the slots that a job needs with those of its cluster.

        TaskManagers of a cluster that has just started are waited for, once for all jobs.
        """
        self._needed[spec.job_name] = needed

        async def observe(_deadline: float) -> SlotCount:
            return SlotCount(*await self._plane.task_slots())

        waited = await self._waiter.until(
            observe,
            SlotsRegistered(needed),
            self._began + REGISTERING - self._waiter.clock.now(),
            backoff=constant_backoff(PAUSE),
        )
        free, total = waited.last.free, waited.last.total
        if total < needed:
            why = (
                f"{needed} task slots are needed, and {self._address} has {total}: lower "
                "parallelism, or add TaskManagers. Where this run adds them, set "
                "FLINK_JOBS_OFFLINE=1 for its preview"
            )
            return Trial(problems=(("parallelism", why),))
        others = sum(self._needed.values()) - needed
        if free >= needed + others:
            return Trial()
        also = f", and {others} by other new jobs" if others else ""
        return _warned(
            f"{spec.job_name}: {needed} task slots are needed{also}; {free} of {total} at "
            f"{self._address} are free"
        )

    def _unprotected(self, intercepted: bool | None) -> str:
        """Return why no `main` is run on a cluster, in the same words for all its jobs."""
        hidden = "" if intercepted is False else ", or its configuration is hidden"
        return (
            f"warning: the main of new jobs is not tried in previews at {self._address}: one that "
            "calls System.exit would end its JobManager, since "
            f"cluster.intercept-user-system-exit is not THROW{hidden}"
        )


def _warned(line: str) -> Trial:
    return Trial(warnings=(f"warning: {line}",))
