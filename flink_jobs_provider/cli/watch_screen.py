"""The table of `flink-jobs jobs watch` on a terminal, redrawn in its place."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from flink_jobs_provider.cli.job_changes import Change, Watch
from flink_jobs_provider.cli.printing import ago, style_of, text
from flink_jobs_provider.cli.view_protocol import JobListing
from flink_jobs_provider.inspecting.listed_job import ListedJob

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_HEADINGS = ("job", "status", "tasks", "age", "needs attention", "job id")
#: Changes that are shown below the table, and lines that are neither a job nor a change.
_CHANGES, _OTHER_LINES = 8, 5


class Screen:
    """Jobs as a table, the last changes below, and a warning while they cannot be observed.

    Args:
        height: Returns how many lines there are.
        clock: Milliseconds since the epoch.
    """

    def __init__(
        self, height: Callable[[], int], clock: Callable[[], float] = lambda: time.time() * 1000
    ) -> None:
        self._height = height
        self._clock = clock
        self._jobs: Sequence[ListedJob] = ()
        self._changes: deque[Change] = deque(maxlen=_CHANGES)
        self._warning = ""

    def change(self, change: Change) -> None:
        """Add a change."""
        self._changes.append(change)

    def warn(self, warning: str) -> None:
        """Replace the warning."""
        self._warning = warning

    def jobs(self, shown: Sequence[ListedJob]) -> None:
        """Replace the jobs: those that are active, and what else needs attention."""
        wanted = [job for job in shown if job.active or job.needs_attention]
        self._jobs = sorted(wanted, key=lambda job: (not job.needs_attention, job.name, job.key))

    def drawn(self) -> RenderableType:
        """Return what is shown now; jobs that the screen has no lines for are counted."""
        from rich.console import Group
        from rich.text import Text

        from flink_jobs_provider.cli.live_tables import FittingTable

        room = max(1, self._height() - len(self._changes) - _OTHER_LINES)
        table = FittingTable(
            _HEADINGS,
            [self._cells(job) for job in self._jobs[:room]],
            right=("tasks", "age"),
            gives_way="job id",
            leave_out=("job id", "age", "tasks"),
        )
        parts: list[RenderableType] = [table if self._jobs else Text("No active jobs.")]
        if hidden := len(self._jobs) - room:
            parts += [Text(f"and {hidden} more")] if hidden > 0 else []
        if self._changes:
            parts.append(Text("\nlast changes", style="dim"))
            lines = (each.line() for each in self._changes)
            parts += [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
        if self._warning:
            parts.append(Text(self._warning, style="yellow"))
        return Group(*parts)

    def _cells(self, job: ListedJob) -> list[Text]:
        from rich.text import Text

        age = ago(int(self._clock() - job.started) // 1000) if job.started else None
        tasks = "-" if job.tasks is None else f"{job.running_tasks}/{job.tasks}"
        concerns = ", ".join(job.needs_attention) or "-"
        return [
            Text(text(job.name)),
            Text(job.status, style=style_of(job.status)),
            *(Text(tasks), Text(age or "-")),
            Text(concerns, style="yellow" if job.needs_attention else ""),
            Text(job.job_id or "-"),
        ]


async def watched_on_a_screen(
    list_jobs: Callable[[], Awaitable[JobListing]],
    pause: Callable[[], Awaitable[None]],
    wanted: str | None,
    console: Console | None = None,
) -> str:
    """Watch jobs with a table on the terminal; return as `Watch.run` does."""
    from rich.console import Console as RichConsole
    from rich.live import Live

    out = console or RichConsole(highlight=False)
    screen = Screen(lambda: out.size.height)
    with Live(console=out, auto_refresh=False, get_renderable=screen.drawn) as live:

        def show(shown: Sequence[ListedJob]) -> None:
            screen.jobs(shown)
            live.refresh()

        return await Watch(list_jobs, screen.change, screen.warn, pause, show).run(wanted)
