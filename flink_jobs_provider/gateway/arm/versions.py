"""The versions of the API, and what differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from flink_jobs_provider.gateway.service import Refusal
from flink_jobs_provider.model.action import Action

_SINCE_2023_11 = {Action.LAST_STATE_UPDATE, Action.RE_LAUNCH}


class ApiVersion(StrEnum):
    """The value of `api-version`, oldest first."""

    V2023_06 = "2023-06-01-preview"
    V2023_11 = "2023-11-01-preview"
    #: In the service's printed versions it has no such name; its recorded traffic has it.
    V2024_05_GA = "2024-05-01"
    V2024_05 = "2024-05-01-preview"

    @property
    def has_run_ids(self) -> bool:
        """Whether jobs have a `runId`, which their ids end in, and lists a `$filter`."""
        return self is not ApiVersion.V2023_06

    @property
    def actions(self) -> list[Action]:
        """The actions that it knows."""
        return [action for action in Action if self.has_run_ids or action not in _SINCE_2023_11]


NEWEST = list(ApiVersion)[-1]


def api_version(given: Sequence[str]) -> ApiVersion:
    """Return the version that a request names.

    Raises:
        Refusal: It names none, several, or one that is not served.
    """
    if not any(given):
        raise Refusal(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            target="api-version",
        )
    named = {value.lower() for value in given}
    served = list(ApiVersion)
    if len(named) > 1 or not named <= set(served):
        raise Refusal(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{', '.join(given)[:100]}' is invalid. "
            f"The supported versions are '{', '.join(served)}'.",
            target="api-version",
        )
    return ApiVersion(named.pop())
