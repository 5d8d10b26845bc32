"""Each request that the service's descriptions print is accepted as it stands there."""

from __future__ import annotations

import pytest

from flink_jobs_provider.gateway.job_service import JobRow
from tests.contract.gateway.apis.dli.calling import Dli, done
from tests.contract.gateway.apis.dli.printed import PRINTED, printed


def test_both_requests_are_here() -> None:
    assert set(PRINTED) == {"stop", "import-savepoint"}


@pytest.mark.parametrize("savepoint", [True, False])
def test_the_printed_stop(savepoint: bool) -> None:
    """Shows both ids stopped, with a savepoint or without."""
    dli = Dli()
    first, second = dli.running(name="one"), dli.running(name="two")
    body = printed("stop", first, second)
    if savepoint:
        body = body.replace("false", "true")
    answer = dli.call("POST", "/jobs/stop", content=body)
    assert answer.status_code == 200
    assert [one["is_success"] for one in answer.json()] == ["true", "true"]
    assert answer.json()[0]["message"] == (
        "The request for stopping DLI jobs is delivered successfully."
    )
    actions = [request.action for request in dli.gateway.service.requests[-2:]]
    assert actions == (["STOP", "STOP"] if savepoint else ["CANCEL", "CANCEL"])


def test_the_printed_import() -> None:
    """Shows the printed body, whose path lacks a quote, with the very id that it names."""
    dli = Dli()
    dli.create()
    service = dli.gateway.service
    row = service.rows.pop(1)
    service.rows[137228] = JobRow(**{**vars(row), "number": 137228})
    answer = dli.call("POST", "/jobs/137228/import-savepoint", content=PRINTED["import-savepoint"])
    assert done(answer)["message"] == "The job is successfully updated."
    (change,) = service.changes
    assert change.restore_from == "obs://bucket-name/dir/savepoint"
