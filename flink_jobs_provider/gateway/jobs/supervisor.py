"""The jobs of all clusters of a gateway: what its faces call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from flink_jobs_provider.gateway.configuration import GatewayConfiguration
from flink_jobs_provider.gateway.job_board import ClusterAnswer
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    DraftRequest,
    InputChange,
    JobRow,
)
from flink_jobs_provider.gateway.jobs import background as loops
from flink_jobs_provider.gateway.jobs.admission import Admission, Drafts
from flink_jobs_provider.gateway.jobs.background import Intervals, Threads
from flink_jobs_provider.gateway.jobs.cluster_observer import LostJobRecovery, Observer
from flink_jobs_provider.gateway.jobs.gateway_process import (
    Disks,
    GatewayProcess,
    JarCache,
    JarOpener,
    Lease,
    Planes,
)
from flink_jobs_provider.gateway.jobs.job_views import Reading
from flink_jobs_provider.gateway.jobs.sampling import Sampling
from flink_jobs_provider.gateway.jobs.worker import Workers
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.store import RecordsError, RecordsUnavailable, Store
from flink_jobs_provider.gateway.store.database import CONNECTIONS
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.reconciling.waiter import Clock

_log = logging.getLogger(__name__)

#: So many times the actions that are executed at once may wait; then no more are accepted.
_QUEUE = 10
_ABANDONED = (
    "The cluster is no longer in the gateway's configuration, so the action could not be carried "
    "out. What runs there now is not known."
)


class Jobs(Reading):
    """Implements `gateway.job_service.JobService`.

    Args:
        configuration: What the gateway serves.
        store: The records; whoever opened them closes them, after `stop`.
        clusters: Opens clusters. `guard` of this package must be its guard.
        intervals: How often and how long.
        clock: Time as the reconcilers see it.
        monitors: What the history is observed by; without them none is recorded.
    """

    def __init__(
        self,
        configuration: GatewayConfiguration,
        store: Store,
        clusters: Planes,
        *,
        intervals: Intervals | None = None,
        clock: Clock | None = None,
        monitors: Monitors | None = None,
    ) -> None:
        data = Path(configuration.data_directory)
        intervals = intervals or Intervals()
        self._jars = JarCache(data)
        self._process = process = GatewayProcess(
            configuration,
            store,
            Threads(CONNECTIONS - 1, "records"),
            clusters,
            JarOpener(self._jars, intervals),
            intervals,
            clock or Clock(),
            Threads(1, "claims"),
        )
        self._disks = Disks([data, *store.directories])
        self._limit = configuration.limits.concurrent_actions * _QUEUE
        self._workers = Workers(process, lambda key: self._observers[key].trouble)
        self._admission = Admission(process, lambda: self._workers.free)
        self._drafts = Drafts(process)
        recorded = monitors if configuration.monitoring.history else None
        self._sampling = Sampling(process, recorded) if recorded else None
        super().__init__(
            process,
            {cluster.key: Observer(process, cluster) for cluster in configuration.clusters},
        )
        self._beat: asyncio.Task[None] | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._open = False

    # The process's life

    async def start(self) -> None:
        """Bring the records up to date, resume what was left, and begin to observe.

        Raises:
            DatabaseUnusable: The records are of a later version.
        """
        await self._process.call(self._store.migrate)
        if not self._store.shared:
            # The file is ours alone, so whoever had claimed an action is no more.
            await self._process.call(self._store.release_all)
        await self._claim_abandoned()
        self._open = True
        self._beat = loops.begin(self._renew_claims(), "claims")
        self._loops = [
            loops.begin(observer.keep_observing(self._recovery(key)), f"observe {key}")
            for key, observer in self._observers.items()
        ]
        self._loops.append(loops.begin(self._expire_records(), "retention"))
        if self._sampling:
            self._loops.append(loops.begin(self._sampling.keep_sampling(), "history"))

    async def stop(self, timeout: float) -> None:
        """Accept nothing more, wait for what is in progress, and hand over the rest."""
        self._open = False
        await loops.end(self._loops)
        await self._workers.wait(timeout)
        await self._workers.cancel_all()
        await loops.end([self._beat] if self._beat else [])
        try:
            left = await self._process.call(self._store.release, self._process.name)
            if left:
                _log.info("%d actions are left to whoever takes them up", left)
        except RecordsError as error:
            _log.warning("actions could not be handed over: %s", error)
        await self._process.threads.close(self._process.intervals.patience)
        await self._process.claims.close(self._process.intervals.patience)
        await self._process.opener.close(0)
        await self._disks.close()

    def on_finished(self, listener: Callable[[ActionRow], None]) -> None:
        """Call a function with each action that ends here."""
        self._workers.on_finished(listener)

    @property
    def in_progress(self) -> int:
        """How many actions this gateway executes, or has queued."""
        return self._workers.unfinished

    def answers(self) -> dict[str, ClusterAnswer]:
        """Return, by key, how each cluster answered when it was last observed."""
        return {
            key: ClusterAnswer(observer.answered, observer.answered_at, observer.trouble)
            for key, observer in self._observers.items()
            if observer.answered is not None
        }

    async def observe(self, cluster: str) -> None:
        """Observe a cluster now, and record what has changed there.

        Raises:
            JobError: It does not answer.
        """
        await self._observers[cluster].observe()

    # JobService

    async def submit(self, request: ActionRequest) -> ActionRow:
        """Record an action and begin it; return as soon as it is on record."""
        cluster = self._writable(request.cluster)
        if self._workers.unfinished >= self._limit:
            raise Refusal(
                "TooManyActions",
                f"{self._workers.unfinished} actions are in progress, and no more are accepted "
                "before some have ended.",
                retry_after=5,
            )
        await self._observers[cluster.key].fresh()
        action, lease = await self._admission.accept(request, cluster)
        if action.row.finished_at is None:
            self._workers.start(action, lease)
        else:
            self._workers.notify(action.row)
        return action.row

    async def draft(self, request: DraftRequest) -> JobRow:
        """Record a job that is started later."""
        cluster = self._writable(request.cluster)
        number = await self._drafts.draft(request, cluster)
        return await self.row(cluster, number)

    async def change(self, change: InputChange) -> JobRow:
        """Change what a job is to be from its next start on."""
        cluster = self._writable(change.cluster)
        await self._drafts.change(change, cluster)
        return await self.row(cluster, change.number)

    async def ready(self) -> list[str]:
        """Return what keeps the gateway from working; a cluster out of reach does not."""
        problems = [] if self._open else ["The gateway is starting or stopping."]
        try:
            async with asyncio.timeout(self._process.intervals.patience):
                problems += await self._disks.problems()
        except (TimeoutError, RuntimeError):
            problems.append("The disk of data_directory does not answer.")
        try:
            async with asyncio.timeout(self._process.intervals.patience):
                await self._process.call(self._store.answers)
        except RecordsUnavailable as error:
            cause = f"The database cannot be used: {error.cause}."
            problems.append(cause if error.cause else "The database does not answer.")
        except (RecordsError, TimeoutError, RuntimeError):
            problems.append("The database does not answer.")
        return problems

    # What goes on by itself

    def _writable(self, key: str) -> ClusterConfiguration:
        """Return a cluster to do something on, while anything is done."""
        if not self._open:
            raise Refusal("ServiceUnavailable", "The gateway is starting or stopping.")
        return self.configured(key)

    def _recovery(self, key: str) -> Callable[[], Awaitable[None]] | None:
        """Return what starts the lost jobs of a cluster; None where that is not configured."""
        if not self._clusters[key].relaunch_lost:
            return None
        return LostJobRecovery(self._process, key, self.submit).after_observation

    async def _renew_claims(self) -> None:
        while True:
            await asyncio.sleep(self._process.intervals.renew)
            try:
                await self._workers.renew()
                await self._claim_abandoned()
            except RecordsError as error:
                _log.warning("the records do not answer: %s", error)
            except Exception as error:  # noqa: BLE001 - without renewals no action is executed
                _log.error("claims were not renewed: %s", loops.where(error))

    async def _claim_abandoned(self) -> None:
        """Take over actions that no gateway executes any more."""
        lease = self._process.intervals.lease
        begun = Lease(lease)
        clusters = list(self._clusters)
        room = self._limit - self._workers.unfinished
        left = await self._process.claims.call(
            self._store.claim, self._process.name, lease, clusters, room, self._workers.ids
        )
        for action in left:
            _log.info("operation %s, %s, is taken over", action.row.id, action.row.action)
            self._workers.start(action, begun.again())
        for row in await self._process.claims.call(self._store.abandon, clusters, _ABANDONED):
            self._workers.notify(row)

    async def _expire_records(self) -> None:
        kept = self._process.configuration.retention
        history = seconds(self._process.configuration.monitoring.history_retention)
        while True:
            try:
                await self._process.call(
                    self._store.sweep, seconds(kept.actions), seconds(kept.savepoints)
                )
                await self._process.call(self._store.sweep_history, history)
                needed = await self._process.call(self._store.jars_needed)
                await self._process.opener.sweep(needed)
            except RecordsError as error:
                _log.warning("old records are not cleared away: %s", error)
            except Exception as error:  # noqa: BLE001 - the next time may do better
                _log.error("old records are not cleared away: %s", loops.where(error))
            await asyncio.sleep(self._process.intervals.sweep)
