"""`flink-jobs jobs rollback`: a job of a stack goes back to an earlier version of it."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.engines import engine_errors
from flink_jobs_provider.cli.history_command import RecordedJob, StackRecordOptions
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import fail, say, say_either

if TYPE_CHECKING:
    from flink_jobs_provider.engine.resource_state import ResourceState
    from flink_jobs_provider.engine.stacks import OpenStack
    from flink_jobs_provider.provider.job_operations import JobOperations
    from flink_jobs_provider.provider.run_output import RunOutput


class StateChoice(StrEnum):
    """The state that a rollback starts from."""

    NOW = "now"
    THEN = "then"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rollback")(grouped(rollback))


def rollback(
    options: StackRecordOptions,
    job: RecordedJob,
    to: Annotated[
        int, typer.Option("--to", metavar="VERSION", help="Its number in `jobs history`.")
    ],
    from_savepoint: Annotated[
        StateChoice,
        typer.Option(
            help="now: the state that the job has, as an update does. then: the state that the "
            "version ended with; what the job did since is dropped from its state.",
        ),
    ] = StateChoice.NOW,
    jar: Annotated[
        str | None,
        typer.Option(help="Path or URI of a copy of that version's jar, where it is gone."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask where state is dropped.")
    ] = False,
) -> None:
    """Run an earlier version of a stack's job again, by the checks of an update.

    It is recorded as a new version. The program stays as it is: the next `up` goes forward again,
    unless the program is changed back, too.
    """
    with engine_errors():
        from flink_jobs_provider.engine.single_change import find_resource, locked
        from flink_jobs_provider.provider.run_output import FlinkJobError

        request = options.request()
        with locked(request, lambda text: say(f"warning: {text}", error=True)) as stack:
            state = find_resource(stack, "job_name", job)
            try:
                done = _roll_back(stack, state, to, from_savepoint, jar, yes=yes)
            except FlinkJobError as error:
                fail(str(error))
    line = (
        f"{done['job_name']} is back at version {to}, as version {done['version']}: job "
        f"{done['job_id']}, {_origin(done)}. The program of stack {stack.files.stack} differs "
        "now: its next `up` goes forward again, unless the program is changed back."
    )
    say_either(done, line, as_json=options.as_json)


def _origin(done: dict[str, Any]) -> str:
    origin = done["restored_from"]
    return f"from {origin}" if origin else "without state"


def _roll_back(
    stack: OpenStack,
    state: ResourceState,
    number: int,
    start: StateChoice,
    copy: str | None,
    *,
    yes: bool,
) -> dict[str, Any]:
    from flink_jobs_provider.engine.single_change import Changed, apply
    from flink_jobs_provider.engine.stacks import secret_texts
    from flink_jobs_provider.engine.values import plain
    from flink_jobs_provider.model.errors import JobError
    from flink_jobs_provider.model.record import JobRecord
    from flink_jobs_provider.provider.rollback import FromState, roll_back_to
    from flink_jobs_provider.provider.run_output import RunOutput

    output = RunOutput()
    output.hide(*secret_texts(stack))
    outputs: Any = plain(state.outputs)
    recorded = JobRecord.from_outputs(outputs)
    jobs = _operations(stack, output)
    failed: list[JobError] = []
    try:
        back = roll_back_to(jobs.observe(recorded), number, FromState(start))
        output.hide(*back.secret_texts)
        found = jobs.find_jar(back.wanted, copy)
        say(output.redact(f"{recorded.spec.job_name}: {back.why}"), error=True)
        if back.drops:
            _confirm(back.drops, yes=yes)

        def change() -> Changed:
            always = frozenset({"version_inputs"})
            try:
                record = back.as_recorded(
                    jobs.bring_back(back.base, back.wanted, found, back.occasion)
                )
            except JobError as error:
                partial = getattr(error, "partial", None)
                if not isinstance(partial, JobRecord):
                    raise
                failed.append(error)
                return Changed(output.outputs(back.as_recorded(partial)), secret_outputs=always)
            inputs = record.spec.plain()
            return Changed(output.outputs(record), inputs, back.secret, always)

        new = apply(stack, state, change, lambda line: say(line, error=True))
    except JobError as error:
        raise output.error(error) from None
    finally:
        jobs.close()
    if failed:
        raise output.error(failed[0])
    now: Any = plain(new.outputs)
    return {
        "job_name": recorded.spec.job_name,
        "version": now["history"][0]["number"],
        "back_to": number,
        "job_id": now["job_id"],
        "status": now["status"],
        "restored_from": now["restored_from"],
    }


def _operations(stack: OpenStack, output: RunOutput) -> JobOperations:
    """Return the operations on the jobs of a stack, with the stack's own secrets."""
    from flink_jobs_provider.engine.stack_configuration import full_name
    from flink_jobs_provider.provider.job_operations import JobOperations, secret_resolver
    from flink_jobs_provider.provider.run_registry import RunRegistry

    def configured(key: str) -> str | None:
        found = stack.configuration.get(full_name(key, stack.place.project.name))
        return found.text if found else None

    jobs = JobOperations(RunRegistry(), lambda line: say(output.redact(line), error=True))
    jobs.connect(secret_resolver(configured, output.hide), lambda: None)
    return jobs


def _confirm(drops: str, *, yes: bool) -> None:
    """Ask whether state is to be dropped."""
    say(drops, error=True)
    if yes:
        return
    if not sys.stdin.isatty():
        fail("going back drops state: confirm it with --yes. Nothing was changed.")
    typer.confirm("Go back?", abort=True, err=True)
