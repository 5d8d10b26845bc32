"""Checking that a new version could start, and has a place for the state of the running one.

Flink finds state by operator id: a hash of the operator's uid, or of its place in the topology
where it has none. Plans show the id of the first operator of each chain alone, and chains change
with the topology. So where a vertex of the running job is missing from the new plan, both programs
are planned once more without chaining, which shows the ids of all operators, and like is compared
with like. The size of the state is known for a whole chain only. It is lost for certain when none
of its operators is left, or when its first one is not, and that is a source or takes records by
key: the others may have no state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import (
    ControlPlane,
    PlannedGraph,
    Submission,
    Vertex,
)
from flink_jobs_provider.model.errors import ActionFailed, ClusterTakenDown, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.reconciling.flink.observer import Change, Observer
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.rollout import Roller
from flink_jobs_provider.reconciling.flink.submissions import submission
from flink_jobs_provider.reconciling.protocol import Say
from flink_jobs_provider.reconciling.rollback import previous_version

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
            f"{job_name}: whether the new version takes over all state cannot be told before it "
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
