"""What CONTRIBUTING says of adding an input is all that there is to do."""

from __future__ import annotations

import re
import runpy
from typing import Annotated, Any

import pytest
from pydantic import Field

from flink_jobs_provider.control_planes.flink import bodies
from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.job_files import job_file_schema
from flink_jobs_provider.model import validation
from flink_jobs_provider.model.inputs import Cost, OnChange, OnlyOn
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.planning.diff import Change, changes
from tests.unit.docs.pages import ROOT
from tests.unit.model.made_up_jobs import DIGEST_1, spec

PACKAGE = ROOT / "flink_jobs_provider"


class WithDrain(JobSpec):
    """Inputs of a job with a made-up one: the first step."""

    drain: Annotated[bool, OnChange(Cost.RESTART), OnlyOn("flink")] = Field(
        False, description="Whether the job is drained."
    )


def job(**inputs: Any) -> WithDrain:
    """Return a job with the made-up input."""
    return WithDrain.model_validate({**spec().model_dump(), **inputs})


def script(path: str) -> dict[str, Any]:
    """Return what a script of the repository defines."""
    return runpy.run_path(str(ROOT / path))


def test_a_plan_names_its_change() -> None:
    assert changes(job(), job(drain=True)) == [
        Change("drain", Cost.RESTART, "drain False → True"),
    ]
    assert changes(job(drain=True), job(drain=True)) == []


def test_flink_is_sent_it_under_the_name_of_the_second_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(bodies.RUN_FIELDS, "drainJob", "drain")
    body = bodies.run_body(Submission("0" * 32, job(drain=True), DIGEST_1, None), (2, 3, 0))
    assert body["drainJob"] is True


def test_the_job_id_has_it_where_it_is_given() -> None:
    """Shows that the jobIds of jobs without it stay what they were."""
    assert job().digits(None) == spec().digits(None)
    assert job(drain=True).digits(None) != spec().digits(None)


def test_job_files_may_have_it() -> None:
    assert job_file_schema(WithDrain)["properties"]["drain"] == {
        "default": False,
        "description": "Whether the job is drained.",
        "title": "Drain",
        "type": "boolean",
    }


def test_programs_may_give_it() -> None:
    """Shows the part of `provider/args.py` that is made from the model."""
    written = script("tools/build_args.py")["text"](WithDrain)
    assert '    drain: Input[bool] | None\n    """Whether the job is drained."""\n' in written


def test_the_reference_has_it() -> None:
    page = script("docs/build_reference.py")["page"](WithDrain)
    assert "| `drain` | true or false | `false` | Whether the job is drained. | restart |" in page


def test_targets_without_it_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows the page of the targets, and what the check says on one that lacks it."""
    monkeypatch.setattr(validation, "JobSpec", WithDrain)
    page = script("docs/build_targets.py")["page"](WithDrain)
    (row,) = re.findall(r"^\| `drain` \|.*$", page, re.MULTILINE)
    assert re.fullmatch(r"\| `drain` \| yes \|( no \(\d+\) \|){4}", row)
    cluster = dict.fromkeys(("subscription", "resource_group", "cluster_pool", "cluster"), "a")
    inputs = {
        "job_name": "orders",
        "owner": "me",
        "jar": "abfs://c@a/orders.jar",
        "target": {"kind": "hdinsight", **cluster},
    }
    assert problems_of({**inputs, "drain": False}) == []
    assert problems_of({**inputs, "drain": True}) == [
        ("drain", "must be false: the API of HDInsight has no field for it")
    ]


def test_the_typed_arguments_are_what_the_model_gives() -> None:
    """Shows that nobody changed an input without `make generated`."""
    built = script("tools/build_args.py")
    assert built["FILE"].read_text(encoding="utf-8") == built["text"]()


def test_the_files_of_the_list_are_all_that_name_an_input() -> None:
    """Shows it of one that Flink's run request has a field for.

    What it does in the provider itself, and which words of foreign APIs stand for it in the
    gateway, is not counted.
    """
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = section.partition("## How to add an input")[2]
    steps = section.partition("The JSON Schema")[0]
    listed = set(re.findall(r"`flink_jobs_provider/(\S+\.py)`", steps))
    naming = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\ballow_non_restored_state\b", path.read_text(encoding="utf-8"))
    }
    acts_on_it = {path for path in naming if path.startswith(("reconciling/", "gateway/"))}
    in_words = {"model/remedies.py"}
    assert naming - acts_on_it - in_words == listed
    for path in re.findall(r"`((?:flink_jobs_provider|tests|docs)/\S+)`", section):
        assert (ROOT / path).exists(), path
