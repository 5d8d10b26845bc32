"""A job that one run creates and deletes: its resource was renamed, or is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.planning.plan import plan
from flink_jobs_provider.provider import job_operations
from flink_jobs_provider.provider.dynamic import RESOURCE_KEY, FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.unit.model.made_up_jobs import spec
from tests.unit.provider.conftest import UseClusters
from tests.unit.provider.test_calls import Job, as_the_engine_has_it
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import Program

NewRun = Callable[[], None]


@pytest.fixture
def old(
    provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink, new_run: NewRun
) -> Job:
    """Return a resource whose job an earlier run has started."""
    job = Job(provider, {**inputs, RESOURCE_KEY: "::before"})
    job.create()
    flink.steps.clear()
    new_run()
    return job


@pytest.fixture
def new(provider: FlinkJobProvider, inputs: dict[str, Any]) -> Job:
    """Return the resource that it is renamed to."""
    return Job(provider, {**inputs, RESOURCE_KEY: "::after"})


def delete(job: Job) -> None:
    """Delete a resource."""
    job.provider.delete("orders", job.state)


def anew(job: Job, **changes: Any) -> dict[str, Any]:
    """Check a replacement, as engines do once more: without what was recorded before."""
    return Job(job.provider, job.inputs).checked(**changes)


def refresh(job: Job) -> None:
    """Read a resource as a refresh does: what it answers is compared with the old inputs."""
    result = job.provider.read("orders", job.state)
    assert result.outs is not None
    assert result.inputs is not None
    job.state = as_the_engine_has_it(result.outs)
    job.provider.diff("orders", job.state, result.inputs)


def assert_untouched(flink: FakeFlink, job: Job) -> None:
    """Assert that a job goes on, and nothing was asked of it."""
    assert flink.the_job().job_id == job.state["job_id"]
    assert not {"cancel", "stop", "delete", "submit", "forget jars"} & set(flink.steps)


def test_a_renamed_resource_keeps_its_job(
    old: Job, new: Job, flink: FakeFlink, capsys: pytest.CaptureFixture[str]
) -> None:
    new.create()
    flink.steps.clear()
    capsys.readouterr()
    delete(old)
    assert_untouched(flink, old)
    assert new.state["job_id"] == old.state["job_id"]
    assert capsys.readouterr().out == (
        f"orders: job {old.state['job_id']} was left alone, nothing was cancelled: another "
        "resource of this stack, or a replacement of this one, takes it over in this run. To "
        "rename a resource without this, give it an alias.\n"
    )


def test_a_resource_that_is_renamed_and_changed(old: Job, new: Job, flink: FakeFlink) -> None:
    new.create(parallelism=3)
    delete(old)
    running = flink.the_job()
    assert running.job_id == new.state["job_id"] != old.state["job_id"]
    assert running.restored_from == new.state["restored_from"] is not None


def test_the_old_resource_says_stop_with_a_savepoint(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    new: Job,
    flink: FakeFlink,
    new_run: NewRun,
) -> None:
    old = Job(provider, inputs)
    old.create(on_delete="savepoint")
    new_run()
    new.create(on_delete="savepoint")
    flink.steps.clear()
    delete(old)
    assert_untouched(flink, old)


def test_a_run_that_was_killed_before_the_delete(
    old: Job, new: Job, flink: FakeFlink, new_run: NewRun
) -> None:
    """Shows that the next run, which has nothing to create any more, does not end it either."""
    new.create()
    new_run()
    flink.steps.clear()
    assert not new.diff().changes
    delete(old)
    assert_untouched(flink, old)


def test_a_run_that_was_killed_is_undone(old: Job, new: Job, flink: FakeFlink) -> None:
    """Shows the same where the program went back to the old name meanwhile."""
    new.state = old.state
    assert not old.diff().changes
    delete(new)
    assert_untouched(flink, old)


def test_the_delete_comes_first(old: Job, flink: FakeFlink) -> None:
    """Shows a replacement with delete_before_replace: the engine checks, deletes and creates."""
    wanted = old.checked()
    delete(old)
    assert_untouched(flink, old)
    outputs = old.provider.create(wanted).outs
    assert_untouched(flink, old)
    assert outputs is not None
    assert outputs["job_id"] == old.state["job_id"]


@pytest.mark.parametrize("diffed", [True, False])
def test_a_stopped_job_whose_delete_comes_first(
    diffed: bool, old: Job, flink: FakeFlink, new_run: NewRun
) -> None:
    """Shows that a record is not let go which alone knows the state: the create may never come."""
    savepoint = old.update(desired_state="stopped")["last_savepoint"]
    flink.restart_job_manager()
    new_run()
    wanted = old.checked(desired_state="running")
    if diffed:
        old.provider.diff("orders", old.state, wanted)
    anew(old, desired_state="running")
    with pytest.raises(FlinkJobError) as caught:
        delete(old)
    assert str(caught.value) == (
        "orders: another resource of this stack, or a replacement of this one, declares this job, "
        "and has not been created. The job is STOPPED; the old resource is kept, which may alone "
        f"know the state, {savepoint}. Fix what kept the new one from being created, and run "
        "again; or give a renamed resource an alias; or replace without delete_before_replace; or "
        f"set restore_from to {savepoint}."
    )
    new_run()
    wanted = anew(old, restore_from=savepoint)
    delete(old)
    new_run()
    outputs = old.provider.create(wanted).outs
    assert outputs is not None
    assert outputs["restored_from"] == savepoint


def test_an_old_record_that_the_new_one_repeats(
    stopped: Job, new: Job, flink: FakeFlink, new_run: NewRun
) -> None:
    """Shows a run that was killed between the create and the delete, after a refresh."""
    refresh(stopped)
    new.create(desired_state="stopped")
    assert new.state == stopped.state
    new_run()
    assert not new.diff(desired_state="stopped").changes
    delete(stopped)


def test_a_new_resource_that_was_never_created(old: Job, new: Job, flink: FakeFlink) -> None:
    """Shows one whose dependency failed, in a run that goes on: a running job is found again."""
    new.checked()
    delete(old)
    assert_untouched(flink, old)


def test_a_lost_job_whose_new_resource_was_never_created(
    old: Job, new: Job, flink: FakeFlink, new_run: NewRun
) -> None:
    """Shows that the cluster is asked: the record says that the job runs."""
    savepoint = old.update(savepoint_trigger="1")["last_savepoint"]
    flink.restart_job_manager()
    new_run()
    new.checked()
    with pytest.raises(FlinkJobError, match=f"The job is LOST; .* the state, {savepoint}"):
        delete(old)
    new_run()
    new.checked(upgrade_mode="stateless")
    delete(old)


ONE_AFTER_THE_OTHER = (
    "Give the resource that is to have the job an alias of the one that has it; or replace in one "
    "run, which ends the job, and declare it again in the next."
)


def test_a_job_whose_resource_gets_another_one_is_not_declared_anew(
    old: Job, new: Job, flink: FakeFlink
) -> None:
    """Shows the resource that gets another job registered first: a replacement deletes first."""
    assert old.diff(job_name="orders-2", upgrade_mode="stateless").delete_before_replace
    [failure] = new.provider.check({}, new.inputs).failures
    assert (failure.property, failure.reason) == (
        "job_name",
        "is that of a job whose resource, 'before', is replaced by one of another job in this run, "
        f"which ends it. {ONE_AFTER_THE_OTHER}",
    )
    with pytest.raises(FlinkJobError, match=r"failed in this run\. Nothing was cancelled"):
        delete(old)
    assert_untouched(flink, old)


def test_a_declared_job_is_not_given_up(old: Job, new: Job) -> None:
    """Shows the same where the resource that is to have the job is registered first."""
    new.checked()
    with pytest.raises(FlinkJobError) as caught:
        old.diff(job_name="orders-2", upgrade_mode="stateless")
    assert str(caught.value) == (
        "orders: this resource, 'before', is to be replaced by one of another job, and another "
        "resource of this stack, 'after', declares its job in the same run. Nothing was changed. "
        f"{ONE_AFTER_THE_OTHER}"
    )


def test_a_job_that_is_no_longer_declared_is_ended(old: Job, new: Job, flink: FakeFlink) -> None:
    new.checked(job_name="returns")
    refresh(old)
    delete(old)
    assert flink.active() == []


def test_a_job_of_that_name_elsewhere_is_another_one(old: Job, new: Job, flink: FakeFlink) -> None:
    new.checked(target={"kind": "flink", "url": "http://other:8081"})
    delete(old)
    assert flink.active() == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("http://localhost:8081", "http://127.0.0.1:8081"),
        ("http://[::1]:8081", "http://localhost:8081"),
        ("http://flink:8081", "http://flink.example:8081"),
    ],
)
def test_a_renamed_resource_whose_cluster_has_another_address_now(
    before: str,
    now: str,
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: NewRun,
) -> None:
    old, new = (
        Job(provider, {**inputs, "target": {"kind": "flink", "url": url}}) for url in (before, now)
    )
    old.create()
    new_run()
    new.create()
    flink.steps.clear()
    delete(old)
    assert_untouched(flink, old)


def test_a_renamed_resource_whose_job_moved_to_another_cluster(
    old: Job, new: Job, flink: FakeFlink, use_clusters: UseClusters
) -> None:
    """Shows that one jobId on two clusters is not one job: the first version has it anywhere."""
    flink.pass_time(60)
    clock = FakeClock()
    clock.time += 1000
    other = FakeFlink(clock)

    class Two:
        """Gives each by its address."""

        def of(self, target: FlinkTarget) -> FakeFlink:
            """Return one."""
            return other if "other" in target.url else flink

    use_clusters(Two())
    new.create(target={"kind": "flink", "url": "http://other:8081"})
    assert new.state["job_id"] == old.state["job_id"]
    delete(old)
    assert flink.active() == []
    assert other.the_job().job_id == new.state["job_id"]


def test_what_could_not_take_it_over_keeps_the_old_resource(
    old: Job, new: Job, flink: FakeFlink
) -> None:
    """Shows an engine that goes on after an error: the delete fails, and the job goes on."""
    flink.programs["Bad"] = Program(plan_error="no such")
    with pytest.raises(FlinkJobError, match="cannot be started"):
        new.create(entry_class="Bad")
    with pytest.raises(FlinkJobError) as caught:
        delete(old)
    assert str(caught.value) == (
        "orders: another resource of this stack declares this job, and failed in this run. "
        "Nothing was cancelled, and the old resource is kept. Fix what failed there, and run "
        "again."
    )
    assert flink.the_job().job_id == old.state["job_id"]
    new.create()
    delete(old)
    assert flink.the_job().job_id == old.state["job_id"]


def test_a_new_resource_whose_change_is_refused(
    old: Job, new: Job, flink: FakeFlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows what the plan refuses, as it does settings that a service takes once."""
    refresh(old)
    wanted = new.checked()
    refused = replace(plan(None, spec()), refusal="orders: the queue cannot be changed.")
    monkeypatch.setattr(job_operations, "plan", lambda _recorded, _wanted: refused)
    with pytest.raises(FlinkJobError, match="the queue cannot be changed"):
        new.provider.create(wanted)
    with pytest.raises(FlinkJobError, match="declares this job, and failed in this run"):
        delete(old)
    assert_untouched(flink, old)


def test_a_new_resource_whose_inputs_are_wrong(old: Job, new: Job, flink: FakeFlink) -> None:
    assert new.provider.check({}, {**new.inputs, "parallelism": 0}).failures
    with pytest.raises(FlinkJobError, match="declares this job, and failed in this run"):
        delete(old)
    assert_untouched(flink, old)


@pytest.fixture
def stopped(old: Job, flink: FakeFlink, new_run: NewRun) -> Job:
    """Return one that was stopped so long ago that its cluster has forgotten it."""
    old.update(desired_state="stopped")
    flink.restart_job_manager()
    new_run()
    return old


def test_state_that_only_the_old_resource_knows_is_not_dropped(
    stopped: Job, new: Job, flink: FakeFlink, new_run: NewRun
) -> None:
    """Shows that the old resource is kept until the new one has its state."""
    savepoint = stopped.state["last_savepoint"]
    assert new.create()["restored_from"] is None
    with pytest.raises(FlinkJobError) as caught:
        delete(stopped)
    assert str(caught.value) == (
        "orders: another resource of this stack has taken this job over, and has not the state of "
        f"it, which is {savepoint}. There the job is RUNNING; the old resource is kept, which "
        f"alone knows the state. Set restore_from of the new resource to {savepoint}, or its "
        'upgrade_mode to "stateless" to drop the state, and run again; or take the old resource '
        "out of the stack's state (pulumi state delete, or flink-jobs state delete), if its state "
        "is not needed."
    )
    new_run()
    assert not new.diff().changes
    with pytest.raises(FlinkJobError, match="has not the state of it"):
        delete(stopped)
    new_run()
    assert new.diff(restore_from=savepoint).changes
    assert new.update(restore_from=savepoint)["restored_from"] == savepoint
    delete(stopped)
    assert flink.the_job().restored_from == savepoint


def test_any_other_state_is_not_that_of_the_old_resource(
    stopped: Job, new: Job, flink: FakeFlink, new_run: NewRun
) -> None:
    """Shows a new resource that began with nothing, and was updated with its own state since."""
    new.create()
    new_run()
    flink.pass_time(60)
    new.diff(parallelism=3)
    assert new.update(parallelism=3)["restored_from"] is not None
    with pytest.raises(FlinkJobError, match="has not the state of it, which is"):
        delete(stopped)


def test_a_named_state_that_is_older_is_not_that_of_the_old_resource(
    stopped: Job, new: Job, flink: FakeFlink
) -> None:
    flink.progress_in["/backup/savepoint-1"] = 7
    new.create(restore_from="/backup/savepoint-1")
    with pytest.raises(FlinkJobError, match="has not the state of it, which is"):
        delete(stopped)


def test_a_job_that_ran_further_than_its_record_says(
    old: Job, new: Job, flink: FakeFlink, new_run: NewRun
) -> None:
    """Shows that what the cluster had of it counts, though the record names an older state."""
    old.update(savepoint_trigger="1")
    flink.pass_time(60)
    flink.end(flink.the_job(), "FINISHED")
    flink.jobs_by_id[old.state["job_id"]].savepoint = "/s/" + old.state["job_id"] + "/savepoint-2"
    flink.progress_in["/s/" + old.state["job_id"] + "/savepoint-2"] = 99
    new_run()
    assert new.create()["restored_from"].endswith("savepoint-2")
    delete(old)


def test_where_no_state_is_known_the_job_is_named(old: Job, new: Job, flink: FakeFlink) -> None:
    flink.restart_job_manager()
    new.create()
    with pytest.raises(FlinkJobError) as caught:
        delete(old)
    assert (
        f"the old resource is kept, which names the job that had it, {old.state['job_id']}. "
        "Set restore_from of the new resource to a savepoint of that job, or its upgrade_mode to "
    ) in str(caught.value)


def test_a_stopped_job_that_stays_stopped(stopped: Job, new: Job) -> None:
    new.create(desired_state="stopped")
    with pytest.raises(FlinkJobError, match="has not the state of it, which is"):
        delete(stopped)
    savepoint = stopped.state["last_savepoint"]
    new.update(desired_state="stopped", restore_from=savepoint)
    delete(stopped)
    assert new.update(restore_from=savepoint)["restored_from"] == savepoint


def test_state_is_dropped_where_that_is_said(stopped: Job, new: Job, flink: FakeFlink) -> None:
    new.create(upgrade_mode="stateless")
    delete(stopped)
    assert flink.the_job().job_id == new.state["job_id"]


def test_a_refresh_tells_the_new_resource_of_the_state(
    stopped: Job, new: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    savepoint = stopped.state["last_savepoint"]
    refresh(stopped)
    capsys.readouterr()
    assert new.create()["restored_from"] == savepoint
    assert f"orders: START, start from savepoint {savepoint} (" in capsys.readouterr().out
    assert [known["path"] for known in new.state["savepoints"]] == [savepoint]
    delete(stopped)


def test_another_owners_record_is_not_gone_on_from(stopped: Job, new: Job) -> None:
    refresh(stopped)
    assert new.create(owner="organization/shop/other")["restored_from"] is None
    with pytest.raises(FlinkJobError, match="has not the state of it"):
        delete(stopped)


@pytest.mark.parametrize("on_delete", ["savepoint", "cancel"])
def test_a_job_that_was_ended_and_is_created_in_one_run(
    on_delete: str,
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    new: Job,
    flink: FakeFlink,
    new_run: NewRun,
) -> None:
    """Shows that what is created after a delete begins from its savepoint, or not at all."""
    old = Job(provider, inputs)
    old.create(on_delete=on_delete)
    new_run()
    delete(old)
    assert flink.active() == []
    if on_delete == "savepoint":
        [path] = [path for path in flink.progress_in if "/on-delete/" in path]
        assert new.create()["restored_from"] == path
        return
    with pytest.raises(FlinkJobError, match="Nothing was started, so that its state is not silen"):
        new.create()
    assert new.create(upgrade_mode="stateless")["restored_from"] is None


@pytest.fixture
def beyond(old: Job, flink: FakeFlink, new_run: NewRun) -> str:
    """Let the old one name a savepoint that it has left behind long ago; return that."""
    flink.progress_in["/backup/savepoint-1"] = 7
    old.inputs["restore_from"] = "/backup/savepoint-1"
    old.update(args=["--old"])
    flink.pass_time(60)
    new_run()
    old.update()
    flink.pass_time(60)
    new_run()
    flink.steps.clear()
    return "/backup/savepoint-1"


def test_a_restore_point_left_in_the_program_does_not_set_the_job_back(
    beyond: str, old: Job, new: Job, flink: FakeFlink
) -> None:
    """Shows that the cluster tells: it lists the version that started from it."""
    new.create(restore_from=beyond)
    assert new.state["restored_from"] == old.state["restored_from"] != beyond
    delete(old)
    assert_untouched(flink, old)


def test_a_replacement_knows_what_its_own_resource_has_recorded(
    beyond: str, old: Job, flink: FakeFlink
) -> None:
    """Shows one that the user asks for; the cluster has forgotten what the job started from."""
    flink.pass_time(3700)
    assert not old.diff().changes
    outputs = old.provider.create({**old.checked(), "restore_from": beyond}).outs
    assert outputs is not None
    assert outputs["restored_from"] == old.state["restored_from"] != beyond
    delete(old)
    assert_untouched(flink, old)


def test_where_it_cannot_be_told_nothing_is_touched(
    beyond: str, old: Job, new: Job, flink: FakeFlink
) -> None:
    flink.pass_time(3700)
    with pytest.raises(FlinkJobError, match="give it an alias, which keeps its record"):
        new.create(restore_from=beyond)
    with pytest.raises(FlinkJobError, match="failed in this run"):
        delete(old)
    refresh(old)
    new.create(restore_from=beyond)
    delete(old)
    assert_untouched(flink, old)
