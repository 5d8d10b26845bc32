"""Stacks that are driven from Python by the embedded engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider import automation
from flink_jobs_provider.automation import Event, Message, RunFailed, Stack, StepEvent
from flink_jobs_provider.engine.backend import hold_lock
from flink_jobs_provider.engine.stacks import Place
from tests.end_to_end.engine.demo_project import Project
from tests.end_to_end.engine.test_policy_packs import PACK

_PROGRAM = (
    "config = pulumi.Config()\n"
    "a = File('a', size=3, text=config.require_secret('token'))\n"
    "pulumi.export('text', a.text)\npulumi.export('made', a.made)\n"
)


@pytest.fixture
def stack(embedded: Project, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Return a stack with a secret, in this process's environment."""
    for name, value in embedded.environment.items():
        monkeypatch.setenv(name, value)
    embedded.program(_PROGRAM)
    made = Stack(embedded.root, "dev")
    made.set_configuration("token", "hush-hush", secret=True)
    return made


def test_a_stack_lives(stack: Stack, embedded: Project, capfd: pytest.CaptureFixture[str]) -> None:
    """Shows each run with its result and events; nothing is printed."""
    events: list[Event] = []
    planned = stack.preview(on_event=events.append)
    assert (planned.summary, planned.changes) == ({"create": 2}, 2)
    assert not planned.outputs["made"].known
    assert embedded.called("create") == []

    done = stack.up(on_event=events.append)
    assert done.summary == {"create": 2}
    assert done.outputs["made"].value == 1
    steps = [each for each in events if isinstance(each, StepEvent) and each.resource == "a"]
    assert [(each.op, each.at) for each in steps] == [("create", "start"), ("create", "end")] * 2
    assert stack.preview(expect_no_changes=True).changes == 0
    assert stack.refresh().changes == 0
    assert stack.outputs()["made"].value == 1
    assert stack.destroy().summary["delete"] >= 1
    assert stack.outputs() == {}
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_secrets_are_given_and_not_shown(stack: Stack) -> None:
    """Shows that an output has its value, and that neither it nor a message shows it."""
    done = stack.up()
    text = done.outputs["text"]
    assert (text.value, text.secret) == ("hush-hush", True)
    assert "hush-hush" not in repr(done)


def test_changes_are_an_error_where_none_are_expected(stack: Stack) -> None:
    """Shows the drift gate from Python."""
    with pytest.raises(automation.ChangesFoundError):
        stack.preview(expect_no_changes=True)


def test_a_failed_run_has_its_errors_and_its_result(stack: Stack, embedded: Project) -> None:
    """Shows that the error says what failed, and has what was done before."""
    embedded.program("File('a', size=3)\nraise ValueError('the program is broken')\n")
    with pytest.raises(automation.RunFailed, match="the program is broken") as failed:
        stack.up()
    assert str(failed.value).startswith("update failed; ")
    assert failed.value.result.errors
    assert all(isinstance(each, Message) for each in failed.value.result.messages)


def test_one_run_at_a_time(stack: Stack) -> None:
    """Shows that a stack that is locked is refused by a type of its own, but may be previewed."""
    place = Place.find(Path(stack.directory), os.environ)
    with hold_lock(place.files("dev").locks, print):
        with pytest.raises(automation.LockedError):
            stack.up()
        assert stack.preview().changes == 2


def test_other_threads_drive_stacks_too(stack: Stack) -> None:
    """Shows that a server's worker thread, which gets no signals, can run one."""
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(stack.up).result().changes == 2


def test_a_stack_is_made(stack: Stack) -> None:
    """Shows a new stack, a second one of its name, and one that is not there."""
    with pytest.raises(automation.StackError):
        stack.create()
    other = Stack(stack.directory, "prod")
    with pytest.raises(automation.StackError):
        other.preview()
    other.create()
    other.set_configuration("token", "hush")
    assert other.preview().changes == 2
    with pytest.raises(automation.StackError, match="needs a name"):
        Stack(stack.directory).create()


class _ListenerBroke(Exception):
    pass


@pytest.mark.parametrize(("at", "created"), [("start", []), ("end", ["create a"])])
def test_what_a_listener_raises_ends_the_run_in_good_order(
    stack: Stack, embedded: Project, at: str, created: list[str]
) -> None:
    """Shows that the caller gets it as it is; that what was done is recorded, and nothing begun."""
    embedded.program("a = File('a', size=3)\nFile('b', size=3, text=a.made.apply(str))\n")
    calls: list[Event] = []

    def listen(event: Event) -> None:
        calls.append(event)
        if isinstance(event, StepEvent) and (event.resource, event.at) == ("a", at):
            raise _ListenerBroke

    with pytest.raises(_ListenerBroke) as raised:
        stack.up(on_event=listen)
    assert "began nothing more" in raised.value.__notes__[0]
    assert isinstance(calls[-1], StepEvent)
    assert embedded.called("create") == created
    stack.up()
    assert embedded.called("create") == ["create a", "create b"][len(created) :]


async def _never_awaited(_event: Event) -> None:
    raise AssertionError


@pytest.mark.parametrize("on_event", [_never_awaited, 3])
@pytest.mark.parametrize("run", [Stack.preview, Stack.up, Stack.refresh, Stack.destroy])
def test_a_listener_that_cannot_be_called_is_refused(
    stack: Stack, embedded: Project, run: Callable[..., object], on_event: Any
) -> None:
    """Shows that nothing is begun, also for a coroutine function, which would never be awaited."""
    with pytest.raises(automation.OptionError, match="on_event must be a function that is called"):
        run(stack, on_event=on_event)
    assert embedded.calls() == []


def test_a_listener_that_exits_leaves_no_operation_pending(stack: Stack, embedded: Project) -> None:
    """Shows that `sys.exit` in a listener waits for what is in progress."""

    def listen(event: Event) -> None:
        if isinstance(event, StepEvent) and (event.resource, event.at) == ("a", "end"):
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        stack.up(on_event=listen)
    assert stack.up().summary == {"same": 2}


def test_policy_packs_judge_previews_and_updates(stack: Stack, embedded: Project) -> None:
    """Shows a stack that is refused before any of it is created, and one that is permitted."""
    embedded.program("File('a', size=1)\nFile('b', size=1)")
    file = embedded.root / "policies.json"
    file.write_text('{"number": {"maximum": 1}}', encoding="utf-8")
    by_path, by_text = {PACK: file}, {str(PACK): str(file)}
    for judged in [Stack(embedded.root, "dev", by_path), Stack(embedded.root, "dev", by_text)]:
        for run in (judged.preview, judged.up):
            with pytest.raises(RunFailed, match=r"number \(demo\): there are 2 files") as refused:
                run()
            assert any("[mandatory]" in each.text for each in refused.value.result.errors)
    assert embedded.files() == {}
    file.write_text('{"number": {"maximum": 1, "enforcementLevel": "advisory"}}', encoding="utf-8")
    events: list[Event] = []
    done = judged.up(on_event=events.append)
    assert done.summary == {"create": 3}
    advice = [each for each in events if isinstance(each, Message) and "there are 2" in each.text]
    assert [each.severity for each in advice] == ["warning"], "once, though there was a preview"
    steps = [each.at for each in events if isinstance(each, StepEvent) and each.resource == "a"]
    assert steps == ["start", "end"], "those of the update alone"
    embedded.program("File('a', size=11)")
    with pytest.raises(RunFailed, match="a has 11 lines"):
        Stack(stack.directory, stack.name, {PACK: None}).preview()
    assert stack.preview().changes > 0, "no pack judges it"
    assert judged.destroy().summary["delete"] >= 1


def test_invalid_options_are_refused_by_name(stack: Stack) -> None:
    """Shows that an empty name does not stand for whatever stack there is, and other mistakes."""
    with pytest.raises(automation.StackError, match="must be a text that is not empty"):
        Stack(stack.directory, "").destroy()
    for parallel in (-1, 1.5, "4", True):
        with pytest.raises(automation.OptionError, match="parallel must be a whole number"):
            stack.up(parallel=parallel)  # type: ignore[arg-type]
    for packs in ([PACK], {7: None}, {PACK: 7}, "policies"):
        judged = Stack(stack.directory, stack.name, packs)  # type: ignore[arg-type]
        with pytest.raises(automation.OptionError, match="policy_packs must map"):
            judged.up()
    with pytest.raises(automation.OptionError, match="the configuration of a policy pack"):
        Stack(stack.directory, stack.name, {PACK: ""}).up()
    with pytest.raises(automation.OptionError, match="is no policy pack"):
        Stack(stack.directory, stack.name, {"nowhere": None}).up()
    with pytest.raises(automation.ConfigurationError, match="'token' must be a text"):
        stack.set_configuration("token", 7)  # type: ignore[arg-type]
    for key in ("", " ", ":a", "a:"):
        with pytest.raises(automation.ConfigurationError, match="is no configuration key"):
            stack.set_configuration(key, "value")
