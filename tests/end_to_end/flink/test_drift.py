"""What befalls jobs out of band: the drift gate finds it and says why, and `up` mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flink_jobs_provider.model.flink_options import RETAINED as RETAINS
from flink_jobs_provider.model.flink_options import RETENTION
from tests.counting_output import assert_counts_continuous
from tests.end_to_end.flink.conftest import StackOn
from tests.end_to_end.flink.counting_stack import (
    COUNTING_CLASS,
    RETAINED,
    CountingStack,
    next_generation,
    of_other_spec,
    savepoint_paths,
)
from tests.end_to_end.flink.targets import FlinkTarget
from tests.flink_cluster import (
    ADAPTIVE,
    COUNTS_TASKS_OF_A_STAGE,
    FLINK_2,
    RESCALES,
    FlinkCluster,
    release_of,
)
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.stack_project import Finished
from tests.waiting import wait_until


def run_by_hand(stack: CountingStack, name: str, job_id: str, output: Path) -> None:
    """Run a job's own jar once more, as a second run of the stack would under this job id."""
    jars = stack.cluster.get("/jars")["files"]
    [jar] = [jar["id"] for jar in jars if jar["name"].startswith(f"{name}-")]
    answer = stack.cluster.submit(
        jar, stack.args(name, "--output", str(output)), entryClass=COUNTING_CLASS, jobId=job_id
    )
    assert answer.is_success, answer.text
    stack.cluster.await_tasks_running(job_id)


def assert_foretold(stack: CountingStack, drift: Finished, name: str, origin: str) -> None:
    """Assert that the plan named what the run has started from, with its age.

    A gateway finds the newest state when it starts a job, so that no plan names it.
    """
    if isinstance(stack.target, FlinkTarget):
        line = f"{name}: START, start from {origin} (".replace("file:///", "file:/")
        assert line in drift.text.replace("file:///", "file:/")


def test_drift_is_shown_and_mended(stack: CountingStack, tmp_path: Path) -> None:
    """A cancelled job and a failed one come back with their state; a quiet one goes on."""
    marker = tmp_path / "marker"
    failing = ("--marker", str(marker), "--restarts", "0")
    stack.declare("cancelled", flink_configuration=RETAINED)
    stack.declare("failing", *failing, entry="FailingSnapshot", flink_configuration=RETAINED)
    stack.declare("quiet")
    stack.project.up()
    first = {name: stack.job_id(name) for name in stack.project.jobs}
    stack.await_progress("cancelled", "failing", "quiet")

    marker.touch()
    stack.cluster.rest.patch(f"/jobs/{first['cancelled']}", params={"mode": "cancel"})
    stack.cluster.await_state(first["cancelled"], "CANCELED")
    stack.cluster.await_state(first["failing"], "FAILED")
    stack.target.await_shown("cancelled", "CANCELED")
    stack.target.await_shown("failing", "FAILED")

    drift = stack.project.drift()
    drift.assert_says(
        "cancelled: START, start from ",
        "the job is CANCELED on its cluster",
        "failing: START, start from ",
        "the job is FAILED on its cluster",
        "the snapshot failed on purpose",
    )
    assert not [line for line in drift.lines if line.startswith("quiet: ")]
    on_flink = isinstance(stack.target, FlinkTarget)
    notes = [line for line in drift.lines if "do not survive a cancel" in line]
    # Rows of progress, in which the CLI shows the last line of each resource, too.
    rows = ("flink-jobs:index:Job ", "pulumi:pulumi:Stack ")
    assert len([line for line in notes if not any(row in line for row in rows)]) == on_flink
    assert ("the checkpoints of quiet do not" in drift.text) == on_flink

    marker.unlink()
    stack.project.up("--refresh")
    for name in ("cancelled", "failing"):
        checkpoint = stack.recorded(name)["restored_from"]
        assert f"/{first[name]}/chk-" in checkpoint
        assert_foretold(stack, drift, name, f"checkpoint {checkpoint}")
        stack.assert_runs(name, restored_from=checkpoint)
        assert stack.recorded(name)["action"] == stack.target.started_again
    stack.await_progress("cancelled", "failing")
    assert stack.active("quiet") == [first["quiet"]]
    stack.project.preview("--refresh", "--expect-no-changes")


def test_of_two_copies_one_is_kept(stack: CountingStack, tmp_path: Path) -> None:
    """A second copy of the same version, and of another one: the older is stopped, and said so."""
    stack.declare("twice")
    stack.declare("strange")
    stack.project.up()
    first = {name: stack.job_id(name) for name in stack.project.jobs}
    stack.await_progress("twice", "strange")
    second, other = next_generation(first["twice"]), of_other_spec(first["strange"])
    run_by_hand(stack, "twice", second, tmp_path / "by-hand/twice")
    run_by_hand(stack, "strange", other, tmp_path / "by-hand/strange")

    stack.project.drift().assert_says(
        "twice: STOP, stop the older of the copies that run, with savepoint: 2 copies run at once",
        "strange: UPDATE, stop with savepoint and restart: 2 copies run at once, "
        "another version than the recorded one runs",
    )
    assert stack.active("strange") == [first["strange"], other], "a preview touches nothing"

    stack.project.up("--refresh")
    assert stack.assert_runs("twice", restored_from=None) == second
    [older] = savepoint_paths(stack.recorded("twice"), "DUPLICATE")
    assert f"/twice/{first['twice']}/" in older

    savepoint = stack.recorded("strange")["last_savepoint"]
    assert f"/strange/{other}/" in savepoint
    stack.assert_runs("strange", restored_from=savepoint)
    assert first["strange"] in savepoint_paths(stack.recorded("strange"), "DUPLICATE")[0]
    stack.project.preview("--refresh", "--expect-no-changes")


@pytest.mark.skipif(
    release_of(FLINK_2) < COUNTS_TASKS_OF_A_STAGE,
    reason="this Flink lets a batch job be up in its last stage, when it is about to finish",
)
def test_a_finished_job_is_run_again_only_when_that_is_asked_for(
    stack: CountingStack, tmp_path: Path
) -> None:
    """A job that came to its own end is no drift; another version of it is a planned run."""
    stack.project.declare(
        "batch",
        jar=str(TEST_JOBS_JAR),
        entry_class=entry_class("BatchJob"),
        parallelism=1,
        args=["--output", str(tmp_path / "batch"), "--until", str(tmp_path / "recorded")],
    )
    stack.project.up()
    job_id = stack.job_id("batch")
    (tmp_path / "recorded").touch()
    stack.cluster.await_state(job_id, "FINISHED")
    stack.target.await_shown("batch", "FINISHED")
    stack.change("batch", parallelism=2)
    refused = stack.project.up(code=None)
    refused.assert_says(f"batch: job {job_id} has come to its own end since it was recorded")
    stack.change("batch", parallelism=1)

    stack.project.preview("--refresh", "--expect-no-changes")
    stack.change("batch", on_delete="savepoint")
    stack.project.preview("--refresh").assert_says("batch: no action, recorded only: on_delete")
    stack.project.up("--refresh")
    assert stack.submissions("batch") == {job_id: "FINISHED"}
    assert stack.recorded("batch")["status"] == "FINISHED"

    stack.change("batch", restart_trigger="once more")
    plan = "batch: START, start from nothing, since no state is known of the run that finished"
    stack.project.preview("--refresh").assert_says(plan)
    stack.project.up("--refresh")
    [first, second] = stack.submissions("batch")
    assert (first, second) == (job_id, stack.job_id("batch"))
    stack.cluster.await_state(second, "FINISHED")
    stack.target.await_shown("batch", "FINISHED")
    stack.project.preview("--refresh", "--expect-no-changes")


def test_state_that_is_gone_or_torn_is_told_and_an_older_one_asked_for(
    stack: CountingStack, target: str
) -> None:
    """A stopped job whose savepoint is damaged: nothing starts until `restore_from` is named."""
    fate = "this is refused" if target == "flink" else "a start from it fails"
    stack.declare("damaged", savepoint_trigger="one")
    stack.project.up()
    stack.change("damaged", savepoint_trigger="two")
    stack.project.up()
    older = stack.recorded("damaged")["last_savepoint"]
    stack.change("damaged", desired_state="stopped")
    stack.project.up()
    before = stack.submissions("damaged")
    newest = stack.recorded("damaged")["last_savepoint"]
    file = Path(newest.removeprefix("file:"), "_metadata")
    whole = file.read_bytes()

    stack.change("damaged", desired_state="running")
    for damage, word in [(whole[:-1], "is torn (its _metadata file is cut off"), (None, "is not")]:
        file.unlink() if damage is None else file.write_bytes(damage)
        for refresh in [[], ["--refresh"]]:
            shown = stack.project.preview(*refresh)
            shown.assert_says(f"damaged: START, start from savepoint {newest} (", word.upper())
            shown.assert_says(f": {fate}")
        refused = stack.project.up(code=None)
        assert refused.code != 0
        refused.assert_says(
            f"damaged: the newest state of it that is known, savepoint {newest} (",
            word,
            f"the next older one is savepoint {older} (",
        )
        assert "safe" not in refused.text
        assert stack.submissions("damaged") == before
    stack.change("damaged", restore_from=older)
    stack.project.up()
    stack.assert_runs("damaged", restored_from=older)


def test_a_cluster_restarted_without_its_jobs(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn, target: str
) -> None:
    """Its jobs are LOST, not gone: each comes back from its newest state, or `up` says how.

    One from the retained checkpoint in the cluster's directory; one from its recorded savepoint,
    since a cluster that is shut down removes what is not retained (measured on Flink 2.3); one
    that has no state only when it is said that it may start afresh.
    """
    cluster = start_flink()
    stack = stack_on(cluster)
    stack.declare("orders", flink_configuration=RETAINED)
    stack.declare("saved", savepoint_trigger="one")
    stack.declare("blank", entry="NoCheckpointing")
    stack.project.up()
    stack.change("saved", savepoint_trigger="two")
    stack.project.up()
    first = {name: stack.job_id(name) for name in stack.project.jobs}
    savepoint = stack.recorded("saved")["last_savepoint"]
    stack.await_progress("orders")

    cluster.restart_job_manager()
    wait_until(lambda: cluster.get("/overview")["slots-available"] >= 3, 60, "slots are back")
    assert cluster.jobs() == {}
    for name in stack.project.jobs:
        stack.target.await_shown(name, "LOST")
    drift = stack.project.drift()
    for name in ("orders", "saved"):
        drift.assert_says(f"{name}: START, start from ")
    none = "BUT NO SAVEPOINT OR RETAINED CHECKPOINT OF IT IS KNOWN: this is refused"
    drift.assert_says(f"blank: START, {none if target == 'flink' else 'start from '}")
    drift.assert_says(f"the job is {stack.target.lost} on its cluster")

    refused = stack.project.up("--refresh", code=None)
    assert refused.code != 0
    refused.assert_says(
        f"blank: job {first['blank']} is no longer known to its cluster (LOST), and no savepoint "
        "or retained checkpoint of it is known",
        'upgrade_mode to "stateless"',
    )
    assert stack.submissions("blank") == {}

    stack.change("blank", upgrade_mode="stateless")
    stack.project.up("--refresh")
    checkpoint = stack.recorded("orders")["restored_from"]
    assert f"/{first['orders']}/chk-" in checkpoint
    assert_foretold(stack, drift, "orders", f"checkpoint {checkpoint}")
    assert_foretold(stack, drift, "saved", f"savepoint {savepoint}")
    stack.assert_runs("orders", restored_from=checkpoint)
    stack.assert_runs("saved", restored_from=savepoint)
    stack.assert_runs("blank", restored_from=None)
    stack.await_progress("orders")
    assert_counts_continuous(stack.output("orders"))
    stack.project.preview("--refresh", "--expect-no-changes")

    cluster.restart_job_manager()
    for name in stack.project.jobs:
        stack.target.await_shown(name, "LOST")
    gone = stack.project.destroy()
    if target == "dli":  # its answer to a delete has no place for what is left
        gone.assert_says("orders: it does not run (", "deleted without a savepoint of its own")
    else:
        last = "no savepoint was taken of it; its last known state is checkpoint "
        gone.assert_says(f"orders: deleted; its cluster no longer knew it (LOST), {last}")


@pytest.mark.skipif(release_of(FLINK_2) < RESCALES, reason="this Flink rescales no running job")
def test_a_job_that_was_rescaled_is_brought_back(
    start_flink: Callable[..., FlinkCluster], stack_on: StackOn
) -> None:
    """Somebody rescales running jobs over REST: it is drift, and `up` undoes it, with their state.

    One is rescaled while it runs; one that has no checkpoints is stopped with a savepoint.
    """
    stack = stack_on(start_flink(configuration={**ADAPTIVE, RETENTION: RETAINS}))
    stack.declare("rescaled", parallelism=2)
    stack.declare("blank", parallelism=1, entry="NoCheckpointing")
    stack.project.up()
    first = {name: stack.job_id(name) for name in stack.project.jobs}
    stack.await_progress("rescaled")
    stack.project.preview("--refresh", "--expect-no-changes")
    assert stack.recorded("rescaled")["retains_checkpoints"] is True, "as the cluster has it"
    assert stack.recorded("blank").get("retains_checkpoints") is None

    stack.cluster.rescale(first["rescaled"], 3)
    stack.cluster.rescale(first["blank"], 2)
    stack.project.drift().assert_says(
        "rescaled: UPDATE, rescale while it runs, from a checkpoint: "
        "it was rescaled over REST: parallelism 3 instead of 2",
        "blank: UPDATE, stop with savepoint and restart: "
        "it was rescaled over REST: parallelism 2 instead of 1",
    )
    stack.project.up("--refresh")
    assert stack.active("rescaled") == [first["rescaled"]]
    stack.cluster.await_tasks_running(first["rescaled"])
    assert stack.cluster.parallelism(first["rescaled"]) == {2}
    assert stack.recorded("rescaled")["running_parallelism"] == 2
    stack.assert_updated("blank", first["blank"])
    assert stack.recorded("blank")["running_parallelism"] == 1
    stack.project.preview("--refresh", "--expect-no-changes")
    stack.await_progress("rescaled")
    stack.stop_and_count("rescaled")
