"""What a run asks of its jobs' clusters, and has done there.

An engine's worker threads call these; the work is done in one event loop that all of them share.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from flink_jobs_provider.artifacts import Jar, find_jar, open_jar
from flink_jobs_provider.control_planes.connection import Clusters, Prerequisites
from flink_jobs_provider.control_planes.protocol import Guard, Resolve
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, JarError, JobError, PermanentError
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.planning.move import is_move
from flink_jobs_provider.planning.plan import Plan, plan
from flink_jobs_provider.provider.cluster_identity import is_same_cluster, is_same_job
from flink_jobs_provider.provider.commit import commit_of
from flink_jobs_provider.provider.preview import (
    CreationPreviews,
    Foreseen,
    plan_start,
    plan_with_last_state,
    plan_with_rehearsal,
    plan_with_rescale,
    plan_with_state,
    refusal_to_drop,
    restore_problems,
    with_unseen_rehearsal,
)
from flink_jobs_provider.provider.process import BackgroundLoop
from flink_jobs_provider.provider.run_output import FlinkJobError
from flink_jobs_provider.provider.run_registry import (
    Declaration,
    RunRegistry,
    declared_by_another_provider,
    declared_twice,
)
from flink_jobs_provider.reconciling import IsCancelled, JobReconciler, never, reconciler_of
from flink_jobs_provider.reconciling.flink.move_back import Place
from flink_jobs_provider.reconciling.flink.moving import Move
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.reconciling.flink.savepoint_disposal import SavepointDisposal
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories
from flink_jobs_provider.reconciling.job_errors import no_jar_of_version
from flink_jobs_provider.reconciling.version_history import Occasion, with_failure, with_history
from flink_jobs_provider.reconciling.waiter import Clock

T = TypeVar("T")

#: Problems of inputs: (property path, what would be valid).
Problems = list[tuple[str, str]]


class JobOperations:
    """The clusters of a run's jobs, by default those of `connect`, and all calls to them."""

    def __init__(
        self,
        registry: RunRegistry,
        say: Callable[[str], None],
        clusters: Clusters | None = None,
        loop: BackgroundLoop | None = None,
    ) -> None:
        self._registry = registry
        self._say = say
        self._clusters = clusters
        self._prerequisites: Prerequisites | None = None
        #: Once the run is cancelled, a first version that was submitted is not waited for.
        self.is_cancelled: IsCancelled = never
        self._loop = loop or BackgroundLoop()
        self._previews = CreationPreviews(self._observe, self._plan, self._foresee_adoption)

    def connect(self, resolve: Resolve, guard: Guard, submissions: int | None = None) -> None:
        """Prepare the clusters' clients; `guard` is called before each request that changes any.

        A Flink cluster is given no more than `submissions` jobs at once, if a number is given.
        """
        self._clusters = Clusters(resolve, guard, submissions=submissions)
        self._prerequisites = Prerequisites(resolve)

    def close(self) -> None:
        """Close the clusters' clients."""
        if self._clusters is not None:
            self._loop.run(self._clusters.close())

    def on_clusters(self, ask: Callable[[Clusters], Coroutine[Any, Any, T]]) -> T:
        """Return what clusters answer to a question."""
        return self._loop.run(ask(self._known_clusters()))

    def missing_prerequisites(self, declared: Declaration) -> Problems:
        """Return what this machine lacks to reach a job's target; nothing in an offline preview."""
        if self._prerequisites is None or _is_offline():
            return []
        return list(self._prerequisites.missing(declared.target))

    def foresee(self, spec: JobSpec, jar: Jar | None) -> Foreseen:
        """Return the plan of a creation; with a jar, also whether the program would start."""
        clusters = None if _is_offline() else self._clusters
        known = self._registry.known(spec)
        return self._loop.run(self._previews.foresee(clusters, spec, known, jar))

    def restore_problems(self, spec: JobSpec) -> Problems:
        """Return the problems of the savepoint that a job is to start from."""
        return self._loop.run(restore_problems(spec, local=_is_offline()))

    def plan(self, recorded: JobRecord, wanted: JobSpec, *, with_state: bool = False) -> Plan:
        """Return the plan of a job, as its cluster and its state allow it.

        `with_state` compares the state of the running version with the new one, for a preview.
        """
        return self._loop.run(self._plan(recorded, wanted, with_state=with_state))

    def observe(self, recorded: JobRecord) -> JobRecord:
        """Observe a job, as a refresh does."""
        return self._loop.run(self._observe(recorded))

    def remove(self, recorded: JobRecord) -> Removed:
        """End a job, as its `on_delete` states."""
        return self._loop.run(self._reconciler(recorded.spec).delete(recorded))

    def last_seen(self, recorded: JobRecord) -> JobRecord:
        """Return a job that was deleted, with its last state, as far as that can be seen."""
        on_cluster = not recorded.spec.target.is_job_service  # which has forgotten it
        if not on_cluster or recorded.job_id is None or recorded.status is JobStatus.STOPPED:
            return recorded
        try:
            return self.observe(recorded)
        except JobError:
            return recorded

    def bring_about(self, recorded: JobRecord | None, wanted: JobSpec) -> JobRecord:
        """Bring a job to what is wanted.

        Raises:
            FlinkJobError: Its plan is refused.
            PermanentError: Its jar has changed since it was planned, or another resource of the
                stack has that job by another address.
        """
        decided = plan(recorded, wanted)
        if recorded and decided.refusal:
            raise FlinkJobError(decided.refusal)
        jar = _planned_jar(wanted)
        secret = self._registry.secret_inputs(wanted)
        occasion = Occasion(decided.summary, commit_of(), secret)

        async def work() -> JobRecord:
            await self._check_drops_nothing(recorded, wanted)
            record = await self._perform(recorded, wanted, jar, occasion)
            return await self._without_surplus(recorded, record) if decided.action else record

        declared = self._registry.declarations.find(wanted.target, wanted.job_name)
        namesakes = self._registry.declarations.namesakes(declared)
        if self._loop.run(self._are_elsewhere(declared, namesakes)):
            return self._loop.run(work())
        # One after the other: the second recognises the cluster by the job that the first started.
        with self._registry.declarations.turn(wanted.job_name):
            if other := self._loop.run(self._on_one_cluster(declared, namesakes)):
                raise PermanentError(
                    f"{wanted.job_name}: job_name {declared_twice(other, declared)[:-1]}"
                )
            return self._loop.run(work())

    async def _check_drops_nothing(self, recorded: JobRecord | None, wanted: JobSpec) -> None:
        """Check that a resource without a record of its job does not drop the state of one."""
        has_record = recorded is not None and (recorded.job_id or recorded.unconfirmed)
        if has_record or wanted.upgrade_mode is not UpgradeMode.STATELESS:
            return
        seen = await self._observe(JobRecord(spec=wanted, status=JobStatus.LOST))
        if why := refusal_to_drop(seen, wanted):
            raise FlinkJobError(
                f"{wanted.job_name}: upgrade_mode stateless {why}. Nothing was changed."
            )

    def find_jar(self, version: JobSpec, copy: str | None = None) -> Jar | str:
        """Return the jar of a version that ran once; its digest where the cluster has it.

        Args:
            version: The version.
            copy: Path or URI of a copy of its jar.

        Raises:
            PermanentError: It is nowhere any more, or the copy is another jar.
        """
        return self._loop.run(self._find_jar(version, copy))

    def bring_back(
        self, recorded: JobRecord, wanted: JobSpec, jar: Jar | str, occasion: Occasion
    ) -> JobRecord:
        """Bring a job to what an earlier version of it was.

        No savepoint is disposed of after it: who goes back may want to go back further.
        """
        return self._loop.run(self._perform(recorded, wanted, jar, occasion))

    async def _find_jar(self, version: JobSpec, copy: str | None) -> Jar | str:
        digest, untouched = version.jar_digest or "", "Nothing was changed"
        if copy is not None:
            jar = await asyncio.to_thread(open_jar, copy)
            if jar.digest != digest:
                raise no_jar_of_version(version, f"is not the one at {copy}", untouched)
            return replace(jar, uri=version.jar)
        if isinstance(version.target, FlinkTarget):
            return await self._on_flink(version.target).find_jar(version)
        try:
            return await asyncio.to_thread(find_jar, version.jar, digest)
        except JarError as error:
            raise no_jar_of_version(version, f"is unavailable: {error.reason}", untouched) from None

    async def _perform(
        self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar | str, occasion: Occasion
    ) -> JobRecord:
        """Bring a job to what is wanted, and list the version that was started, or was not."""
        try:
            if recorded and is_move(recorded, wanted):
                record = await self._move(recorded, wanted, jar)
            elif isinstance(wanted.target, FlinkTarget):
                record = await self._on_flink(wanted.target).bring_about(recorded, wanted, jar)
            else:
                assert not isinstance(jar, str)  # noqa: S101 - only a Flink cluster has jars
                record = await self._reconciler(wanted).bring_about(recorded, wanted, jar)
        except ActionFailed as error:
            error.partial = with_failure(recorded, error, wanted, occasion)
            raise
        return with_history(recorded, record, occasion)

    async def _without_surplus(self, before: JobRecord | None, after: JobRecord) -> JobRecord:
        """Dispose of the savepoints that an action has left too many, or too old."""
        target = after.spec.target
        if target.is_job_service or (before and is_move(before, after.spec)):
            return after
        plane = self._known_clusters().of(target)
        directories = StateDirectories(plane, target.loopback)
        return await SavepointDisposal(plane, directories, Clock(), self._say).after_action(
            before, after
        )

    def declared_by_another(self, declared: Declaration) -> Declaration | None:
        """Return the declaration by which another resource has a job, or None."""
        if other := self._registry.declarations.add(declared):
            return other
        shared = self._registry.declared_elsewhere(declared)
        return self._same_job(declared, [*shared, *self._registry.declarations.namesakes(declared)])

    def check_is_ours(self, recorded: JobRecord) -> None:
        """Check that no other provider process of the run declares the job of a resource to delete.

        Raises:
            PermanentError: One does: there the job goes on.
        """
        spec = recorded.spec
        if self._registry.is_declared(spec):
            return
        others = self._registry.elsewhere_in_the_run(spec.job_name)
        if other := self._same_job(Declaration("", spec.target, spec.job_name), others):
            raise declared_by_another_provider(recorded, other)

    def _same_job(
        self, declared: Declaration, namesakes: Sequence[Declaration]
    ) -> Declaration | None:
        """Return which of the declarations of jobs of one name is of the same job, or None."""
        here = next((each for each in namesakes if each.job == declared.job), None)
        if here or not namesakes:
            return here
        return self._loop.run(self._on_one_cluster(declared, namesakes))

    def has_another_address(self, recorded: JobRecord) -> bool:
        """Whether the program declares a job by another address of its cluster."""
        return self._loop.run(self._is_any_of(recorded, self._registry.elsewhere(recorded)))

    async def _is_any_of(self, recorded: JobRecord, others: Sequence[JobRecord]) -> bool:
        return any([await is_same_job(self._known_clusters(), recorded, each) for each in others])

    async def _on_one_cluster(
        self, declared: Declaration, others: Sequence[Declaration]
    ) -> Declaration | None:
        """Return the one of other declarations that names the same cluster by another address."""
        for other in others:
            if await self._is_same_cluster(declared, other):
                return other
        return None

    async def _are_elsewhere(self, declared: Declaration, others: Sequence[Declaration]) -> bool:
        """Whether other declarations surely name other clusters."""
        return all([await self._is_same_cluster(declared, each) is False for each in others])

    async def _is_same_cluster(self, one: Declaration, other: Declaration) -> bool | None:
        return await is_same_cluster(self._known_clusters(), one.target, other.target, one.job_name)

    async def _observe(self, recorded: JobRecord) -> JobRecord:
        return await self._reconciler(recorded.spec).refresh_for_plan(recorded)

    async def _move(self, recorded: JobRecord, wanted: JobSpec, jar: Jar | str) -> JobRecord:
        assert not isinstance(jar, str)  # noqa: S101 - a rollback changes no target
        return await carry_over(self._known_clusters(), recorded, wanted, jar, self._say)

    async def _foresee_adoption(self, wanted: JobSpec, jar: Jar | None) -> str | None:
        if wanted.target.is_job_service:
            return None
        plane = self._known_clusters().of(wanted.target)
        reconciler = Reconciler(plane, local_paths=wanted.target.loopback)
        return await reconciler.foresee_adoption(wanted, jar)

    async def _plan(
        self, recorded: JobRecord, wanted: JobSpec, *, with_state: bool = False
    ) -> Plan:
        target, offline = wanted.target, _is_offline()
        if target.is_job_service or self._clusters is None:
            return await plan_start(recorded, wanted, None, offline=offline)
        reconciler = Reconciler(self._clusters.of(target), local_paths=target.loopback)
        decided = await plan_start(recorded, wanted, reconciler.find_start, offline=offline)
        if offline or not with_state:
            return with_unseen_rehearsal(decided, recorded) if with_state else decided
        decided = await plan_with_rescale(decided, recorded, wanted, reconciler.foresee_rescale)
        decided = await plan_with_last_state(
            decided, recorded, wanted, reconciler.foresee_last_state
        )
        decided = await plan_with_state(decided, recorded, wanted, reconciler.foresee_state)
        return await plan_with_rehearsal(decided, recorded, wanted, reconciler.foresee_rehearsal)

    def _on_flink(self, target: FlinkTarget) -> Reconciler:
        plane, local, gone = self._known_clusters().of(target), target.loopback, self.is_cancelled
        return Reconciler(plane, local_paths=local, say=self._say, is_cancelled=gone)

    def _reconciler(self, spec: JobSpec) -> JobReconciler:
        return reconciler_of(self._known_clusters(), spec.target, self._say)

    def _known_clusters(self) -> Clusters:
        if self._clusters is None:
            raise FlinkJobError("the provider was used before it was configured")
        return self._clusters


async def carry_over(
    clusters: Clusters, recorded: JobRecord, wanted: JobSpec, jar: Jar, say: Callable[[str], None]
) -> JobRecord:
    """Carry a job to another cluster, or go on with it by another address of the same."""
    one, other = recorded.spec.target, wanted.target
    if await is_same_cluster(clusters, one, other, wanted.job_name):
        spec = recorded.spec.model_copy(update={"target": other})
        same = recorded.model_copy(update={"spec": spec})
        return await reconciler_of(clusters, other, say).bring_about(same, wanted, jar)
    places = [
        Place(
            clusters.of(each),
            Reconciler(clusters.of(each), local_paths=each.loopback, say=say),
            each.address,
            loopback=each.loopback,
        )
        for each in (one, other)
        if not each.is_job_service
    ]
    old, new = places
    return await Move(old, new, say, time.time).carry_over(recorded, wanted, jar)


def secret_resolver(
    configuration: Callable[[str], Any], found: Callable[[str], None] = lambda _value: None
) -> Resolve:
    """Return the function that resolves a reference, `env:NAME` or `config:KEY`, to the secret.

    `configuration` reads a key of the stack's, None where it is not set; each secret is `found`.
    """

    def resolve(reference: str) -> str:
        kind, _, name = reference.partition(":")
        value = os.environ.get(name) if kind == "env" else configuration(name)
        if not value:
            raise KeyError(name)
        found(str(value))
        return str(value)

    return resolve


def _is_offline() -> bool:
    """Whether previews are to ask no cluster, and to need nothing that reaches one."""
    return os.environ.get("FLINK_JOBS_OFFLINE", "") not in ("", "0")


def _planned_jar(wanted: JobSpec) -> Jar:
    jar = open_jar(wanted.jar)
    if wanted.jar_digest != jar.digest:
        raise PermanentError(
            f"{wanted.job_name}: the content of {wanted.jar} is not the one that was planned "
            f"({(wanted.jar_digest or 'none')[:12]}… then, {jar.digest[:12]}… now)",
            now="Nothing was changed",
            remedy="Run again, when nothing writes to it",
        )
    return jar
