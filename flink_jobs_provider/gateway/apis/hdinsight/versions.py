"""The versions of the API, and what differs between them."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.wire.hdinsight import ApiVersion

#: Actions that the oldest version does not know.
_LAST_STATE = {Action.LAST_STATE_UPDATE, Action.RE_LAUNCH}
NEWEST = list(ApiVersion)[-1]


def actions_of(version: ApiVersion) -> list[Action]:
    """Return the actions that a version of the API knows."""
    return [each for each in Action if version.has_last_state_update or each not in _LAST_STATE]


def api_version(given: Sequence[str]) -> ApiVersion:
    """Return the version that a request names.

    Raises:
        Refusal: It names none, several, or one that is not served.
    """
    if not any(given):
        raise Refusal(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            target="api-version",
        )
    named = {value.lower() for value in given}
    served = list(ApiVersion)
    if len(named) > 1 or not named <= set(served):
        raise Refusal(
            "InvalidApiVersionParameter",
            f"The api-version '{', '.join(given)[:100]}' is invalid. "
            f"The supported versions are '{', '.join(served)}'.",
            target="api-version",
        )
    return ApiVersion(named.pop())
