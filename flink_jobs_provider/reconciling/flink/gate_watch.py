"""Watching a version through its health gate, and the numbers of the version before.

Those are read before that version is stopped: Flink keeps the statistics of an ended job for an
hour, but not its metrics.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import median

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import ActionFailed, GateFailed
from flink_jobs_provider.model.health_gate import (
    DEFAULT_WINDOW,
    EarlierNumbers,
    HealthGate,
    OnGateFailure,
)
from flink_jobs_provider.model.observation import ObservedJob, VitalSigns
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import (
    Condition,
    JobObservation,
    RestoredFrom,
    TasksRunning,
    all_of,
)
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch, Upkeep
from flink_jobs_provider.reconciling.health_conditions import (
    STILL_S,
    CheckpointsAsQuick,
    CheckpointsCompleted,
    ExceptionsAtMost,
    LagWithin,
    OutputFlows,
    RestartsAtMost,
    WatchedFor,
    restarts_in,
)
from flink_jobs_provider.reconciling.job_errors import vanished
from flink_jobs_provider.reconciling.waiter import Waited

#: How long a cluster may take to gather metrics, in seconds.
_GATHERED_S = 1.0
#: Records that come more rarely than so many to a time that is watched cannot be told from none.
_RECORDS_SEEN = 3


@dataclass(frozen=True)
class Predecessor:
    """What a version is compared with.

    Attributes:
        numbers: Those of the version before.
        watched_before: Whether the version may have run for long: what it failed of until now is
            then left aside.
        runs_on: The jobId of the version before, where that is left running; empty else.
        failed_until: What it failed of until then is left aside: in milliseconds by the cluster's
            clock.
    """

    numbers: EarlierNumbers = field(default_factory=EarlierNumbers)
    watched_before: bool = False
    runs_on: str = ""
    failed_until: int = 0


@dataclass(frozen=True)
class _Checks:
    """The conditions of one gate, and what cannot be compared."""

    conditions: tuple[Condition[JobObservation], ...]
    window: float
    within: float
    notes: tuple[str, ...] = ()


class GateWatch:
    """Watches versions of one cluster through their health gates."""

    def __init__(self, plane: ControlPlane, watch: JobWatch, say: Say) -> None:
        self._plane = plane
        self._watch = watch
        self._say = say

    async def numbers_before_stop(self, wanted: JobSpec, running: ObservedJob) -> EarlierNumbers:
        """Return the numbers of a version that runs and is to be replaced."""
        gate = wanted.health
        if gate is None or not gate.compares:
            return EarlierNumbers()
        if gate.reads_load:
            # Metrics are as old as the last request for any, which has the cluster gather them.
            await self._plane.vital_signs(running.job_id, load=True)
            await self._watch.waiter.clock.sleep(_GATHERED_S)
        return _numbers(await self._plane.vital_signs(running.job_id, load=gate.reads_load))

    async def before_rescale(
        self, wanted: JobSpec, running: ObservedJob, *, requested: bool
    ) -> Predecessor:
        """Return what a job is compared with that is to be rescaled while it runs.

        Where a run that died has `requested` it, only `since_rescale` still finds some.
        """
        if wanted.health is None:
            return Predecessor()
        numbers = EarlierNumbers()
        vitals = await self._plane.vital_signs(running.job_id, load=False)
        if not requested:
            numbers = await self.numbers_before_stop(wanted, running)
            # What it did before it ran as it does now was with another parallelism.
            before = _numbers(vitals.since(running.modified, 0))
            numbers = numbers.model_copy(update={"checkpoint_ms": before.checkpoint_ms})
        return Predecessor(
            numbers.model_copy(update={"completed": vitals.completed}),
            failed_until=max(vitals.exceptions, default=0),
        )

    async def since_rescale(
        self, wanted: JobSpec, row: ObservedJob, before: Predecessor
    ) -> Predecessor:
        """Return the same with when the job ran rescaled; `row` is its first one from then on.

        The times of its checkpoints before that are read now, where they are not known.
        """
        gate, numbers = wanted.health, before.numbers
        found: dict[str, float] = {"rescaled_at": row.modified}
        if gate and gate.max_checkpoint_slowdown and numbers.checkpoint_ms is None:
            vitals = await self._plane.vital_signs(row.job_id, load=False)
            listed = zip(vitals.checkpoint_starts, vitals.checkpoint_times, strict=True)
            if times := [took for at, took in listed if at <= row.modified]:
                found["checkpoint_ms"] = median(times)
        return replace(before, numbers=numbers.model_copy(update=found))

    async def numbers_of_ended(self, wanted: JobSpec, ended: ObservedJob | None) -> EarlierNumbers:
        """Return what is still known of a version that has ended."""
        if ended is None or wanted.health is None or not wanted.health.compares:
            return EarlierNumbers()
        return _numbers(await self._plane.vital_signs(ended.job_id, load=False))

    async def until_passed(
        self,
        spec: JobSpec,
        up: ObservedJob,
        restore_from: str | None,
        deadline: float,
        before: Predecessor,
    ) -> ObservedJob:
        """Wait until a version whose tasks all run has passed its gate; return its row.

        Without `health` in its spec, until it is up for good.

        Raises:
            GateFailed: It did not.
            JobVanished: Its cluster lost it, which is no judgement on it.
            ActionFailed: It came up without its state.
        """
        watch, gate, numbers = self._watch, spec.health, before.numbers
        if gate is None:
            return await watch.until_settled(spec, up, restore_from, deadline)
        checks = await self._checks(spec, gate, up, deadline, before)
        for note in checks.notes:
            self._say(f"{spec.job_name}: health gate: {note}")
        self._say(f"{spec.job_name}: health gate: watching job {up.job_id}, {checks.window:.0f} s")
        origin = await watch.restored_from(up.job_id) if restore_from else ""

        async def read(job_id: str) -> VitalSigns:
            vitals = await self._plane.vital_signs(job_id, load=gate.reads_load)
            if not numbers.rescaled_at:
                return vitals
            return vitals.since(numbers.rescaled_at, numbers.completed)

        # The first checkpoint is left aside where their times are compared.
        requests = 1 if gate.max_checkpoint_slowdown is None else 2
        limits = checks.window, checks.within
        upkeep = Upkeep(watch, up, origin, limits, read, requests)
        timeout = checks.window + spec.timeout("running")
        restored = RestoredFrom(restore_from)
        condition = all_of(restored, *checks.conditions, TasksRunning())
        waited = await upkeep.until(condition, timeout, f"{spec.job_name}: health gate")
        if waited.met and waited.last.job is not None:
            self._say(f"{spec.job_name}: health gate passed: {_seen(waited, numbers)}")
            return waited.last.job
        if waited.last.job is None:
            raise vanished(f"{spec.job_name}: {waited.reason}", up.job_id)
        if waited.failed and isinstance(waited.failed.by, RestoredFrom):
            raise ActionFailed(waited.reason)
        raise await self._failed(waited, timeout)

    async def is_up(self, spec: JobSpec, passed: ObservedJob) -> ObservedJob:
        """Return the row of a version just before it is recorded, as `JobWatch.is_up`.

        Raises:
            GateFailed: It has passed its gate, and is not up any more.
            JobVanished: Its cluster lost it.
            ActionFailed: The same, where it has no gate.
        """
        try:
            return await self._watch.is_up(spec, passed)
        except ActionFailed as error:
            if spec.health is None:
                raise
            raise GateFailed(f"health.max_restarts: {error.reason}") from None

    async def _checks(
        self,
        spec: JobSpec,
        gate: HealthGate,
        up: ObservedJob,
        deadline: float,
        before: Predecessor,
    ) -> _Checks:
        periodic = (await self._plane.checkpointing(up.job_id)).periodic
        window = gate.window_seconds
        if window is None:
            window = seconds(DEFAULT_WINDOW) if periodic else spec.settle_seconds
        within = max(deadline - self._watch.waiter.clock.now(), window, 1.0)
        since = before.failed_until
        if before.watched_before:
            known = await self._plane.vital_signs(up.job_id, load=False)
            since = max(known.exceptions, default=0)
        conditions: list[Condition[JobObservation]] = [
            RestartsAtMost(gate.max_restarts),
            ExceptionsAtMost(gate.most_exceptions, since),
            WatchedFor(window),
        ]
        if periodic:
            conditions.append(CheckpointsCompleted(gate.min_checkpoints, within))
        compared, notes = _comparisons(gate, before.numbers, window, periodic=periodic)
        return _Checks((*conditions, *compared), window, within, tuple(notes))

    async def _failed(self, waited: Waited[JobObservation], timeout: float) -> GateFailed:
        """Return the error for a version that did not pass: the check, and its own last cause."""
        job, vitals = waited.last.job, waited.last.vitals
        reason = waited.reason if waited.failed else f"after {timeout:.0f} s: {waited.reason}"
        check = getattr(waited.failed.by, "check", "max_restarts") if waited.failed else "window"
        causes = [each.seen.cause for each in waited.history if each.seen.cause]
        cause = causes[-1] if causes else vitals.cause if vitals else ""
        if job is not None and not job.healthy:
            cause = await self._watch.cause(job) or cause
        error = GateFailed(f"health.{check}: {reason}" + (f": {cause}" if cause else ""))
        error.check = check
        return error


def keeps(spec: JobSpec) -> bool:
    """Whether a version that does not pass its gate is left running."""
    return spec.health is not None and spec.health.on_failure is OnGateFailure.KEEP


def _numbers(vitals: VitalSigns) -> EarlierNumbers:
    # As of the new version, the first one may have been a full one.
    times = vitals.checkpoint_times[1:] or vitals.checkpoint_times
    return EarlierNumbers(
        checkpoint_ms=median(times) if times else None,
        output_rate=vitals.output_rate,
        lag_ms=vitals.lag_ms,
    )


def _comparisons(
    gate: HealthGate, before: EarlierNumbers, window: float, *, periodic: bool
) -> tuple[list[Condition[JobObservation]], list[str]]:
    """Return the checks that compare with the version before, and why others cannot."""
    found: list[Condition[JobObservation]] = []
    notes = []
    unknown = "left aside: of no earlier version is it known"
    slowdown, growth, rate = (
        gate.max_checkpoint_slowdown,
        gate.lag_growth_seconds,
        before.output_rate,
    )
    if slowdown is not None and periodic and before.checkpoint_ms is None:
        notes.append(f"max_checkpoint_slowdown {unknown} how long its checkpoints took")
    elif slowdown is not None and periodic and before.checkpoint_ms is not None:
        found.append(CheckpointsAsQuick(before.checkpoint_ms, slowdown, window))
    if gate.require_output and rate is None:
        notes.append(f"require_output {unknown} what its sinks received")
    elif gate.require_output and rate is not None and rate * max(window, STILL_S) < _RECORDS_SEEN:
        notes.append(f"require_output left aside: sinks received {rate:.2g} records/s before")
    elif gate.require_output and rate is not None:
        found.append(OutputFlows(rate, window))
    if growth is not None and before.lag_ms is None:
        notes.append(f"max_lag_growth {unknown} how far it was behind in event time")
    elif growth is not None and before.lag_ms is not None:
        found.append(LagWithin(before.lag_ms, growth, window))
    return found, notes


def _seen(waited: Waited[JobObservation], before: EarlierNumbers) -> str:
    """Return what was seen of a version that has passed, with the numbers of the one before."""
    vitals = waited.last.vitals
    passed = waited.history[-1].at - waited.history[0].since
    parts = [f"{passed:.0f} s", f"{restarts_in(waited.history)} restarts"]
    if vitals is None:
        return ", ".join(parts)
    parts.append(f"{vitals.completed} checkpoints")
    times = vitals.checkpoint_times[1:] or vitals.checkpoint_times
    if times:
        parts[-1] += f" of {median(times):.0f} ms"
        parts[-1] += f" ({before.checkpoint_ms:.0f} before)" if before.checkpoint_ms else ""
    if vitals.output is not None:
        parts.append(f"{vitals.output:.0f} records received by its sinks")
    if vitals.lag_ms is not None:
        parts.append(f"{vitals.lag_ms / 1000:.1f} s behind in event time")
    return ", ".join(parts)
