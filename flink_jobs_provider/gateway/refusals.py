"""What the gateway refuses, and what its actions report, as data that each face words.

A refusal is a code, what is the matter, and what would help.

Which HTTP status a code has is decided where answers are made; see `http.api_answers`.

What an action reports is a text, or an error whose data is stored alongside its text. The `output`
of an action is one column of text. An error that the APIs word differently is stored as its text in
the words of the actions, a separator, and its data: the HDInsight on AKS API, and whoever reads the
table, has the text, which names the actions and the properties of `runJob`; the Data Lake Insight
API words the data. Outputs that an earlier version stored are texts alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from flink_jobs_provider.model.errors import FlinkJobsError, JobError, worded
from flink_jobs_provider.model.remedies import Advice, Remedy, RemedyCode, Wording

_RESTORE_OR_EMPTY = (
    "START or RE_LAUNCH with a savepoint starts it from there; STATELESS_UPDATE starts it from "
    "nothing"
)
_RESTORE_OLDER = "Put it back; or name the older one to START or RE_LAUNCH, to go back to it"


class ActionRemedy(RemedyCode):
    """What a caller of the gateway can do instead of an action that was refused, or failed."""

    NEW_OR_DELETE_DRAFT = "It was never started: NEW with its run id starts it, DELETE removes it"
    START_OR_DELETE = "START starts it from its last savepoint, DELETE removes it"
    RUN_AGAIN_OR_DELETE = (
        "It came to its own end: STATELESS_UPDATE runs it again, DELETE removes it"
    )
    RE_LAUNCH_OR_DELETE = "RE_LAUNCH starts it from its newest state, DELETE removes it"
    LAUNCH_OR_DELETE = "RE_LAUNCH or NEW starts it, DELETE removes it"
    UPDATE_OR_FREE_NAME = "UPDATE changes it; its name is free again after CANCEL and DELETE"
    UPDATE_OR_STOP = "UPDATE restarts it, STOP stops it"
    STOP_THEN_DELETE = "STOP it with a savepoint, or CANCEL it, and DELETE it then"
    LIST_SAVEPOINTS = "LIST_SAVEPOINT lists those that are there"
    UPDATE = "UPDATE brings it to what is wanted"
    NO_SAVEPOINT_OR_UPDATE = "Leave the savepoint out, or use UPDATE"


_SENTENCES: Mapping[RemedyCode, str] = {
    Remedy.RESTORE_OR_EMPTY_OR_STOPPED: _RESTORE_OR_EMPTY,
    Remedy.PUT_BACK_OR_RESTORE: "Put it back; or name another savepoint to START or RE_LAUNCH; "
    "STATELESS_UPDATE starts it from nothing",
    Remedy.PUT_BACK_OR_RESTORE_OLDER: _RESTORE_OLDER,
    Remedy.PUT_BACK_OR_RESTORE_OLDER_AGAIN: _RESTORE_OLDER,
    Remedy.REFRESH_OR_RESTORE: _RESTORE_OR_EMPTY,
    Remedy.TAKE_RESTORE_OUT: "To go on from the state it has, leave savePointName out",
    Remedy.WAIT_FOR_MAIN: "Ask again when main has ended",
    Remedy.WAIT_FOR_MAIN_OF_ANOTHER: "Ask again when main has ended",
    Remedy.ADOPT_WHEN_MAIN_ENDS: "The same action adopts that job",
    Remedy.RENAME_OR_OWN: "Choose another jobName",
    Remedy.KEEP_OPERATOR_IDS: "Give each operator the uid that it had, a fixed one; or set "
    "execution.savepoint.ignore-unclaimed-state to true in flinkConfiguration, to drop that state",
    Remedy.RESTART_AS_DECLARED: "The same action retries it",
    Remedy.NAME_SAVEPOINT_DIRECTORY: "Set savepoint.directory in flinkConfiguration",
    Remedy.FIX_PROGRAM: "Fix the jar, entryClass or args, and ask again",
    Remedy.RETAIN_CHECKPOINTS: "Set {option} to {value} in flinkConfiguration with an UPDATE "
    "first, or use UPDATE alone, which takes a savepoint",
    Remedy.LAST_STATE_OR_EMPTY: "LAST_STATE_UPDATE goes on from its latest retained checkpoint, "
    "STATELESS_UPDATE drops its state",
    Remedy.WAIT_FOR_SAVEPOINT: "Ask again to wait for it",
    Remedy.STOP_FIRST: "{put_back}; or stop the job with a savepoint first (STOP), and start the "
    "new version from it",
    Remedy.ACCEPT_NO_WAY_BACK: "Stop the job with a savepoint first (STOP), and start the new "
    "version from it",
    Remedy.RELEASE_FIRST: "Release it where it is declared first",
    Remedy.CHECK_TLS: "Check flink.tls in the gateway's configuration, and whether the address "
    "should be http or https",
    Remedy.CHECK_CREDENTIALS: "Check flink.basic_auth, flink.bearer_token or flink.secret_headers "
    "in the gateway's configuration",
    Remedy.SET_URL: "Set flink.url in the gateway's configuration to the address of the REST API "
    "itself",
    Remedy.CHECK_URL: "Check flink.url in the gateway's configuration: host, port, and the path a "
    "proxy may want",
    Remedy.WAIT_OR_CHECK_URL: "If a proxy answers while the cluster is away, it will pass. Check "
    "flink.url in the gateway's configuration: host, port, and the path a proxy may want",
}
_NAMES = {
    "restore_from": "savePointName",
    "entry_class": "entryClass",
    "job_name": "jobName",
    "flink_configuration": "flinkConfiguration",
    "savepoint_directory": "savepoint.directory",
    "allow_non_restored_state": "execution.savepoint.ignore-unclaimed-state",
}


def setting_or(names: Mapping[str, str], field: str) -> str:
    """Return what callers call a property: a setting of the gateway, or one of some names."""
    if field.startswith("target."):
        return f"flink.{field.removeprefix('target.')} in the gateway's configuration"
    return names.get(field, "")


ACTION_WORDS = Wording(lambda field: setting_or(_NAMES, field), _SENTENCES)

#: ASCII's record separator. No message holds one: white space in messages is folded.
_SEPARATOR = "\x1e"
_REMEDIES: dict[str, RemedyCode] = {each.name: each for each in (*Remedy, *ActionRemedy)}


class ErrorOutput(str):
    """An error as an action reports it; as a text, it is in the words of the actions.

    Attributes:
        parts: What happened, and how the job is now.
        remedy: What would help.
        field: The property that it is about, in the words of a declared job.
        then: What the gateway does next; empty where it does nothing more.
    """

    __slots__ = ("field", "parts", "remedy", "then")

    parts: tuple[str, str]
    remedy: str
    field: str
    then: str

    def __new__(
        cls, parts: tuple[str, str], remedy: str, field: str, then: str = ""
    ) -> ErrorOutput:
        """Make the text of an error."""
        text = worded(*parts, remedy, field, ACTION_WORDS)
        output = super().__new__(cls, f"{text} {then}".rstrip())
        output.parts, output.remedy, output.field, output.then = parts, remedy, field, then
        return output

    @classmethod
    def of(cls, error: JobError, mask: Callable[[str], str] = str) -> ErrorOutput:
        """Return an error as an action reports it.

        Args:
            error: The error.
            mask: Returns a text in which places are named as callers name them.
        """
        remedy = error.remedy
        if isinstance(remedy, Advice):
            facts = {name: mask(fact) for name, fact in remedy.facts.items()}
            remedy = remedy.code.of(**facts)
        else:
            remedy = mask(remedy)
        return cls((mask(error.template), mask(error.now)), remedy, error.field)

    def followed_by(self, then: str) -> ErrorOutput:
        """Return it with what the gateway does next."""
        return ErrorOutput(self.parts, self.remedy, self.field, then)

    def worded(self, wording: Wording) -> str:
        """Return it in the words of a face."""
        return f"{worded(*self.parts, self.remedy, self.field, wording)} {self.then}".rstrip()


def in_words(output: str, wording: Wording) -> str:
    """Return what an action reported, in the words of a face."""
    return output.worded(wording) if isinstance(output, ErrorOutput) else output


def stored_output(output: str) -> str:
    """Return what an action reported, as its column holds it."""
    if not isinstance(output, ErrorOutput):
        return output
    if not output.field and not isinstance(output.remedy, Advice):
        return str(output)  # all faces word it alike
    data: dict[str, Any] = {"parts": output.parts, "field": output.field, "then": output.then}
    if isinstance(output.remedy, Advice):
        data |= {"code": output.remedy.code.name, "facts": output.remedy.facts}
    else:
        data["remedy"] = output.remedy
    return f"{output}{_SEPARATOR}{json.dumps(data, ensure_ascii=False)}"


def read_output(stored: str) -> str:
    """Return what an action reported, from its column.

    Data that this version cannot read, such as a remedy of a later one, leaves the text.
    """
    text, separator, data = stored.rpartition(_SEPARATOR)
    if not separator:
        return stored
    try:
        read = json.loads(data)
        happened, now = read["parts"]
        remedy = read.get("remedy", "")
        if code := read.get("code"):
            remedy = _REMEDIES[code].of(**read["facts"])
        return ErrorOutput((happened, now), remedy, read["field"], read["then"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return text


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
