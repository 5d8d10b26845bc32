"""The filters of lists of jobs, as conditions of SQL."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Select, and_, cast, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import JSONPATH

from flink_jobs_provider.gateway.job_service import GivenText, JobFilter
from flink_jobs_provider.gateway.store.list_orders import needs_attention, of_clusters
from flink_jobs_provider.gateway.store.tables import ActionEntry, JobEntry


def filtered(jobs: JobFilter, *, postgresql: bool) -> Select[int]:
    """Select the numbers of the live jobs that pass a filter."""
    query = select(JobEntry.number).where(
        of_clusters(jobs.clusters),
        JobEntry.deleted_at.is_(None),
        *_conditions(jobs, postgresql=postgresql),
    )
    if jobs.standings is None:
        return query
    standing = tuple_(JobEntry.status, ActionEntry.action, ActionEntry.result)
    return query.join(ActionEntry, ActionEntry.id == JobEntry.last_action).where(
        standing.in_(jobs.standings)
    )


def _conditions(jobs: JobFilter, *, postgresql: bool) -> Iterator[ColumnElement[bool]]:
    if jobs.job_name is not None:
        yield JobEntry.job_name == jobs.job_name
    if jobs.created_by is not None:
        yield func.coalesce(JobEntry.created_by, "") == jobs.created_by
    if jobs.attention:
        yield needs_attention(JobEntry, jobs.flagged)
    for text in jobs.given:
        yield _is_given(text)
    for key, value in jobs.entries.items():
        yield _has_entry(jobs.entries_path, key, value, postgresql=postgresql)


def _is_given(text: GivenText) -> ColumnElement[bool]:
    given = JobEntry.as_given[text.path].as_string()
    by_default = and_(given.is_(None), JobEntry.cluster.in_(text.default_of))
    return or_(given == text.value, by_default)


def _has_entry(
    path: tuple[str, ...], key: str, value: str, *, postgresql: bool
) -> ColumnElement[bool]:
    """Return the condition that a list of objects with `key` and `value` has such an entry."""
    where = "$" + "".join(f'."{name}"' for name in path)
    key_of: ColumnElement[str]
    value_of: ColumnElement[str | None]
    if postgresql:
        every = cast(where + "[*]", JSONPATH)
        entry = func.jsonb_path_query(JobEntry.as_given, every).column_valued("entry")
        key_of, value_of = entry.op("->>")("key"), entry.op("->>")("value")
    else:
        row = func.json_each(JobEntry.as_given, where).table_valued("value").alias("entry")
        key_of = func.json_extract(row.c.value, "$.key")
        value_of = func.json_extract(row.c.value, "$.value")
    return select(1).where(key_of == key, func.coalesce(value_of, "") == value).exists()
