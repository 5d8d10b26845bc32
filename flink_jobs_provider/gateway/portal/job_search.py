"""The search of the jobs page, as its address keeps it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from flink_jobs_provider.gateway.http.requests import is_text
from flink_jobs_provider.gateway.job_board import JobOrder, JobSearch
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

#: Jobs of a page.
PAGE = 50
#: All statuses that can be searched for, in the order in which they are offered.
STATUSES = (*(str(status) for status in JobStatus), LAUNCH_FAILED, "DRAFT")
_LONGEST = 200
_MOST_PAGES = 100_000


@dataclass(frozen=True)
class AskedSearch:
    """What somebody searches for.

    Attributes:
        text: A part of a name, or a whole id.
        clusters: Keys of clusters; none for all.
        statuses: Statuses; none for all.
        attention: Whether only jobs that need attention are listed.
        order: What they are sorted by.
        descending: Whether the order is turned round.
        page: Which page, from 1.
    """

    text: str = ""
    clusters: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    attention: bool = False
    order: JobOrder = JobOrder.ATTENTION
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, query: QueryParams, clusters: Sequence[str]) -> AskedSearch:
        """Return what an address asks for; what it asks for in vain is left aside.

        Args:
            query: Of the address.
            clusters: Keys of the clusters that there are for whoever asks.
        """
        order = query.get("sort", "").removeprefix("-")
        page = query.get("page", "1")
        text = "".join(each if is_text(each) else " " for each in query.get("q", "")).strip()
        return cls(
            text=text[:_LONGEST],
            clusters=tuple(key for key in clusters if key in query.getlist("cluster")),
            statuses=tuple(one for one in STATUSES if one in query.getlist("status")),
            attention=query.get("attention") == "1",
            order=JobOrder(order) if order in list(JobOrder) else JobOrder.ATTENTION,
            descending=query.get("sort", "").startswith("-"),
            page=min(int(page), _MOST_PAGES) if page.isascii() and page.isdigit() else 1,
        )

    @property
    def narrowed(self) -> bool:
        """Whether it leaves out any job."""
        return bool(self.text or self.clusters or self.statuses or self.attention)

    def search(self, clusters: Sequence[str], noticed: Collection[str]) -> JobSearch:
        """Return it as the records are asked.

        Args:
            clusters: Keys of the clusters that there are for whoever asks.
            noticed: jobIds of jobs whose clusters show that they need attention.
        """
        return JobSearch(
            clusters=self.clusters or clusters,
            text=self.text,
            statuses=self.statuses,
            attention=self.attention,
            noticed=noticed,
            order=self.order,
            descending=self.descending,
            offset=(max(1, self.page) - 1) * PAGE,
            limit=PAGE,
        )

    def query(self) -> str:
        """Return the query of its address."""
        sort = f"-{self.order}" if self.descending else str(self.order)
        pairs = [
            ("q", self.text),
            *(("cluster", key) for key in self.clusters),
            *(("status", status) for status in self.statuses),
            ("attention", "1" if self.attention else ""),
            ("sort", "" if sort == JobOrder.ATTENTION else sort),
            ("page", str(self.page) if self.page > 1 else ""),
        ]
        return urlencode([(name, value) for name, value in pairs if value])

    def sorted_by(self, order: str) -> AskedSearch:
        """Return it in another order; turned round, if it has that order already."""
        turned = self.order == order and not self.descending
        return replace(self, order=JobOrder(order), descending=turned, page=1)

    def at(self, page: int) -> AskedSearch:
        """Return another page of it."""
        return replace(self, page=page)
