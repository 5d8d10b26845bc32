"""The query of a list: `$filter`, and `$skipToken` of the page after."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.wire.hdinsight import ApiVersion

PAGE = 100

_FILTER = re.compile(
    r"""\s*(jobName|jarName)\s+eq\s+(?:'((?:[^']|'')*)'|"([^"]*)"|([^\s'"]+))\s*""", re.IGNORECASE
)
_COUNT = re.compile(r"[0-9]{1,9}")
_TOKEN = re.compile(r"after-(\d{1,18})")


def filtered(given: Sequence[str], version: ApiVersion) -> dict[str, str]:
    """Return the arguments of `JobService.jobs` that a `$filter` stands for.

    Raises:
        Refusal: It is none that this version knows.
    """
    if not given:
        return {}
    if not version.has_run_ids:
        since = ApiVersion.V2023_11
        raise _wrong("$filter", f"$filter is known from api-version {since} on: leave it out.")
    match = _FILTER.fullmatch(given[0]) if len(given) == 1 else None
    if match is None or any(ord(character) < 32 for character in given[0]):
        raise _wrong("$filter", "$filter must be jobName eq <name>, or jarName eq <name>.")
    single, double, bare = match.group(2, 3, 4)
    value = single.replace("''", "'") if single is not None else double or bare or ""
    return {"job_name" if match[1].lower() == "jobname" else "jar_name": value}


def at_most(given: Sequence[str]) -> int | None:
    """Return how many jobs are wanted by `$top`, on all pages together; None where it is not given.

    Raises:
        Refusal: It is no number.
    """
    if not given:
        return None
    if len(given) > 1 or not _COUNT.fullmatch(given[0]):
        raise _wrong("$top", "$top must be a whole number, 0 or more.")
    return int(given[0])


def begins_after(given: Sequence[str]) -> int:
    """Return the number of the last job of the page before.

    Raises:
        Refusal: The token is none that a `nextLink` holds.
    """
    if not given:
        return 0
    match = _TOKEN.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise _wrong("$skipToken", "$skipToken must be as a nextLink has it.")
    return int(match[1])


def next_link(
    jobs_url: str, version: ApiVersion, filters: Sequence[str], last: int, left: int | None
) -> str:
    """Return the address of the page after the job of that number.

    Args:
        jobs_url: The address of the list.
        version: The version of the API.
        filters: The `$filter` of the list.
        last: The number of the last job of the page.
        left: How many jobs are still wanted; None for all.

    Microsoft's client puts its own api-version in, and quotes what it takes from here once more;
    the token needs no quoting.
    """
    query = {"api-version": str(version), "$skipToken": f"after-{last}"}
    if filters:
        query["$filter"] = filters[0]
    if left is not None:
        query["$top"] = str(left)
    return f"{jobs_url}?{urlencode(query, safe='$', quote_via=quote)}"


def _wrong(target: str, message: str) -> Refusal:
    return Refusal("InvalidParameter", message, target=target)
