"""The difference between two specs: what a change of each input costs, and how it is worded."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.model.inputs import Cost, on_change
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target.dli import DliSettings
from flink_jobs_provider.planning.diff import Change, changes, cost_of_dli
from flink_jobs_provider.wire.dli import AT_CREATION, DESCRIBING, WHILE_RUNNING
from tests.unit.model.made_up_jobs import DIGEST_2, URL, spec

#: For each input: its old value (None: not given), its new one, the cost, and the words.
CHANGES: list[tuple[str, Any, Any, Cost, str]] = [
    (
        "target",
        {"url": "http://a:1"},
        {"url": "http://b:1"},
        Cost.REPLACE,
        "cluster http://a:1 → http://b:1",
    ),
    ("job_name", "orders", "bills", Cost.REPLACE, "job_name orders → bills"),
    ("owner", "o/p/dev", "o/p/prod", Cost.RECORDED, "owner o/p/dev → o/p/prod"),
    ("jar_digest", None, DIGEST_2, Cost.RESTART, "jar content changed"),
    ("entry_class", None, "a.Main", Cost.RESTART, "entry_class none → a.Main"),
    ("args", None, ["secret"], Cost.RESTART, "args changed"),
    ("parallelism", 2, 4, Cost.RESTART, "parallelism 2 → 4"),
    (
        "flink_configuration",
        {"kept": "1", "gone": "1", "other": "secret"},
        {"kept": "1", "new": "1", "other": "hidden"},
        Cost.RESTART,
        "flink_configuration changed: gone, new, other",
    ),
    ("restart_trigger", "1", "2", Cost.RESTART, "restart_trigger changed"),
    ("restore_from", None, "/s/1", Cost.RESTART, "restore_from /s/1"),
    ("desired_state", "running", "stopped", Cost.RUN_STATE, "desired_state running → stopped"),
    ("savepoint_trigger", None, "1", Cost.SAVEPOINT, "savepoint_trigger changed"),
    ("savepoint_directory", None, "/s", Cost.RECORDED, "savepoint_directory none → /s"),
    ("upgrade_mode", "savepoint", "stateless", Cost.RECORDED, "upgrade_mode savepoint → stateless"),
    (
        "allow_non_restored_state",
        False,
        True,
        Cost.RECORDED,
        "allow_non_restored_state False → True",
    ),
    ("state_check", "strict", "off", Cost.RECORDED, "state_check strict → off"),
    (
        "parallelism_managed_by",
        "provider",
        "other",
        Cost.RECORDED,
        "parallelism_managed_by provider → other",
    ),
    (
        "savepoint_format",
        "canonical",
        "native",
        Cost.RECORDED,
        "savepoint_format canonical → native",
    ),
    (
        "adopt",
        None,
        "orders",
        Cost.RECORDED,
        "adopt orders has no effect on a job that is recorded",
    ),
    ("move", False, True, Cost.RECORDED, "move False → True"),
    ("allow_no_way_back", False, True, Cost.RECORDED, "allow_no_way_back False → True"),
    ("drain", False, True, Cost.RECORDED, "drain False → True"),
    ("max_checkpoint_age", None, "1h", Cost.RECORDED, "max_checkpoint_age none → 1h"),
    ("on_delete", "cancel", "savepoint", Cost.RECORDED, "on_delete cancel → savepoint"),
    ("settle_time", "10s", "0s", Cost.RECORDED, "settle_time 10s → 0s"),
    ("health", None, {"window": "1m"}, Cost.RECORDED, "health changed"),
    ("savepoint_retention", None, {"count": 5}, Cost.RECORDED, "savepoint_retention changed"),
    ("rehearsal", None, {"args": ["--dry"]}, Cost.RECORDED, "rehearsal changed"),
    ("timeouts", None, {"submit": "1m"}, Cost.RECORDED, "timeouts changed"),
]


def _pair(name: str, old: Any, new: Any) -> tuple[JobSpec, JobSpec]:
    return spec(**({} if old is None else {name: old})), spec(
        **({} if new is None else {name: new})
    )


@pytest.mark.parametrize(
    ("name", "old", "new", "cost", "words"), CHANGES, ids=[row[0] for row in CHANGES]
)
def test_cost_and_words(name: str, old: Any, new: Any, cost: Cost, words: str) -> None:
    assert changes(*_pair(name, old, new)) == [Change(name, cost, words)]


def test_every_input_says_what_a_change_of_it_means() -> None:
    """Shows that no input can be added whose change would go unseen."""
    assert set(on_change(JobSpec)) == set(JobSpec.model_fields)
    assert {row[0] for row in CHANGES} == set(JobSpec.model_fields) - {"jar", "dli"}


def test_a_parallelism_that_another_one_manages_touches_no_job() -> None:
    """Shows that the declared one is that of a first start, and that the plan says so."""
    old, new = (spec(parallelism=n, parallelism_managed_by="other") for n in (2, 4))
    (change,) = changes(old, new)
    assert change.cost is Cost.RECORDED
    assert change.text == "parallelism 2 → 4 (for a first start: another one manages it)"


def test_nothing_changed_is_no_change() -> None:
    assert changes(spec(), spec()) == []


@pytest.mark.parametrize("name", ["savepoint_trigger", "restore_from"])
def test_what_is_taken_away_asks_for_nothing(name: str) -> None:
    """Shows that a removed trigger or restore point is recorded, and touches no job."""
    (change,) = changes(*_pair(name, "/s/1", None))
    assert (change.name, change.cost) == (name, Cost.RECORDED)


def test_a_restart_trigger_that_is_taken_away_stays_that_of_the_running_version() -> None:
    former, wanted = _pair("restart_trigger", "1", None)
    assert changes(former, wanted) == []
    assert wanted.carrying_on(former) == former
    assert wanted.carrying_on(wanted) == wanted
    other = spec(restart_trigger="2")
    assert other.carrying_on(former) == other


def test_two_spellings_of_one_savepoint_are_no_restart() -> None:
    (change,) = changes(spec(restore_from="/s/1"), spec(restore_from="file:///s/1/_metadata"))
    assert change.cost is Cost.RECORDED


@pytest.mark.parametrize(
    "target",
    [
        {"url": "HTTP://FLINK:8081/"},
        {"url": URL, "bearer_token": "env:TOKEN"},
        {"url": URL, "headers": {"X-Team": "shop"}},
        {"url": "https://flink:8081"},
    ],
)
def test_another_way_to_the_same_cluster_is_no_replacement(target: dict[str, Any]) -> None:
    """Shows that new credentials, headers or TLS for the same address are only recorded."""
    (change,) = changes(spec(), spec(target=target))
    assert change.cost is Cost.RECORDED


@pytest.mark.parametrize("url", ["http://flink:8082", "http://other:8081", f"{URL}/one"])
def test_another_address_is_another_cluster(url: str) -> None:
    (change,) = changes(spec(), spec(target={"url": url}))
    assert change.cost is Cost.REPLACE


def test_a_jar_that_moved_is_the_same_jar() -> None:
    (change,) = changes(spec(), spec(jar="s3://jars/orders.jar"))
    assert change == Change("jar", Cost.RECORDED, "jar moved, same content: s3://jars/orders.jar")


def test_a_jar_that_moved_with_other_content_is_said_once() -> None:
    assert [c.text for c in changes(spec(), spec(jar="b.jar", jar_digest=DIGEST_2))] == [
        "jar content changed"
    ]


def test_the_costliest_change_comes_first() -> None:
    found = changes(
        spec(),
        spec(on_delete="savepoint", savepoint_trigger="1", parallelism=4, job_name="bills"),
    )
    assert [change.cost for change in found] == [
        Cost.REPLACE,
        Cost.RESTART,
        Cost.SAVEPOINT,
        Cost.RECORDED,
    ]


def test_values_that_may_be_secret_are_not_printed() -> None:
    """Shows that neither arguments nor configuration values get into a line."""
    old = spec(args=["--password", "hunter1"], flink_configuration={"s3.secret-key": "hunter2"})
    new = spec(args=["--password", "hunter3"], flink_configuration={"s3.secret-key": "hunter4"})
    assert "hunter" not in str(changes(old, new))


def test_long_values_are_cut_in_the_middle() -> None:
    (change,) = changes(spec(), spec(restore_from="/savepoints/" + "x" * 200 + "/savepoint-end"))
    assert len(change.text) < 80
    assert change.text.startswith("restore_from /savepoints/")
    assert change.text.endswith("/savepoint-end")


DLI = {"kind": "dli", "region": "eu-west-101", "project_id": "p", "token": "env:T"}


@pytest.mark.parametrize("name", sorted(DliSettings.model_fields))
def test_costs_of_settings(name: str) -> None:
    cost = Cost.RESTART
    if name in WHILE_RUNNING:
        cost = Cost.IN_PLACE
    if name in DESCRIBING:
        cost = Cost.RECORDED
    if name in AT_CREATION:
        cost = Cost.REFUSED
    assert cost_of_dli(name) is cost


def test_settings_are_compared_one_by_one() -> None:
    one = spec(target=DLI, dli={"cu_number": 2, "smn_topic": "a", "tags": {"a": "1"}})
    other = spec(target=DLI, dli={"cu_number": 4, "smn_topic": "a", "log_enabled": False})
    assert changes(one, other) == [
        Change("dli.tags", Cost.REFUSED, "dli.tags changed"),
        Change("dli.cu_number", Cost.RESTART, "dli.cu_number 2 → 4"),
        Change("dli.log_enabled", Cost.RESTART, "dli.log_enabled none → False"),
    ]
    assert changes(spec(target=DLI), spec(target=DLI, dli={})) == []


def test_a_job_moves_from_queue_to_queue_and_is_the_same() -> None:
    one, other = spec(target={**DLI, "queue": "a"}), spec(target={**DLI, "queue": "b"})
    found = {change.name: change for change in changes(one, other)}
    assert found["target.queue"] == Change("target.queue", Cost.RESTART, "target.queue a → b")
    assert found["target"].cost is Cost.RECORDED


def test_a_job_stays_in_its_queue_where_that_is_left_to_the_service() -> None:
    one, other = spec(target={**DLI, "queue": "a"}), spec(target=DLI)
    assert changes(one, other) == []
    assert other.carrying_on(one) == one
    elsewhere = spec(target={**DLI, "project_id": "other"})
    assert elsewhere.carrying_on(one) == elsewhere
