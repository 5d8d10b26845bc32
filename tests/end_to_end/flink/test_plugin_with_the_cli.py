"""What the plugin alone offers, with the real Pulumi CLI: it has no part in the embedded engine."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.plugin import package_schema
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.end_to_end.flink.targets import open_target
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR
from tests.stack_project import NO_PULUMI_CLI, PLUGIN_DIRECTORY, PULUMI_CLI, StackProject
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.pulumi_cli,
    pytest.mark.skipif(not PULUMI_CLI, reason=NO_PULUMI_CLI),
]

_TYPE = "flink-jobs:index:Job"


@pytest.fixture
def engine() -> str:
    """Name the engine of all cases here."""
    return "pulumi"


@pytest.fixture
def face() -> str:
    """Name the face of all cases here."""
    return "plugin"


@pytest.fixture
def stack(
    flink_2: FlinkCluster, make_stack: Callable[..., StackProject], tmp_path: Path
) -> CountingStack:
    """Return a stack whose jobs the plugin runs, on Flink itself."""
    to = open_target("flink", flink_2, tmp_path / "target")
    return CountingStack(make_stack(flink_2.url, "", to.inputs), to, tmp_path / "counts")


def _with_options(stack: CountingStack, options: str) -> None:
    """Declare the jobs with these resource options."""
    stack.project.write_program()
    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    declared = f"FlinkJob(name, opts=pulumi.ResourceOptions({options}), **read(inputs))"
    program.write_text(source.replace("FlinkJob(name, **read(inputs))", declared), encoding="utf-8")


def _steps(stack: CountingStack) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return what a preview would do to each job by its name, and what it says."""
    document = json.loads(stack.project.preview("--json").out)
    steps = {step["urn"].rpartition("::")[2]: step for step in document["steps"]}
    return steps, document.get("diagnostics", [])


def test_a_preview_has_the_differences_and_the_plan_of_each_job(stack: CountingStack) -> None:
    """Shows them by property, and each line of a plan with the resource that it is about."""
    stack.declare("orders")
    stack.declare("payments")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    stack.change("orders", parallelism=2)
    steps, lines = _steps(stack)
    assert steps["orders"]["op"] == "update"
    assert "payments" not in steps  # nothing is listed of what is unchanged
    assert steps["orders"]["detailedDiff"] == {"parallelism": {"kind": "update", "inputDiff": True}}
    [line] = [each for each in lines if "orders: UPDATE" in each["message"]]
    assert line["urn"].endswith("::orders")
    stack.project.up()
    stack.assert_updated("orders", job_id)


def test_ignored_changes_are_none(stack: CountingStack) -> None:
    stack.declare("orders")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    stack.change("orders", parallelism=2)
    _with_options(stack, "ignore_changes=['parallelism']")
    stack.project.preview("--expect-no-changes")
    stack.project.up("--refresh")
    assert stack.active("orders") == [job_id]


@pytest.mark.parametrize("delete_first", [False, True])
def test_a_change_that_replaces(stack: CountingStack, delete_first: bool) -> None:
    """Shows `replaceOnChanges`: an UPDATE with the state, as the job is still declared."""
    stack.declare("orders")
    stack.project.up()
    before = stack.assert_runs("orders", restored_from=None)
    stack.change("orders", parallelism=2)
    options = f"replace_on_changes=['parallelism'], delete_before_replace={delete_first}"
    _with_options(stack, options)
    steps, _ = _steps(stack)
    assert steps["orders"]["op"] == "replace"
    stack.project.up()
    stack.assert_updated("orders", before)
    stack.project.preview("--refresh", "--expect-no-changes")


def test_protected_and_retained_jobs_go_on(stack: CountingStack) -> None:
    """Shows a destroy that is refused, and a resource that leaves the stack without its job."""
    stack.declare("orders")
    _with_options(stack, "protect=True, retain_on_delete=True")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    refused = stack.project.destroy(code=None)
    assert refused.code != 0
    refused.assert_says("protected")
    _with_options(stack, "retain_on_delete=True")
    stack.project.up()
    stack.project.destroy()
    assert stack.project.resources() == {}
    assert stack.active("orders") == [job_id]


def test_a_job_that_is_not_up_in_time_is_gone_on_with(stack: CountingStack) -> None:
    """Shows `customTimeouts`, and initErrors, which the next `up` resolves with the same job."""
    slow = ("--sleep-millis", "8000")
    stack.declare("orders", *slow, entry="UnusualMain")
    _with_options(stack, "custom_timeouts=pulumi.CustomTimeouts(create='2s')")
    failed = stack.project.failing_up()
    assert "Traceback" not in failed.text
    resource = stack.project.resources()["orders"]
    [reason] = resource["initErrors"]
    assert reason in failed.text
    pending = stack.recorded("orders")["unconfirmed"]
    _with_options(stack, "")
    stack.project.up()
    assert "initErrors" not in stack.project.resources()["orders"]
    assert stack.assert_runs("orders", restored_from=None) == pending
    assert list(stack.submissions("orders")) == [pending]


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_during_an_update(stack: CountingStack, signals: int) -> None:
    """Shows that the job goes on in one version, with all its state, whatever the run has left."""
    stack.declare("orders")
    stack.project.up()
    before = stack.assert_runs("orders", restored_from=None)
    stack.await_progress("orders")
    stack.change("orders", parallelism=2)
    process = stack.project.start_pulumi(
        "up", "--yes", "--skip-preview", "--stack", stack.project.stack
    )
    wait_until(lambda: _begins(stack, before, process), 120, "the update has begun")
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        if signals == 2:
            assert process.stdout
            next(line for line in process.stdout if "^C" in line or "cancel" in line.lower())
    process.communicate(timeout=300)
    if signals == 1:
        assert not _pending(stack)
        stack.project.up()
        stack.assert_updated("orders", before)
    else:  # the next run finds what the first one has done
        wait_until(lambda: not stack.project.plugins(), 90, "the plugin has ended")
        stack.project.pulumi("cancel", "--yes", stack.project.stack, code=None)
        stack.project.up()
        savepoint = stack.recorded("orders")["last_savepoint"]
        assert f"/orders/{before}/" in savepoint
        after = stack.assert_runs("orders", restored_from=savepoint)
        assert stack.submissions("orders") == {before: "FINISHED", after: "RUNNING"}
    assert not _pending(stack)
    stack.await_progress("orders")


def _active(stack: CountingStack) -> list[str]:
    ended = {"FINISHED", "FAILED", "CANCELED"}
    return [id_ for id_, row in stack.cluster.jobs().items() if row["state"] not in ended]


def _begins(stack: CountingStack, before: str, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, process.communicate()
    return stack.submissions("orders")[before] != "RUNNING" or len(stack.submissions("orders")) > 1


def _pending(stack: CountingStack) -> list[Any]:
    state = json.loads(stack.project.checkpoint.read_text(encoding="utf-8"))
    return list((state["checkpoint"]["latest"] or {}).get("pending_operations") or [])


def _without_target(stack: CountingStack) -> None:
    """Declare the jobs on the configured target."""
    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")
    source = source.replace("job = ", 'inputs.pop("target")\n    job = ')
    program.write_text(source, encoding="utf-8")


def _import(
    stack: CountingStack, job: str, code: int | None = 0, address: str | None = None
) -> Any:
    id_ = job if address == "" else f"{stack.cluster.url}/{job}"
    options = ("--yes", "--skip-preview", "--generate-code=false", "--protect=false")
    where = ("--stack", stack.project.stack)
    return stack.project.pulumi("import", _TYPE, "orders", id_, *options, *where, code=code)


def test_a_job_of_ours_is_imported(stack: CountingStack) -> None:
    """Shows a stack that has lost its state: nothing is restarted, the preview after is clean."""
    stack.declare("orders")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    stack.project.pulumi("state", "delete", "--yes", "--all", "--stack", stack.project.stack)
    assert stack.project.resources() == {}
    _import(stack, "orders").assert_says(f"read as job {job_id}", "jar, entry_class, args")
    stack.project.up()
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.assert_runs("orders", restored_from=None) == job_id
    assert list(stack.submissions("orders")) == [job_id]


def test_the_target_is_configured_after_an_import(stack: CountingStack) -> None:
    """Shows imports by address and by name alone, where the default provider is recorded."""
    stack.declare("orders")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    where = ("--stack", stack.project.stack)
    stack.project.pulumi("state", "delete", "--yes", "--all", *where)
    _import(stack, "orders")
    target = json.dumps({"url": stack.cluster.url})
    stack.project.pulumi("config", "set", "flink-jobs:target", target, *where)
    _without_target(stack)
    stack.project.preview().assert_says("orders")

    def forget() -> None:
        urn = stack.project.resources()["orders"]["urn"]
        stack.project.pulumi("state", "delete", "--yes", urn, *where)
        assert "pulumi:providers:flink-jobs::default" in stack.project.checkpoint.read_text("utf-8")

    forget()
    _import(stack, "orders", code=None, address="").assert_says("run up first")
    _import(stack, "orders")
    stack.project.up()
    forget()
    _import(stack, "orders", address="")
    stack.project.up()
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.active("orders") == [job_id]


def test_a_job_of_nobody_is_imported(stack: CountingStack) -> None:
    """Shows that it is adopted by the next run as it is."""
    stack.declare("orders", jar=str(COUNTING_JAR))
    stack.project.jobs["orders"]["entry_class"] = None
    job_id = stack.cluster.run(COUNTING_JAR, stack.args("orders"), parallelism=1)
    _import(stack, job_id)
    stack.project.up()
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.recorded("orders")["job_id"] == job_id
    assert stack.cluster.jobs()[job_id]["state"] == "RUNNING"
    assert _active(stack) == [job_id]


def test_the_option_import_takes_a_job_over(stack: CountingStack) -> None:
    """Shows it refreshed before and after the run that records its program."""
    stack.declare("orders")
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    stack.project.pulumi("state", "delete", "--yes", "--all", "--stack", stack.project.stack)
    _with_options(stack, f"import_='{stack.cluster.url}/orders'")
    stack.project.up()
    assert stack.assert_runs("orders", restored_from=None) == job_id
    _with_options(stack, "")
    stack.project.refresh()
    stack.project.up()
    assert stack.assert_runs("orders", restored_from=None) == job_id
    stack.project.preview("--refresh", "--expect-no-changes")


def test_a_job_that_is_not_there_is_not_imported(stack: CountingStack) -> None:
    failed = _import(stack, "absent", code=None)
    assert failed.code != 0
    failed.assert_says("it is not there: no job has this name or jobId", "Nothing was imported")
    assert "Traceback" not in failed.text
    assert stack.project.resources() == {}


def test_the_default_provider_is_configured_by_its_own_namespace(stack: CountingStack) -> None:
    """Shows the cluster of jobs that name none, and a secret that a target refers to."""
    stack.declare("orders")
    target = {"kind": "flink", "url": stack.cluster.url, "bearer_token": "config:token"}
    where = ("--stack", stack.project.stack)
    stack.project.pulumi("config", "set", "flink-jobs:target", json.dumps(target), *where)
    stack.project.pulumi("config", "set", "--secret", "flink-jobs:token", "hush-hush", *where)
    _without_target(stack)
    stack.project.up()
    stack.assert_runs("orders", restored_from=None)
    stack.project.preview("--refresh", "--expect-no-changes")
    assert "hush-hush" not in stack.project.checkpoint.read_text(encoding="utf-8")
    stack.project.destroy()
    assert stack.active("orders") == []


def test_a_change_of_an_explicit_provider_updates_it_alone(stack: CountingStack) -> None:
    """Shows that its new configuration is that of the same run, and that the job goes on."""
    stack.declare("orders")
    _with_options(stack, "provider=HERE")
    _without_target(stack)
    program = stack.project.root / "program/__main__.py"
    source = program.read_text(encoding="utf-8")

    def configure(**settings: Any) -> None:
        made = f"HERE = Provider('here', **{settings!r})\n\n\ndef read("
        imported = "from flink_jobs_provider.plugin import Provider\n"
        program.write_text(imported + source.replace("def read(", made, 1), encoding="utf-8")

    target = {"url": stack.cluster.url}
    configure(target=target)
    stack.project.up()
    job_id = stack.assert_runs("orders", restored_from=None)
    target["bearer_token"] = "config:token"
    configure(target=target)
    stack.project.preview(code=None).assert_says("refers to config:token")
    configure(target=target, secrets={"token": "hush-hush"})
    steps, _ = _steps(stack)
    assert {steps[name]["op"] for name in ("here", "orders")} == {"update"}
    stack.project.up()
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.active("orders") == [job_id]
    assert "hush-hush" not in stack.project.checkpoint.read_text(encoding="utf-8")


def test_invalid_inputs_are_a_line_each_at_their_property(stack: CountingStack) -> None:
    stack.declare("orders", parallelism=0)
    stack.change("orders", upgrade_mode="bluegreen")
    failed = stack.project.preview(code=None)
    assert failed.code != 0
    failed.assert_says("parallelism", "upgrade_mode", "bluegreen")


def test_the_schema_is_read_from_the_plugin(stack: CountingStack) -> None:
    executable = PLUGIN_DIRECTORY / "pulumi-resource-flink-jobs"
    schema = json.loads(stack.project.pulumi("package", "get-schema", str(executable)).out)
    assert schema["resources"].keys() == json.loads(package_schema.text())["resources"].keys()
    assert schema["name"] == "flink-jobs"
