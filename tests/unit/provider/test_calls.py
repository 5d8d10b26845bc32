"""The engine's calls: diff, create, update, read, delete."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.output import Unknown

from flink_jobs_provider.provider import service
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.unit.model.made_up_jobs import OWNER, URL
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import Program


def as_the_engine_has_it(value: Any) -> Any:
    """Return outputs as they come back from the state: every number is a float."""
    if isinstance(value, dict):
        return {key: as_the_engine_has_it(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_the_engine_has_it(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Job:
    """One job as an engine goes about it: checked, diffed, created or updated, recorded."""

    def __init__(self, provider: FlinkJobProvider, inputs: dict[str, Any]) -> None:
        self.provider = provider
        self.inputs = inputs
        self.state: dict[str, Any] = {}

    def checked(self, **changes: Any) -> dict[str, Any]:
        """Return the inputs as `check` leaves them."""
        result = self.provider.check(self.state, self.inputs | changes)
        assert not result.failures
        return {**result.inputs, "__provider": "gASV"}

    def create(self, **changes: Any) -> dict[str, Any]:
        """Create it and keep what is recorded."""
        result = self.provider.create(self.checked(**changes))
        assert result.id == "orders"
        self.state = as_the_engine_has_it(result.outs)
        return self.state

    def diff(self, **changes: Any) -> Any:
        """Return the difference."""
        return self.provider.diff("orders", self.state, self.checked(**changes))

    def update(self, **changes: Any) -> dict[str, Any]:
        """Update it and keep what is recorded."""
        result = self.provider.update("orders", self.state, self.checked(**changes))
        self.state = as_the_engine_has_it(result.outs)
        return self.state


@pytest.fixture
def job(provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink) -> Job:
    return Job(provider, inputs)


def test_create_then_nothing(
    job: Job, flink: FakeFlink, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = job.create(parallelism=3)
    assert outputs["status"] == "RUNNING"
    assert outputs["job_id"] == flink.the_job().job_id
    assert outputs["running_parallelism"] == 3
    capsys.readouterr()
    assert not job.diff(parallelism=3).changes
    assert capsys.readouterr().out == ""


def test_update(job: Job, flink: FakeFlink, capsys: pytest.CaptureFixture[str]) -> None:
    first = job.create()
    capsys.readouterr()
    found = job.diff(parallelism=4)
    assert (found.changes, found.replaces, found.delete_before_replace) == (True, [], False)
    assert capsys.readouterr().out == (
        "orders: UPDATE, stop with savepoint and restart: parallelism 2 → 4\n"
    )
    second = job.update(parallelism=4)
    assert second["action"] == "UPDATE"
    assert second["restored_from"] == second["last_savepoint"] == second["savepoints"][0]["path"]
    assert second["job_id"] != first["job_id"]
    assert flink.the_job().parallelism == 4


def test_a_line_is_printed_once(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """Shows that a refresh, and the step after it, do not say the same twice."""
    job.create()
    capsys.readouterr()
    job.diff(parallelism=4)
    job.diff(parallelism=4)
    assert capsys.readouterr().out.count("\n") == 1


def test_another_cluster_is_a_replacement(job: Job, new_run: Callable[[], None]) -> None:
    job.create()
    new_run()
    target = {"kind": "flink", "url": "http://other:8081"}
    with pytest.raises(FlinkJobError, match="a change of target starts another job"):
        job.diff(target=target)
    found = job.diff(target=target, upgrade_mode="stateless")
    assert (found.changes, found.replaces, found.delete_before_replace) == (True, ["target"], True)


def test_what_is_not_known_yet_is_a_change(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.create()
    capsys.readouterr()
    value = Unknown()  # type: ignore[no-untyped-call]
    unknown = {"args": value, "job_name": value}
    found = job.provider.diff("orders", job.state, {**job.inputs, **unknown})
    assert (found.changes, found.replaces) == (True, ["job_name"])
    assert capsys.readouterr().out == (
        "orders: depends on values that are not known yet: args, job_name\n"
    )


def test_an_output_that_nobody_knows_is_no_change(job: Job) -> None:
    """Shows that a state written by a later version, with one more output, is read."""
    job.create()
    job.state["a_later_output"] = 3.0
    assert not job.diff().changes


def test_a_state_that_cannot_be_read_is_told(job: Job) -> None:
    job.create()
    job.state["status"] = "DANCING"
    with pytest.raises(FlinkJobError, match=r"recorded state cannot be read \(status\)"):
        job.diff()


def test_read(job: Job, flink: FakeFlink) -> None:
    """Shows that drift comes with inputs and outputs."""
    job.create()
    flink.end(flink.the_job(), "FAILED", "RuntimeException: no")
    flink.pass_time(4)
    result = job.provider.read("orders", job.state)
    assert result.id == "orders"
    assert result.outs is not None
    assert (result.outs["status"], result.outs["job_output"]) == ("FAILED", "RuntimeException: no")
    assert result.inputs is not None
    assert result.inputs["parallelism"] == 2
    job.state = as_the_engine_has_it(result.outs)
    assert job.diff().changes


def test_read_of_a_job_that_the_option_id_names(job: Job) -> None:
    wanted = job.checked()
    with pytest.raises(FlinkJobError) as caught:
        job.provider.read("orders", wanted)
    assert str(caught.value) == (
        f"orders: there is no job of this id: job orders of {OWNER} is not on {URL}. Nothing was "
        "recorded. The option id reads a job that is there, by its job_name or jobId; leave it out "
        "to have the job started."
    )
    job_id = job.create()["job_id"]
    for name in ("orders", job_id):
        found = job.provider.read(name, wanted)
        assert (found.id, (found.outs or {})["job_id"]) == (name, job_id)
    with pytest.raises(FlinkJobError, match=rf"^returns: there is no job of .* is job {job_id} on"):
        job.provider.read("returns", wanted)
    with pytest.raises(FlinkJobError, match=r"^orders: the job to be read is not .*full\. jar:"):
        job.provider.read("orders", {**wanted, "jar": None})


def test_a_state_that_cannot_be_read_ends_no_refresh(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shows a record that holds nothing, as a job that was not there had left it."""
    left = {"__provider": "gASV"}
    capsys.readouterr()
    result = job.provider.read("orders", left)
    assert (result.id, result.outs, result.inputs) == ("orders", left, None)
    assert not job.provider.diff("orders", left, job.inputs).changes
    assert re.fullmatch(
        r"orders: its recorded state cannot be read \(.*\)\. Nothing was changed\. .* take it out "
        r"of the stack's state \(pulumi state delete, or flink-jobs state delete\), which touches "
        r"no job\. It was not refreshed\.\n",
        capsys.readouterr().out,
    )
    with pytest.raises(FlinkJobError, match="its recorded state cannot be read"):
        job.provider.diff("orders", left, job.checked())
    with pytest.raises(FlinkJobError, match="its recorded state cannot be read"):
        job.provider.delete("orders", left)


def test_delete(
    job: Job,
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
    new_run: Callable[[], None],
) -> None:
    job.create(on_delete="savepoint")
    new_run()
    job.provider.delete("orders", job.state)
    assert flink.active() == []
    (path,) = [path for path in flink.progress_in if "/on-delete/" in path]
    assert f"orders: deleted, its savepoint is {path}\n" in capsys.readouterr().out
    job.provider.delete("orders", job.state)


def test_an_error_leaves_as_one_line(job: Job, flink: FakeFlink) -> None:
    job.create()
    flink.programs["Bad"] = Program(plan_error="ProgramInvocationException:\n  no\tsuch")
    with pytest.raises(FlinkJobError) as caught:
        job.update(entry_class="Bad")
    assert str(caught.value) == (
        "orders: the new version cannot be started: ProgramInvocationException: no such. "
        f"Job {flink.the_job().job_id} goes on as it was. "
        "Fix the jar, entry_class or args, and run again."
    )
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert type(caught.value).__module__ == "builtins"


def test_an_error_of_its_own_is_told_as_such(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("one\ntwo")

    monkeypatch.setattr(service, "plan", broken)
    monkeypatch.delenv("FLINK_JOBS_DEBUG", raising=False)
    job.state = {
        "status": "RUNNING",
        **job.provider.check({"job_name": "orders"}, job.inputs).inputs,
    }
    with pytest.raises(FlinkJobError) as caught:
        job.diff()
    assert str(caught.value).startswith(
        "an error in flink_jobs_provider itself: RuntimeError: one two Set FLINK_JOBS_DEBUG=1"
    )
    monkeypatch.setenv("FLINK_JOBS_DEBUG", "1")
    with pytest.raises(RuntimeError):
        job.diff()


def test_a_jar_that_changes_between_preview_and_update_is_refused(
    job: Job, flink: FakeFlink
) -> None:
    wanted = job.checked()
    Path(job.inputs["jar"]).write_bytes(Path(job.inputs["jar"]).read_bytes() + b"\0")
    with pytest.raises(FlinkJobError, match="is not the one that was planned"):
        job.provider.create(wanted)
    assert flink.submissions == []


def test_used_before_configured(provider: FlinkJobProvider, inputs: dict[str, Any]) -> None:
    with pytest.raises(FlinkJobError, match="before it was configured"):
        provider.create(provider.check({}, inputs).inputs)
