"""The query of a list: its filters, its order, its page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flink_jobs_provider.gateway.apis.dli.job_status import standings_of
from flink_jobs_provider.gateway.apis.dli.mapping import AS_GIVEN, job_name_of
from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.http.validation import Problem, RefusedProperties
from flink_jobs_provider.gateway.job_service import GivenText, JobFilter
from flink_jobs_provider.wire.dli import JOB_TYPE, JOB_TYPES, DliStatus

_PAGE, _LARGEST_PAGE = 10, 100
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class ListQuery:
    """What a list is asked for. Filters that are None let everything through.

    Attributes:
        nothing: Whether no job of this gateway can be meant: SQL and edge jobs are none of its.
    """

    name: str | None
    status: DliStatus | None
    queue_name: str | None
    user_name: str | None
    tags: Mapping[str, str]
    nothing: bool
    show_detail: bool
    newest_first: bool
    offset: int
    limit: int

    def jobs(self, clusters: Mapping[str, ClusterConfiguration]) -> JobFilter:
        """Return the filter that lets through what is asked for, of the jobs of some clusters."""
        return JobFilter(
            clusters=[] if self.nothing else list(clusters),
            job_name=None if self.name is None else job_name_of(self.name),
            created_by=self.user_name,
            standings=None if self.status is None else standings_of(self.status),
            given=list(self._given(clusters)),
            entries_path=(AS_GIVEN, "tags"),
            entries=self.tags,
        )

    def _given(self, clusters: Mapping[str, ClusterConfiguration]) -> Iterator[GivenText]:
        """Name what jobs were given; those of the other API have a name and the first queue."""
        if (name := self.name) is not None:
            named_so = clusters if name == job_name_of(name) else ()
            yield GivenText((AS_GIVEN, "name"), name, list(named_so))
        if (queue := self.queue_name) is not None:
            first = [key for key, one in clusters.items() if one.dli and one.dli.queues[0] == queue]
            yield GivenText((AS_GIVEN, "queue_name"), queue, first)


def list_query(given: Mapping[str, Sequence[str]]) -> ListQuery:
    """Read the query of a list.

    Raises:
        RefusedProperties: Parameters are invalid, all of them at once.
    """
    problems: list[Problem] = []
    values = _single(given, problems)
    job_type = _one_of("job_type", values, JOB_TYPES, problems)
    status = _one_of("status", values, tuple(DliStatus), problems)
    order = _one_of("order", values, ("asc", "desc"), problems)
    detail = _one_of("show_detail", values, ("true", "false"), problems)
    query = ListQuery(
        name=values.get("name"),
        status=DliStatus(status) if status in tuple(DliStatus) else None,
        queue_name=values.get("queue_name"),
        user_name=values.get("user_name"),
        tags=_tags(values.get("tags", ""), problems),
        nothing=job_type not in (None, JOB_TYPE)
        or _number("root_job_id", values, None, problems) is not None,
        show_detail=detail == "true",
        newest_first=order != "asc",
        offset=_number("offset", values, 0, problems) or 0,
        limit=_limit(values, problems),
    )
    if problems:
        raise RefusedProperties(problems)
    return query


_KNOWN = {
    *("job_type", "limit", "name", "offset", "order", "queue_name", "root_job_id"),
    *("show_detail", "status", "tags", "user_name"),
}


def _single(given: Mapping[str, Sequence[str]], problems: list[Problem]) -> dict[str, str]:
    """Return the parameters that were given a value, each once."""
    problems += [
        Problem(name, f"{name[:100]} is not a parameter that is known here.")
        for name in sorted(set(given) - _KNOWN)
    ]
    problems += [
        Problem(name, f"{name[:100]} must be given once.")
        for name, values in given.items()
        if len(values) > 1
    ]
    return {name: values[0] for name, values in given.items() if values[0] != ""}


def _one_of(
    name: str, values: Mapping[str, str], allowed: Sequence[str], problems: list[Problem]
) -> str | None:
    value = values.get(name)
    if value is not None and name == "show_detail":
        value = value.lower()  # Python's clients write True
    if value not in (None, *allowed):
        problems.append(Problem(name, f"{name} must be one of {', '.join(allowed)}."))
    return value


def _number(
    name: str, values: Mapping[str, str], default: int | None, problems: list[Problem]
) -> int | None:
    value = values.get(name)
    if value is None:
        return default
    if not _NUMBER.fullmatch(value):
        problems.append(Problem(name, f"{name} must be a whole number, 0 or more."))
        return default
    return int(value)


def _limit(values: Mapping[str, str], problems: list[Problem]) -> int:
    limit = _number("limit", values, _PAGE, problems) or 0
    if limit > _LARGEST_PAGE:
        problems.append(Problem("limit", f"limit must be {_LARGEST_PAGE} or less."))
    return limit


def _tags(text: str, problems: list[Problem]) -> dict[str, str]:
    tags = {}
    for pair in (pair for pair in text.split(",") if pair):
        key, equals, value = pair.partition("=")
        if not equals or not key:
            problems.append(Problem("tags", "tags must be as key=value, with commas between."))
            break
        tags[key] = value
    return tags
