"""What a preview finds out about new jobs, and about a savepoint that is named anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.job_graph import Vertex
from flink_jobs_provider.provider import dynamic
from flink_jobs_provider.provider.dynamic import PREVIEW_KEY, FlinkJobProvider
from flink_jobs_provider.provider.job_operations import secret_resolver
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.unit.provider.test_calls import Job
from tests.unit.reconciling.flink.fake_flink import RETAINED, FakeFlink
from tests.unit.reconciling.flink.fake_job import Program

HERE = {"kind": "flink", "url": "http://127.0.0.1:8081"}
MISSING = "must be the directory of a savepoint or checkpoint: {} is not there"


@pytest.fixture
def flink(flink: FakeFlink) -> FakeFlink:
    """Return a Flink whose JobManager no program ends."""
    flink.cluster = replace(flink.cluster, intercepts_exit=True)
    return flink


def wrong(
    provider: FlinkJobProvider, inputs: dict[str, Any], olds: dict[str, Any] | None = None
) -> dict[str, str]:
    """Return what a preview says of inputs, by property."""
    result = provider.check(olds or {}, {**inputs, PREVIEW_KEY: True})
    assert PREVIEW_KEY not in result.inputs
    return {failure.property: failure.reason for failure in result.failures or []}


def test_a_new_job_is_tried_in_a_preview_alone(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink
) -> None:
    flink.programs["no.Such"] = Program(plan_error="ClassNotFoundException: no.Such")
    inputs = {**inputs, "entry_class": "no.Such"}
    assert not provider.check({}, inputs).failures
    assert "try out" not in flink.steps
    assert wrong(provider, inputs) == {
        "entry_class": "cannot be run: ClassNotFoundException: no.Such"
    }
    assert flink.jars == set()


def test_slots_that_are_there(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink
) -> None:
    flink.slots = 4
    flink.programs["A"] = Program(parallelism=3)
    assert wrong(provider, {**inputs, "entry_class": "A"}) == {}


def test_a_job_that_exists_or_is_not_to_run_is_not_tried(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink
) -> None:
    assert wrong(provider, {**inputs, "desired_state": "stopped"}) == {}
    job = Job(provider, inputs)
    job.create()
    assert wrong(provider, {**inputs, "parallelism": 3}, job.state) == {}  # an update's preflight
    assert wrong(provider, inputs) == {}  # a renamed resource, which adopts it
    assert "try out" not in flink.steps


def test_offline_nothing_is_asked(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FLINK_JOBS_OFFLINE", "1")
    assert wrong(provider, {**inputs, "restore_from": "memory://nowhere/1"}) == {}
    assert flink.steps == []
    assert "warning" not in capsys.readouterr().out


def test_a_cluster_that_does_not_answer_is_one_warning(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flink.unreachable = 100
    for name in ("one", "two", "three"):
        assert wrong(provider, {**inputs, "job_name": name}) == {}
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("warning")] == [
        "warning: new jobs on http://flink:8081 were neither searched for nor checked there: "
        "no connection"
    ]
    assert len(lines) == 4


@pytest.mark.parametrize("scheme", ["", "file:", "file://"])
def test_a_savepoint_that_is_not_there(
    scheme: str,
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    tmp_path: Path,
) -> None:
    path = f"{scheme}{tmp_path / 'nowhere'}"
    found = wrong(provider, {**inputs, "target": HERE, "restore_from": path})
    assert found["restore_from"].startswith(MISSING.format(path))
    assert "try out" not in flink.steps


def test_a_savepoint_that_is_torn(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink, tmp_path: Path
) -> None:
    (tmp_path / "_metadata").write_bytes(b"1234567890")
    found = wrong(provider, {**inputs, "target": HERE, "restore_from": str(tmp_path)})
    assert "is torn (its _metadata file is none of Flink's)" in found["restore_from"]


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/nowhere/1", True),  # on the cluster's own machine, as far as is known here
        ("file:///nowhere/1", True),
        ("memory://nowhere/1", False),
        ("s3a://no-such-bucket/1", True),  # which cannot be read: no credentials
        ("nope://nowhere/1", True),
    ],
)
def test_a_savepoint_elsewhere(
    path: str,
    there: bool,
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows that only one that is certainly not there is a problem."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert ("restore_from" in wrong(provider, {**inputs, "restore_from": path})) is not there


def test_a_savepoint_that_was_restored_before_may_be_gone(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    tmp_path: Path,
    new_run: Callable[[], None],
) -> None:
    """Shows that it is looked at when it is named anew, and never again."""
    inputs = {**inputs, "target": HERE}
    old = {**inputs, "restore_from": str(tmp_path / "gone")}
    assert wrong(provider, {**old, "parallelism": 3}, old) == {}
    new_run()
    assert "restore_from" in wrong(provider, old, inputs)


def test_a_savepoint_of_hdinsight_may_be_a_name(
    provider: FlinkJobProvider, inputs: dict[str, Any]
) -> None:
    target = {
        "kind": "hdinsight",
        **dict.fromkeys(("subscription", "resource_group", "cluster_pool", "cluster"), "a"),
        "token": "env:T",
        "endpoint": "http://127.0.0.1:9",
        "jar_upload_directory": "file:///tmp/jars",
    }
    named = {**inputs, "target": target, "restore_from": "savepoint-1"}
    assert wrong(provider, named) == {}
    relative = wrong(provider, {**named, "restore_from": "a/savepoint-1", "job_name": "other"})
    assert relative["restore_from"].startswith("must be a URI or an absolute path")


def test_offline_needs_nothing_that_reaches_a_cluster(
    provider: FlinkJobProvider, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows a preview on a machine that has no credentials."""
    dynamic.service().jobs.connect(secret_resolver(lambda _key: None), lambda: None)
    inputs = {**inputs, "target": {**HERE, "bearer_token": "env:NOT_SET_HERE"}}
    assert list(wrong(provider, inputs)) == ["target.bearer_token"]
    monkeypatch.setenv("FLINK_JOBS_OFFLINE", "1")
    assert wrong(provider, inputs) == {}


#: A job with state, a version without a place for it, and a name that would fool a terminal.
_NAME = "count\x1b[2K\nall is well"
_OLD = Program(vertices=(Vertex("count", (_NAME,), keyed=True),), state_sizes=(("count", 4000),))
_NEW = replace(_OLD, vertices=(Vertex("renamed", (_NAME,), keyed=True),))


def running_with_state(provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink) -> Job:
    """Return a job that runs and has completed a checkpoint."""
    flink.programs |= {"Old": _OLD, "New": _NEW}
    job = Job(provider, {**inputs, "entry_class": "Old"})
    job.create()
    flink.pass_time(60)
    flink.steps.clear()
    return job


def previewed(job: Job, **changes: Any) -> Any:
    """Return the difference, as a preview finds it."""
    found = job.provider.check(job.state, {**job.inputs, **changes, PREVIEW_KEY: True})
    assert not found.failures
    return job.provider.diff("orders", job.state, {**found.inputs, "__provider": "gASV"})


def test_a_preview_refuses_what_would_drop_state(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows that the plan line says it too, in one line that no name of an operator breaks."""
    job = running_with_state(provider, inputs, flink)
    capsys.readouterr()
    with pytest.raises(FlinkJobError, match=r"has no place for 4\.0 kB of state") as no:
        previewed(job, entry_class="New")
    assert f"Job {flink.the_job().job_id} goes on as it was." in str(no.value)
    [line] = capsys.readouterr().out.splitlines()
    shown = "count\N{REPLACEMENT CHARACTER}[2K all is well"
    assert line.endswith(f"; STATE IS DROPPED: 4.0 kB of {shown} (count)")
    assert shown in str(no.value)
    assert flink.the_job().savepoint == ""


def test_a_preview_compares_state_as_state_check_asks(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = running_with_state(provider, inputs, flink)
    assert previewed(job, entry_class="New", state_check="off").changes
    assert not [step for step in flink.steps if step in ("plan", "try out")]
    capsys.readouterr()
    assert previewed(job, entry_class="New", state_check="warn").changes
    assert "STATE IS DROPPED" in capsys.readouterr().out
    assert flink.steps.count("try out") + flink.steps.count("plan") == 3
    assert previewed(job, parallelism=3).changes
    assert "; state fits (1 chain, 4.0 kB)" in capsys.readouterr().out
    flink.programs["New"] = Program(plan_error="IllegalStateException: no topic")
    assert previewed(job, entry_class="New", restart_trigger="other", args=["--x"]).changes
    assert "; as things are, its start would fail: " in capsys.readouterr().out


def test_a_run_compares_state_itself_and_not_in_its_diff(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink
) -> None:
    """Shows that a jar is not uploaded, and `main` not run, for a verdict that follows anyway."""
    job = running_with_state(provider, inputs, flink)
    assert job.diff(entry_class="New").changes
    assert not [step for step in flink.steps if step in ("plan", "try out")]
    with pytest.raises(FlinkJobError, match=r"has no place for 4\.0 kB of state"):
        job.update(entry_class="New")
    assert flink.the_job().savepoint == ""


@pytest.mark.parametrize(
    ("program", "slots", "line"),
    [
        (Program(), 8, "rescale while it runs, from a checkpoint: parallelism 2 → 4"),
        (
            Program(),
            3,
            "rescale while it runs, from a checkpoint: parallelism 2 → 4; 4 task slots are needed, "
            "and it can have 3 now: it grows by itself when there are more",
        ),
        (
            Program(other_graph_at=(4,)),
            8,
            "stop with savepoint and restart: parallelism 2 → 4, not while it runs, since its job "
            "graph is another one then; it has no state",
        ),
        (
            Program(max_parallelism=(("all", 3),)),
            8,
            "stop with savepoint and restart: parallelism 2 → 4, not while it runs, since "
            "parallelism 4 of all is above its maximum, 3; it has no state",
        ),
    ],
)
def test_a_preview_tells_whether_a_job_is_rescaled_or_restarted(
    program: Program,
    slots: int,
    line: str,
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows that it is the program's plan that decides, and that nothing is left of it."""
    flink.cluster = replace(flink.cluster, adaptive=True, fixed_slots=False)
    flink.programs["A"], flink.slots = program, slots
    job = Job(provider, {**inputs, "entry_class": "A", "parallelism": 2})
    job.create()
    flink.pass_time(60)
    capsys.readouterr()
    assert previewed(job, parallelism=4).changes
    assert capsys.readouterr().out == f"orders: UPDATE, {line}\n"
    assert "rescale" not in flink.steps


def test_where_no_main_is_run_in_previews_the_record_tells(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flink.cluster = replace(flink.cluster, adaptive=True, fixed_slots=False, intercepts_exit=False)
    job = Job(provider, {**inputs, "parallelism": 2})
    job.create()
    flink.steps.clear()
    assert previewed(job, parallelism=4).changes
    assert "rescale while it runs" in capsys.readouterr().out
    assert "try out" not in flink.steps


def test_a_preview_tells_the_age_of_the_checkpoint(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows that one which the run would refuse is refused in the preview."""
    inputs = {**inputs, "upgrade_mode": "last-state", "flink_configuration": RETAINED}
    job = running_with_state(provider, inputs, flink)
    # A preview compares with the time of this machine.
    flink.the_job().checkpoint_time = time.time() - 600
    flink.the_job().cached = None
    capsys.readouterr()
    assert previewed(job, restart_trigger="1").changes
    assert "from the latest retained checkpoint (10 min old): restart_trigger" in (
        capsys.readouterr().out
    )
    with pytest.raises(FlinkJobError, match="newest retained state is 10 min old, and max_ch"):
        previewed(job, restart_trigger="1", max_checkpoint_age="5m")
    assert previewed(job, restart_trigger="1", max_checkpoint_age="15m").changes


def test_a_preview_tells_what_a_rehearsal_lacks(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows slots, what is unknown of sinks, and that nothing stays on the cluster."""
    job = running_with_state(provider, inputs, flink)
    jars, running = set(flink.jars), flink.the_job()
    flink.slots = running.parallelism
    capsys.readouterr()
    assert previewed(job, restart_trigger="1", rehearsal={"args": ["--dry"]}).changes
    shown = capsys.readouterr().out
    assert ": REHEARSE, then UPDATE, stop with savepoint and restart: " in shown
    assert f"; its rehearsal needs {running.parallelism} task slots, 0 are free" in shown
    assert flink.jars == jars
    assert flink.the_job() is running


@pytest.mark.parametrize("how", ["lost", "CANCELED"])
def test_a_preview_sees_that_there_is_nothing_to_rehearse_alongside(
    how: str,
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows it without a refresh, whose record has the job running."""
    job = running_with_state(provider, inputs, flink)
    job_id = flink.the_job().job_id
    if how == "lost":
        flink.restart_job_manager()
    else:
        flink.end(flink.the_job(), how)
    capsys.readouterr()
    assert previewed(job, restart_trigger="1", rehearsal={"args": ["--dry"]}).changes
    shown = capsys.readouterr().out
    assert "REHEARSE" not in shown
    seen = "is not listed by its cluster" if how == "lost" else f"is {how}"
    assert f"; not rehearsed, since job {job_id} {seen}: --refresh shows what the new" in shown


@pytest.mark.parametrize("offline", [True, False])
def test_a_preview_says_what_a_rehearsal_hangs_on_that_it_has_not_seen(
    offline: bool,
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = running_with_state(provider, inputs, flink)
    job_id = flink.the_job().job_id
    if offline:
        monkeypatch.setenv("FLINK_JOBS_OFFLINE", "1")
    else:
        flink.unreachable = 1_000_000
    capsys.readouterr()
    assert previewed(job, restart_trigger="1", rehearsal={"args": ["--dry"]}).changes
    shown = capsys.readouterr().out
    assert ": REHEARSE, then UPDATE, " in shown
    assert f"rehearsed if job {job_id} runs, which was not seen" in shown
