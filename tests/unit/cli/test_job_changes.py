"""`flink-jobs jobs watch`: what it reports of the job lists that it sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from flink_jobs_provider.cli.job_changes import Change, Watch
from flink_jobs_provider.inspecting.job_choice import NamedJobs, Owners
from flink_jobs_provider.inspecting.listed_job import ListedJob
from flink_jobs_provider.model.errors import ClusterUnreachable, PermanentError
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob

ONE, TWO = "1" * 32, "2" * 32


def listed(running: int | None, status: str = "RUNNING") -> ListedJob:
    """Return a job as a gateway lists it; its tasks are unknown where its cluster is silent."""
    tasks = None if running is None else 2
    return ListedJob("1", ONE, "orders", status, status == "RUNNING", 1, tasks, running)


def job(state: str, running: int = 0, job_id: str = ONE) -> ObservedJob:
    return ObservedJob(job_id, "orders", state, started=1, tasks=2, running_tasks=running)


class Watched:
    """A watch of job lists that follow each other; an error is a look that failed."""

    def __init__(self, *looks: list[ObservedJob] | Exception) -> None:
        self._looks: Iterator[list[ObservedJob] | Exception] = iter(looks)
        self.changes: list[Change] = []
        self.warnings: list[str] = []

    async def _look(self) -> NamedJobs:
        seen = next(self._looks)
        if isinstance(seen, Exception):
            raise seen
        return NamedJobs(ClusterSnapshot(tuple(seen)), {}, Owners())

    async def _pause(self) -> None:
        pass

    def run(self, wanted: str | None = "orders") -> str:
        """Watch."""
        watch = Watch(self._look, self.changes.append, self.warnings.append, self._pause)
        return asyncio.run(watch.run(wanted))

    @property
    def told(self) -> list[tuple[str | None, str, str]]:
        """What was reported."""
        return [(each.before, each.status, each.tasks) for each in self.changes]


def test_each_change_once_until_the_job_ends() -> None:
    watched = Watched(
        [job("CREATED")],
        [job("RUNNING", 1)],
        [job("RUNNING", 1)],
        [job("RUNNING", 2)],
        [job("RESTARTING")],
        [job("FAILED")],
    )
    assert watched.run() == "FAILED"
    assert watched.told == [
        (None, "STARTING", "0/2 tasks"),
        ("STARTING", "RUNNING", "1/2 tasks"),
        ("RUNNING", "RUNNING", "2/2 tasks"),
        ("RUNNING", "RESTARTING", "0/2 tasks"),
        ("RESTARTING", "FAILED", "0/2 tasks"),
    ]
    assert "STARTING → RUNNING" in watched.changes[1].line()
    assert "→" not in watched.changes[2].line()


def test_a_new_submission_is_watched_on() -> None:
    watched = Watched(
        [job("RUNNING", 2)],
        [job("FINISHED"), job("RUNNING", 2, TWO)],
        [job("FINISHED"), job("FINISHED", 0, TWO)],
    )
    assert watched.run() == "FINISHED"
    assert [each.job_id for each in watched.changes] == [ONE, ONE, TWO, TWO]


def test_jobs_that_had_ended_before_are_not_reported() -> None:
    watched = Watched(
        [job("FAILED", 0, TWO), job("RUNNING", 2)], [job("FAILED", 0, TWO), job("CANCELED")]
    )
    watched.run()
    assert {each.job_id for each in watched.changes} == {ONE}


def test_of_one_job_that_had_ended_before_it_is_told_how() -> None:
    watched = Watched([job("FAILED")])
    assert watched.run() == "FAILED"
    assert watched.told == [(None, "FAILED", "0/2 tasks")]


def test_a_cluster_that_cannot_be_reached_for_a_while_is_told_once() -> None:
    lost = ClusterUnreachable("no connection")
    watched = Watched([job("RUNNING", 2)], lost, lost, [job("FINISHED")])
    assert watched.run() == "FINISHED"
    assert watched.warnings == [
        "no connection. Watching goes on.",
        "The cluster answers again.",
    ]


def test_one_that_cannot_be_reached_at_first_is_an_error() -> None:
    with pytest.raises(ClusterUnreachable):
        Watched(ClusterUnreachable("no connection")).run()


def test_a_job_that_is_no_longer_listed_has_no_known_end() -> None:
    watched = Watched([job("RUNNING", 2)], [])
    with pytest.raises(PermanentError, match="how it ended is not known"):
        watched.run()
    assert watched.told[-1] == ("RUNNING", "not listed", "2/2 tasks")


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([2, None, None, 2], ["2/2 tasks"]),
        ([2, None, 1], ["2/2 tasks", "1/2 tasks"]),
        ([None, 2, 1], ["tasks not observed", "1/2 tasks"]),
    ],
    ids=["as it was", "changed meanwhile", "silent at first"],
)
def test_a_cluster_that_is_silent_for_a_while_is_no_change_of_a_job(
    looks: list[int | None], told: list[str]
) -> None:
    changes: list[Change] = []
    watch = Watch(None, changes.append, print, None)  # type: ignore[arg-type]
    for running in looks:
        watch._report([listed(running)], first=False)
    watch._report([listed(None, "FAILED")], first=False)
    assert [each.tasks for each in changes] == [*told, "tasks not observed"]


def test_an_unknown_job() -> None:
    with pytest.raises(PermanentError, match="no such job; names like it: orders"):
        Watched([job("RUNNING", 2)]).run("ordes")
