"""Sending forms on as what they stand for: a runJob, checked and recorded as the API's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from flink_jobs_provider.gateway.job_service import ActionRow, JobRow
from flink_jobs_provider.gateway.jobs.transitions import check, wanted_spec
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.planning.diff import changes

#: Status of the answer to a form that is accepted.
_SEE_OTHER = 303
_PLAN = "plan"
#: Inputs by which an action itself is written down.
_OF_THE_ACTION = {"desired_state", "restart_trigger", "savepoint_trigger", "upgrade_mode"}
#: In place of a name that is invalid, so that the rest can be looked at.
_ANY_NAME = "job"


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

    async def plan(self, row: JobRow, properties: Mapping[str, Any], caller: str) -> Sequence[str]:
        """Return what an action would change of a job, in words and with secrets masked.

        Raises:
            Refusal: It would be refused: every problem at once.
        """
        valid = validated({"properties": dict(properties)}, NEWEST)
        wanted = await self._translators[row.cluster].request(valid, caller)
        try:
            check(wanted, row.status, row.run_id)
            present = {**row.record.spec.plain(), **row.next_inputs}
            spec = wanted_spec(wanted, _PLAN, present, None)
        except Refusal as refusal:
            refusal.mask(self._clusters[row.cluster].storage.in_callers_words)
            raise in_arm_words(refusal) from None
        words = self._clusters[row.cluster].storage.in_callers_words
        return [
            masked_text(words(change.text))
            for change in changes(row.record.spec, spec)
            if change.name not in _OF_THE_ACTION
        ]

    async def submit(
        self, request: Request, visit: Visit, cluster: str, properties: Mapping[str, Any]
    ) -> ActionRow:
        """Ask for an action.

        Raises:
            Refusal: It is not accepted; nothing was changed.
        """
        call = AuditedCall(
            visit.session.principal,
            str(properties["action"]),
            cluster,
            properties["jobName"] or None,
        )
        async with audited(self._audit, request, call, _answer_to, _SEE_OTHER):
            action = await self._accepted(visit, cluster, properties)
            call.action_id = action.id
        return action

    async def _accepted(
        self, visit: Visit, cluster: str, properties: Mapping[str, Any]
    ) -> ActionRow:
        if not visit.session.principal.may(Role.OPERATE, cluster):
            raise Refusal("AuthorizationFailed", visit.text("reason.role"))
        valid = validated({"properties": dict(properties)}, NEWEST)
        wanted = await self._translators[cluster].request(valid, visit.name)
        try:
            return await self._board.submit(wanted)
        except Refusal as refusal:
            refusal.mask(self._clusters[cluster].storage.in_callers_words)
            raise in_arm_words(refusal) from None


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
