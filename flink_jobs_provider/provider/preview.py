"""The findings of a preview on clusters: the plan of a creation, and the state a start restores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from flink_jobs_provider.artifacts import Finding, Jar, inspect_savepoint, open_jar
from flink_jobs_provider.artifacts.storage import local_path
from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, JobError, PermanentError
from flink_jobs_provider.model.inputs import Cost
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint, age, iso_time
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import Plan, plan, to_restore
from flink_jobs_provider.planning.rehearsed_copy import refusal_of_sinks, sinks_text
from flink_jobs_provider.planning.rescaling import rescales_while_it_runs
from flink_jobs_provider.planning.state_verdict import StateVerdict
from flink_jobs_provider.reconciling.flink.program_check import PATIENCE_S, Trials, with_verdict
from flink_jobs_provider.reconciling.flink.rehearsing import Foreseen as RehearsalForeseen
from flink_jobs_provider.reconciling.flink.rescale import Foresight
from flink_jobs_provider.reconciling.job_errors import too_old

#: Seconds that a preview waits for a cluster that it can do without.
_CREATION_PATIENCE_S = 5.0
_SHARED_AGE_S = 15.0
_UPGRADE_MODE = "upgrade_mode"

Observe = Callable[[JobRecord], Awaitable[JobRecord]]
Decide = Callable[[JobRecord, JobSpec], Awaitable[Plan]]
#: Returns the plan line of the adoption that a new job asks for, or None where it runs already.
ForeseeAdoption = Callable[[JobSpec, Jar | None], Awaitable[str | None]]
#: Seconds that a plan waits for a cluster, and for the storage of a savepoint.
_START_PATIENCE_S = 15.0

#: Returns the state that a start of a recorded job restores, as the start itself finds it.
FindStart = Callable[[JobRecord, JobSpec], Awaitable[RestorePoint | None]]
#: Returns a running job, and when the state was taken that a cancel would leave, in milliseconds.
FindLastState = Callable[[JobRecord], Awaitable[tuple[ObservedJob, int] | None]]
#: Returns whether a running job can be rescaled to its declared parallelism.
ForeseeRescale = Callable[[JobRecord, JobSpec, Jar], Awaitable[Foresight]]
#: Returns what is known of the rehearsal of a version.
ForeseeRehearsal = Callable[[JobRecord, JobSpec, Jar], Awaitable[RehearsalForeseen]]
#: Returns whether a version could go on from the state of the running one, or None without one.
ForeseeState = Callable[[JobRecord, JobSpec, Jar], Awaitable[StateVerdict | None]]


@dataclass(frozen=True)
class Foreseen:
    """What a preview finds out about a creation: lines to print, and what will certainly fail.

    A problem is a property path, and what would be valid.
    """

    lines: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


class CreationPreviews:
    """The plans of creations, by what the jobs' clusters show."""

    def __init__(self, observe: Observe, decide: Decide, adoption: ForeseeAdoption) -> None:
        self._observe = observe
        self._decide = decide
        self._adoption = adoption
        self._silent: set[str] = set()
        self._warnings: list[str] = []
        self._trials: dict[str, Trials] = {}

    async def foresee(
        self,
        clusters: Clusters | None,
        spec: JobSpec,
        known: JobRecord | None,
        jar: Jar | None = None,
    ) -> Foreseen:
        """Return the plan of a creation, and what will keep the job from starting.

        Without `clusters` none is asked; `known` is what another resource has recorded of the job.
        The jar is given in a preview: whether it would start is to be found out. A run checks that
        itself, when it knows whether a killed run has started the job.
        """
        adopts = spec.adopt is not None and (known is None or known.job_id is None)
        if adopts and clusters is not None and spec.target.place not in self._silent:
            adoption = await self._foresee_adoption(spec, jar)
            if adoption is not None:
                return adoption
        line, starts, drops = await self._line(clusters, spec, known)
        if drops:  # the run itself is refused, too
            return Foreseen(problems=((_UPGRADE_MODE, drops),) if jar is not None else ())
        warnings, self._warnings = self._warnings, []
        lines = [line] if line else []
        if jar is not None:
            lines += warnings
        if jar is None or not starts or spec.desired_state is not DesiredState.RUNNING:
            return Foreseen(tuple(lines))
        problems = await restore_problems(spec, local=clusters is None)
        target = spec.target
        asked = clusters is not None and target.place not in self._silent
        if problems or not asked or target.is_job_service:
            return Foreseen(tuple(lines), tuple(problems))
        assert clusters is not None  # noqa: S101 - it was asked
        trials = self._trials.get(target.place) or Trials(clusters.of(target), target.address)
        self._trials[target.place] = trials
        trial = await trials.try_out(spec, jar)
        return Foreseen((*lines, *trial.warnings), trial.problems)

    async def _foresee_adoption(self, spec: JobSpec, jar: Jar | None) -> Foreseen | None:
        """Return the plan of an adoption; None where the job runs already, or cannot be seen."""
        try:
            async with asyncio.timeout(_CREATION_PATIENCE_S if jar is None else PATIENCE_S):
                line = await self._adoption(spec, jar)
        except PermanentError as error:
            # In a run the creation itself fails, with the state of things at that moment.
            return Foreseen(problems=(("adopt", str(error)),) if jar is not None else ())
        except (JobError, TimeoutError) as error:
            self._silence(spec, error)
            return None
        return Foreseen((line,)) if line else None

    async def _line(
        self, clusters: Clusters | None, spec: JobSpec, known: JobRecord | None
    ) -> tuple[str, bool, str]:
        """Return the plan, whether a version would be started, and why that is refused."""
        if known is not None:
            decided = await self._decide(known, spec)
            adopted = known.status.active and known.job_id
            return (
                decided.line() if decided.needed else _adoption(known) if adopted else "",
                False,
                "",
            )
        first = plan(None, spec).line()
        if spec.adopt and (clusters is None or spec.target.place in self._silent):
            return f"{first}, if it runs: its cluster was not asked", False, ""
        if clusters is None or spec.target.place in self._silent:
            return f"{first}, unless it runs already: its cluster was not asked", True, ""
        try:
            async with asyncio.timeout(_CREATION_PATIENCE_S):
                seen = await self._observe(JobRecord(spec=spec, status=JobStatus.LOST))
                ended = await _ended(clusters, spec) if seen.job_id is None else None
        except (JobError, TimeoutError) as error:
            self._silence(spec, error)
            return f"{first}, unless it runs already: its cluster did not answer", True, ""
        if seen.job_id is not None and seen.status.active:
            return _found(seen, spec), False, refusal_to_drop(seen, spec)
        if ended and spec.desired_state is DesiredState.RUNNING and not spec.restore_from:
            line = f"{spec.job_name}: NEW, start from the state that job {ended} left, if it did"
            return line, True, ""
        return first, True, ""

    def _silence(self, spec: JobSpec, error: JobError | TimeoutError) -> None:
        """Send a cluster no more requests, and warn of it once."""
        if spec.target.place in self._silent:
            return
        self._silent.add(spec.target.place)
        within = f"no answer within {_CREATION_PATIENCE_S:.0f} s"
        reason = error.reason if isinstance(error, JobError) else within
        self._warnings.append(
            f"warning: new jobs on {spec.target.address} were neither searched for nor checked "
            f"there: {reason}"
        )


async def restore_problems(spec: JobSpec, *, local: bool = False) -> list[tuple[str, str]]:
    """Return the problems of the savepoint in `restore_from`, as far as they show from here.

    With `local` only files of this machine are read.
    """
    path = spec.restore_from
    if path is None:
        return []
    finding = await inspect_from_here(spec, path, local=local)
    if finding is None or not finding.broken:
        return []
    why = f"must be the directory of a savepoint or checkpoint: {path} {finding}"
    return [("restore_from", why)]


def _found(seen: JobRecord, spec: JobSpec) -> str:
    decided = plan(seen, spec)
    if not decided.needed:
        return _adoption(seen)
    other = f"job {seen.job_id}, which runs already, is of another version"
    return replace(decided, reasons=(other,)).line() if seen.other_version else decided.line()


def refusal_to_drop(seen: JobRecord, wanted: JobSpec) -> str:
    """Return why a job of which a resource has no record is not started afresh, or an empty text.

    It may be that of another resource, which is yet to be declared in the run.
    """
    goes_on = not (seen.job_id and seen.status.active and seen.other_version)
    if goes_on or wanted.adopt or wanted.upgrade_mode is not UpgradeMode.STATELESS:
        return ""
    return (
        f"would drop the state of job {seen.job_id}: it runs already, is of another version, and "
        "this resource has no record of it. Where it is this resource's job, run once with "
        "upgrade_mode savepoint, which takes its state over; else give the resource another "
        "job_name"
    )


def _adoption(seen: JobRecord) -> str:
    return f"{seen.spec.job_name}: NEW, adopt job {seen.job_id}, which runs already"


async def _ended(clusters: Clusters, spec: JobSpec) -> str | None:
    """Return the last job of this name that has ended, as far as its cluster shows it."""
    if spec.target.is_job_service or spec.upgrade_mode is UpgradeMode.STATELESS:
        return None
    ours = (await clusters.of(spec.target).jobs(_SHARED_AGE_S)).of(spec.key)
    return ours[0].job_id if ours else None


async def plan_start(
    recorded: JobRecord, wanted: JobSpec, find: FindStart | None, *, offline: bool
) -> Plan:
    """Return the plan of a job; that of a start names the condition of the state it begins from.

    `find` asks the job's cluster, and is None where none can be asked for it. Offline only files of
    this machine are read.
    """
    decided = plan(recorded, wanted)
    if decided.action is not Action.START or to_restore(recorded, wanted):
        return decided
    if find is not None and not offline:
        try:
            async with asyncio.timeout(_START_PATIENCE_S):
                point = await find(recorded, wanted)
            found = recorded.model_copy(update={"restore_point": point})
            return plan(found, wanted, is_fresh=True)
        except (JobError, TimeoutError):
            pass  # what is recorded may be readable all the same
    last = recorded.last_savepoint
    known = RestorePoint.at(last, recorded.taken_at(last)) if last else None
    point = recorded.restore_point or known
    if point is None:
        return decided
    finding = await inspect_from_here(wanted, point.path, local=offline)
    if finding is None or not finding.broken:
        return decided
    broken = RestorePoint(point.path, point.what, point.taken_at, point.behind, str(finding))
    return plan(recorded.model_copy(update={"restore_point": broken}), wanted)


async def plan_with_rescale(
    decided: Plan, recorded: JobRecord, wanted: JobSpec, foresee: ForeseeRescale
) -> Plan:
    """Return a plan with whether its rescale can be made, or that of a restart where it cannot."""
    if decided.action is not Action.UPDATE or not rescales_while_it_runs(recorded, wanted):
        return decided
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await foresee(recorded, wanted, await asyncio.to_thread(open_jar, wanted.jar))
    except ActionFailed as error:
        return replace(decided, state=f"as things are, it would fail: {error.reason}")
    except JobError as error:
        return replace(decided, state=f"it was not tried: {error.reason}")
    except TimeoutError:
        return replace(decided, state=f"it was not tried within {PATIENCE_S:.0f} s")
    if not found.obstacle:
        return replace(decided, state=found.lacks)
    restart = plan(recorded.model_copy(update={"submitted_parallelism": None}), wanted)
    why = f"not while it runs, since {found.obstacle}"
    return replace(restart, reasons=(*restart.reasons, why))


async def plan_with_last_state(
    decided: Plan, recorded: JobRecord, wanted: JobSpec, find: FindLastState
) -> Plan:
    """Return a plan with the age of the checkpoint that an update of last-state starts from.

    One that the run would refuse is refused by its plan.
    """
    if decided.action is not Action.LAST_STATE_UPDATE or decided.refusal:
        return decided
    try:
        async with asyncio.timeout(_START_PATIENCE_S):
            found = await find(recorded)
    except (JobError, TimeoutError):
        return decided
    if found is None:
        return decided
    (job, taken), now = found, time.time()
    shown = replace(decided, how=f"{decided.how} ({age(iso_time(taken), now)})")
    refused = too_old(wanted, job, taken, now)
    return shown if refused is None else replace(shown, refusal=str(refused))


async def plan_with_state(
    decided: Plan, recorded: JobRecord, wanted: JobSpec, foresee: ForeseeState
) -> Plan:
    """Return a plan with how the running version's state suits the new one, where it is carried.

    A version that the run would refuse is refused by its plan.
    """
    if all(change.cost is not Cost.RESTART for change in decided.changed):
        return decided

    async def verdict() -> StateVerdict | None:
        return await foresee(recorded, wanted, await asyncio.to_thread(open_jar, wanted.jar))

    return await with_verdict(decided, recorded, wanted, verdict)


async def plan_with_rehearsal(
    decided: Plan, recorded: JobRecord, wanted: JobSpec, foresee: ForeseeRehearsal
) -> Plan:
    """Return a plan with what its rehearsal lacks; one that the run refuses is refused by it."""
    if not decided.rehearses or decided.refusal:
        return decided
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await foresee(recorded, wanted, await asyncio.to_thread(open_jar, wanted.jar))
    except ActionFailed as error:
        note = f"as things are, its rehearsal would fail: {error.reason}"
        return replace(decided, state="; ".join(filter(None, (decided.state, note))))
    except (JobError, TimeoutError):
        return with_unseen_rehearsal(decided, recorded)  # the run finds out
    if found.gone:
        why = f"{found.gone}: --refresh shows what the new version starts from"
        return replace(decided, rehearses=False, unrehearsed=why)
    now = f"Job {recorded.job_id} goes on as it was"
    refused = refusal_of_sinks(found.state, wanted, now)
    notes = (decided.state, found.lacks, sinks_text(found.state) if found.state.why_unknown else "")
    shown = replace(decided, state="; ".join(filter(None, notes)))
    return shown if refused is None else replace(shown, refusal=str(refused))


def with_unseen_rehearsal(decided: Plan, recorded: JobRecord) -> Plan:
    """Return a plan with what its rehearsal hangs on, where the cluster was not asked for it."""
    if not decided.rehearses or decided.refusal:
        return decided
    note = f"rehearsed if job {recorded.job_id} runs, which was not seen"
    return replace(decided, state="; ".join(filter(None, (decided.state, note))))


async def inspect_from_here(spec: JobSpec, path: str, *, local: bool) -> Finding | None:
    """Return the condition of a job's savepoint; None where it cannot be seen from here.

    A mere name is resolved by its service alone. With `local` only files of this machine are read.
    """
    if "/" not in path:
        return None
    mine = local_path(path) is not None
    if not spec.target.loopback if mine else local:
        return None  # it lies on the cluster's machine, or behind a network
    try:
        async with asyncio.timeout(_START_PATIENCE_S):
            return await asyncio.to_thread(inspect_savepoint, path)
    except TimeoutError:
        return None


#: What a job has as long as it is not started again.
_OF_ONE_START = (
    *("job_id", "run_id", "started_at", "generation", "restored_from"),
    *("flink_version", "dashboard_url"),
)


def unchanged_outputs(record: JobRecord, decided: Plan) -> dict[str, Any]:
    """Return the outputs of a job that a plan leaves as they are, but for its inputs."""
    if decided.action in (None, Action.SAVEPOINT) and not decided.how:
        outputs = record.outputs()
        return {name: outputs[name] for name in _OF_ONE_START if outputs.get(name) is not None}
    return {}
