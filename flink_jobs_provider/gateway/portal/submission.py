"""Sending forms on as what they stand for: a runJob, checked and recorded as the API's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from flink_jobs_provider.gateway.apis.hdinsight.conventions import FAULT, NEWEST
from flink_jobs_provider.gateway.apis.hdinsight.schema import validated
from flink_jobs_provider.gateway.apis.hdinsight.translation import Translator, in_arm_words
from flink_jobs_provider.gateway.apis.job_inputs import masked_text
from flink_jobs_provider.gateway.http.api_answers import Audit, AuditedCall, audited, status_of
from flink_jobs_provider.gateway.http.property_problems import (
    Problem,
    RefusedProperties,
    collecting,
)
from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.job_history import JobVersion
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    JobRow,
    JobsOfCluster,
)
from flink_jobs_provider.gateway.jobs.admission import first_inputs
from flink_jobs_provider.gateway.jobs.earlier_versions import no_version, with_inputs_of
from flink_jobs_provider.gateway.jobs.transitions import (
    TAKES_NEW_BYTES,
    TAKES_NEXT_RESTORE,
    adopting,
    check,
    wanted_spec,
)
from flink_jobs_provider.gateway.portal.action_forms import ADOPT, NO_WAY_BACK
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import STARTS, Action
from flink_jobs_provider.planning.plan import Plan, plan
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

#: Status of the answer to a form that is accepted.
_SEE_OTHER = 303
_PLAN = "plan"
#: Versions of a job that are looked through for one.
MOST_VERSIONS = 100
#: Inputs that are not the job's own: of each action, and of the cluster's configuration.
_NOT_OF_THE_JOB = {
    *("desired_state", "restart_trigger", "savepoint_trigger", "upgrade_mode"),
    "health",
}
#: In place of a name that is invalid, so that the rest can be looked at.
_ANY_NAME = "job"


#: What a form stands for: the properties of a runJob; or a request that none stands for.
Asked = Mapping[str, Any] | ActionRequest


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


class Submission:
    """Sends forms on as what they stand for, and records who sent them.

    Args:
        board: What executes the actions.
        clusters: The clusters that are served.
        audit: Where each form is recorded, also one that is refused.
    """

    def __init__(
        self, board: JobBoard, clusters: Sequence[ClusterConfiguration], audit: Audit
    ) -> None:
        self._board = board
        self._clusters = {cluster.key: cluster for cluster in clusters}
        self._translators = {cluster.key: Translator(cluster, board) for cluster in clusters}
        self._audit = audit

    async def check(self, cluster: str, properties: Mapping[str, Any], caller: str) -> None:
        """Check what can be without asking for anything.

        Raises:
            RefusedProperties: It would be refused: every problem at once, also of those properties
                that the API looks at only when all others are right.
        """
        problems: list[Problem] = []
        valid = dict(properties)
        try:
            valid = validated({"properties": valid}, NEWEST)
        except RefusedProperties as refusal:
            problems += refusal.problems
            valid = _without(valid, [problem.target for problem in problems])
        with collecting(problems):
            await self._translators[cluster].request(valid, caller)
        if problems:
            raise RefusedProperties(problems)

    async def plan(self, cluster: str, row: JobRow | None, asked: Asked, caller: str) -> ActionPlan:
        """Return what an action would do with a job, in words and with secrets masked.

        Args:
            cluster: Key of the job's cluster.
            row: The job; None for a new one.
            asked: What is asked for.
            caller: Who asks.

        Raises:
            Refusal: It would be refused: every problem at once.
        """
        wanted = await self._request(cluster, asked, caller)
        words = self._clusters[cluster].storage.in_callers_words
        try:
            planned = await self._planned(row, wanted)
        except Refusal as refusal:
            refusal.mask(words)
            raise in_arm_words(refusal) from None
        changed = [change for change in planned.changed if change.name not in _NOT_OF_THE_JOB]
        return ActionPlan(
            action="ADOPT" if planned.adopts else str(wanted.action),
            how=masked_text(words(planned.how)),
            discards_state=planned.discards_state,
            changes=[masked_text(words(change.text)) for change in changed],
            gate=planned.gate,
            takes_jar=_takes_jar(row, wanted),
            state=masked_text(words(planned.state)),
            refusal=masked_text(words(planned.refusal)) if planned.state or planned.adopts else "",
        )

    async def _planned(self, row: JobRow | None, wanted: ActionRequest) -> Plan:
        if row is None:
            await self._check_name(wanted)
            present = first_inputs(self._clusters[wanted.cluster], wanted.job_name)
            spec = wanted_spec(wanted, _PLAN, present, None)
            return await self._board.with_verdict(wanted.cluster, plan(None, spec), None, spec)
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

    async def adoption(
        self, cluster: str, properties: Mapping[str, Any], form: Mapping[str, str], caller: str
    ) -> ActionRequest:
        """Return what asks for a running job to be taken over.

        Args:
            cluster: Key of its cluster.
            properties: Of the runJob that would start it as a new job.
            form: The form's fields: which job, and whether it may be restarted in any case.
            caller: Who asks.

        Raises:
            Refusal: A property is invalid: every problem at once.
        """
        request = await self._request(cluster, properties, caller)
        allowed = bool(form[NO_WAY_BACK])
        return adopting(request, form[ADOPT], allow_no_way_back=allowed)

    async def submit(
        self, request: Request, visit: Visit, cluster: str, asked: Asked, seen: str = ""
    ) -> ActionRow:
        """Ask for an action.

        Args:
            request: The request.
            visit: Who asks.
            cluster: Key of the job's cluster.
            asked: What is asked for.
            seen: Id of the job's last action when they looked at it; empty for a new job.

        Raises:
            Refusal: It is not accepted; nothing was changed.
        """
        action, name = _named(asked)
        call = AuditedCall(visit.session.principal, action, cluster, name)
        async with audited(self._audit, request, call, _answer_to, _SEE_OTHER):
            accepted = await self._accepted(visit, cluster, asked, seen)
            call.action_id = accepted.id
        return accepted

    async def _accepted(self, visit: Visit, cluster: str, asked: Asked, seen: str) -> ActionRow:
        if not visit.session.principal.may(Role.OPERATE, cluster):
            raise Refusal("AuthorizationFailed", visit.text("reason.role"))
        wanted = await self._request(cluster, asked, visit.name)
        try:
            return await self._board.submit(replace(wanted, seen=seen))
        except Refusal as refusal:
            refusal.mask(self._clusters[cluster].storage.in_callers_words)
            raise in_arm_words(refusal) from None

    async def _request(self, cluster: str, asked: Asked, caller: str) -> ActionRequest:
        if isinstance(asked, ActionRequest):
            return asked
        valid = validated({"properties": dict(asked)}, NEWEST)
        return await self._translators[cluster].request(valid, caller)


def _takes_jar(row: JobRow | None, wanted: ActionRequest) -> bool:
    """Whether an action runs the jar as it lies there, not the bytes that ran before."""
    if wanted.action not in STARTS or wanted.version or wanted.changes.get("adopt"):
        return False
    if row is None or row.record.spec.jar_digest is None or wanted.action in TAKES_NEW_BYTES:
        return True
    return "jar" in {**row.next_inputs, **wanted.changes}


def start_of_draft(row: JobRow, caller: str) -> ActionRequest:
    """Return what starts a job that is on record and was never started, as it is on record.

    The HDInsight on AKS API knows no drafts, so that no runJob stands for it.
    """
    return ActionRequest(
        cluster=row.cluster,
        job_name=row.job_name,
        action=Action.NEW,
        changes={},
        as_given={},
        caller=caller,
        run_id=row.run_id,
        starts_draft=True,
        new_bytes=True,
    )


def _named(asked: Asked) -> tuple[str, str | None]:
    """Return the action and the job's name, as the audit log has them."""
    if isinstance(asked, ActionRequest):
        what = "rollback" if asked.version else str(asked.action)
        return "adopt" if asked.changes.get("adopt") else what, asked.job_name
    return str(asked["action"]), asked["jobName"] or None


def _answer_to(error: Exception) -> tuple[int, str]:
    told = error if isinstance(error, Refusal) else FAULT
    return status_of(told), told.code


def _without(properties: Mapping[str, Any], targets: Sequence[str]) -> dict[str, Any]:
    """Return properties without those that are invalid, as far as others can be looked at then."""
    left = {
        name: value for name, value in properties.items() if f"properties.{name}" not in targets
    }
    if isinstance(options := left.get("flinkConfiguration"), dict):
        prefix = "properties.flinkConfiguration."
        left["flinkConfiguration"] = {
            key: value for key, value in options.items() if f"{prefix}{key}" not in targets
        }
    return {"jobName": _ANY_NAME, **left}
