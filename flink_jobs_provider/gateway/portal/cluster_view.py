"""A cluster as pages show it: what it reports of itself, and the jobs on it that are not ours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from flink_jobs_provider.gateway.apis.job_inputs import masked_text
from flink_jobs_provider.gateway.job_board import ClusterAnswer
from flink_jobs_provider.gateway.portal.health_view import (
    AttentionView,
    Away,
    away_view,
    moment,
)
from flink_jobs_provider.gateway.portal.job_view import short_name
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.attention import cluster_attention
from flink_jobs_provider.observing.health import ClusterHealth, Memory

#: Jobs that are not ours, of which a page shows each; of more it shows how many.
_MOST_STRANGERS = 50


@dataclass(frozen=True)
class Stranger:
    """A job that runs on a cluster and is not on the gateway's records.

    Attributes:
        job_id: Flink's jobId.
        name: The name that its program gave it.
        state: Flink's own word.
        since: When it was submitted.
    """

    job_id: str
    name: str
    state: str
    since: datetime | None


@dataclass(frozen=True)
class ClusterView:
    """A cluster as pages show it. Without an answer there is nothing but `away` or `problem`.

    Attributes:
        key: Its key.
        name: What people call it.
        whole_name: Its whole name.
        away: That it does not answer, since when and why.
        problem: Why it answers, and cannot be observed.
        health: What it reports; None where nothing was observed.
        active: How many active jobs it lists.
        memories: Pools of memory that it reports, by the name of a phrase.
        attention: Why it needs attention itself.
        strangers: Active jobs that are not ours.
        more_strangers: How many more of them there are.
    """

    key: str
    name: str
    whole_name: str
    away: Away | None = None
    problem: str = ""
    health: ClusterHealth | None = None
    active: int = 0
    memories: Sequence[tuple[str, Memory]] = ()
    attention: Sequence[AttentionView] = ()
    strangers: Sequence[Stranger] = ()
    more_strangers: int = 0

    @property
    def reachable(self) -> bool | None:
        """Whether it answers; None where it has not been asked so far."""
        return False if self.away else None if self.health is None and not self.problem else True


def cluster_view(
    cluster: ClusterConfiguration,
    seen: ClusterHealth | JobError | None,
    answer: ClusterAnswer | None,
    ours: Collection[str],
    text: Text,
) -> ClusterView:
    """Return a cluster as pages show it.

    Args:
        cluster: The cluster.
        seen: What was observed, or why it was not; None where nothing was so far.
        answer: How it answered the gateway's own observation last.
        ours: jobIds of its list that belong to jobs on record.
        text: The language of why it needs attention.
    """
    head = (cluster.key, short_name(cluster), cluster.name)
    if not isinstance(seen, ClusterHealth):
        away = away_view(seen, answer)
        return ClusterView(*head, away, "" if away or seen is None else masked_text(str(seen)))
    active = [job for job in seen.snapshot.jobs if job.active]
    strangers = [job for job in active if job.job_id not in ours]
    return ClusterView(
        *head,
        health=seen,
        active=len(active),
        memories=list(_memories(seen)),
        attention=[AttentionView.of(each, text) for each in cluster_attention(seen)],
        strangers=[_stranger(job) for job in strangers[:_MOST_STRANGERS]],
        more_strangers=max(0, len(strangers) - _MOST_STRANGERS),
    )


def _memories(seen: ClusterHealth) -> list[tuple[str, Memory]]:
    pools = (
        ("heap", seen.heap),
        ("metaspace", seen.metaspace),
        ("job_manager_heap", seen.job_manager_heap),
        ("job_manager_metaspace", seen.job_manager_metaspace),
    )
    return [(name, memory) for name, memory in pools if memory]


def _stranger(job: ObservedJob) -> Stranger:
    return Stranger(job.job_id, job.name, job.state, moment(job.started))
