"""One job of a list, as a cluster or a gateway has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ListedJob:
    """One job of a list.

    Attributes:
        key: What it is known by from one list to the next: its jobId, or its number at a gateway.
        job_id: Flink's jobId of its latest submission; empty where there was none.
        name: The name that its owner gave it, else that of its program.
        active: Whether it has not ended, and no action on it is in progress.
        started: When it was submitted: milliseconds since the epoch, 0 where it never was.
        tasks: How many tasks it has; None where that is unknown.
        running_tasks: How many of them run.
        needs_attention: Kinds of concerns, most urgent first.
    """

    key: str
    job_id: str
    name: str
    status: str
    active: bool
    started: int
    tasks: int | None
    running_tasks: int | None
    needs_attention: tuple[str, ...] = ()

    @property
    def running(self) -> str:
        """How many of its tasks run, of how many."""
        if self.tasks is None:
            return "tasks not observed"
        return f"{self.running_tasks}/{self.tasks} tasks"
