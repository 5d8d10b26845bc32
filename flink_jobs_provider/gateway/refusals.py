"""What the gateway refuses, as data: a code, what is the matter, what would help.

Which HTTP status a code has is decided where answers are made; see `http.api_answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from flink_jobs_provider.gateway.action_outputs import ACTION_WORDS, ErrorOutput
from flink_jobs_provider.model.errors import FlinkJobsError, JobError
from flink_jobs_provider.model.remedies import Advice, RemedyCode

#: A word for programs, as Azure Resource Manager's error codes are written.
RefusalCode = Literal[
    "ActionInProgress",
    "AuthenticationFailed",
    "AuthenticationUnavailable",
    "AuthorizationFailed",
    "BadRequest",
    "ClientClosedRequest",
    "ClusterNotFound",
    "ClusterUnavailable",
    "Conflict",
    "ExpiredAuthenticationToken",
    "InternalServerError",
    "InvalidApiVersionParameter",
    "InvalidAuthenticationToken",
    "InvalidParameter",
    "InvalidRequestContent",
    "InvalidSignature",
    "JobAlreadyExists",
    "JobNotFound",
    "JobStatusConflict",
    "MethodNotAllowed",
    "MissingApiVersionParameter",
    "NotFound",
    "RecordsUnavailable",
    "RequestContentTooLarge",
    "RequestTimeout",
    "ResourceNotFound",
    "ServiceUnavailable",
    "TooManyActions",
    "TooManyConnections",
    "TooManyRequests",
    "UnsupportedMediaType",
]


class Refusal(FlinkJobsError):
    """A request that is not accepted; nothing was changed.

    Attributes:
        code: A word for programs.
        happened: Sentences for people: what is the matter.
        remedy: What would help, where `happened` does not name it.
        target: Path of the property that is invalid, in the face's own words; empty for none.
        retry_after: Seconds after which the same request may be accepted; None where it will not.
        wording: The words of the face that answers.
    """

    def __init__(
        self,
        code: RefusalCode,
        happened: str,
        *,
        remedy: str | RemedyCode = "",
        target: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.code = code
        self.happened = happened
        self.remedy = remedy.of() if isinstance(remedy, RemedyCode) else remedy
        self.target = target
        self.retry_after = retry_after
        self.wording = ACTION_WORDS
        super().__init__(happened)

    @property
    def message(self) -> str:
        """The sentences for people, in the words of the face that answers."""
        return f"{self.happened} {self.wording.remedy(self.remedy)}".rstrip()

    def mask(self, mask: Callable[[str], str]) -> None:
        """Name places in its texts as callers name them."""
        self.happened = mask(self.happened)
        if not isinstance(self.remedy, Advice):
            self.remedy = mask(self.remedy)

    def __str__(self) -> str:
        return self.message


class ClusterUnavailable(Refusal):
    """A request that needs a cluster which does not answer now."""

    def __init__(self, error: JobError) -> None:
        self._error = ErrorOutput.of(error)
        super().__init__("ClusterUnavailable", self._error)

    @property
    def message(self) -> str:
        """Why the cluster does not answer, in the words of the face that answers."""
        return self._error.worded(self.wording)
