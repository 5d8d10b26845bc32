"""Sending forms on as what they stand for: a runJob, checked and recorded as the API's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request

from flink_jobs_provider.gateway.apis.action_plans import ActionPlan, ActionPlans
from flink_jobs_provider.gateway.apis.hdinsight.conventions import FAULT, NEWEST
from flink_jobs_provider.gateway.apis.hdinsight.schema import validated
from flink_jobs_provider.gateway.apis.hdinsight.translation import Translator, in_arm_words
from flink_jobs_provider.gateway.http.api_answers import Audit, AuditedCall, audited, status_of
from flink_jobs_provider.gateway.http.property_problems import (
    Problem,
    RefusedProperties,
    collecting,
)
from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    JobRow,
)
from flink_jobs_provider.gateway.jobs.transitions import (
    adopting,
)
from flink_jobs_provider.gateway.portal.action_forms import ADOPT, NO_WAY_BACK
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import Action

#: Status of the answer to a form that is accepted.
_SEE_OTHER = 303
#: In place of a name that is invalid, so that the rest can be looked at.
_ANY_NAME = "job"


#: What a form stands for: the properties of a runJob; or a request that none stands for.
Asked = Mapping[str, Any] | ActionRequest


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
        self._plans = ActionPlans(board, clusters)
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
        return await self._plans.of(row, await self._request(cluster, asked, caller))

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

    async def rehearsed(
        self, cluster: str, properties: Mapping[str, Any], args: Sequence[str], caller: str
    ) -> ActionRequest:
        """Return what asks for an update whose version is rehearsed first, with other args.

        Raises:
            Refusal: A property is invalid: every problem at once.
        """
        request = await self._request(cluster, properties, caller)
        return replace(request, changes={**request.changes, "rehearsal": {"args": list(args)}})

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
        what = "rollback" if asked.version else "release" if asked.releases else str(asked.action)
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
