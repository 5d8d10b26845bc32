"""A jar job's life through the Data Lake Insight face: what is asked of the job service for it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flink_jobs_provider.gateway.apis.dli.schema import UPDATE
from flink_jobs_provider.gateway.refusals import Refusal
from tests.contract.gateway.apis.dli.calling import JOB, Dli, done, refused

_SAVEPOINT = "obs://bucket/dir/savepoint/"


def test_a_job_is_created_as_a_draft() -> None:
    dli = Dli()
    answer = done(dli.call("POST", "/flink-jobs", json=JOB))
    assert answer["job"] == {"job_id": 1, "status_name": "job_init", "status_desc": ""}
    (draft,) = dli.gateway.service.drafts
    assert (draft.job_name, draft.caller) == ("orders", "operator")
    assert draft.inputs["jar"] == "s3://mirror/jars/orders.jar"
    assert draft.inputs["args"] == ["--input", "in"]
    assert draft.inputs["entry_class"] == "com.example.Orders"
    assert draft.inputs["parallelism"] == 3
    assert dli.gateway.service.requests == []
    assert dli.detail(1)["status"] == "job_init"


def test_a_draft_runs_under_its_id() -> None:
    dli = Dli()
    number = dli.running()
    (request,) = dli.gateway.service.requests
    assert (request.action, request.run_id) == ("NEW", dli.gateway.service.rows[1].run_id)
    assert request.starts_draft
    detail = dli.detail(number)
    assert (detail["job_id"], detail["status"]) == (1, "job_running")


@pytest.mark.parametrize(
    ("resume", "imported", "restores"),
    [(True, True, True), (True, False, False), (False, True, False), (None, True, False)],
)
def test_a_draft_starts_from_an_imported_savepoint_when_told_to(
    resume: bool | None, imported: bool, restores: bool
) -> None:
    dli = Dli()
    number = dli.create()
    if imported:
        body = {"job_id": number, "savepoint_path": _SAVEPOINT}
        done(dli.call("POST", f"/jobs/{number}/import-savepoint", json=body))
        detail = dli.detail(number)
        assert (detail["has_savepoint"], detail["savepoint_path"]) == (
            True,
            "s3://mirror/dir/savepoint",
        )
    dli.acted("run", number, **({} if resume is None else {"resume_savepoint": resume}))
    restored = dli.gateway.service.rows[number].record.restored_from
    assert restored == ("s3://mirror/dir/savepoint" if restores else None)


@pytest.mark.parametrize(
    ("stopped_how", "resume", "action"),
    [
        (True, True, "START"),
        (True, False, "STATELESS_UPDATE"),
        (False, True, "RE_LAUNCH"),
        (False, False, "STATELESS_UPDATE"),
    ],
)
def test_a_stopped_job_runs_again(stopped_how: bool, resume: bool, action: str) -> None:
    dli = Dli()
    number = dli.running()
    dli.acted("stop", number, trigger_savepoint=stopped_how)
    assert dli.detail(number)["status"] == "job_cancel_success"
    stop = dli.gateway.service.requests[-1]
    assert stop.action == ("STOP" if stopped_how else "CANCEL")
    dli.acted("run", number, resume_savepoint=resume)
    request = dli.gateway.service.requests[-1]
    assert request.action == action
    assert (request.changes, request.new_bytes) == ({}, True), "the jar as it lies there now"
    assert request.spares_running is (action == "STATELESS_UPDATE")
    assert dli.detail(number)["status"] == "job_running"


def test_an_imported_savepoint_wins_over_the_jobs_own() -> None:
    dli = Dli()
    number = dli.running()
    dli.acted("stop", number, trigger_savepoint=True)
    body = {"job_id": str(number), "savepoint_path": "bucket/dir/savepoint"}
    done(dli.call("POST", f"/jobs/{number}/import-savepoint", json=body))
    dli.acted("run", number, resume_savepoint=True)
    row = dli.gateway.service.rows[number]
    assert row.record.restored_from == "s3://mirror/dir/savepoint"


def test_an_imported_savepoint_can_be_taken_back() -> None:
    dli = Dli()
    number = dli.running()
    dli.acted("stop", number, trigger_savepoint=True)
    own = dli.detail(number)["savepoint_path"]
    for path in ("bucket/dir/savepoint", ""):
        body = {"job_id": number, "savepoint_path": path}
        done(dli.call("POST", f"/jobs/{number}/import-savepoint", json=body))
    assert dli.detail(number)["savepoint_path"] == own
    dli.acted("run", number, resume_savepoint=True)
    assert dli.gateway.service.rows[number].record.restored_from == own


def test_what_is_not_possible_is_refused_with_what_would_be() -> None:
    dli = Dli()
    number = dli.running()
    assert "runs already" in refused(dli.act("run", number), 400, "DLI.0007")
    path = f"/jobs/{number}/import-savepoint"
    body = {"job_id": number, "savepoint_path": _SAVEPOINT}
    refused(dli.call("POST", path, json=body), 400, "DLI.0007")
    dli.acted("stop", number)
    assert "does not run" in refused(dli.act("stop", number), 400, "DLI.0007")
    said = refused(
        dli.call("POST", f"/jobs/{number}/savepoint", json={"action": "TRIGGER"}), 400, "DLI.0007"
    )
    assert "does not run" in said


def test_nothing_is_begun_while_something_is_in_progress() -> None:
    dli = Dli()
    number = dli.create()
    dli.gateway.service.hold = True
    dli.acted("run", number)
    assert dli.detail(number)["status"] == "job_submitting"
    for what in ("run", "stop"):
        assert "job_submitting" in refused(dli.act(what, number), 400, "DLI.0007")
    refused(dli.act("delete", number), 400, "DLI.0007")
    answer = dli.call("PUT", f"/flink-jobs/{number}", json={"parallel_number": 4})
    refused(answer, 400, "DLI.0007")


@pytest.mark.parametrize(
    ("meanwhile", "code", "says"),
    [
        (Refusal("JobNotFound", "There is no run job-001."), "DLI.16001", "no Flink job 1 "),
        (Refusal("JobStatusConflict", "Job orders runs already."), "DLI.0007", "runs already"),
    ],
)
def test_a_draft_that_is_gone_or_runs_by_the_time_is_told_so(
    meanwhile: Refusal, code: str, says: str
) -> None:
    """Shows it for two callers at once; what the service itself knows, its own tests show."""
    dli = Dli()
    number = dli.create()
    dli.gateway.service.refuses_with = meanwhile
    assert says in refused(dli.act("run", number), 400, code)


def test_savepoints_are_triggered_where_they_are_wanted() -> None:
    dli = Dli()
    number = dli.running()
    path = f"/jobs/{number}/savepoint"
    done(dli.call("POST", path, json={"action": "TRIGGER"}))
    assert dli.gateway.service.requests[-1].changes == {}
    body = {"action": "TRIGGER", "savepoint_path": "bucket/own/"}
    done(dli.call("POST", path, json=body))
    request = dli.gateway.service.requests[-1]
    assert (request.action, request.changes) == (
        "SAVEPOINT",
        {"savepoint_directory": "s3://mirror/own"},
    )
    detail = dli.detail(number)
    assert detail["has_savepoint"]
    assert detail["savepoint_path"].startswith("s3://bucket/savepoints/")


@pytest.mark.parametrize("batch", [True, False])
def test_a_job_is_deleted_in_any_state(batch: bool) -> None:
    dli = Dli()
    number = dli.running()
    if batch:
        dli.acted("delete", number)
    else:
        done(dli.call("DELETE", f"/jobs/{number}"))
    request = dli.gateway.service.requests[-1]
    assert (request.action, request.cancels_first) == ("DELETE", True)
    refused(dli.call("GET", f"/jobs/{number}"), 400, "DLI.16001")
    refused(dli.call("DELETE", f"/jobs/{number}"), 400, "DLI.16001")


def test_a_batch_answers_for_each_job_in_the_order_of_the_ids() -> None:
    dli = Dli()
    first, second = dli.create(name="one"), dli.create(name="two")
    answer = dli.act("run", second, 77, first)
    assert answer.status_code == 200
    one, two, three = answer.json()
    assert (one["is_success"], two["is_success"], three["is_success"]) == ("true", "false", "true")
    assert "DLI.16001" in two["message"]
    assert [request.job_name for request in dli.gateway.service.requests] == ["two", "one"]
    refused(dli.act("run", 77), 400, "DLI.16001")


def test_a_change_of_a_job_that_does_not_run() -> None:
    dli = Dli()
    number = dli.running()
    dli.acted("stop", number, trigger_savepoint=True)
    body = {"entrypoint_args": "--input other", "desc": "new", "parallel_number": 3}
    answer = done(dli.call("PUT", f"/flink-jobs/{number}", json=body))
    assert answer["job"]["update_time"] > 0
    (change,) = dli.gateway.service.changes
    assert dict(change.inputs) == {"args": ["--input", "other"]}, "differences alone"
    detail = dli.detail(number)
    assert (detail["desc"], detail["entrypoint_args"]) == ("new", "--input other")
    dli.acted("run", number, resume_savepoint=True)
    assert list(dli.gateway.service.rows[number].record.spec.args) == ["--input", "other"]


def test_a_job_that_runs_takes_the_changes_that_the_service_takes_then() -> None:
    dli = Dli()
    number = dli.running(obs_bucket="logs")
    path = f"/flink-jobs/{number}"
    said = refused(dli.call("PUT", path, json={"entrypoint_args": "x"}), 400, "DLI.0007")
    assert "entrypoint_args" in said
    assert "stop it first" in said
    done(dli.call("PUT", path, json={**JOB, "obs_bucket": "logs"}))
    assert dli.gateway.service.changes == [], "what is the same is no change"
    body = {
        "restart_when_exception": True,
        "resume_checkpoint": True,
        "resume_max_num": 3.0,
        "obs_bucket": "other",
        "checkpoint_path": "bucket/checkpoints",
        "smn_topic": "",
    }
    done(dli.call("PUT", path, json=body))
    (change,) = dli.gateway.service.changes
    assert change.while_it_runs
    assert change.inputs["flink_configuration"] == {
        "restart-strategy.type": "fixed-delay",
        "restart-strategy": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "3",
        "execution.checkpointing.dir": "s3://mirror/checkpoints",
        "state.checkpoints.dir": "s3://mirror/checkpoints",
    }
    assert dli.detail(number)["job_config"]["resume_max_num"] == 3


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"parallel_number": None},
        {"runtime_config": '{"execution.checkpointing.mode": "AT_LEAST_ONCE"}'},
        {
            "parallel_number": None,
            "resource_config_version": "v2",
            "resource_config": {"parallel_number": 5, "max_slot": 2},
            "checkpoint_enabled": True,
            "checkpoint_mode": 2,
        },
    ],
)
@pytest.mark.parametrize("runs", [True, False])
def test_what_is_shown_can_be_sent_back(fields: dict[str, Any], runs: bool) -> None:
    """Shows it for a job that runs, and with a change beside it for one that does not."""
    dli = Dli()
    number = dli.running(**fields)
    if not runs:
        dli.acted("stop", number)
    shown = dli.detail(number)
    known = set(UPDATE["properties"])
    sent = {name: value for name, value in shown.items() if name in known}
    sent |= {name: value for name, value in shown["job_config"].items() if name in known}
    assert {"cu_number", "checkpoint_enabled", "resume_max_num", "parallel_number"} <= set(sent)
    done(dli.call("PUT", f"/flink-jobs/{number}", json=sent))
    assert dli.gateway.service.changes == []
    if runs:
        answer = dli.call("PUT", f"/flink-jobs/{number}", json={**sent, "cu_number": 3})
        said = refused(answer, 400, "DLI.0007")
        assert "cu_number cannot be changed" in said
        return
    runtime = {**json.loads(sent.get("runtime_config", "{}")), "a": "b"}
    sent = {**sent, "checkpoint_enabled": True, "runtime_config": json.dumps(runtime)}
    done(dli.call("PUT", f"/flink-jobs/{number}", json=sent))
    spec = dli.gateway.service.rows[number].next_spec
    assert spec.parallelism == shown["job_config"]["parallel_number"]
    assert spec.flink_configuration.items() >= runtime.items()


def test_a_job_changes_between_both_kinds_of_resources() -> None:
    dli = Dli()
    number = dli.create(cu_number=4)
    path = f"/flink-jobs/{number}"
    resources = {"parallel_number": 5, "max_slot": 2}
    v2 = {"resource_config_version": "v2", "resource_config": resources}
    done(dli.call("PUT", path, json=v2))
    config = dli.detail(number)["job_config"]
    assert (config["parallel_number"], config["resource_config"]) == (5, resources)
    v1 = {"resource_config_version": "v1", "parallel_number": 6}
    done(dli.call("PUT", path, json=v1))
    config = dli.detail(number)["job_config"]
    assert config["parallel_number"] == 6
    assert "resource_config" not in config


_V2 = {"resource_config_version": "v2"}


@pytest.mark.parametrize(
    ("created", "given", "parallelism"),
    [
        ({"parallel_number": 8, **_V2}, {"resource_config": {"max_slot": 4}}, 8),
        ({"parallel_number": 8, **_V2}, {"resource_config": {"parallel_number": 5}}, 5),
        (
            {"parallel_number": None, **_V2, "resource_config": {"parallel_number": 5}},
            {"resource_config": {"max_slot": 4, "parallel_number": None}},
            5,
        ),
        (
            {"parallel_number": None, **_V2, "resource_config": {"parallel_number": 5}},
            {"resource_config_version": "v1"},
            5,
        ),
        (
            {"parallel_number": None, **_V2, "resource_config": {"parallel_number": 5}},
            {"resource_config_version": "v1", "parallel_number": 6},
            6,
        ),
        ({"parallel_number": None}, {**_V2, "resource_config": {"max_slot": 4}}, 1),
    ],
)
def test_a_jobs_parallelism_stays_where_nothing_is_said_of_it(
    created: dict[str, Any], given: dict[str, Any], parallelism: int
) -> None:
    dli = Dli()
    number = dli.create(**created)
    done(dli.call("PUT", f"/flink-jobs/{number}", json=given))
    assert dli.gateway.service.rows[number].next_spec.parallelism == parallelism
    assert dli.detail(number)["job_config"]["parallel_number"] == parallelism


@pytest.mark.parametrize("more", [{}, {"resource_config": {"parallel_number": 4}}])
def test_another_number_than_that_of_the_resources_is_refused(more: dict[str, Any]) -> None:
    """Shows that it is not answered as done: resources win over it."""
    dli = Dli()
    resources = {"resource_config": {"parallel_number": 4}}
    number = dli.create(**_V2, **resources, parallel_number=None)
    path = f"/flink-jobs/{number}"
    said = refused(dli.call("PUT", path, json={"parallel_number": 8, **more}), 400, "DLI.0001")
    assert "resource_config.parallel_number must not differ" in said
    assert dli.gateway.service.changes == []
    dli.acted("run", number)
    said = refused(dli.call("PUT", path, json={"parallel_number": 8, **more}), 400, "DLI.0007")
    assert "parallel_number cannot be changed while the job runs" in said


def test_resources_are_changed_with_the_number_sent_back_as_it_was_shown() -> None:
    dli = Dli()
    resources = {"resource_config": {"parallel_number": 4}}
    number = dli.create(**_V2, **resources, parallel_number=4)
    body = {"parallel_number": 4, **_V2, "resource_config": {"parallel_number": 8}}
    done(dli.call("PUT", f"/flink-jobs/{number}", json=body))
    assert dli.gateway.service.rows[number].next_spec.parallelism == 8
    assert dli.detail(number)["job_config"]["parallel_number"] == 8


@pytest.mark.parametrize("enabled", [True, False])
def test_the_mode_that_runtime_config_sets_is_shown_and_no_other_is_taken_beside_it(
    enabled: bool,
) -> None:
    dli = Dli()
    runtime = '{"execution.checkpointing.mode": "AT_LEAST_ONCE"}'
    number = dli.create(checkpoint_enabled=enabled, runtime_config=runtime)
    path = f"/flink-jobs/{number}"
    assert dli.detail(number)["job_config"]["checkpoint_mode"] == "at_least_once"
    done(dli.call("PUT", path, json={"checkpoint_mode": 2}))
    assert dli.gateway.service.changes == [], "it is so"
    said = refused(dli.call("PUT", path, json={"checkpoint_mode": 1}), 400, "DLI.0001")
    assert "mode contradicts checkpoint_mode" in said
    done(dli.call("PUT", path, json={"checkpoint_mode": 1, "runtime_config": ""}))
    assert dli.detail(number)["job_config"]["checkpoint_mode"] == "exactly_once"
    made = dli.gateway.service.rows[number].next_spec.flink_configuration
    assert made.get("execution.checkpointing.mode") == ("EXACTLY_ONCE" if enabled else None)


@pytest.mark.parametrize("field", ["name", "queue_name"])
def test_name_and_queue_stay(field: str) -> None:
    dli = Dli()
    number = dli.create()
    answer = dli.call("PUT", f"/flink-jobs/{number}", json={field: "another"})
    assert "cannot be changed" in refused(answer, 400, "DLI.0001")


def test_a_change_made_from_a_row_that_changes_meanwhile_is_made_again() -> None:
    dli = Dli()
    number = dli.create()
    service = dli.gateway.service
    change, seen = service.change, []

    async def late(request: object) -> object:
        seen.append(request)
        if len(seen) == 1:
            row = service.rows[number]
            service.rows[number] = type(row)(**{**vars(row), "revision": row.revision + 1})
        return await change(request)  # type: ignore[arg-type]

    service.change = late  # type: ignore[method-assign, assignment]
    done(dli.call("PUT", f"/flink-jobs/{number}", json={"desc": "new"}))
    assert len(seen) == 2


def test_the_execution_graph_names_flinks_job() -> None:
    dli = Dli()
    number = dli.create()
    path = f"/jobs/{number}/execute-graph"
    assert "never run" in refused(dli.call("GET", path), 400, "DLI.0007")
    dli.acted("run", number)
    graph = done(dli.call("GET", path))["execute_graph"]
    assert graph["jid"] == dli.gateway.service.rows[number].record.job_id
    assert graph["state"] == "RUNNING"
    assert graph["isStoppable"] is True
    assert (graph["start-time"], graph["end-time"]) == (1_700_000_000_000, -1)


def test_how_long_a_job_has_run() -> None:
    """Shows a job that runs, one that came to its end since, and one whose end nobody saw."""
    dli = Dli()
    number = dli.create()
    rows = dli.gateway.service.rows
    assert dli.detail(number)["duration"] == 0
    dli.acted("run", number)
    hour = timedelta(hours=1)
    began = datetime.now(UTC) - 10 * hour
    rows[number] = replace(rows[number], started_at=began)

    def since(moment: float) -> range:
        now = int(time.time() * 1000 - moment)
        return range(now - 60_000, now + 2)

    assert dli.detail(number)["duration"] in since(began.timestamp() * 1000)
    graph = done(dli.call("GET", f"/jobs/{number}/execute-graph"))["execute_graph"]
    assert graph["duration"] in since(graph["start-time"])

    rows[number] = replace(rows[number], status="FINISHED", ended_at=began + 2 * hour)
    assert dli.detail(number)["duration"] == 2 * 3600 * 1000
    rows[number] = replace(rows[number], status="LOST", ended_at=None)
    assert dli.detail(number)["duration"] == 0


def test_the_queue_says_which_cluster() -> None:
    dli = Dli()
    dli.create(name="a")
    dli.create(name="b", queue_name="other")
    dli.create(name="c", queue_name="spare")
    keys = [draft.cluster[-7:] for draft in dli.gateway.service.drafts]
    assert keys == ["flink-1", "flink-2", "flink-1"]
    assert dli.detail(1)["queue_name"] == "default"
    assert dli.detail(3)["queue_name"] == "spare"
    answer = dli.call("POST", "/flink-jobs", json={**JOB, "name": "d", "queue_name": "no"})
    assert "default, spare, other" in refused(answer, 400, "DLI.0001")


def test_a_job_goes_to_no_other_queue_than_it_would_for_others() -> None:
    """Shows it for a caller who has no role on the project's first one."""
    dli = Dli()
    body = {**JOB, "name": "mine"}
    answer = dli.call("POST", "/flink-jobs", json=body, token="second")
    assert "queue_name must be one of other" in refused(answer, 400, "DLI.0001")
    done(dli.call("POST", "/flink-jobs", json={**body, "queue_name": "other"}, token="second"))


@pytest.mark.parametrize("name", ["Orders", "my_orders", "orders_", "_", "-a-", "O" * 57])
def test_names_that_a_cluster_has_not_are_taken_all_the_same(name: str) -> None:
    dli = Dli()
    number = dli.create(name=name)
    assert dli.detail(number)["name"] == name
    assert dli.listed(name=name)["total_count"] == 1
    other = dli.create(name=f"{name[:50]}x")
    names = [draft.job_name for draft in dli.gateway.service.drafts]
    assert len(set(names)) == 2
    assert other != number
    refused(dli.call("POST", "/flink-jobs", json={**JOB, "name": name}), 400, "DLI.0006")


def test_paths_may_end_in_a_slash() -> None:
    """Shows each path of the API as older clients write it."""
    dli = Dli()
    number = dli.create(name="orders")
    other = {**JOB, "name": "other"}
    done(dli.call("POST", "/flink-jobs/", json=other))
    done(dli.call("PUT", f"/flink-jobs/{number}/", json={"desc": "x"}))
    assert done(dli.call("GET", f"/jobs/{number}/"))["job_detail"]["desc"] == "x"
    assert done(dli.call("GET", "/jobs/?name=orders"))["job_list"]["total_count"] == 1
    assert dli.act("run/", number).json()[0]["is_success"] == "true"
    assert dli.gateway.audit.entries[-1]["what"] == "NEW"
    assert refused(dli.act("stop/", 999), 400, "DLI.16001")
    assert dli.gateway.audit.entries[-1]["what"] == "STOP"
    assert dli.call("GET", "/jobs//").status_code == 404
