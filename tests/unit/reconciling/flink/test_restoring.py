"""Which state a job that vanished comes back from, where several savepoints are known."""

from __future__ import annotations

from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import ActionFailed, PermanentError, StateUnavailable
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from tests.savepoint_metadata import metadata
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import FakeJob, Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version

#: A job without periodic checkpoints, so that only savepoints are there to come back from.
NO_CHECKPOINTS = Program(checkpoints=False)


def second_copy(stack: Stack, restore_from: str | None) -> FakeJob:
    """Start the recorded version once more by hand, under the next generation's jobId."""
    wanted = stack.recorded.spec
    generation = stack.recorded.generation + 1
    return stack.flink.submit_by_hand(
        Submission(
            job_id=wanted.key.job_id(generation, wanted.digits(restore_from)),
            spec=wanted,
            jar=str(wanted.jar_digest),
            restore_from=restore_from,
        )
    )


def lost(stack: Stack) -> None:
    """Restart the JobManager, and read back that the job is lost."""
    stack.flink.restart_job_manager()
    assert stack.refresh().status == "LOST"


@pytest.mark.parametrize("readable", [True, False])
def test_a_lost_job_comes_back_from_the_savepoint_that_was_recorded(readable: bool) -> None:
    stack = running("savepoint", NO_CHECKPOINTS, readable)
    wanted = version("Old", "savepoint", savepoint_trigger="1")
    saved = stack.up(wanted).last_savepoint
    stack.flink.pass_time(60)
    lost(stack)
    record = stack.up(wanted)
    assert record.restored_from == saved
    assert record.last_savepoint == saved


def test_a_savepoint_that_was_never_recorded_is_found_in_its_directory() -> None:
    """Shows a run that died after the stop, whose cluster then lost its history."""
    stack = running("savepoint", NO_CHECKPOINTS)
    stack.flink.kill_before = "stop done"
    with pytest.raises(Killed):
        stack.up(version("New", "savepoint"))
    stack.flink.kill_before = ""
    lost(stack)
    (saved,) = stack.flink.progress_in
    stack.up(version("New", "savepoint"))
    assert stack.flink.the_job().restored_from == saved


@pytest.mark.parametrize("readable", [True, False])
def test_the_savepoint_of_an_older_copy_is_not_gone_back_to(readable: bool) -> None:
    """Shows two copies, of which the older was stopped: its savepoint is kept, and not used."""
    stack = running("savepoint", NO_CHECKPOINTS, readable)
    saved = stack.up(version("Old", "savepoint", savepoint_trigger="1")).last_savepoint
    copy = second_copy(stack, saved)
    stack.flink.pass_time(60)
    assert len(stack.refresh().duplicates) == 1
    record = stack.up(version("Old", "savepoint", savepoint_trigger="1"))
    assert stack.flink.the_job() is copy
    assert record.savepoints[0].reason == "DUPLICATE"
    assert record.last_savepoint == saved
    lost(stack)
    stack.up(version("Old", "savepoint", savepoint_trigger="1"))
    assert stack.flink.the_job().restored_from == saved


@pytest.mark.parametrize("readable", [True, False])
def test_a_job_restored_from_an_older_savepoint_does_not_come_back_from_a_newer(
    readable: bool,
) -> None:
    """Shows that what the user went back behind, by restore_from, stays behind."""
    stack = running("savepoint", NO_CHECKPOINTS, readable)
    stack.flink.progress_in["/backup/savepoint-1"] = 7
    wanted = version("Old", "savepoint", restore_from="/backup/savepoint-1")
    record = stack.up(wanted)
    assert record.last_savepoint == "/backup/savepoint-1"
    assert record.savepoints[0].reason == "UPDATE"
    stack.flink.pass_time(60)
    lost(stack)
    stack.up(wanted)
    assert stack.flink.the_job().base == 7


@pytest.mark.parametrize("readable", [True, False])
def test_a_job_that_was_rolled_back_and_lost_has_its_state(readable: bool) -> None:
    """Shows the savepoint of a failed update, which a refresh alone has brought to the record."""
    stack = running("savepoint", NO_CHECKPOINTS, readable)
    stack.flink.programs["New"] = Program(task_error="no")
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(version("New", "savepoint"))
    seen = stack.refresh()
    assert seen.restored_from == seen.last_savepoint == stack.flink.the_job().restored_from
    lost(stack)
    stack.up(version("Old", "savepoint"))
    assert stack.flink.the_job().restored_from == seen.last_savepoint


def test_a_job_restored_from_an_older_savepoint_and_cancelled_does_not_come_back_from_a_newer() -> (
    None
):
    """Shows the same where the cluster still lists the version that was gone back behind."""
    stack = running("savepoint")
    stack.flink.progress_in["/backup/savepoint-1"] = 7
    wanted = version("Old", "savepoint", restore_from="/backup/savepoint-1")
    stack.up(wanted)
    stack.flink.pass_time(60)
    job = stack.flink.the_job()
    job.retains = False
    stack.flink.end(job, "CANCELED")
    stack.refresh()
    stack.up(wanted)
    assert stack.flink.the_job().base == 7


@pytest.mark.parametrize("readable", [True, False])
def test_a_lost_job_comes_back_from_the_checkpoint_it_began_with(readable: bool) -> None:
    """Shows that an older savepoint does not win over the checkpoint of a last-state update."""
    stack = running("last-state", readable=readable)
    stack.up(version("Old", "last-state", savepoint_trigger="1"))
    stack.flink.pass_time(600)
    stack.flink.programs["New"] = NO_CHECKPOINTS
    record = stack.up(version("New", "last-state", savepoint_trigger="1"))
    assert "/chk-" in str(record.restored_from)
    lost(stack)
    stack.up(version("New", "last-state", savepoint_trigger="1"))
    assert stack.flink.the_job().restored_from == record.restored_from


@pytest.mark.parametrize("option", ["execution.checkpointing.dir", "state.checkpoints.dir"])
@pytest.mark.parametrize("then", ["the same", "another", "none"])
def test_a_lost_job_comes_back_from_a_checkpoint_in_its_own_directory(
    option: str, then: str
) -> None:
    """Shows it also where the version that is started has its checkpoints elsewhere."""
    stack = Stack()

    def wanted(directory: str | None) -> JobSpec:
        own = {option: f"{stack.flink.cluster.checkpoint_directory}-{directory}/"}
        kept = version("Old", "savepoint", savepoint_trigger="1")
        configuration = {**kept.flink_configuration, **(own if directory else {})}
        return kept.model_copy(update={"flink_configuration": configuration})

    stack.up(wanted("own").model_copy(update={"savepoint_trigger": None}))
    stack.flink.pass_time(60)
    saved = stack.up(wanted("own")).last_savepoint
    stack.flink.pass_time(600)
    newest = stack.flink.the_job().checkpoint
    assert "-own/" in newest
    assert stack.flink.progress_in[newest] > stack.flink.progress_in[str(saved)]
    lost(stack)
    stack.up(wanted({"the same": "own", "another": "other", "none": None}[then]))
    assert stack.flink.the_job().restored_from == newest


@pytest.mark.parametrize("damage", ["gone", "torn"])
@pytest.mark.parametrize("ending", ["STOPPED", "LOST", "FAILED"])
def test_newest_state_that_is_gone_or_torn_is_no_reason_to_take_an_older_one(
    damage: str, ending: str
) -> None:
    """Shows that it is told before anything starts, with the next older one and its age.

    Going back to that takes a word of the user, and no message calls safe what is not there.
    """
    stack = running("savepoint", NO_CHECKPOINTS)
    wanted = version("Old", "savepoint", savepoint_trigger="1")
    older = str(stack.up(wanted).last_savepoint)
    stack.flink.pass_time(600)
    newest, wanted = _end(stack, ending, wanted)
    stack.flink.pass_time(1200)
    _damage(stack, newest, damage)
    with pytest.raises(StateUnavailable) as caught:
        stack.up(wanted)
    word = "is not there" if damage == "gone" else "is torn (its _metadata file is cut off, after "
    assert f"{newest} (" in caught.value.happened
    assert word in caught.value.happened
    assert f"the next older one is savepoint {older} (30 min old)" in caught.value.happened
    assert caught.value.now == "Nothing was started."
    assert "set restore_from to the older one" in caught.value.remedy
    assert "safe" not in str(caught.value)
    assert stack.flink.active() == []
    record = stack.up(wanted.model_copy(update={"restore_from": older}))
    assert stack.flink.the_job().restored_from == older == record.last_savepoint


def _end(stack: Stack, ending: str, wanted: JobSpec) -> tuple[str, JobSpec]:
    """End a job; return the state that it is to go on from, and what is wanted of it."""
    if ending == "STOPPED":
        stopped = stack.up(wanted.model_copy(update={"desired_state": DesiredState.STOPPED}))
        return str(stopped.last_savepoint), wanted
    wanted = wanted.model_copy(update={"savepoint_trigger": "2"})
    newest = str(stack.up(wanted).last_savepoint)
    if ending == "LOST":
        lost(stack)
    else:
        stack.flink.end(stack.flink.the_job(), ending, "RuntimeException: no")
        stack.refresh()
    return newest, wanted


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_a_checkpoint_of_a_last_state_update_that_is_broken(damage: str) -> None:
    """Shows that the savepoint before it is no stand-in, since the job has run on since."""
    stack = running("last-state")
    saved = stack.up(version("Old", "last-state", savepoint_trigger="1")).last_savepoint
    stack.flink.pass_time(600)
    stack.flink.programs["New"] = NO_CHECKPOINTS
    record = stack.up(version("New", "last-state", savepoint_trigger="1"))
    _damage(stack, str(record.restored_from), damage)
    lost(stack)
    with pytest.raises(StateUnavailable, match="the newest state of it that is known") as caught:
        stack.up(version("New", "last-state", savepoint_trigger="1"))
    assert f"the next older one is savepoint {saved} (" in caught.value.happened
    assert stack.flink.active() == []


def _damage(stack: Stack, path: str, damage: str) -> None:
    if damage == "gone":
        stack.flink.remove(path)
    else:
        file = f"{path}/_metadata".split("//", 1)[1]
        fsspec.filesystem("memory").pipe_file(file, metadata()[:-1])


def test_a_restore_point_that_is_torn_is_told_before_anything_stops() -> None:
    stack = running("savepoint")
    old = stack.flink.the_job()
    saved = str(stack.up(version("Old", "savepoint", savepoint_trigger="1")).last_savepoint)
    stack.flink.pass_time(60)
    _damage(stack, saved, "torn")
    with pytest.raises(PermanentError, match="is torn") as caught:
        stack.up(version("Old", "savepoint", savepoint_trigger="1", restore_from=saved))
    assert caught.value.now == f"Job {old.job_id} goes on as it was."
    assert stack.flink.the_job() is old


def test_where_no_older_state_is_known_that_is_said() -> None:
    stack = running("savepoint", NO_CHECKPOINTS)
    stopped = stack.up(version("Old", "savepoint", desired_state="stopped"))
    stack.flink.remove(str(stopped.last_savepoint))
    with pytest.raises(StateUnavailable, match="no older one is known") as caught:
        stack.up(version("Old", "savepoint"))
    assert "stateless" in caught.value.remedy
    assert stack.flink.active() == []


def test_an_older_one_that_restore_from_names_already_counts_when_it_is_named_anew() -> None:
    """Shows the way that the message gives, since a savepoint counts once."""
    stack = running("savepoint", NO_CHECKPOINTS)
    older = str(stack.up(version("Old", "savepoint", savepoint_trigger="1")).last_savepoint)
    named = version("Old", "savepoint", savepoint_trigger="1", restore_from=older)
    stack.up(named)
    stopped = stack.up(named.model_copy(update={"desired_state": DesiredState.STOPPED}))
    for path in [path for path in stack.flink.progress_in if path != older]:
        stack.flink.remove(path)
    assert stopped.last_savepoint != older
    with pytest.raises(StateUnavailable, match="since it counts once"):
        stack.up(named)
    stack.up(version("Old", "savepoint", savepoint_trigger="1", desired_state="stopped"))
    stack.up(named)
    assert stack.flink.the_job().restored_from == older


def test_a_start_that_fails_on_its_savepoint_calls_it_safe_nowhere() -> None:
    """Shows what is told where the cluster alone can see that the savepoint is gone."""
    stack = running("savepoint", NO_CHECKPOINTS, readable=False)
    wanted = version("Old", "savepoint", savepoint_trigger="1")
    older = stack.up(wanted).last_savepoint
    stack.flink.pass_time(600)
    stopped = stack.up(wanted.model_copy(update={"desired_state": DesiredState.STOPPED}))
    stack.flink.remove(str(stopped.last_savepoint))
    with pytest.raises(ActionFailed) as caught:
        stack.up(wanted)
    assert "FileNotFoundException" in caught.value.happened
    assert "safe" not in str(caught.value)
    assert f"{stopped.last_savepoint}, cannot be seen from here" in caught.value.now
    assert f"the next older savepoint is {older} (taken at " in caught.value.now


_MAY_BE_OLD = "WHICH MAY NOT BE ITS NEWEST STATE: nothing is seen below "


@pytest.mark.parametrize("readable", [True, False])
def test_state_that_may_not_be_the_newest_is_named_so(readable: bool) -> None:
    """Shows a lost job whose checkpoints cannot be read from here, in its plan and in the run."""
    stack = running("savepoint", readable=readable)
    wanted = version("Old", "savepoint", savepoint_trigger="1")
    stack.up(wanted)
    stack.flink.pass_time(1200)
    lost(stack)
    planned = stack.plan(wanted).line()
    stack.up(wanted)
    (started,) = (line for line in stack.said if "going on from" in line)
    for line in (planned, started):
        assert (_MAY_BE_OLD in line) == (not readable)
        if not readable:
            where = f"{stack.flink.cluster.checkpoint_directory} (it is a path of the cluster's mac"
            assert where in line


def test_a_checkpoint_directory_that_may_not_be_read_is_not_taken_for_an_empty_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows the directory of a lost job's checkpoints, without the permission to read it."""
    stack = running("savepoint")
    wanted = version("Old", "savepoint", savepoint_trigger="1")
    saved = stack.up(wanted).last_savepoint
    stack.flink.pass_time(1200)
    read = MemoryFileSystem.ls

    def ls(self: MemoryFileSystem, path: str, detail: bool = True, **options: Any) -> Any:
        if f"/checkpoints/{stack.recorded.job_id}" in path:
            raise PermissionError(13, "Permission denied", path)
        return read(self, path, detail, **options)

    monkeypatch.setattr(MemoryFileSystem, "ls", ls)
    lost(stack)
    planned = stack.plan(wanted).line()
    assert f"start from savepoint {saved} (20 min old), {_MAY_BE_OLD}" in planned
    assert "/checkpoints ([Errno 13] Permission denied: " in planned


def test_a_stopped_job_goes_on_from_its_stop_wherever_its_checkpoints_are() -> None:
    stack = running("savepoint", readable=False)
    stack.up(version("Old", "savepoint", desired_state="stopped"))
    stack.flink.restart_job_manager()
    stack.up(version("Old", "savepoint"))
    assert stack.flink.active()
    assert _MAY_BE_OLD not in "\n".join(stack.said)


@pytest.mark.parametrize("readable", [True, False])
def test_a_first_start_says_where_an_earlier_job_would_not_be_seen(readable: bool) -> None:
    """Shows a job that no record names, and that starts without state."""
    stack = running("savepoint", readable=readable)
    hidden = "whether an earlier job of this name has left savepoints or checkpoints is not seen"
    assert (hidden in "\n".join(stack.said)) == (not readable)


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("ending", ["LOST", "CANCELED", "FAILED"])
@pytest.mark.parametrize("retained", [True, False])
def test_the_plan_names_what_the_run_takes(readable: bool, ending: str, retained: bool) -> None:
    """Shows a job whose newest state is a checkpoint, or that has lost its checkpoints.

    The age is told, and that a newer checkpoint is known to be gone.
    """
    stack = running("savepoint", readable=readable)
    wanted = version("Old", "savepoint", savepoint_trigger="1")
    saved = stack.up(wanted).last_savepoint
    stack.flink.pass_time(1200)
    job = stack.flink.the_job()
    job.retains = retained
    if ending == "LOST":
        lost(stack)
    else:
        stack.flink.end(job, ending, "RuntimeException: no")
        stack.refresh()
    stack.flink.pass_time(180)
    said = stack.plan(wanted).line()
    origin = str(stack.up(wanted).restored_from)
    checkpoint = readable if ending == "LOST" else retained
    assert ("/chk-" in origin) == checkpoint
    if not checkpoint:
        assert origin == saved
    assert origin in said
    assert f"start from {'checkpoint' if checkpoint else 'savepoint'} {origin} (" in said
    assert (" min old)" if not checkpoint else " old)") in said
    gone = ending != "LOST" and not retained
    assert ("OLDER THAN ITS LAST COMPLETED CHECKPOINT (" in said) == gone
    assert any(
        f"going on from {word} {origin} (" in line
        for word in ("savepoint", "checkpoint")
        for line in stack.said
    )
    assert stack.refresh().restore_point is None


def test_a_stateless_update_leaves_nothing_to_come_back_to() -> None:
    """Shows that state which was dropped on purpose is not picked up again."""
    stack = running("savepoint", NO_CHECKPOINTS)
    stack.up(version("Old", "savepoint", savepoint_trigger="1"))
    stack.flink.programs["New"] = NO_CHECKPOINTS
    stack.up(version("New", "stateless", savepoint_trigger="1"))
    lost(stack)
    with pytest.raises(StateUnavailable, match=r"\(LOST\)"):
        stack.up(version("New", "savepoint", savepoint_trigger="1"))


def test_a_restore_point_that_is_not_there_is_told_before_anything_stops() -> None:
    stack = running("savepoint")
    old = stack.flink.the_job()
    missing = f"{stack.flink.cluster.savepoint_directory}/nothing"
    with pytest.raises(Exception, match="restore_from: there is no savepoint at") as caught:
        stack.up(version("Old", "savepoint", restore_from=missing))
    assert stack.flink.the_job() is old
    assert "_metadata" in str(caught.value)


def test_no_savepoint_directory_anywhere_is_told_before_anything_stops() -> None:
    stack = running("savepoint")
    old = stack.flink.the_job()
    object.__setattr__(stack.flink.cluster, "savepoint_directory", "")
    with pytest.raises(Exception, match="Set savepoint_directory"):
        stack.up(version("New", "savepoint"))
    assert stack.flink.the_job() is old


def test_a_create_that_died_after_its_savepoint_goes_on_from_it() -> None:
    """Shows a job that no record names, stopped by an update of a run whose state was lost."""
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", desired_state="stopped"))
    kept = max(stack.flink.progress_in.values())
    stack.record = None
    stack.up(version("Old", "savepoint"))
    assert stack.flink.the_job().base == kept


def test_what_is_recorded_wins_over_what_is_derived() -> None:
    """Shows that a job whose owner was renamed is still ours by its recorded jobId."""
    stack = running("savepoint")
    old = stack.flink.the_job()
    renamed = version("Old", "savepoint", owner="organization/shop/renamed")
    assert stack.up(renamed).job_id == old.job_id
    stack.flink.pass_time(60)
    stack.up(renamed.model_copy(update={"entry_class": "New"}))
    assert stack.flink.the_job().base == old.progress_at_end
    assert stack.recorded.job_id == stack.flink.the_job().job_id


def test_statistics_from_their_cache_do_not_hide_a_savepoint() -> None:
    """Shows a job that is cancelled within the three seconds for which Flink caches statistics."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    stack.flink.pass_time(60)
    stack.flink.remove(job.checkpoint)
    job.checkpoint, job.completed, job.restored_from = "", 0, "/s/0"
    stack.flink.progress_in["/s/0"] = 1
    job.cached = (stack.time.now(), job.statistics())
    saved = stack.up(version("Old", "savepoint", savepoint_trigger="1")).last_savepoint
    stack.flink.end(job, "CANCELED")
    stack.up(version("Old", "savepoint", savepoint_trigger="2"))
    assert stack.flink.the_job().restored_from == saved
