"""All faults on one cluster, or two: several jobs at once, each with proxies of its own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import TypeAlias

from tests.fault_proxy import FaultProxy
from tests.faults.matrix.actions import ACTIONS, MatrixAction
from tests.faults.matrix.cases import (
    LOSES_JOBS,
    Case,
    Outcome,
    Recovery,
    Tried,
    recorded_requests,
    tried,
)
from tests.faults.matrix.disturbances import Disturbance
from tests.faults.matrix.kinds import KINDS, FaultKind, RequestOfRun
from tests.faults.matrix.matrix_job import MatrixJob
from tests.faults.matrix.sites import Site, Sites
from tests.faults.matrix.violations import Violated
from tests.flink_cluster import FlinkCluster

#: Of a cluster that many jobs pass through: what is shown of a job is fresh, and soon forgotten.
CONFIGURATION = {"web.refresh-interval": "100", "jobstore.expiration-time": "180"}
_LONGEST_S = 240.0
#: Those of any cluster, and those of one alone.
USUAL_ACTIONS = [each for each in ACTIONS if not each.adaptive]
STAYING_ACTIONS = [each for each in USUAL_ACTIONS if not each.moves]
Recorded: TypeAlias = Mapping[MatrixAction, Sequence[RequestOfRun]]
#: How many faults befall one job, one after the other.
_IN_A_ROW = 15


@dataclass
class Campaign:
    """Tries faults, and remembers how each ended.

    Attributes:
        cluster: A cluster that has no other jobs.
        root: An empty directory.
        lanes: How many jobs are struck at the same time.
        show: Called with a line of progress.
        elsewhere: Another such cluster, for actions that move a job.
    """

    cluster: FlinkCluster
    root: Path
    lanes: int = 6
    show: Callable[[str], None] = lambda _line: None
    elsewhere: FlinkCluster | None = None
    found: list[Tried] = field(default_factory=list)
    restored: int = 0
    _numbers: Iterator[int] = field(default_factory=count)
    _began: float = field(default_factory=time.monotonic)
    _total: int = 0

    async def record(
        self, actions: Iterable[MatrixAction] = USUAL_ACTIONS, reads: int = 2
    ) -> Recorded:
        """Return the requests of each action, as an undisturbed run of it makes them."""
        recorded: dict[MatrixAction, list[RequestOfRun]] = {}
        with ExitStack() as stack:
            sites = self._sites(stack)
            for action in actions:
                job = self._job(action, sites)
                recorded[action] = await recorded_requests(action, job, reads)
                await job.close()
        return recorded

    async def run(self, cases: Sequence[Case]) -> None:
        """Try all of them; those of one action befall the same few jobs."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4 * self.lanes))
        self._total = len(cases)
        by_action: dict[str, list[Case]] = {}
        for case in cases:
            by_action.setdefault(case.action.name, []).append(case)
        batches: asyncio.Queue[list[Case]] = asyncio.Queue()
        for of_action in by_action.values():
            for first in range(0, len(of_action), _IN_A_ROW):
                batches.put_nowait(of_action[first : first + _IN_A_ROW])
        with ExitStack() as stack:
            all_sites = [self._sites(stack) for _ in range(self.lanes)]
            async with asyncio.TaskGroup() as lanes:
                for sites in all_sites:
                    lanes.create_task(self._lane(batches, sites))

    def _sites(self, stack: ExitStack) -> list[Site]:
        """Return each cluster with a proxy of its own."""
        clusters = [each for each in (self.cluster, self.elsewhere) if each is not None]
        return [Site(each, stack.enter_context(FaultProxy(each.url))) for each in clusters]

    async def _lane(self, batches: asyncio.Queue[list[Case]], sites: Sequence[Site]) -> None:
        while not batches.empty():
            await self._batch(batches.get_nowait(), sites)

    async def _batch(self, cases: list[Case], sites: Sequence[Site]) -> None:
        jobs: list[MatrixJob] = []
        is_used = True
        for case in cases:
            if is_used:
                jobs.append(self._job(case.action, sites))
            done = await self._tried(case, jobs[-1])
            is_used = case.action.once or done.outcome not in (
                Outcome.SURVIVED,
                Outcome.NOT_REACHED,
            )
            self._add(done)
            if is_used:
                await jobs[-1].close()
        for job in jobs:
            await job.close()
            try:
                self.restored += await job.assert_savepoints_restore()
            except Violated as error:
                self._add(Tried(cases[-1], Outcome.LOST, "in these faults", 0.0, str(error)))

    async def _tried(self, case: Case, job: MatrixJob) -> Tried:
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await tried(case, job)
        except TimeoutError:
            why = f"nothing came of it in {_LONGEST_S:g} s"
            return Tried(case, Outcome.LOST, "?", _LONGEST_S, why)

    def _job(self, action: MatrixAction, sites: Sequence[Site]) -> MatrixJob:
        name = "".join(c for c in action.name.lower() if c.isalnum())
        of_job = Sites(*sites) if action.moves else Sites(sites[0])
        return MatrixJob(f"{name}-{next(self._numbers)}", of_job, self.root)

    def _add(self, done: Tried) -> None:
        self.found.append(done)
        if done.is_bad:
            self.show(f"{done.outcome.value.upper()}: {done.case}\n  {done.ended}\n  {done.why}")
        if len(self.found) % 50 == 0 or len(self.found) == self._total:
            self.show(self.progress())

    def progress(self) -> str:
        """Return how far it has come, in a line."""
        counted = Counter(each.outcome for each in self.found)
        parts = [f"{counted[outcome]} {outcome.value}" for outcome in Outcome if counted[outcome]]
        minutes = (time.monotonic() - self._began) / 60
        return f"{len(self.found)} of {self._total} in {minutes:.1f} min: {', '.join(parts)}"


class _Following:
    """What the next runs are: they take turns."""

    def __init__(self) -> None:
        self._turns = cycle(Recovery)

    def of(self, action: MatrixAction, kind: FaultKind) -> Recovery:
        """Return the next of those that may follow a fault of an action.

        A cluster that is restarted has forgotten that a job was moved from it, so that the move
        must not be taken back then.
        """
        allowed = {Recovery.SAME, Recovery.REFRESHED}
        if action.replaceable:
            allowed.add(Recovery.ANOTHER)
        if action.moves and not kind.name.startswith(LOSES_JOBS):
            allowed.add(Recovery.TAKEN_BACK)
        return next(turn for turn in self._turns if turn in allowed)


def every_case(recorded: Recorded, kinds: Sequence[FaultKind] = KINDS) -> list[Case]:
    """Return each kind of fault at each request of each action; the next runs take turns."""
    following = _Following()
    return [
        Case(action, kind, request, following.of(action, kind))
        for action, requests in recorded.items()
        for request in requests
        for kind in kinds
        if kind.on_reads or not request.reads
    ]


def disturbed_cases(recorded: Recorded, disturbances: Iterable[Disturbance]) -> list[Case]:
    """Return each disturbance at each request of each action where it is another fault."""
    following = _Following()
    return [
        Case(action, each.kind, request, following.of(action, each.kind), each.begin, each.repair)
        for each in disturbances
        for action, requests in recorded.items()
        for request in requests
        if each.befalls(request)
    ]
