"""Checking the body of runJob: every problem at once, each on the path of its property."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flink_jobs_provider.gateway.apis.hdinsight.schema import IN_WORDS, body_schema
from flink_jobs_provider.gateway.apis.hdinsight.versions import actions_of
from flink_jobs_provider.gateway.http.problems import RefusedProperties
from flink_jobs_provider.gateway.http.validation import Checker
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.wire.hdinsight import PARALLELISM_KEY, ApiVersion

#: Values that are shown in messages: none of the others, which may hold a secret.
_SHOWN = {
    *("jobType", "jobName", "runId", "action", "jarName", "entryClass"),
    f"flinkConfiguration.{PARALLELISM_KEY}",
}


def validated(body: Any, version: ApiVersion) -> dict[str, Any]:
    """Return the `properties` of a body, without those that are null.

    Raises:
        RefusedProperties: Something is wrong with it.
    """
    if problems := _checker(_action(body, version), version).problems(body):
        raise RefusedProperties(problems)
    properties: dict[str, Any] = body["properties"]
    return {name: value for name, value in properties.items() if value is not None}


@lru_cache
def _checker(action: Action | None, version: ApiVersion) -> Checker:
    return Checker(body_schema(action, version), "a job", IN_WORDS, _SHOWN, "properties.")


def _action(body: Any, version: ApiVersion) -> Action | None:
    properties = body.get("properties") if isinstance(body, dict) else None
    named = properties.get("action") if isinstance(properties, dict) else None
    return next((action for action in actions_of(version) if action == named), None)
