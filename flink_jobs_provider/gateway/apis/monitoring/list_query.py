"""The query of a list of jobs: its filters, its order, its page."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties
from flink_jobs_provider.gateway.job_service import JobFilter, ListColumn, PageOfJobs
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.observing.documents import HealthPart

PAGE, LARGEST_PAGE = 50, 200
OLDEST, NEWEST = "oldest", "newest"
#: Statuses of jobs that have not ended.
ACTIVE = frozenset(status.value for status in JobStatus if status.active)
#: Statuses that a list can be filtered by: those of jobs, and of what never ran.
STATUSES = (*(str(status) for status in JobStatus), "DRAFT", "JOB_LAUNCH_FAILED")
#: What `sort` may be: by creation, or a column, with - before it for the descending order.
SORTS = (NEWEST, OLDEST, *(f"{sign}{each}" for each in ListColumn for sign in ("", "-")))
PARAMETERS = (
    *("cluster", "name", "status", "active", "created_by", "needs_attention", "health"),
    *("sort", "limit", "cursor"),
)
_CURSOR = re.compile(r"after-(\d{1,18})")


@dataclass(frozen=True)
class ListQuery:
    """What a list is asked for.

    Attributes:
        filter: The jobs that are wanted.
        page: Which of them, in which order.
        health: Parts of each job's health that are wanted, too.
    """

    filter: JobFilter
    page: PageOfJobs
    health: frozenset[HealthPart]

    def cursor(self, last: int) -> str:
        """Return the cursor of the page after the job of that number."""
        return f"after-{last}"


def list_query(given: Mapping[str, Sequence[str]], readable: Collection[str]) -> ListQuery:
    """Read a query; every problem of it at once.

    Args:
        given: The values of each parameter.
        readable: Keys of the clusters that the caller may read.

    Raises:
        RefusedProperties: A parameter is unknown, given twice, or invalid.
    """
    problems = unfitting(given, PARAMETERS, several=("status", "health"))
    first = {name: values[0] for name, values in given.items() if values}
    statuses = given.get("status", ())
    if wrong := [each for each in statuses if each not in STATUSES]:
        text = f"status must be one of {', '.join(STATUSES)} (got {wrong[0][:80]!r})."
        problems.append(Problem("status", text))
    sort = first.get("sort", NEWEST)
    if sort not in SORTS:
        columns = ", ".join(ListColumn)
        text = (
            f"sort must be {NEWEST}, {OLDEST}, or a column, with - before it for the descending "
            f"order: {columns} (got {sort[:80]!r})."
        )
        problems.append(Problem("sort", text))
    attention = _flag(first, "needs_attention", problems)
    active = _flag(first, "active", problems)
    health = given.get("health", ())
    if wrong := [each for each in health if each not in list(HealthPart)]:
        text = f"health must be one of {', '.join(HealthPart)} (got {wrong[0][:80]!r})."
        problems.append(Problem("health", text))
    limit = _limit(first, problems)
    cursor = _CURSOR.fullmatch(first.get("cursor", "after-0"))
    if cursor is None:
        problems.append(Problem("cursor", "cursor must be as `next` of a page has it."))
    if problems:
        raise RefusedProperties(problems)
    wanted = first.get("cluster")
    return ListQuery(
        JobFilter(
            clusters=[key for key in readable if wanted is None or key == wanted.lower()],
            job_name=first.get("name"),
            created_by=first.get("created_by"),
            standings=_standings(statuses, active=active) if statuses or active else None,
            attention=attention,
        ),
        PageOfJobs(
            column=_column(sort),
            newest_first=sort == NEWEST or sort.startswith("-"),
            beyond=int(cursor[1]) if cursor else 0,
            limit=limit,
        ),
        health=frozenset(map(HealthPart, health)),
    )


def latest_query(given: Mapping[str, Sequence[str]]) -> int:
    """Read the query of a list that has its latest entries alone; return how many are wanted.

    Raises:
        RefusedProperties: A parameter is unknown, given twice, or invalid.
    """
    problems = unfitting(given, ("limit",))
    limit = _limit({name: values[0] for name, values in given.items() if values}, problems)
    if problems:
        raise RefusedProperties(problems)
    return limit


def check_no_query(given: Mapping[str, Sequence[str]]) -> None:
    """Check the query of a request that has no parameters: none may seem to count.

    Raises:
        RefusedProperties: It has some.
    """
    if problems := unfitting(given, ()):
        raise RefusedProperties(problems)


def unfitting(
    given: Mapping[str, Sequence[str]], known: Collection[str], several: Collection[str] = ()
) -> list[Problem]:
    """Return the problems of parameters that are unknown, or given more than once.

    Args:
        given: The values of each parameter.
        known: The parameters that there are.
        several: Those of them that may be given more than once.
    """
    unknown = [name for name in given if name not in known]
    problems = [
        Problem(name[:100], f"{name[:100]} is not a parameter of this request.") for name in unknown
    ]
    return problems + [
        Problem(name, f"{name} must be given once.")
        for name, values in given.items()
        if name in known and name not in several and len(values) > 1
    ]


def _limit(first: Mapping[str, str], problems: list[Problem]) -> int:
    limit = _number(first.get("limit", str(PAGE)))
    if not 1 <= limit <= LARGEST_PAGE:
        problems.append(Problem("limit", f"limit must be a number from 1 to {LARGEST_PAGE}."))
    return limit


def _column(sort: str) -> ListColumn:
    by = sort.removeprefix("-")
    return ListColumn.CREATED if by in (NEWEST, OLDEST) else ListColumn(by)


def _standings(statuses: Sequence[str], *, active: bool) -> set[tuple[str, str, str]]:
    """Return the standings that are wanted; an action in progress makes a job an active one."""
    found = set(product(statuses or ("", *STATUSES), map(str, Action), map(str, ActionResult)))
    if not active:
        return found
    return {each for each in found if each[0] in ACTIVE or each[2] == ActionResult.IN_PROGRESS}


def _flag(first: Mapping[str, str], name: str, problems: list[Problem]) -> bool:
    text = first.get(name, "false")
    if text not in ("true", "false"):
        problems.append(Problem(name, f"{name} must be true or false (got {text[:80]!r})."))
    return text == "true"


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
