"""What a jobId says. Ids live in users' clusters: the vectors here never change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs_provider.model.identity import (
    MAX_GENERATION,
    JobKey,
    generation_of,
    spec_digits_of,
    trigger_id,
)
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.model.made_up_jobs import spec

KEY = JobKey("orders", "organization/shop/dev")
WHOLE = {
    "entry_class": "shop.Main",
    "args": ["--a", "b c", ""],
    "parallelism": 4,
    "flink_configuration": {"b": "2", "a": "1"},
    "restart_trigger": "x",
}


@pytest.mark.parametrize(
    ("wanted", "generation", "restore_from", "job_id"),
    [
        (spec(), 1, None, "75482491dc860219be000001e92bd82e"),
        (spec(**WHOLE), 255, "/s/1", "75482491dc860219be0000ff2029c570"),
    ],
)
def test_frozen_job_ids(
    wanted: JobSpec, generation: int, restore_from: str | None, job_id: str
) -> None:
    assert wanted.key.job_id(generation, wanted.digits(restore_from)) == job_id


def test_frozen_trigger_ids() -> None:
    assert trigger_id("0" * 32, "stop/", 0) == "f940c685a979487ddee8db0c410336f3"
    assert trigger_id("0" * 32, "savepoint/1", 2) == "76469c4fe711fb72754d354789d10bfd"


@given(
    name=st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    owner=st.text(min_size=1),
    generation=st.integers(1, MAX_GENERATION),
)
def test_digits(name: str, owner: str, generation: int) -> None:
    """Shows that each part is found again in the id, whatever the names."""
    key = JobKey(name, owner)
    job_id = key.job_id(generation, "abcdef0123456789")
    assert len(job_id) == 32
    assert int(job_id, 16) >= 0
    assert key.owns(job_id)
    assert key.shares_name(job_id)
    assert generation_of(job_id) == generation
    assert spec_digits_of(job_id) == "abcdef01"
    assert JobKey(name, owner + "x").shares_name(job_id)
    assert not JobKey(name, owner + "x").owns(job_id)
    assert not JobKey(name + "x", owner).shares_name(job_id)


@pytest.mark.parametrize("generation", [0, -1, MAX_GENERATION + 1])
def test_generations_that_do_not_fit(generation: int) -> None:
    with pytest.raises(ValueError, match="generation must be 1 to 16777215"):
        KEY.job_id(generation, "0" * 8)


@pytest.mark.parametrize("text", ["", "orders", "F" * 32, "0" * 31, "0" * 33, "g" * 32])
def test_what_is_no_job_id_has_no_generation(text: str) -> None:
    assert generation_of(text) == 0


def test_name_and_owner_do_not_run_together() -> None:
    assert JobKey("a", "b/c").prefix != JobKey("a-b", "c").prefix
    assert JobKey("a", "a").name_digits != JobKey("a", "a").prefix[12:]


@pytest.mark.parametrize(
    "change",
    [
        {"jar_digest": "3" * 64},
        {"entry_class": "a.B"},
        {"args": ["a"]},
        {"parallelism": 3},
        {"flink_configuration": {"a": "b"}},
        {"restart_trigger": "1"},
    ],
)
def test_what_is_submitted_is_in_the_digits(change: dict[str, object]) -> None:
    assert spec(**change).digits(None) != spec().digits(None)


@pytest.mark.parametrize(
    "change",
    [
        {"jar": "elsewhere/orders.jar"},
        {"target": {"url": "http://other:1"}},
        {"upgrade_mode": "stateless"},
        {"restore_from": "/s/1"},
        {"savepoint_trigger": "1"},
        {"timeouts": {"running": "1m"}},
        {"settle_time": "20m"},
        {"on_delete": "savepoint"},
    ],
)
def test_what_is_not_submitted_is_not(change: dict[str, object]) -> None:
    assert spec(**change).digits(None) == spec().digits(None)


def test_arguments_do_not_run_together() -> None:
    """Shows that the bounds of arguments count, and the order of configuration keys does not."""
    assert spec(args=["a b"]).digits(None) != spec(args=["a", "b"]).digits(None)
    one, two = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert spec(flink_configuration=one).digits(None) == spec(flink_configuration=two).digits(None)


def test_restore_points_count_by_place_not_by_spelling() -> None:
    assert spec().digits("/s/1") == spec().digits("file:///s/1/_metadata")
    assert spec().digits("/s/1") != spec().digits("/s/2")
    assert spec().digits("/s/1") != spec().digits(None)
