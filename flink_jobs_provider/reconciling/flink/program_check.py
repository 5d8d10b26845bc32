"""Running a program's `main` before a start: in a run to keep its state, in a preview to try it.

In a preview, the `main` of new jobs runs for a plan, and nothing stays on the cluster.

Flink finds state by operator id: a hash of the operator's uid, or of its place in the topology
where it has none. Plans show the id of the first operator of each chain alone, and chains change
with the topology. So where a vertex of the running job is missing from the new plan, both programs
are planned once more without chaining, which shows the ids of all operators, and like is compared
with like. The size of the state is known for a whole chain only. It is lost for certain when none
of its operators is left, or when its first one is not, and that is a source or takes records by
key: the others may have no state.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import (
    ControlPlane,
    PlannedGraph,
    Submission,
    Vertex,
)
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterTakenDown,
    EntryClassUnusable,
    JobError,
    PermanentError,
)
from flink_jobs_provider.model.observation import ClusterFacts, ObservedJob
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import previous_version
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.observer import Change, Observer
from flink_jobs_provider.reconciling.flink.preflight import (
    PAUSE,
    REGISTERING,
    Preflight,
    SlotCount,
    slots_registered,
)
from flink_jobs_provider.reconciling.flink.rollout import Roller
from flink_jobs_provider.reconciling.flink.submissions import submission
from flink_jobs_provider.reconciling.waiter import Clock, Waiter, constant_backoff

#: Since Flink 1.19, and before.
_WITHOUT_CHAINS = {
    "pipeline.operator-chaining.enabled": "false",
    "pipeline.operator-chaining": "false",
}


@dataclass(frozen=True)
class ProgramCheck:
    """Plans a version before anything is changed."""

    _plane: ControlPlane
    _observer: Observer
    _preflight: Preflight
    _roller: Roller
    _say: Say

    async def check(
        self,
        change: Change,
        generation: int,
        restore: str | None,
        replaced: ObservedJob | None,
        now: str,
        *,
        carried: bool = False,
    ) -> None:
        """Check that the wanted version could start; one that could not leaves no jar behind.

        `now` is the state of the running version that it replaces, for errors; `carried` whether
        the state of that one is to be carried over.
        """
        recorded, wanted = change.recorded, change.wanted
        try:
            request = submission(wanted, change.jar, generation, restore)
            planned = await self._preflight.program(request, replaced, now)
            if carried and replaced and planned and not wanted.allow_non_restored_state:
                await self._check_operators(change, replaced, request, planned, now)
        except ClusterTakenDown:
            raise
        except PermanentError:
            running = recorded.job_id if recorded else None
            digest = recorded.spec.jar_digest if recorded else None
            await self._roller.forget_jars(recorded, wanted, running, digest)
            raise

    async def _check_operators(
        self,
        change: Change,
        replaced: ObservedJob,
        request: Submission,
        planned: PlannedGraph,
        now: str,
    ) -> None:
        """Refuse a version that certainly has no place for state of the running job.

        Raises:
            PermanentError: Operators with state are missing from the new version.
        """
        running = await self._plane.running_graph(replaced.job_id)
        if running is None or not planned.vertices:
            return
        known = {vertex.id for vertex in planned.vertices}
        missing = [vertex for vertex in running.vertices if vertex.id not in known]
        sizes = await self._plane.state_sizes(replaced.job_id) if missing else None
        missing = [vertex for vertex in missing if sizes is None or sizes.get(vertex.id, 0) > 0]
        if not missing:
            return
        unchained = None
        if sizes is not None:
            unchained = await self._unchained(
                request, await self._running_version(change, replaced)
            )
        if sizes is None or unchained is None:
            self._report_unknown(request.job_name, missing)
            return
        lost = [vertex for vertex in missing if _is_lost(vertex, *unchained)]
        if lost:
            raise _refusal(request.job_name, lost, sizes, now)
        new = {vertex.id for vertex in unchained[1].vertices}
        if unknown := [vertex for vertex in missing if vertex.id not in new]:
            self._report_unknown(request.job_name, unknown)

    async def _running_version(self, change: Change, current: ObservedJob) -> Submission | None:
        """Return the running version, or None where it is not the recorded one."""
        recorded, previous = change.recorded, previous_version(change.recorded)
        if recorded is None or previous is None:
            return None
        if current.job_id != recorded.job_id or recorded.other_version:
            same, _ = await self._observer.submitted_as(current, recorded, previous)
            if not same:
                return None
        same_jar = isinstance(change.jar, Jar) and change.jar.digest == previous.jar_digest
        return submission(previous, change.jar if same_jar else str(previous.jar_digest), 1, None)

    async def _unchained(
        self, request: Submission, previous: Submission | None
    ) -> tuple[PlannedGraph, PlannedGraph] | None:
        """Return the graphs of the running and of the new version, each operator a vertex."""
        if previous is None:
            return None
        try:
            old, new = [await self._plan_unchained(each) for each in (previous, request)]
        except ActionFailed:
            return None  # the running program can no longer be planned
        chained = [vertex for vertex in old.vertices if len(vertex.operators) > 1]
        return None if chained or not old.vertices else (old, new)

    async def _plan_unchained(self, submission: Submission) -> PlannedGraph:
        spec = submission.spec
        configuration = {**spec.flink_configuration, **_WITHOUT_CHAINS}
        unchained = spec.model_copy(update={"flink_configuration": configuration})
        return await self._plane.plan(replace(submission, spec=unchained))

    def _report_unknown(self, job_name: str, vertices: list[Vertex]) -> None:
        self._say(
            f"{job_name}: whether the new version takes over all state is unknown until it "
            f"starts: its plan does not show {_named(vertices)} of the running job. If Flink "
            "refuses the state, the previous version is started again"
        )


def _is_lost(vertex: Vertex, old: PlannedGraph, new: PlannedGraph) -> bool:
    """Whether state of a vertex of the running job has certainly no place in the new version."""
    left = {operator.id for operator in new.vertices}
    if vertex.id in left or not vertex.operators:
        return False  # its first operator is there, within another chain
    members = [each for each in old.vertices if each.operators[0] in vertex.operators]
    if not members:
        return False
    if not any(member.id in left for member in members):
        return True
    heads = [each for each in members if each.id == vertex.id] or [
        each for each in members if each.operators[0] == vertex.operators[0]
    ]
    gone = bool(heads) and not any(head.id in left for head in heads)
    return gone and (vertex.source or vertex.keyed)


def _refusal(job_name: str, lost: list[Vertex], sizes: dict[str, int], now: str) -> PermanentError:
    size = sum(sizes.get(vertex.id, 0) for vertex in lost)
    return PermanentError(
        f"{job_name}: the new version has no place for {size} bytes of state of the running job: "
        f"it has no operator with the id of {_named(lost)}",
        now=now,
        remedy=Remedy.KEEP_OPERATOR_IDS,
    )


def _named(vertices: list[Vertex]) -> str:
    return ", ".join(
        f"{' -> '.join(vertex.operators) or 'an operator'} ({vertex.id})" for vertex in vertices
    )


#: How long one program is tried, its upload included, in seconds.
PATIENCE_S = 60.0


class TrialPlane(Protocol):
    """A cluster on which programs can be tried."""

    async def facts(self) -> ClusterFacts:
        """Return the facts of the cluster."""

    async def task_slots(self) -> tuple[int, int]:
        """Return how many task slots are free, and how many there are."""

    async def try_out(self, submission: Submission) -> PlannedGraph:
        """Run the program's `main` as a submission would, and leave nothing on the cluster.

        Raises:
            EntryClassUnusable: The jar has no such class, or it has no `main`.
            ActionFailed: `main` throws, or the jar was refused.
        """


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
    """The programs of new jobs that one preview tries on one cluster, by people's address of it."""

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
                    return Trial(warnings=(self._unprotected(intercepted=facts.intercepts_exit),))
                request = submission(spec, jar, 1, spec.restore_from)
                planned = await self._plane.try_out(request)
                if facts.fixed_slots:
                    return await self._slots(spec, planned.parallelism)
        except EntryClassUnusable as error:
            return Trial(problems=(("entry_class", f"cannot be run: {error.reason}"),))
        except ActionFailed as error:
            return _warning(f"{spec.job_name}: as things are, its start would fail: {error.reason}")
        except JobError as error:
            return _warning(f"{spec.job_name}: its main was not tried: {error.reason}")
        except TimeoutError:
            return _warning(
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
            slots_registered(needed),
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
        return _warning(
            f"{spec.job_name}: {needed} task slots are needed{also}; {free} of {total} at "
            f"{self._address} are free"
        )

    def _unprotected(self, *, intercepted: bool | None) -> str:
        """Return why no `main` is run on a cluster, in the same words for all its jobs."""
        hidden = "" if intercepted is False else ", or its configuration is hidden"
        return (
            f"warning: the main of new jobs is not tried in previews at {self._address}: one that "
            "calls System.exit would end its JobManager, since "
            f"cluster.intercept-user-system-exit is not THROW{hidden}"
        )


def _warning(line: str) -> Trial:
    return Trial(warnings=(f"warning: {line}",))
