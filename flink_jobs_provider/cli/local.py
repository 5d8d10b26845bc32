"""`flink-jobs local`: a real Flink session cluster on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flink_jobs_provider.local import (
    DEFAULT_FLINK_VERSION,
    ClusterStatus,
    LocalCluster,
    LocalClusterError,
    LocalGateway,
    Report,
    Request,
)

NOT_RUNNING = 3
"""The exit code of `status` when the cluster does not run, or not all of it."""

app = typer.Typer(
    help="A real Flink session cluster on this machine, from PyPI packages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)

DirectoryOption = Annotated[
    Path, typer.Option(help="Where the cluster keeps its data; one directory, one cluster.")
]
_DEFAULT_DIRECTORY = Path(".flink")


@app.command()
def up(
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
    version: Annotated[
        str | None, typer.Option(help="Flink version.", show_default=DEFAULT_FLINK_VERSION)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port of the REST API; 0 takes any free one.", show_default="8081"),
    ] = None,
    slots: Annotated[int | None, typer.Option(help="Task slots in all.", show_default="8")] = None,
    task_managers: Annotated[
        int | None, typer.Option(help="Number of TaskManagers.", show_default="1")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", metavar="KEY=VALUE", help="A Flink setting; repeatable."),
    ] = None,
    gateway: Annotated[
        Path | None,
        typer.Option(help="Start a gateway beside it too, with this configuration."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status as JSON.")] = False,
) -> None:
    """Start the cluster, or what of it does not run; what runs already is left alone."""
    with _messages(), _progress() as report:
        request = Request(
            version=version,
            port=port,
            slots=slots,
            task_managers=task_managers,
            configuration=_settings(config),
        )
        cluster = LocalCluster(directory, report)
        outcome, status = cluster.up(request)
        if gateway:
            started = LocalGateway(directory, report).up(gateway)
            status = cluster.status()
    if as_json:
        print(status.model_dump_json(indent=2))
        return
    facts = f"{_count(status.slots or 0, 'slot')}, {status.free_slots} free, {status.java}"
    _out.print(
        f"Flink {status.flink_version} {outcome} at [bold]{status.url}[/bold]  {escape(facts)}"
    )
    if gateway:
        _out.print(f"Gateway {started}, configured by {gateway}", markup=False)


@app.command()
def down(
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove savepoints, logs and all other data too.")
    ] = False,
) -> None:
    """Stop the cluster and the jobs on it; savepoints and logs are kept."""
    with _messages(), _progress() as report:
        cluster = LocalCluster(directory, report)
        before = cluster.status()
        if before.state in ("running", "incomplete"):
            report("Stopping Flink")
        ended = cluster.down(purge=purge)
    said = f"Stopped {', '.join(ended)}" if ended else "Nothing was running"
    if before.running_jobs:
        said += f", and with it {_count(before.running_jobs, 'running job')}"
    if before.state != "absent":
        said += f"; the data in {directory} {'is removed' if purge else 'is kept'}"
    _out.print(f"{said}.", markup=False)


@app.command()
def status(
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show the cluster; exit code 3 if it does not run, or not all of it."""
    with _messages():
        shown = LocalCluster(directory).status()
    if as_json:
        print(shown.model_dump_json(indent=2))
    else:
        _print_status(shown)
    if shown.state != "running":
        raise typer.Exit(NOT_RUNNING)


def _print_status(shown: ClusterStatus) -> None:
    if shown.state == "absent":
        _out.print(
            f"There is no cluster in {shown.directory}; `flink-jobs local up` makes one.",
            markup=False,
        )
        return
    facts = [
        f"Flink {shown.flink_version}",
        _coloured(shown.state),
        shown.url,
        escape(shown.java or ""),
    ]
    if shown.slots is not None:
        facts += [f"{shown.free_slots} of {shown.slots} slots free"]
        facts += [f"{_count(shown.running_jobs or 0, 'job')} running"]
    _out.print("  ".join(fact for fact in facts if fact))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("process", "pid", "state"):
        table.add_column(heading, justify="right" if heading == "pid" else "left")
    for process in [*shown.processes, *([shown.gateway] if shown.gateway else [])]:
        state = "running" if process.registered else "not ready" if process.pid else "dead"
        if shown.state == "stopped" and process.pid is None:
            state = "stopped"
        table.add_row(process.role, str(process.pid or "-"), _coloured(state))
    _out.print(table)
    if shown.state == "incomplete":
        _out.print("`flink-jobs local up` starts what is missing.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _coloured(state: str) -> str:
    colour = {"running": "green", "stopped": "dim", "not ready": "yellow"}.get(state, "red")
    return f"[{colour}]{state}[/{colour}]"


def _settings(pairs: list[str] | None) -> dict[str, str] | None:
    if not pairs:
        return None
    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise LocalClusterError(
                f"--config is '{pair}'.",
                now="Nothing was started.",
                advice="Give it as KEY=VALUE, such as restart-strategy.type=none.",
            )
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


@contextmanager
def _messages() -> Iterator[None]:
    """Show an error of the cluster as its sentences, and exit with 1."""
    try:
        yield
    except LocalClusterError as error:
        _err.print(error.what, style="red", markup=False)
        _err.print(f"{error.now} {error.advice}", markup=False)
        if error.details:
            _err.print(error.details, style="dim", markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        _err.print("Interrupted; `flink-jobs local status` shows what runs.")
        raise typer.Exit(130) from None


@contextmanager
def _progress() -> Iterator[Report]:
    """Show the step that is being done: live on a terminal, a line for each step elsewhere."""
    if not sys.stderr.isatty():
        yield lambda step: _err.print(f"{step} …", markup=False)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True) as progress:
        task = progress.add_task("Looking")
        yield lambda step: progress.update(task, description=step)
