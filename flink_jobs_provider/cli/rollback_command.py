"""`flink-jobs jobs rollback`: a job goes back to an earlier version, in a stack or a gateway."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.engines import engine_errors
from flink_jobs_provider.cli.history_command import RecordedJob, RecordOptions
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import fail, say, say_either

if TYPE_CHECKING:
    from flink_jobs_provider.cli.cluster_session import ViewOptions
    from flink_jobs_provider.cli.view_protocol import JobView
    from flink_jobs_provider.engine.resource_state import ResourceState
    from flink_jobs_provider.engine.stacks import OpenStack
    from flink_jobs_provider.provider.job_operations import JobOperations
    from flink_jobs_provider.provider.run_output import RunOutput


_NOW, _THEN = "now", "then"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rollback")(grouped(rollback))


def rollback(
    options: RecordOptions,
    job: RecordedJob,
    to: Annotated[
        str, typer.Option("--to", metavar="VERSION", help="Its number, or id, in `jobs history`.")
    ],
    from_savepoint: Annotated[
        str,
        typer.Option(
            metavar="now|then|PATH",
            help="now: the state that the job has, as an update does. then: the state that the "
            "version ended with; what the job did since is dropped from its state. With a "
            "gateway instead of then: the path of a savepoint on record.",
        ),
    ] = _NOW,
    jar: Annotated[
        str | None,
        typer.Option(help="Path or URI of a copy of that version's jar, where it is gone."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask where state is dropped.")
    ] = False,
) -> None:
    """Run an earlier version of a job again, by the checks of an update.

    It is recorded as a new version. The program of a stack stays as it is: the next `up` goes
    forward again, unless the program is changed back, too.
    """
    view = options.view
    if view is not None:
        _through_a_gateway(options, view, job, to, from_savepoint, jar, yes=yes)
        return
    if from_savepoint not in (_NOW, _THEN) or not to.isdigit():
        fail("of a stack's job, --to is a number and --from-savepoint is now or then")
    with engine_errors():
        from flink_jobs_provider.engine.single_change import find_resource, locked
        from flink_jobs_provider.provider.run_output import FlinkJobError

        request = options.request()
        with locked(request, lambda text: say(f"warning: {text}", error=True)) as stack:
            state = find_resource(stack, "job_name", job)
            try:
                done = _roll_back(stack, state, int(to), from_savepoint, jar, yes=yes)
            except FlinkJobError as error:
                fail(str(error))
    line = (
        f"{done['job_name']} is back at version {to}, as version {done['version']}: job "
        f"{done['job_id']}, {_origin(done)}. The program of stack {stack.files.stack} differs "
        "now: its next `up` goes forward again, unless the program is changed back."
    )
    say_either(done, line, as_json=options.as_json)


def _through_a_gateway(
    options: RecordOptions,
    view: ViewOptions,
    job: str,
    to: str,
    from_savepoint: str,
    jar: str | None,
    *,
    yes: bool,
) -> None:
    if jar is not None:
        fail("--jar is for the job of a stack: a gateway reads its jars itself")
    if from_savepoint == _THEN:
        fail(
            "a gateway does not record which state a version ended with: give the path of a "
            "savepoint on record (--from-savepoint PATH)"
        )
    savepoint = None if from_savepoint == _NOW else from_savepoint
    if savepoint:
        _confirm(
            f"What the job has done since {savepoint} was taken is not in the state that it goes "
            "on from. A savepoint of now is taken first, and kept, where it runs.",
            yes=yes,
        )

    async def work(shown: JobView) -> dict[str, Any]:
        last = ""

        def tell(line: str) -> None:
            nonlocal last
            if line != last:
                say(line, error=True)
            last = line

        return await shown.go_back(job, to, savepoint, tell)

    done = view.view(work, interrupted="interrupted; the action goes on, in the gateway")
    line = f"{done['job_name']} is back at version {to}: job {done['job_id']}, {_origin(done)}"
    say_either(done, f"{line}.", as_json=options.as_json)


def _origin(done: dict[str, Any]) -> str:
    origin = done["restored_from"]
    return f"from {origin}" if origin else "without state"


def _roll_back(
    stack: OpenStack,
    state: ResourceState,
    number: int,
    start: str,
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
