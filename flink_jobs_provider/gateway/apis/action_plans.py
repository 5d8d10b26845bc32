"""What an action would do with a job, told before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flink_jobs_provider.gateway.apis.hdinsight.translation import in_arm_words
from flink_jobs_provider.gateway.apis.job_inputs import masked_text
from flink_jobs_provider.gateway.job_board import PlannedJobs
from flink_jobs_provider.gateway.job_history import JobVersion
from flink_jobs_provider.gateway.job_service import ActionRequest, JobRow, JobsOfCluster
from flink_jobs_provider.gateway.jobs.admission import first_inputs
from flink_jobs_provider.gateway.jobs.earlier_versions import no_version, with_inputs_of
from flink_jobs_provider.gateway.jobs.transitions import (
    TAKES_NEW_BYTES,
    TAKES_NEXT_RESTORE,
    changed_since,
    check,
    wanted_spec,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import OF_CLUSTER, ClusterConfiguration
from flink_jobs_provider.model.action import STARTS
from flink_jobs_provider.planning.plan import Plan, plan
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

_PLAN = "plan"
#: Versions of a job that are looked through for one.
MOST_VERSIONS = 100
#: Inputs that are not the job's own: of each action, and of the cluster's configuration.
_NOT_OF_THE_JOB = {
    *("desired_state", "restart_trigger", "savepoint_trigger", "upgrade_mode"),
    *(*OF_CLUSTER, "rehearsal"),
}


@dataclass(frozen=True)
class ActionPlan:
    """What an action would do with a job; nothing of it is done.

    Attributes:
        action: The action.
        how: How, as previews word it.
        discards_state: Whether state is dropped on purpose.
        changes: The inputs that would change, a line each.
        gate: The health gate that follows the start; empty for none.
        takes_jar: Whether it runs the jar as it lies there by then.
        state: How the state of the running version suits the new one; empty where not compared.
        refusal: Why the action would be refused for that; empty where it would not.
    """

    action: str
    how: str
    discards_state: bool
    changes: Sequence[str]
    gate: str = ""
    takes_jar: bool = False
    state: str = ""
    refusal: str = ""


class ActionPlans:
    """Tells what actions would do.

    Args:
        board: What executes the actions.
        clusters: The clusters that are served.
    """

    def __init__(self, board: PlannedJobs, clusters: Sequence[ClusterConfiguration]) -> None:
        self._board = board
        self._clusters = {cluster.key: cluster for cluster in clusters}

    async def of(self, row: JobRow | None, wanted: ActionRequest) -> ActionPlan:
        """Return what an action would do with a job, in words and with secrets masked.

        Args:
            row: The job; None for a new one.
            wanted: The action.

        Raises:
            Refusal: It would be refused.
        """
        words = self._clusters[wanted.cluster].storage.in_callers_words
        try:
            planned = await self._planned(row, wanted)
        except Refusal as refusal:
            refusal.mask(words)
            raise in_arm_words(refusal) from None
        told = planned.state or planned.adopts or wanted.changes.get("rehearsal")
        changed = [change for change in planned.changed if change.name not in _NOT_OF_THE_JOB]
        return ActionPlan(
            action=_action(planned, wanted),
            how=masked_text(words(planned.how)),
            discards_state=planned.discards_state,
            changes=[masked_text(words(change.text)) for change in changed],
            gate=planned.gate,
            takes_jar=_takes_jar(row, wanted),
            state=masked_text(words(planned.state)),
            refusal=masked_text(words(planned.refusal)) if told else "",
        )

    async def _planned(self, row: JobRow | None, wanted: ActionRequest) -> Plan:
        if row is None:
            await self._check_name(wanted)
            present = first_inputs(self._clusters[wanted.cluster], wanted.job_name)
            spec = wanted_spec(wanted, _PLAN, present, None)
            return await self._board.with_verdict(wanted.cluster, plan(None, spec), None, spec)
        if wanted.seen and row.last.id != wanted.seen:
            raise changed_since(row.job_name, row.last)
        check(wanted, row.status, row.run_id)
        present = self._clusters[row.cluster].gated(row.record.spec.plain())
        if wanted.action in STARTS:
            present |= row.next_inputs
        digest = None
        if wanted.version:
            version = await self._version(row, wanted)
            wanted, digest = with_inputs_of(wanted, row, version), version.jar_digest
        if wanted.action in TAKES_NEXT_RESTORE and row.next_restore:
            wanted = replace(wanted, changes={"restore_from": row.next_restore, **wanted.changes})
        never_ran = row.status == LAUNCH_FAILED
        spec = wanted_spec(wanted, _PLAN, present, digest, launch_failed=never_ran)
        planned = plan(row.record if row.record.job_id else None, spec)
        return await self._board.with_verdict(wanted.cluster, planned, row.record, spec, digest)

    async def _version(self, row: JobRow, wanted: ActionRequest) -> JobVersion:
        for each in await self._board.versions(row.cluster, row.number, limit=MOST_VERSIONS):
            if each.action.id == wanted.version:
                return each
        raise no_version(row.job_name, wanted.version)

    async def _check_name(self, wanted: ActionRequest) -> None:
        """Check that a new job's name is free.

        Raises:
            Refusal: It is not.
        """
        rows = await self._board.jobs(JobsOfCluster(wanted.cluster, job_name=wanted.job_name))
        check(wanted, rows[0].status if rows else None, rows[0].run_id if rows else None)


def _action(planned: Plan, wanted: ActionRequest) -> str:
    if planned.adopts:
        return "ADOPT"
    return f"REHEARSE, then {wanted.action}" if planned.rehearses else str(wanted.action)


def _takes_jar(row: JobRow | None, wanted: ActionRequest) -> bool:
    """Whether an action runs the jar as it lies there, not the bytes that ran before."""
    if wanted.action not in STARTS or wanted.version or wanted.changes.get("adopt"):
        return False
    if row is None or row.record.spec.jar_digest is None or wanted.action in TAKES_NEW_BYTES:
        return True
    return "jar" in {**row.next_inputs, **wanted.changes}
