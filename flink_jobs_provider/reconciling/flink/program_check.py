"""Running a program's `main` before a start: in a run to keep its state, in a preview to try it.

In a preview, the `main` of new jobs runs for a plan, and nothing stays on the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, Submission
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterTakenDown,
    EntryClassUnusable,
    JobError,
    PermanentError,
)
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import ClusterFacts, ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.model.state_check_mode import StateCheckMode
from flink_jobs_provider.planning.plan import Plan, previous_version, to_restore
from flink_jobs_provider.planning.state_verdict import Compatibility, StateVerdict
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.observer import Change, Observer
from flink_jobs_provider.reconciling.flink.preflight import (
    PAUSE,
    REGISTERING,
    Preflight,
    SlotCount,
    slots_registered,
)
from flink_jobs_provider.reconciling.flink.rescale import (
    Foresight,
    Suitability,
    lacking_slots,
    suits,
)
from flink_jobs_provider.reconciling.flink.rollout import Roller
from flink_jobs_provider.reconciling.flink.state_check import StateCheck, Successor
from flink_jobs_provider.reconciling.flink.submissions import submission
from flink_jobs_provider.reconciling.waiter import Clock, Waiter, constant_backoff


@dataclass(frozen=True)
class ProgramCheck:
    """Plans a version before anything is changed."""

    _plane: ControlPlane
    _observer: Observer
    _preflight: Preflight
    _roller: Roller
    _state_check: StateCheck
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
        wanted = change.wanted
        try:
            request = submission(wanted, change.jar, generation, restore)
            alongside = carried and wanted.upgrade_mode is UpgradeMode.BLUE_GREEN
            planned = await self._preflight.program(request, replaced, now, alongside=alongside)
            compared = carried and wanted.state_check is not StateCheckMode.OFF
            if compared and replaced and planned:
                await self._check_state(change, replaced, request, planned, now)
        except ClusterTakenDown:
            raise
        except PermanentError:
            await self.forget_jar(change)
            raise

    async def forget_jar(self, change: Change) -> None:
        """Remove the jar of a version that is not started; that of the running one stays."""
        recorded = change.recorded
        running = recorded.job_id if recorded else None
        digest = recorded.spec.jar_digest if recorded else None
        await self._roller.forget_jars(recorded, change.wanted, running, digest)

    async def _check_state(
        self,
        change: Change,
        replaced: ObservedJob,
        request: Submission,
        planned: JobGraph,
        now: str,
    ) -> None:
        """Refuse a version that would not go on from all state of the running job.

        Raises:
            PermanentError: State would be dropped, or refused, and nothing permits that.
        """
        running = await self._running_version(change, replaced)
        successor = Successor(replaced, running, request, planned)
        verdict = await self._state_check.verdict(successor, self._plane.plan)
        refusal = refusal_of(verdict, change.wanted)
        if refusal is not None:
            refusal.complete(now=now)
            raise refusal
        self._say(state_line(verdict, change.wanted))

    async def check_rescale(self, change: Change, current: ObservedJob) -> Suitability:
        """Return whether the running job can be rescaled to its declared parallelism.

        Raises:
            PermanentError: `main` does not build a job graph with it; nothing was changed.
        """
        now = f"Job {current.job_id} goes on as it was"
        generation = change.seen.next_generation(change.recorded)
        request = submission(change.wanted, change.jar, generation, None)
        planned = await self._preflight.program(request, current, now)
        if planned is None or not await self._plane.parallelism_bounds(current.job_id):
            return Suitability({}, "its cluster rescales no running jobs")
        return await suits(self._plane, planned, current)

    async def foresee_rescale(self, recorded: JobRecord, wanted: JobSpec, jar: Jar) -> Foresight:
        """Return the same for a preview; where it cannot be found out, as nothing to tell.

        Raises:
            JobError: It cannot be found out; the reason is for the plan.
        """
        seen = await self._observer.observe(recorded, wanted)
        running = [job for job in seen.active if job.job_id == recorded.job_id and job.healthy]
        if not running or (await self._plane.facts()).intercepts_exit is not True:
            return Foresight()
        request = submission(wanted, jar, seen.next_generation(recorded), None)
        planned = await self._plane.try_out(request)
        to = await suits(self._plane, planned, running[0])
        if to.obstacle:
            return Foresight(obstacle=to.obstacle)
        return Foresight(lacks=await lacking_slots(self._plane, to.bounds, running[0]))

    async def foresee_state(
        self, recorded: JobRecord, wanted: JobSpec, jar: Jar
    ) -> StateVerdict | None:
        """Return whether a version could go on from the state of the one that runs, for a preview.

        Nothing stays on the cluster. None where no version runs.

        Raises:
            JobError: It cannot be found out; the reason is for the plan.
        """
        seen = await self._observer.observe(recorded, wanted)
        if not seen.active:
            return None
        running = await self._running_version(Change(recorded, wanted, jar, seen), seen.active[0])
        request = submission(wanted, jar, seen.next_generation(recorded), None)
        return await self._foresee(Successor(seen.active[0], running, request))

    async def compare_state(
        self, job: ObservedJob, declared: JobSpec | None, wanted: JobSpec, jar: Jar
    ) -> StateVerdict:
        """Return the same for a job of which no record is at hand.

        `declared` is what it was perhaps submitted as, which its jobId shows.
        """
        running = None
        if declared is not None and (await self._observer.submitted_as(job, None, declared))[0]:
            running = submission(declared, _jar_of(declared, jar), 1, None)
        return await self._foresee(Successor(job, running, submission(wanted, jar, 1, None)))

    async def _foresee(self, successor: Successor) -> StateVerdict:
        if (await self._plane.facts()).intercepts_exit is not True:
            return StateVerdict(
                why_unknown="main could end this cluster, so that it is not run in previews"
            )
        return await self._state_check.verdict(successor, self._plane.try_out)

    async def _running_version(self, change: Change, current: ObservedJob) -> Submission | None:
        """Return the running version, or None where it is not the recorded one."""
        recorded, previous = change.recorded, previous_version(change.recorded)
        if recorded is None or previous is None:
            return None
        if current.job_id != recorded.job_id or recorded.other_version:
            same, _ = await self._observer.submitted_as(current, recorded, previous)
            if not same:
                return None
        return submission(previous, _jar_of(previous, change.jar), 1, None)


def _jar_of(version: JobSpec, jar: Jar | str) -> Jar | str:
    """Return the jar of a version: the opened one where it has that, else its digest."""
    same = isinstance(jar, Jar) and jar.digest == version.jar_digest
    return jar if same else str(version.jar_digest)


def refusal_of(verdict: StateVerdict, wanted: JobSpec) -> PermanentError | None:
    """Return the error of a version that is not to be started from a state, or None."""
    if wanted.state_check is not StateCheckMode.STRICT:
        return None
    if verdict.unrestorable:
        return PermanentError(
            f"{wanted.job_name}: the new version cannot be started from the state of the running "
            f"job: {'; '.join(verdict.unrestorable)}",
            remedy=Remedy.KEEP_PARALLELISM,
        )
    if verdict.dropped and not wanted.allow_non_restored_state:
        return PermanentError(
            f"{wanted.job_name}: the new version has no place for {verdict.size_dropped} of state "
            f"of the running job: it has no operator with the id of {verdict.names_dropped}",
            remedy=Remedy.KEEP_OPERATOR_IDS,
        )
    return None


def state_line(verdict: StateVerdict, wanted: JobSpec) -> str:
    """Return the line that a run prints of a verdict, before the running version is stopped."""
    kind = verdict.compatibility
    bad = kind is Compatibility.CANNOT_RESTORE or (
        kind is Compatibility.DROPS and not wanted.allow_non_restored_state
    )
    unsure = kind is Compatibility.CANNOT_TELL
    mark = "warning: " if bad or unsure else ""
    then = ". If Flink refuses the state, the previous version is started again"
    runs = f"; runs of main to see it: {verdict.plans}" if verdict.plans else ""
    return f"{mark}{wanted.job_name}: {verdict}{runs}{then if bad or unsure else ''}"


#: How long one program is tried, its upload included, in seconds.
PATIENCE_S = 60.0


async def with_verdict(
    decided: Plan,
    recorded: JobRecord,
    wanted: JobSpec,
    foresee: Callable[[], Awaitable[StateVerdict | None]],
) -> Plan:
    """Return a plan with how the running version's state suits the new one.

    The plan stays as it is where no state is carried over, or nothing is to be compared. A version
    that the run would refuse is refused by its plan. What keeps the two from being compared is no
    fault of the job: the plan names it.
    """
    carried = decided.action in (Action.UPDATE, Action.LAST_STATE_UPDATE)
    off = wanted.state_check is StateCheckMode.OFF
    # A rescale leaves the graph as it is, and with it all state.
    if not carried or off or decided.refusal or decided.rescales or to_restore(recorded, wanted):
        return decided
    try:
        async with asyncio.timeout(PATIENCE_S):
            verdict = await foresee()
    except ActionFailed as error:
        return replace(decided, state=f"as things are, its start would fail: {error.reason}")
    except JobError as error:
        return replace(decided, state=f"state was not compared: {error.reason}")
    except TimeoutError:
        return replace(decided, state=f"state was not compared within {PATIENCE_S:.0f} s")
    if verdict is None:
        return decided
    refused = refusal_of(verdict, wanted)
    if refused is None:
        return replace(decided, state=str(verdict))
    refused.complete(now=f"Job {recorded.job_id} goes on as it was")
    return replace(decided, state=str(verdict), refusal=str(refused))


class TrialPlane(Protocol):
    """A cluster on which programs can be tried."""

    async def facts(self) -> ClusterFacts:
        """Return the facts of the cluster."""

    async def task_slots(self) -> tuple[int, int]:
        """Return how many task slots are free, and how many there are."""

    async def try_out(self, submission: Submission) -> JobGraph:
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
