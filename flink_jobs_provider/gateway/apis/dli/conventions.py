"""Who calls the Data Lake Insight API, and the form of its errors: their codes, and their words.

A caller shows a token, or signs the whole request. Errors are `{"error_code", "error_msg"}`, with
the codes of the service's own table; a job that is not there has one of its own (DLI.16001), and
comes with 400, as everything that is invalid in a request. What the API gateway before the service
answers is `APIGW`. Errors are worded by the calls and fields of this API, instead of the gateway's
actions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope

from flink_jobs_provider.gateway.auth.signatures import ALGORITHM, SignedRequest
from flink_jobs_provider.gateway.http.api_answers import (
    ALWAYS,
    Authenticator,
    fault,
    status_of,
    when_to_retry,
)
from flink_jobs_provider.gateway.http.requests import content
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import (
    ACTION_WORDS,
    ActionRemedy,
    Refusal,
    RefusalCode,
    in_words,
    setting_or,
)
from flink_jobs_provider.model.remedies import Remedy, RemedyCode, Wording

#: Shows a client that a gateway answers, not the service itself.
GATEWAY_HEADER = "X-Flink-Jobs-Gateway"
_FROM_NOTHING = "a run without resume_savepoint starts it from nothing"
_IMPORT_OR_EMPTY = (
    f"Import a savepoint and run it with resume_savepoint to start it from there; {_FROM_NOTHING}"
)
_IMPORT_OLDER = (
    "Put it back; or import the older one and run it with resume_savepoint, to go back to it"
)
_FROM_NEWEST = "A run with resume_savepoint starts it from its newest state"

#: Those that are not worded as for the actions.
_SENTENCES: Mapping[RemedyCode, str] = {
    Remedy.RESTORE_OR_EMPTY_OR_STOPPED: _IMPORT_OR_EMPTY,
    Remedy.PUT_BACK_OR_RESTORE: f"Put it back; or import another savepoint; {_FROM_NOTHING}",
    Remedy.PUT_BACK_OR_RESTORE_OLDER: _IMPORT_OLDER,
    Remedy.PUT_BACK_OR_RESTORE_OLDER_AGAIN: _IMPORT_OLDER,
    Remedy.REFRESH_OR_RESTORE: _IMPORT_OR_EMPTY,
    Remedy.TAKE_RESTORE_OUT: "To go on from the state it has, import no savepoint",
    Remedy.ADOPT_WHEN_MAIN_ENDS: "The same call adopts that job",
    Remedy.RENAME_OR_OWN: "Choose another name",
    Remedy.KEEP_OPERATOR_IDS: "Give each operator the uid that it had, a fixed one; or set "
    "execution.savepoint.ignore-unclaimed-state to true in runtime_config, to drop that state",
    Remedy.RESTART_AS_DECLARED: "The same call retries it",
    Remedy.NAME_SAVEPOINT_DIRECTORY: "Set state.savepoints.dir in runtime_config",
    Remedy.FIX_PROGRAM: "Fix the entrypoint, main_class or entrypoint_args, and run it again",
    Remedy.RETAIN_CHECKPOINTS: "Set {option} to {value} in runtime_config and run it again",
    Remedy.LAST_STATE_OR_EMPTY: "Stop it without trigger_savepoint: a run with resume_savepoint "
    "goes on from its latest retained checkpoint, one without drops its state",
    Remedy.STOP_FIRST: "{put_back}; or stop the job with trigger_savepoint, change it, and run it "
    "with resume_savepoint",
    Remedy.ACCEPT_NO_WAY_BACK: "Stop the job with trigger_savepoint, change it, and run it "
    "with resume_savepoint",
    Remedy.RELEASE_FIRST: "Release it where it is declared first",
    ActionRemedy.NEW_OR_DELETE_DRAFT: "It was never started: a run starts it",
    ActionRemedy.START_OR_DELETE: "A run with resume_savepoint starts it from its last savepoint",
    ActionRemedy.RUN_AGAIN_OR_DELETE: f"It came to its own end; {_FROM_NOTHING}",
    ActionRemedy.RE_LAUNCH_OR_DELETE: _FROM_NEWEST,
    ActionRemedy.LAUNCH_OR_DELETE: "A run starts it",
    ActionRemedy.UPDATE_OR_FREE_NAME: "Its name is free again when it is deleted",
    ActionRemedy.UPDATE_OR_STOP: "Stop it, and run it again",
    ActionRemedy.STOP_THEN_DELETE: "Stop it, and delete it then",
    ActionRemedy.LIST_SAVEPOINTS: "The newest is its savepoint_path",
    ActionRemedy.UPDATE: "Stop it and run it with resume_savepoint",
    ActionRemedy.NO_SAVEPOINT_OR_UPDATE: "A run with resume_savepoint starts from a savepoint",
}
#: The field of this API by the input of a job that it gives.
FIELD_OF = {
    "jar": "entrypoint",
    "entry_class": "main_class",
    "args": "entrypoint_args",
    "parallelism": "parallel_number",
    "flink_configuration": "runtime_config",
    "savepoint_directory": "runtime_config",
    "allow_non_restored_state": "runtime_config",
    "restore_from": "savepoint_path",
    "job_name": "name",
}

CALL_WORDS = Wording(
    lambda field: setting_or(FIELD_OF, field), {**ACTION_WORDS.sentences, **_SENTENCES}
)


def in_call_words(refusal: Refusal) -> Refusal:
    """Return a refusal of the job service with the API's names of calls and fields."""
    refusal.wording = CALL_WORDS
    field = FIELD_OF.get(refusal.target.partition("[")[0])
    if field and refusal.code == "InvalidParameter":
        refusal.target = field
        if field not in refusal.happened:
            refusal.happened = f"{field}: {refusal.happened}"
    return refusal


def output_in_call_words(output: str) -> str:
    """Return what an action reported, in the words of this API."""
    return in_words(output, CALL_WORDS)


CODES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "DLI.0001",
    HTTPStatus.UNAUTHORIZED: "APIGW.0301",
    HTTPStatus.FORBIDDEN: "APIGW.0302",
    HTTPStatus.NOT_FOUND: "APIGW.0101",
    HTTPStatus.METHOD_NOT_ALLOWED: "APIGW.0101",
    HTTPStatus.REQUEST_TIMEOUT: "APIGW.0201",
    HTTPStatus.CONFLICT: "DLI.0007",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "APIGW.0201",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "APIGW.0201",
    HTTPStatus.TOO_MANY_REQUESTS: "APIGW.0308",
    HTTPStatus.INTERNAL_SERVER_ERROR: "DLI.0999",
    HTTPStatus.SERVICE_UNAVAILABLE: "DLI.0999",
}
#: Codes of the service's own for what the other API has a status for.
_OWN_CODES: Mapping[RefusalCode, str] = {
    "JobNotFound": "DLI.16001",
    "JobAlreadyExists": "DLI.0006",
}

FAULT = fault("the job", "X-Request-Id")


def code_of(refusal: Refusal) -> tuple[int, str]:
    """Return the HTTP status and the error code of a refusal."""
    status = HTTPStatus(status_of(refusal))
    own = _OWN_CODES.get(refusal.code)
    in_a_request = own is not None or status is HTTPStatus.CONFLICT
    return int(HTTPStatus.BAD_REQUEST if in_a_request else status), own or CODES[status]


def no_such_job(number: str | int) -> Refusal:
    """Return the refusal of a job that is not there, or not for this caller."""
    return Refusal("JobNotFound", f"There is no Flink job {str(number)[:40]} in this project.")


class SignatureCheck(Protocol):
    """Returns who signed a request."""

    def principal(self, request: SignedRequest) -> Principal:
        """Return the caller, or raise a Refusal."""


class DliConventions:
    """Tokens in `X-Auth-Token`, signed requests, and the service's error envelope.

    There are no signatures where no signing keys are configured.
    """

    fault = FAULT

    def __init__(
        self, authenticator: Authenticator, signatures: SignatureCheck | None, body_bytes: int
    ) -> None:
        self._authenticator = authenticator
        self._signatures = signatures
        self._body_bytes = body_bytes

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of."""
        headers = Headers(scope=scope)
        authorization = headers.get("authorization", "")
        if authorization.startswith(f"{ALGORITHM} "):
            if self._signatures is None:
                why = "This gateway has no signing keys: send X-Auth-Token."
                raise Refusal("AuthenticationFailed", why)
            return await self._by_signature(self._signatures, scope, receive)
        if token := headers.get("x-auth-token"):
            return await self._authenticator.authenticate(f"Bearer {token}"), receive
        if authorization:
            return await self._authenticator.authenticate(authorization), receive
        raise Refusal(
            "AuthenticationFailed",
            "There are no credentials: send X-Auth-Token, or sign the request with an access key.",
        )

    async def _by_signature(
        self, signatures: SignatureCheck, scope: Scope, receive: Receive
    ) -> tuple[Principal, Receive]:
        body = await content(Request(scope, receive), self._body_bytes)
        signed = SignedRequest(
            method=scope["method"],
            path=_path(scope),
            query=_query(scope),
            headers=_headers(scope),
            body=body,
        )
        return signatures.principal(signed), _again(body, receive)

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the headers of every answer."""
        del given  # the service takes no ids of its callers
        return {"X-Request-Id": request_id, GATEWAY_HEADER: "1"} | ALWAYS

    def refused(
        self, refusal: Refusal, headers: Mapping[str, str], scope: Scope | None
    ) -> Response:
        """Return the answer to a request that is refused."""
        del scope  # all callers are answered in English
        status, code = code_of(refusal)
        refusal.wording = CALL_WORDS
        answer = {"error_code": code, "error_msg": refusal.message}
        return JSONResponse(answer, status, {**headers, **when_to_retry(refusal)})


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _query(scope: Scope) -> list[tuple[str, str]]:
    try:
        return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    except ValueError:  # more parameters than anybody has
        raise Refusal("InvalidParameter", "The query has too many parameters.") from None


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers that came once, as their senders wrote them."""
    pairs = [(name.decode("latin-1").lower(), value) for name, value in scope["headers"]]
    times = Counter(name for name, _ in pairs)
    return {name: _text(value) for name, value in pairs if times[name] == 1}


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then goes on as before."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
