"""Who calls the HDInsight on AKS API, what its queries name, and how answers and errors are made.

Queries are given as `http.requests.query` returns them: the values of each parameter by its name in
lower case. What is invalid in them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope

from flink_jobs_provider.gateway.http.api_answers import (
    ALWAYS,
    Authenticator,
    fault,
    status_of,
    when_to_retry,
)
from flink_jobs_provider.gateway.http.property_problems import RefusedProperties
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.wire.hdinsight import ApiVersion

#: The query of a request.
Query = Mapping[str, Sequence[str]]

NEWEST = list(ApiVersion)[-1]
#: Has an operation fail when its action failed.
FAIL_OPERATION = "failOperation"
PAGE = 100

_FILTER = re.compile(
    r"""\s*(jobName|jarName)\s+eq\s+(?:'((?:[^']|'')*)'|"([^"]*)"|([^\s'"]+))\s*""", re.IGNORECASE
)
_FLAG = re.compile("true|false", re.IGNORECASE | re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}")
_TOKEN = re.compile(r"after-(\d{1,18})")
_CHALLENGE = 'Bearer realm="flink-jobs", error="invalid_token"'
#: Ids of clients that can be sent back, and written to a log.
_USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

FAULT = fault("the list of jobs", "x-ms-request-id")


class ArmResponse(JSONResponse):
    """A JSON answer with the content type of Azure's."""

    media_type = "application/json; charset=utf-8"


class ArmConventions:
    """Bearer tokens, Azure's request ids, and the error envelopes of Azure Resource Manager."""

    fault = FAULT

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of."""
        authorization = Headers(scope=scope).get("authorization")
        return await self._authenticator.authenticate(authorization), receive

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the ids of a request, the caller's own among them."""
        correlation_id = given.get("x-ms-correlation-request-id", "")
        usable = _USABLE_ID.fullmatch(correlation_id)
        ids = {
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": correlation_id if usable else request_id,
        }
        client_id = given.get("x-ms-client-request-id", "")
        wanted = given.get("x-ms-return-client-request-id", "").lower() == "true"
        if wanted and _USABLE_ID.fullmatch(client_id):
            ids["x-ms-client-request-id"] = client_id
        return ids | ALWAYS

    def refused(
        self, refusal: Refusal, headers: Mapping[str, str], scope: Scope | None
    ) -> Response:
        """Return the answer to a request that is refused."""
        del scope  # all callers are answered in English
        error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
        if refusal.target:
            error["target"] = refusal.target
        if isinstance(refusal, RefusedProperties):
            error["details"] = [
                {"code": refusal.code, "message": problem.message, "target": problem.target}
                for problem in refusal.problems
            ]
        status = status_of(refusal)
        challenge = {"WWW-Authenticate": _CHALLENGE} if status == 401 else {}
        headers = {**headers, **challenge, **when_to_retry(refusal)}
        return ArmResponse({"error": error}, status, headers)


def api_version(values: Query) -> ApiVersion:
    """Return the version that a request names, of those that are served."""
    given = values.get("api-version", [])
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


def check_options(values: Query, *known: str) -> None:
    """Check that a request takes the options of OData that are given: none may seem to count.

    Args:
        values: The query.
        known: The options that the request takes.
    """
    taken = {name.lower() for name in known}
    for name in values:
        if name.startswith("$") and name not in taken:
            raise _invalid(name[:100], "is not an option of this request: leave it out")


def fails_with_action(values: Query) -> bool:
    """Return whether `failOperation` is true."""
    match = _matched(values, FAIL_OPERATION, _FLAG, "true or false")
    return match is not None and match[0].lower() == "true"


def filtered(values: Query, version: ApiVersion) -> dict[str, str]:
    """Return the arguments of `JobService.jobs` that a `$filter` stands for."""
    if "$filter" in values and not version.has_run_ids:
        since = ApiVersion.V2023_11
        raise _invalid("$filter", f"is known from api-version {since} on: leave it out")
    match = _matched(values, "$filter", _FILTER, "jobName eq <name>, or jarName eq <name>")
    if match is None:
        return {}
    single, double, bare = match.group(2, 3, 4)
    value = single.replace("''", "'") if single is not None else double or bare or ""
    return {"job_name" if match[1].lower() == "jobname" else "jar_name": value}


def at_most(values: Query) -> int | None:
    """Return how many jobs are wanted by `$top`, on all pages together; None for all."""
    match = _matched(values, "$top", _COUNT, "a whole number, 0 or more")
    return int(match[0]) if match else None


def begins_after(values: Query) -> int:
    """Return the number of the last job of the page before, by `$skipToken`."""
    match = _matched(values, "$skipToken", _TOKEN, "as a nextLink has it")
    return int(match[1]) if match else 0


def next_link(
    jobs_url: str, version: ApiVersion, values: Query, last: int, left: int | None
) -> str:
    """Return the address of the page after the job of that number.

    Args:
        jobs_url: The address of the list.
        version: The version of the API.
        values: The query of this page.
        last: The number of the last job of the page.
        left: How many jobs are still wanted; None for all.

    Microsoft's client puts its own api-version in, and quotes what it takes from here once more;
    the token needs no quoting.
    """
    query = {"api-version": str(version), "$skipToken": f"after-{last}"}
    if filters := values.get("$filter"):
        query["$filter"] = filters[0]
    if left is not None:
        query["$top"] = str(left)
    return f"{jobs_url}?{urlencode(query, safe='$', quote_via=quote)}"


def _matched(
    values: Query, name: str, pattern: re.Pattern[str], valid: str
) -> re.Match[str] | None:
    given = values.get(name.lower(), [])
    if not given:
        return None
    match = pattern.fullmatch(given[0]) if len(given) == 1 else None
    if match is None or any(ord(character) < 32 for character in given[0]):
        raise _invalid(name, f"must be {valid}")
    return match


def _invalid(name: str, why: str) -> Refusal:
    return Refusal("InvalidParameter", f"{name} {why}.", target=name)
