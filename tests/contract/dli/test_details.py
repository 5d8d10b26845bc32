"""How jobs are shown, in all the ways in which the service has been seen to show them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.errors import (
    JobError,
)
from tests.contract.dli.scripted import OK, RUN, Service, answer, job
from tests.contract.dli.stack import running, spec


@pytest.mark.parametrize(
    "path", ["bucket/dir/", "bucket/dir", "obs://bucket/dir/", "obs://bucket/dir/_metadata"]
)
def test_savepoint_paths_in_one_form(path: str) -> None:
    found = Service(job(status="job_init", savepoint_path=path)).ask("job", RUN)
    assert found.last_savepoint == "obs://bucket/dir"


@pytest.mark.parametrize("path", ["file:/a/b", "/a/b", "s3://b/d"])
def test_savepoint_paths_of_other_stores_stay(path: str) -> None:
    found = Service(job(status="job_init", savepoint_path=path)).ask("job", RUN)
    assert found.last_savepoint == path


def test_null_and_absent_are_the_same() -> None:
    empty = {"savepoint_path": None, "start_time": None, "status_desc": None, "job_config": None}
    assert Service(job(status="job_init", **empty)).ask("job", RUN) == Service(
        job(status="job_init")
    ).ask("job", RUN)


def test_a_word_that_nobody_knows_is_waited_on() -> None:
    stack = running()
    job = stack.dli.job()
    job.status = "job_pondering"
    asked = len(stack.dli.requests)

    def settle(_request: httpx.Request) -> None:
        if len(stack.dli.requests) > asked + 5:
            job.status = "job_running"

    stack.dli.unlike = settle
    stack.bring_about(spec())
    assert stack.dli.steps == ["create", "run"]
    job.status = "job_pondering"
    stack.dli.unlike = lambda _request: None
    with pytest.raises(JobError, match="its status is unrecognised: it is job_pondering"):
        stack.bring_about(spec())
    assert stack.refresh().status == "RUNNING", "no word is taken for an end"


def test_a_list_without_an_end_is_given_up() -> None:
    rows = [{"job_id": number, "name": f"orders-{number}"} for number in range(100)]
    service = Service(answer({**OK, "job_list": {"total_count": 10**6, "jobs": rows}}))
    assert service.ask("named", "orders") == []
    assert len(service.requests) == 2, "a service that ignores the offset"


@pytest.mark.parametrize(
    "written",
    [
        '{"k": "v", "flink-jobs.spec": "m"}',
        '[{"key": "k", "value": "v"}, {"key": "flink-jobs.spec", "value": "m"}]',
        {"k": "v", "flink-jobs.spec": "m"},
        [{"key": "k", "value": "v"}, {"key": "flink-jobs.spec", "value": "m"}, {}, None],
    ],
)
def test_options_in_all_their_forms(written: Any) -> None:
    found = Service(job(status="job_init", job_config={"runtime_config": written})).ask("job", RUN)
    assert found.version.mark == "m"
    assert found.shown["runtime_config"] == {"k": "v", "flink-jobs.spec": "m"}


@pytest.mark.parametrize("written", ["not JSON", "3", '["k"]', "", None])
def test_options_that_are_none(written: Any) -> None:
    found = Service(job(status="job_init", job_config={"runtime_config": written})).ask("job", RUN)
    assert found.version.mark == ""
