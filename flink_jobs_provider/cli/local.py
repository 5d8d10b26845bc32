"""`flink-jobs local`: a real Flink session cluster on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import console, fail, say, say_either, say_json, say_table

if TYPE_CHECKING:
    from flink_jobs_provider.local import ClusterStatus, Report

#: That of `local.settings`, which `--help` need not import.
FLINK_VERSION = "2.3.0"

NOT_RUNNING = 3
"""The exit code of `status` when the cluster does not run, or not all of it."""

app = typer.Typer(
    help="A real Flink session cluster on this machine, from PyPI packages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DirectoryOption = Annotated[
    Path, typer.Option(help="Where the cluster keeps its data; one directory, one cluster.")
]
_DEFAULT_DIRECTORY = Path(".flink")


@app.command()
def up(
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
    version: Annotated[
        str | None, typer.Option(help="Flink version.", show_default=FLINK_VERSION)
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
        typer.Option(help="Also start a gateway, with this configuration."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the cluster, or those of its processes that do not run."""
    portal = _checked_gateway(gateway) if gateway else ""
    from flink_jobs_provider.local import LocalCluster, Request

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
            started = cluster.up_gateway(gateway)
            status = cluster.status()
    if as_json:
        print(status.model_dump_json(indent=2))
        return
    facts = f"{_count(status.slots or 0, 'slot')}, {status.free_slots} free, {status.java}"
    say(f"Flink {status.flink_version} {outcome} at {status.url}  {facts}")
    if gateway:
        say(f"Gateway {started}, configured by {gateway}")
    if portal:
        say(f"Portal {portal}  sign in with a token of that gateway")


def _checked_gateway(configuration: Path) -> str:
    """Fail before a cluster is started for a gateway that could not be.

    Returns:
        Where its portal is; empty where it has none, or any free port.
    """
    from flink_jobs_provider.cli.gateway import checked_configuration

    checked = checked_configuration(configuration, now="Nothing was started.")
    return checked.portal_url or ""


@app.command()
def down(
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove savepoints, logs and all other data too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop the cluster and the jobs on it; savepoints and logs are kept."""
    from flink_jobs_provider.local import LocalCluster

    with _messages(), _progress() as report:
        cluster = LocalCluster(directory, report)
        before = cluster.status()
        if before.state in ("running", "incomplete"):
            report("Stopping Flink")
        ended = cluster.down(purge=purge)
    line = f"Stopped {', '.join(ended)}" if ended else "Nothing was running"
    if before.running_jobs:
        line += f", and with it {_count(before.running_jobs, 'running job')}"
    if before.state != "absent":
        line += f"; the data in {directory} {'is removed' if purge else 'is kept'}"
    document = {
        "stopped": list(ended),
        "running_jobs": before.running_jobs or 0,
        "directory": str(directory),
        "data": "absent" if before.state == "absent" else "removed" if purge else "kept",
    }
    say_either(document, f"{line}.", as_json=as_json)


@app.command()
def logs(
    process: Annotated[
        str | None,
        typer.Argument(help="jobmanager, taskmanager-1, … or gateway; else all of them."),
    ] = None,
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="The last lines of each file.")
    ] = 40,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the processes of the cluster, and its gateway, have logged."""
    if follow and as_json:
        fail("--follow has no JSON: take one of --follow and --json", code=2)
    from flink_jobs_provider.local.cluster_status import follow as lines_to_come
    from flink_jobs_provider.local.cluster_status import read_logs

    with _messages(interrupted=""):
        found = read_logs(directory, process, lines)
        if as_json:
            say_json(
                [
                    {"process": log.role, "file": str(log.file), "lines": list(log.lines)}
                    for log in found
                ]
            )
            return
        for log in found:
            say(f"==> {log.role}  {log.file}")
            for line in log.lines:
                say(line)
        if follow:
            sys.stdout.flush()
            for log, line in lines_to_come(found):
                print(f"{log.role}  {line}", flush=True)


@app.command()
def status(directory: DirectoryOption = _DEFAULT_DIRECTORY, as_json: JsonOption = False) -> None:
    """Show the cluster; exit code 3 if it does not run, or not all of it."""
    from flink_jobs_provider.local import LocalCluster

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
        say(f"There is no cluster in {shown.directory}; `flink-jobs local up` makes one.")
        return
    facts = [f"Flink {shown.flink_version}", shown.state, shown.url, shown.java or ""]
    if shown.slots is not None:
        facts += [f"{shown.free_slots} of {shown.slots} slots free"]
        facts += [f"{_count(shown.running_jobs or 0, 'job')} running"]
    say("  ".join(fact for fact in facts if fact))
    rows: list[tuple[object, ...]] = []
    for process in [*shown.processes, *([shown.gateway] if shown.gateway else [])]:
        state = "running" if process.registered else "not ready" if process.pid else "dead"
        if shown.state == "stopped" and process.pid is None:
            state = "stopped"
        rows.append((process.role, process.pid, state))
    say_table(("process", "pid", "state"), rows, right=("pid",))
    if shown.state == "incomplete":
        say("`flink-jobs local up` starts what is missing.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _settings(pairs: list[str] | None) -> dict[str, str] | None:
    if not pairs:
        return None
    from flink_jobs_provider.local import LocalClusterError

    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise LocalClusterError(
                f"--config is '{pair}'.",
                now="Nothing was started.",
                advice="Give it as KEY=VALUE, such as restart-strategy.type=none.",
            )
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


@contextmanager
def _messages(
    interrupted: str = "Interrupted; `flink-jobs local status` shows what runs.",
) -> Iterator[None]:
    """Show an error of the cluster as its sentences, and exit with 1."""
    from flink_jobs_provider.local import LocalClusterError

    try:
        yield
    except LocalClusterError as error:
        err = console(error=True)
        err.print(error.what, style="red", markup=False)
        err.print(f"{error.now} {error.advice}", markup=False)
        if error.details:
            err.print(error.details, style="dim", markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        if interrupted:
            say(interrupted, error=True)
        raise typer.Exit(130) from None


@contextmanager
def _progress() -> Iterator[Report]:
    """Show the step that is being done: live on a terminal, a line for each step elsewhere."""
    if not sys.stderr.isatty():
        yield lambda step: say(f"{step} …", error=True)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console(error=True), transient=True) as progress:
        task = progress.add_task("Reading what runs")
        yield lambda step: progress.update(task, description=step)
