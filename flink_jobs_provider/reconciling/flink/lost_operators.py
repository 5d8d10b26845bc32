"""The operators with state that a new version has no more, found before the old one is stopped.

Flink finds state by operator id: a hash of the operator's uid, or of its place in the topology
where it has none. Plans show the id of the first operator of each chain alone, and chains change
with the topology. So where a vertex of the running job is missing from the new plan, both programs
are planned once more without chaining, which shows the ids of all operators, and like is compared
with like. The size of the state is known for a whole chain only. It is lost for certain when none
of its operators is left, or when its first one is not, and that is a source or takes records by
key: the others may have no state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from flink_jobs_provider.control_planes.protocol import (
    ControlPlane,
    PlannedGraph,
    Submission,
    Vertex,
)
from flink_jobs_provider.model.errors import ActionFailed, PermanentError
from flink_jobs_provider.model.remedies import Remedy

#: Since Flink 1.19, and before.
_WITHOUT_CHAINS = {
    "pipeline.operator-chaining.enabled": "false",
    "pipeline.operator-chaining": "false",
}


class LostOperators:
    """Compares the operators of a running job with those of its new version."""

    def __init__(self, plane: ControlPlane, say: Callable[[str], None]) -> None:
        self._plane = plane
        self._say = say

    async def check(
        self,
        job_id: str,
        request: Submission,
        planned: PlannedGraph,
        previous: Callable[[], Awaitable[Submission | None]],
        now: str,
    ) -> None:
        """Refuse a version that certainly has no place for state of the running job.

        Args:
            job_id: The running job.
            request: The new version.
            planned: Its plan.
            previous: Returns the running version, or None where it is not the recorded one.
            now: The state of the running job, for errors.

        Raises:
            PermanentError: Operators with state are missing from the new version.
        """
        running = await self._plane.running_graph(job_id)
        if running is None or not planned.vertices:
            return
        known = {vertex.id for vertex in planned.vertices}
        missing = [vertex for vertex in running.vertices if vertex.id not in known]
        sizes = await self._plane.state_sizes(job_id) if missing else None
        missing = [vertex for vertex in missing if sizes is None or sizes.get(vertex.id, 0) > 0]
        if not missing:
            return
        unchained = None if sizes is None else await self._unchained(request, await previous())
        if sizes is None or unchained is None:
            self._untold(request.job_name, missing)
            return
        lost = [vertex for vertex in missing if _is_lost(vertex, *unchained)]
        if lost:
            raise _refusal(request.job_name, lost, sizes, now)
        new = {vertex.id for vertex in unchained[1].vertices}
        if untold := [vertex for vertex in missing if vertex.id not in new]:
            self._untold(request.job_name, untold)

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

    def _untold(self, job_name: str, vertices: list[Vertex]) -> None:
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
