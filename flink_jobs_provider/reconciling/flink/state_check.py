"""Finding out whether a new version can go on from the state of a running one.

What has state is read from the `_metadata` file of the job's newest savepoint or checkpoint, where
it can be read from here; else from the cluster's statistics, which know the size of whole chains.
The operators of the new version are those of its plan without chaining. The running version is
planned so as well where that alone does not show that all state has its place.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from flink_jobs_provider.control_planes.protocol import ControlPlane, Submission
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.snapshot import SnapshotMetadata
from flink_jobs_provider.model.spec import UpgradeMode
from flink_jobs_provider.planning.held_state import Held, HeldState, held_in
from flink_jobs_provider.planning.rehearsed_state import RehearsedState, rehearsed_state
from flink_jobs_provider.planning.state_verdict import (
    Compatibility,
    Maxima,
    ProgramGraphs,
    StateVerdict,
    compare,
)
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories

#: Since Flink 1.19, and before.
_WITHOUT_CHAINS = {
    "pipeline.operator-chaining.enabled": "false",
    "pipeline.operator-chaining": "false",
}
#: Seconds for which a graph is cached, and how many of a cluster are: a preview, and the run after.
_CACHED_S, _MOST_CACHED = 600.0, 256

#: Runs a program's `main` for its graph. It raises the errors of `ControlPlane.plan`.
PlanProgram = Callable[[Submission], Awaitable[JobGraph]]


@dataclass(frozen=True)
class Successor:
    """A version that is to go on from the state of a running one.

    Attributes:
        job: The running one.
        running: The same as it was submitted; None where that is unknown.
        wanted: The new one.
        planned: Its graph, where it is known already.
    """

    job: ObservedJob
    running: Submission | None
    wanted: Submission
    planned: JobGraph | None = None


@dataclass(frozen=True)
class StateCheck:
    """Compares the state of running jobs with the operators of new versions."""

    _plane: ControlPlane
    _directories: StateDirectories

    async def verdict(self, successor: Successor, plan: PlanProgram) -> StateVerdict:
        """Return whether a version can go on from the state of the running one.

        Raises:
            ActionFailed: The new version cannot be planned.
        """
        ran = await self._plane.running_graph(successor.job.job_id)
        if ran is None or not ran.vertices:
            return StateVerdict(why_unknown="the cluster does not show the running job's operators")
        held = await self._held(successor, ran)
        if not held.states and not held.finished:
            return StateVerdict()
        programs = _Programs(self._plane, plan)
        chained = successor.planned or await programs.graph(successor.wanted, "new")
        if not chained.vertices:
            return StateVerdict(why_unknown="the plan of the new version shows no operators")
        new = ProgramGraphs(chained, await programs.unchained(successor.wanted, "new"))
        maxima = _maxima(successor)
        found = compare(held.states, ProgramGraphs(ran), new, held.finished, maxima)
        if found.compatibility is not Compatibility.FITS and successor.running is not None:
            old = ProgramGraphs(ran, await programs.unchained(successor.running, "running"))
            found = compare(_with_names(held.states, old), old, new, held.finished, maxima)
        return replace(found, plans=programs.planned)

    async def rehearsed(
        self, successor: Successor, copy: Submission, plan: PlanProgram, savepoint: str = ""
    ) -> RehearsedState:
        """Return how the state of a running version suits a copy of the new one.

        What the job has is read off its newest checkpoint or savepoint, where none is given.
        """
        programs = _Programs(self._plane, plan)
        if savepoint:
            spec, job_id = successor.wanted.spec, successor.job.job_id
            snapshot = await self._directories.snapshot(spec, job_id, savepoint)
        else:
            snapshot = await self._newest_snapshot(successor)
        wanted = await programs.unchained(successor.wanted, "new")
        return rehearsed_state(snapshot, wanted, await programs.unchained(copy, "copy"))

    async def _held(self, successor: Successor, ran: JobGraph) -> Held:
        """Return the state of a running job, by operator where its newest snapshot shows that."""
        job = successor.job
        snapshot = await self._newest_snapshot(successor)
        if snapshot is not None:
            names = {each.id: each.operators[0] for each in ran.vertices if each.operators}
            drained = successor.wanted.spec.upgrade_mode is not UpgradeMode.LAST_STATE
            return held_in(snapshot, names, drained=drained)
        sizes = await self._plane.state_sizes(job.job_id)
        most = await self._plane.max_parallelism(job.job_id)
        return Held(
            tuple(
                HeldState(
                    vertex.id,
                    vertex.name,
                    size,
                    most.get(vertex.id),
                    of_chain=True,
                )
                for vertex in ran.vertices
                if (size := None if sizes is None else sizes.get(vertex.id, 0)) != 0
            )
        )

    async def _newest_snapshot(self, successor: Successor) -> SnapshotMetadata | None:
        statistics = await self._plane.checkpoints(successor.job.job_id)
        if statistics is None or not statistics.completed:
            return None
        points = (
            (statistics.savepoint_time, statistics.savepoint),
            (statistics.checkpoint_time, statistics.checkpoint),
        )
        spec = (successor.running or successor.wanted).spec
        return await self._directories.snapshot(spec, successor.job.job_id, max(points)[1])


def _maxima(successor: Successor) -> Maxima:
    """Return the configured maxima; where the old one is unknown, that there is no change."""
    new = _maximum(successor.wanted)
    return Maxima(new if successor.running is None else _maximum(successor.running), new)


def _maximum(version: Submission) -> int | None:
    value = version.spec.flink_configuration.get("pipeline.max-parallelism", "").strip()
    return int(value) if value.isdecimal() else None


def _with_names(held: Sequence[HeldState], old: ProgramGraphs) -> list[HeldState]:
    """Return states with names from a plan, which savepoints before Flink 2 do not have."""
    known = old.unchained.by_id if old.unchained else {}
    return [
        replace(each, name=known[each.id].name) if not each.name and each.id in known else each
        for each in held
    ]


class _Programs:
    """The graphs of the programs of one comparison; `planned` counts the runs of `main`."""

    def __init__(self, plane: ControlPlane, plan: PlanProgram) -> None:
        self.planned = 0
        self._plan = plan
        self._cached = _graphs.setdefault(plane, {})

    async def unchained(self, submission: Submission, role: str) -> JobGraph | None:
        """Return the graph with each operator as a vertex; None where it is unavailable so."""
        spec = submission.spec
        configuration = {**spec.flink_configuration, **_WITHOUT_CHAINS}
        alone = replace(
            submission, spec=spec.model_copy(update={"flink_configuration": configuration})
        )
        try:
            graph = await self.graph(alone, role)
        except ActionFailed:
            return None  # the program can no longer be planned, or its jar is gone
        chained = any(len(vertex.operators) > 1 for vertex in graph.vertices)
        return None if chained or not graph.vertices else graph

    async def graph(self, submission: Submission, role: str) -> JobGraph:
        """Return the graph of a program, which a recent comparison may have found.

        The two roles never share one: `main` may make other operator ids each time.
        """
        spec = submission.spec
        key = (
            *(role, submission.jar_digest, spec.entry_class, tuple(spec.args), spec.parallelism),
            tuple(sorted(spec.flink_configuration.items())),
        )
        now = time.monotonic()
        known = self._cached.get(key)
        if known is not None and now - known[0] < _CACHED_S:
            return known[1]
        self.planned += 1
        graph = await self._plan(submission)
        if len(self._cached) >= _MOST_CACHED:
            self._cached.clear()
        self._cached[key] = (now, graph)
        return graph


_graphs: WeakKeyDictionary[ControlPlane, dict[object, tuple[float, JobGraph]]] = WeakKeyDictionary()
