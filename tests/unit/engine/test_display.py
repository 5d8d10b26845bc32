"""What a plugin logs while it works, as it is shown to people."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from flink_jobs_provider.engine.display import Display
from flink_jobs_provider.engine.operations import Outcome
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.run import Diagnostic, Severity, Step
from flink_jobs_provider.engine.steps import Change, ChangeKind, Op, PropertyDiff, detailed
from flink_jobs_provider.engine.values import Value
from flink_jobs_provider.model.redaction import Redactor

URN = "urn:pulumi:dev::demo::files:index:File::orders"


def shown(*, preview: bool = False, diff: bool = False) -> tuple[Display, io.StringIO]:
    """Return a display that is no terminal, and what it writes."""
    out = io.StringIO()
    console = Console(file=out, width=200)
    redactor = Redactor({"hush"}, "[secret]")
    return Display(console, redactor, show_diffs=diff, verbose=False, preview=preview), out


def state(**properties: Value) -> ResourceState:
    """Return a state with these inputs."""
    return ResourceState(urn=URN, type="files:index:File", custom=True, inputs=properties)


def texts(out: io.StringIO) -> list[str]:
    """Return the lines, without the time before them."""
    return [line.partition("s  ")[2] or line for line in out.getvalue().splitlines()]


def test_progress_is_written_once_for_each_new_step() -> None:
    """Shows that a report of the same step after more seconds, or bytes, is no new line."""
    display, out = shown()
    display.diagnostic(Diagnostic(Severity.INFO, "orders: UPDATE, since hush", URN))
    for message in (
        *("orders: UPDATE, since hush, 1 s", "orders: stopping", "orders: stopping, 12 s"),
        *("orders: uploading 1 MB", "orders: uploading 7 MB, 13 s", "", "started, 14 s"),
    ):
        display.status(URN, message)
    display.status("", "of nothing")
    assert texts(out) == [
        "orders: UPDATE, since [secret]",
        "orders: stopping",
        "orders: uploading 1 MB",
        "orders: started, 14 s",
    ]


def test_a_slow_step_says_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows the time once, that of the step."""
    display, out = shown()
    clock = iter([10.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock, 15.0))
    display.step_started(Step(Op.UPDATE, URN, state(), state()))
    display.status(URN, "orders: stopping, 4 s")
    display.tick()
    assert out.getvalue().splitlines()[-1].endswith("  updating orders (5s): stopping")


@pytest.mark.parametrize("op", [Op.DELETE, Op.REPLACE, Op.DELETE_REPLACED])
def test_a_resource_that_outlives_its_deletion_is_marked_as_the_cli_marks_it(op: Op) -> None:
    for retained in (True, False):
        display, out = shown()
        old = replace(state(), retain_on_delete=retained)
        display.step_ended(Step(op, URN, old, None if op is Op.DELETE else state()), failed=False)
        assert ("[retain]" in out.getvalue()) == retained


def test_plans_are_below_their_resource() -> None:
    """Shows those of a preview; of a resource that does not change they stand alone."""
    display, out = shown(preview=True, diff=True)
    display.diagnostic(Diagnostic(Severity.INFO, "orders: UPDATE, since size is 2", URN))
    assert out.getvalue() == ""
    detail = (
        Change("size", ChangeKind.UPDATE, inputs=True),
        Change("map.k", ChangeKind.ADD_REPLACE, inputs=True),
    )
    step = Step(
        Op.REPLACE,
        URN,
        state(size=1),
        state(size=2, map={"k": 1}),
        detailed(detail, PropertyDiff()),
        ("map.k",),
        detail=detail,
    )
    display.step_ended(step, failed=False)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines[0].endswith("[diff: +map.k,~size] [replaces: map.k]")
    assert lines[1:] == [
        "       orders: UPDATE, since size is 2",
        "       map.k: (none) => 1 (replaces)",
        "       size: 1 => 2",
    ]
    display.diagnostic(Diagnostic(Severity.INFO, "it waits", URN))
    display.step_ended(Step(Op.SAME, URN, state(), state()), failed=False)
    assert texts(out)[-1] == "orders: it waits"


def test_a_warning_is_called_so_once() -> None:
    """Shows it of one whose text says so itself, and that plans of no step are not lost."""
    display, out = shown(preview=True)
    display.diagnostic(Diagnostic(Severity.WARNING, "warning: no checkpoints", URN))
    display.diagnostic(Diagnostic(Severity.INFO, "orders: cannot be planned", URN))
    display.finish(Outcome(), dry_run=True)
    assert "    warning: no checkpoints" in out.getvalue().splitlines()
    assert "orders: cannot be planned" in texts(out)
