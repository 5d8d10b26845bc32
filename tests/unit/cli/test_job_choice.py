"""Which job a name or an id on the command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_jobs_provider.cli.known_owners import owners_known_in
from flink_jobs_provider.inspecting.job_choice import (
    COMMAND_LINE,
    NamedJobs,
    Owners,
    choose,
)
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.identity import JobKey, identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob

DEV = "organization/shop/dev"


def job_id(name: str, owner: str = DEV, generation: int = 1) -> str:
    return JobKey(name, owner).job_id(generation, "abcd1234")


def named(*rows: tuple[str, str, str], names: dict[str, str] | None = None) -> NamedJobs:
    """Make jobs of (jobId, program's name, state), submitted in that order."""
    jobs = tuple(
        ObservedJob(each, name, state, started=number)
        for number, (each, name, state) in enumerate(rows)
    )
    return NamedJobs(ClusterSnapshot(jobs), names or {}, Owners([DEV]))


def test_an_exact_job_name_wins_over_the_names_of_programs() -> None:
    """Shows our job `orders` beside another one whose program calls itself so."""
    ours = job_id("orders")
    jobs = named(
        ("f" * 32, "orders", "RUNNING"),
        (ours, "Orders Job", "RUNNING"),
        names={identity_of(ours): "orders"},
    )
    assert choose(jobs, "orders")[0].job_id == ours


def test_a_job_name_of_hexadecimal_digits_is_a_name_first() -> None:
    ours = job_id("fffffffe")
    jobs = named(("fffffffe" + "0" * 24, "x", "RUNNING"), (ours, "y", "RUNNING"))
    assert choose(jobs, "fffffffe")[0].job_id == ours


@pytest.mark.parametrize("digits", [6, 10, 32])
def test_by_digits_of_the_id_in_any_case(digits: int) -> None:
    jobs = named((job_id("orders"), "x", "RUNNING"), (job_id("other"), "x", "RUNNING"))
    assert choose(jobs, job_id("orders")[:digits].upper())[0].job_id == job_id("orders")


def test_several_are_listed_with_name_owner_and_id() -> None:
    """Shows an owner that is known by its name, and one that is not by its digits."""
    mine, theirs = job_id("orders"), job_id("orders", "acme/shop/prod")
    jobs = named(
        (mine, "a", "RUNNING"),
        (theirs, "b", "RUNNING"),
        names={identity_of(each): "orders" for each in (mine, theirs)},
    )
    with pytest.raises(PermanentError) as raised:
        choose(jobs, "orders")
    digits = JobKey("", "acme/shop/prod").owner_digits
    assert f"orders (owner {DEV}, job {mine}, RUNNING)" in str(raised.value)
    assert f"orders (owner {digits}, job {theirs}, RUNNING)" in str(raised.value)
    assert "one job must fit, and these do" in str(raised.value)


def test_a_job_whose_jars_are_gone() -> None:
    """Shows that its owner is known by its jobId, and its name once somebody gives it."""
    gone, foreign = job_id("orders"), "f" * 32
    jobs = named((gone, "Orders Job", "FAILED"), (foreign, "x", "RUNNING"))
    (ours, other) = jobs.snapshot.jobs
    assert (jobs.job_name(ours), jobs.owner(ours)) == (None, DEV)
    assert (jobs.job_name(other), jobs.owner(other)) == (None, None)
    assert jobs.with_name(ours, "orders").job_name(ours) == "orders"
    assert jobs.with_name(other, "orders").job_name(other) is None


def test_an_active_job_goes_before_ended_ones_and_the_newest_of_those() -> None:
    first, second = job_id("orders"), job_id("orders", generation=2)
    names = {identity_of(first): "orders"}
    ended = [(first, "a", "FINISHED"), (second, "a", "CANCELED")]
    assert choose(named(*ended, names=names), "orders")[0].job_id == second
    active = [(first, "a", "RUNNING"), (second, "a", "CANCELED")]
    assert choose(named(*active, names=names), "orders")[0].job_id == first


def test_ended_jobs_of_two_owners_are_two() -> None:
    mine, theirs = job_id("orders"), job_id("orders", "acme/shop/prod")
    names = {identity_of(each): "orders" for each in (mine, theirs)}
    jobs = named((mine, "a", "FINISHED"), (theirs, "a", "FINISHED"), names=names)
    with pytest.raises(PermanentError, match="one job must fit"):
        choose(jobs, "orders")


def test_the_last_of_the_ended_jobs_that_are_not_ours() -> None:
    """Shows that what stands where a generation would is no order of random ids."""
    jobs = named(("f" * 32, "theirs", "FINISHED"), ("0" * 32, "theirs", "FINISHED"))
    assert choose(jobs, "theirs")[0].job_id == "0" * 32


@pytest.mark.parametrize(("wanted", "like"), [("ordes", "orders"), ("ORDERS", "orders")])
def test_an_unknown_job_is_told_with_the_names_like_it(wanted: str, like: str) -> None:
    ours = job_id("orders")
    jobs = named((ours, "a", "RUNNING"), names={identity_of(ours): "orders"})
    with pytest.raises(PermanentError, match=f"no such job; names like it: {like}"):
        choose(jobs, wanted)


def test_nothing_is_suggested_where_nothing_is_like_it() -> None:
    with pytest.raises(PermanentError) as raised:
        choose(named((job_id("orders"), "a", "RUNNING")), "zzz")
    assert "names like it" not in str(raised.value)


def test_owners_that_a_project_tells_of(tmp_path: Path) -> None:
    """Shows stacks with a configuration or a state here, and PULUMI_STACK with its organization."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("")
    state = tmp_path / "state/.pulumi/stacks/shop"
    state.mkdir(parents=True)
    (state / "prod.json").write_text("{}")
    environment = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_STACK": "acme/shop/test",
    }
    owners = owners_known_in(tmp_path, environment)
    for known in (
        *("organization/shop/dev", "organization/shop/prod", "acme/shop/dev", "acme/shop/test"),
        COMMAND_LINE,
    ):
        assert owners.of(job_id("orders", known)) == known
    unknown = JobKey("", "acme/other/dev").owner_digits
    assert owners.of(job_id("orders", "acme/other/dev")) == unknown


def test_no_project_tells_of_no_owner(tmp_path: Path) -> None:
    owners = owners_known_in(tmp_path, {})
    assert owners.of(job_id("orders", DEV)) == JobKey("", DEV).owner_digits
