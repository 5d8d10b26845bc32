"""`flink-jobs open`: the page of a job."""

from __future__ import annotations

from typing import Annotated

import typer

from flink_jobs_provider.cli.cluster_session import JobArgument, ViewOptions
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import fail, say_either


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("open")(grouped(open_page))


def open_page(
    cluster: ViewOptions,
    job: JobArgument,
    browser: Annotated[
        bool, typer.Option("--browser", "-b", help="Also open it in the browser.")
    ] = False,
) -> None:
    """Print the address of a job's page: in Flink's dashboard, or in a gateway's portal."""
    found = cluster.view(lambda view: view.page(job))
    say_either(found, found["url"], as_json=cluster.as_json)
    if browser:
        import webbrowser

        if not webbrowser.open(found["url"]):
            fail("no browser could be started here; open the address on another machine")
