"""The plugin's functions: their inputs, their answers, and how a program calls them."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs_provider.inspecting.version_check import Checked
from flink_jobs_provider.model.target import FlinkTarget, HDInsightTarget
from flink_jobs_provider.planning.state_verdict import StateVerdict
from flink_jobs_provider.plugin import functions, package_schema
from flink_jobs_provider.plugin.function_answers import (
    CheckedState,
    FoundSavepoint,
    JobSavepoints,
    UnseenDirectory,
    typed,
)
from flink_jobs_provider.plugin.job_functions import (
    FUNCTIONS,
    NO_TARGET,
    problems_of_call,
    with_target,
)

TARGET = {"url": "http://flink:8081"}
SCHEMA: dict[str, Any] = json.loads(package_schema.text())["functions"]
#: What each is called in Python.
NAMES = {
    "getJobs": "get_jobs",
    "getJob": "get_job",
    "getSavepoints": "get_savepoints",
    "checkJob": "check_job",
}


def test_the_schema_has_every_function() -> None:
    assert {f"flink-jobs:index:{name}" for name in FUNCTIONS} == set(SCHEMA)
    for name, function in FUNCTIONS.items():
        shown = SCHEMA[f"flink-jobs:index:{name}"]
        assert set(shown["inputs"]["properties"]) == set(function.query.model_fields)
        assert set(shown["outputs"]["properties"]) == {
            each.name for each in fields(function.answer)
        }
        assert all("description" in each for each in shown["inputs"]["properties"].values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", ["", "_output"])
def test_python_has_each_with_all_its_inputs(name: str, suffix: str) -> None:
    call = getattr(functions, NAMES[name] + suffix)
    assert set(inspect.signature(call).parameters) - {"opts"} == {
        *FUNCTIONS[name].query.model_fields
    }


PROBLEMS: dict[str, tuple[str, dict[str, Any], list[tuple[str, str]]]] = {
    "valid": ("getJob", {"target": TARGET, "job": "orders"}, []),
    "no target": ("getJobs", {}, [("target", NO_TARGET)]),
    "no job": ("getJob", {"target": TARGET}, [("job", "is required")]),
    "an empty job": ("getJob", {"target": TARGET, "job": ""}, [("job", "must not be empty")]),
    "a job that is no text": (
        "getSavepoints",
        {"target": TARGET, "job": 5},
        [("job", "must be a text (got 5)")],
    ),
    "an unknown input": (
        "getJob",
        {"target": TARGET, "job": "orders", "jobs": "x"},
        [("jobs", "is not an input of getJob; did you mean job?")],
    ),
    "a misspelt property of the target": (
        "getJobs",
        {"target": {"urll": "http://flink:8081"}},
        [
            ("target.url", "is required"),
            ("target.urll", "is not a property of this kind of target; did you mean url?"),
        ],
    ),
    "another kind of target": (
        "getJobs",
        {"target": {"kind": "flnk", "url": "http://flink:8081"}},
        [("target.kind", "must be 'flink' or 'hdinsight' or 'dli' (got 'flnk')")],
    ),
    "ended that is no boolean": (
        "getJobs",
        {"target": TARGET, "ended": "perhaps"},
        [("ended", "must be true or false (got 'perhaps')")],
    ),
    "a new version without a jar": (
        "checkJob",
        {"target": TARGET, "job": "orders"},
        [("jar", "is required")],
    ),
    "an invalid new version": (
        "checkJob",
        {
            "target": TARGET,
            "job": "orders",
            "jar": "a.jar",
            "parallelism": 0,
            "flink_configuration": {"parallelism.default": "3"},
        },
        [
            (
                "flink_configuration",
                "must not set parallelism.default: use parallelism",
            ),
            ("parallelism", "must be greater than or equal to 1 (got 0)"),
        ],
    ),
    "several": (
        "checkJob",
        {"target": {}, "job": "", "jar": ""},
        [
            ("target.url", "is required"),
            ("jar", "must be a path or URI without blanks around it (got '')"),
            ("job", "must not be empty"),
        ],
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_bad_input_is_named_by_its_path(case: str) -> None:
    name, inputs, problems = PROBLEMS[case]
    assert problems_of_call(name, inputs) == problems


def test_a_job_service_is_refused_by_name() -> None:
    target = {
        "kind": "hdinsight",
        "subscription": "s",
        "resource_group": "g",
        "cluster_pool": "p",
        "cluster": "c",
    }
    given_target = HDInsightTarget.model_validate(target).model_dump(mode="json")
    [(path, why)] = problems_of_call("getJobs", {"target": given_target})
    assert path == "target.kind"
    assert why == "must be flink: getJobs reads Flink itself, and not HDInsight"


def test_the_target_of_the_provider_is_the_default() -> None:
    default = FlinkTarget(url="http://flink:8081")
    assert with_target({"job": "a", "target": None}, default)["target"]["url"] == default.url
    assert with_target({"target": TARGET}, FlinkTarget(url="http://other:1"))["target"] == TARGET
    assert with_target({}, None) == {}


@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    inputs=st.dictionaries(
        st.sampled_from(["target", "job", "jar", "directory", "ended", "args", "state_check", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda each: (
                st.lists(each, max_size=3)
                | st.dictionaries(st.sampled_from(["url", "kind", "a"]), each)
            ),
            max_leaves=4,
        ),
    ),
)
def test_no_input_is_an_error_of_our_own(name: str, inputs: dict[str, Any]) -> None:
    """Shows that whatever is given is answered by problems, each of a path and a reason."""
    for path, why in problems_of_call(name, inputs):
        assert path
        assert why


def test_answers_come_back_as_what_they_are() -> None:
    """Shows that numbers that travel as floats are whole again, and objects are typed."""
    point = FoundSavepoint("/a/b", "2027-01-15T08:00:00Z")
    found = JobSavepoints("orders", ["/a", "x:"], [point], [UnseenDirectory("x:", "no such store")])
    assert typed(JobSavepoints, json.loads(json.dumps(asdict(found)))) == found
    checked = Checked("orders", "0" * 32, StateVerdict(why_unknown="it is not run"), "").plain()
    state = typed(CheckedState, checked | {"main_runs": 2.0})
    assert isinstance(state.main_runs, int)
    assert asdict(state) == checked | {"main_runs": 2}
