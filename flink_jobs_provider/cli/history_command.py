"""`flink-jobs jobs history`: the versions of a job that a stack, or a gateway, has on record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.cluster_session import ViewOptions
from flink_jobs_provider.cli.engines import DirectoryOption, StackOption, engine_errors
from flink_jobs_provider.cli.options import JsonOption, grouped
from flink_jobs_provider.cli.printing import say, say_json, say_table

if TYPE_CHECKING:
    from flink_jobs_provider.cli.view_protocol import JobView
    from flink_jobs_provider.engine.stacks import Request

RecordedJob = Annotated[
    str, typer.Argument(metavar="JOB", help="Its job_name, or the name of its resource.")
]
_HEADINGS = ("version", "at", "action", "result", "commit", "jar", "from", "left", "why")


@dataclass(frozen=True, kw_only=True)
class StackRecordOptions:
    """The stack in which a job is on record: its state is read and written here."""

    stack: StackOption = None
    cwd: DirectoryOption = Path()
    as_json: JsonOption = False

    def request(self) -> Request:
        """Return the request to the embedded engine.

        Raises:
            StackError: The stack's state is not in files.
        """
        from flink_jobs_provider.engine.errors import BackendError, StackError
        from flink_jobs_provider.engine.stacks import Request

        request = Request(self.cwd, self.stack)
        try:
            request.place()
        except BackendError as error:
            raise StackError(
                f"the versions of a stack's jobs are read and changed in a file:// backend alone: "
                f"{error.message}",
                "In another backend, `pulumi stack export` has them as the output history, and "
                "the way back is a change of the program to the inputs of that version.",
            ) from None
        return request


@dataclass(frozen=True, kw_only=True)
class RecordOptions(StackRecordOptions):
    """Where a job is on record: in a stack, or with a gateway."""

    gateway: Annotated[
        str | None,
        typer.Option(
            "--gateway",
            metavar="URL",
            help="Address of a gateway, instead of a stack; its token is in "
            "FLINK_JOBS_GATEWAY_TOKEN.",
        ),
    ] = None
    target_file: Annotated[
        Path | None,
        typer.Option("--target-file", help="YAML file with a target of the kind gateway."),
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="With a gateway: only this cluster, by key or name."),
    ] = None

    @property
    def view(self) -> ViewOptions | None:
        """The gateway that is given; None for a stack."""
        if self.gateway is None and self.target_file is None:
            return None
        return ViewOptions(gateway=self.gateway, target_file=self.target_file, cluster=self.cluster)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("history")(grouped(history))


def history(options: RecordOptions, job: RecordedJob) -> None:
    """List the versions of a job, the newest first: when, why, by whom, and the state of each."""
    view = options.view
    if view is not None:

        async def work(shown: JobView) -> list[dict[str, Any]]:
            return await shown.versions(job)

        found = view.view(work)
    else:
        found = _of_stack(options, job)
    if options.as_json:
        say_json(found)
    elif not found:
        say(
            f"No version of {job} is on record: the next update lists the present one, and its own."
        )
    else:
        say_table(_HEADINGS, [_row(each) for each in found], right=("version",))


def _of_stack(options: RecordOptions, job: str) -> list[dict[str, Any]]:
    with engine_errors():
        from flink_jobs_provider.engine.single_change import find_resource
        from flink_jobs_provider.engine.values import plain

        stack = options.request().open()
        state = find_resource(stack, "job_name", job)
        found: Any = plain(state.outputs.get("history")) or []
        return list(found)


def _row(version: dict[str, Any]) -> list[object]:
    digest, commit = version.get("jar_digest"), version.get("commit")
    return [
        version.get("number") or version["action_id"][:8],
        version.get("at"),
        version.get("action"),
        version.get("result"),
        commit[:8] if commit else None,
        digest[:12] if digest else None,
        _short(version.get("restored_from")),
        _left(version),
        version.get("failure") or version.get("why") or f"by {version.get('by')}",
    ]


def _left(version: dict[str, Any]) -> str | None:
    """Return the state that a version left, and whether it is there no more."""
    short = _short(version.get("savepoint"))
    return f"{short} (disposed of)" if short and version.get("disposed_at") else short


def _short(path: str | None) -> str | None:
    """Return the end of a path: the whole one is in the JSON."""
    return path.rstrip("/").rpartition("/")[2] if path else None
