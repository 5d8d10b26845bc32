"""What was observed of one job lately.

However often a job is read, this reaches back equally far: beyond the newest observations, one
is kept for each period in which a cluster gathers metrics.
"""

from __future__ import annotations

from flink_jobs_provider.observing.attention import METRICS_PERIOD, Observation

#: Observations that are kept whatever lies between them, and how many are kept in all: those of a
#: quarter of an hour at least.
_NEWEST, _MOST = 8, 128


class RecentObservations:
    """The observations of one job, thinned by their times."""

    def __init__(self) -> None:
        self._seen: list[Observation] = []

    def append(self, observation: Observation) -> None:
        """Add the newest one."""
        seen = self._seen
        seen.append(observation)
        older = len(seen) - _NEWEST - 1
        if older > 0 and self._is_between(older):
            del seen[older]
        if len(seen) > _MOST:
            del seen[0]

    def all(self) -> tuple[Observation, ...]:
        """Return them, the newest last."""
        return tuple(self._seen)

    def _is_between(self, place: int) -> bool:
        """Whether an observation adds little to those before and after it.

        The last one before a job vanished, or came back, tells since when. A cluster's clock may
        be set back.
        """
        before, each, after = self._seen[place - 1 : place + 2]
        near = abs(each.at - before.at) < METRICS_PERIOD
        return near and type(before) is type(each) is type(after)
