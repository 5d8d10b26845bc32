"""`flink-jobs jobs watch`: a table on a terminal, lines elsewhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from flink_jobs_provider.cli.cluster_session import ViewOptions
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import console, say

if TYPE_CHECKING:
    from flink_jobs_provider.cli.job_changes import Change
    from flink_jobs_provider.cli.view_protocol import JobView

#: Ends of a watched job that are failures.
_FAILURES = ("FAILED", "LOST", "JOB_LAUNCH_FAILED")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(partial(grouped, without=("as_json",))(watch))


def watch(
    cluster: ViewOptions,
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB]", help="One job, until it has ended; by default all, until Ctrl-C."
        ),
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", "-n", min=0.1, help="Seconds between two polls.")
    ] = 2.0,
    lines: Annotated[
        bool, typer.Option("--lines", help="Print a line for each change, also on a terminal.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", "-j", help="Print a JSON document a line.")
    ] = False,
) -> None:
    """Show jobs and their changes: a live table on a terminal, else a line for each change.

    A change is a job that appears, changes its status or its running tasks, or ends. Exit code 1
    when the job that is watched has FAILED.
    """
    live = console().is_terminal and not lines and not as_json

    async def work(view: JobView) -> str:
        import asyncio

        from flink_jobs_provider.cli.job_changes import Watch
        from flink_jobs_provider.cli.watch_screen import watched_on_a_screen

        async def pause() -> None:
            await asyncio.sleep(interval)

        if live:
            return await watched_on_a_screen(view.listed, pause, job)

        def show(change: Change) -> None:
            _print(change, as_json=as_json)

        return await Watch(view.listed, show, lambda warning: say(warning, error=True), pause).run(
            job
        )

    if cluster.view(work) in _FAILURES:
        raise typer.Exit(1)


def _print(change: Change, *, as_json: bool) -> None:
    import json

    line = json.dumps(change.plain(), ensure_ascii=False) if as_json else change.line()
    print(line, flush=True)
