"""Jobs that are not ours, or not alone, or not as they were left."""

from __future__ import annotations

import json

import httpx
import pytest

from flink_jobs_provider.model.errors import (
    OwnedElsewhere,
    PermanentError,
    StateUnavailable,
)
from flink_jobs_provider.model.savepoint import same_path
from tests.contract.dli.stack import BESIDE, TARGET, Stack, restored, running, spec


def test_another_owners_job_is_refused() -> None:
    stack = running()
    stack.record = None
    with pytest.raises(OwnedElsewhere, match="for another owner than other/stack/dev") as caught:
        stack.up(spec(owner="other/stack/dev"))
    assert str(stack.dli.job().number) in str(caught.value)
    assert stack.dli.job().jid in str(caught.value)
    assert stack.dli.steps == ["create", "run"]


def test_a_job_that_nobody_marked_is_refused_unless_it_is_just_what_is_wanted() -> None:
    stack = running(keeps_unknown_keys=False)
    stack.record = None
    with pytest.raises(OwnedElsewhere, match="that was not started by this stack"):
        stack.up(spec("New"))
    record = stack.up(spec())
    assert record.job_id == stack.dli.job().jid
    assert stack.dli.steps == ["create", "run"]


def test_a_name_of_a_job_of_another_kind_is_refused() -> None:
    stack = Stack()
    stack.dli.put(status="job_running")
    with pytest.raises(OwnedElsewhere):
        stack.up(spec())
    assert stack.dli.steps == []


def test_names_are_compared_exactly_over_all_pages() -> None:
    stack = Stack(page=100)
    for number in range(250):
        stack.dli.put(config={"name": f"orders-{number}"})
    stack.up(spec())
    stack.record = None
    stack.up(spec())
    assert stack.dli.steps == ["create", "run"], "adopted, though it is on the third page"


def test_an_owner_that_was_renamed_keeps_its_job() -> None:
    stack = running()
    stack.bring_about(spec(owner="acme/shop/renamed"))
    stack.up(spec("New", owner="acme/shop/renamed"))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]


def test_a_version_that_somebody_else_put_there_is_drift() -> None:
    stack = running()
    stack.dli.job().config["parallel_number"] = 7
    stack.refresh()
    assert stack.recorded.other_version
    assert "another version than the recorded one runs" in stack.plan(spec()).line()
    stack.up(spec())
    assert stack.dli.job().config["parallel_number"] == 2
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


def test_a_job_without_a_graph_is_known_by_its_number() -> None:
    """Shows that a job whose Flink id is never shown does not look as if it had never run."""
    stack = running(shows_graphs=False)
    assert stack.recorded.job_id == stack.recorded.run_id
    stack.refresh()
    stack.up(spec("New"))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    stack.dli.jobs.clear()
    stack.record = stack.recorded.model_copy(update={"last_savepoint": None, "restored_from": None})
    stack.refresh()
    with pytest.raises(StateUnavailable):
        stack.up(spec("New"))


def test_two_jobs_that_came_up_at_once_are_not_run() -> None:
    """Shows that a second draft of one name, by a run that was thought dead, is seen."""
    stack = Stack()

    def twin(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/flink-jobs"):
            stack.dli._create(json.loads(request.content))
            (job,) = stack.dli.jobs.values()
            stack.dli.put(config=dict(job.config))
            detail = {"job_id": job.number, "status_name": "job_init"}
            return httpx.Response(200, json={"is_success": True, "message": "", "job": detail})
        return None

    stack.dli.unlike = twin
    with pytest.raises(PermanentError, match="2 jobs have this name"):
        stack.up(spec())
    assert stack.dli.steps == ["create"]


def test_a_gateway_moves_no_job_to_another_queue() -> None:
    stack = running(gateway=True)
    with pytest.raises(PermanentError, match="cannot move a job to another queue"):
        stack.up(spec(target={**TARGET, "queue": "others"}))
    assert stack.dli.steps == ["create", "run"]
    assert stack.dli.job().status == "job_running"


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_a_job_that_was_created_anew_without_our_state_is_not_ours(
    known: bool, refreshed: bool
) -> None:
    """Shows that it is not adopted, and that no savepoint is reported which it did not start from.

    The service keeps no marks, so that the job looks as one that a dead run of ours has created.
    """
    stack = running(keeps_unknown_keys=False)
    asked = {"savepoint_directory": BESIDE, "savepoint_trigger": "1"} if known else {}
    stack.up(spec(**asked))
    former = stack.dli.jobs.pop(stack.dli.job().number)
    started = int(stack.time.now() * 1000)
    stack.dli.put(config=former.config, status="job_running", jid="e" * 32, started=started)
    if refreshed:
        stack.refresh()
    before = stack.recorded
    with pytest.raises(OwnedElsewhere, match="not started by this stack"):
        stack.bring_about(spec(**asked))
    assert stack.record is before


@pytest.mark.parametrize("ran", [True, False])
def test_a_job_that_was_created_anew_from_our_state_is_adopted(ran: bool) -> None:
    """Shows what a run of ours has left that died when it had created a lost job anew."""
    stack = running(keeps_unknown_keys=False)
    asked = {"savepoint_directory": BESIDE, "savepoint_trigger": "1"}
    path = stack.up(spec(**asked)).last_savepoint
    former = stack.dli.jobs.pop(stack.dli.job().number)
    job = stack.dli.put(config=former.config)
    if ran:
        job.savepoint, job.imported = former.savepoint, True
        stack.dli._launch(job, True)
    record = stack.bring_about(spec(**asked))
    assert same_path(restored(stack)[-1], path)
    assert same_path(record.restored_from, path)
    assert len(stack.dli.launches) == 2
