"""A gateway that is killed (`kill -9`) at a request of an action, and started again.

One job goes through all of it, in the order of its life: each test begins with what the one before
left, and at its end the counts must be whole.
"""

from __future__ import annotations

import pytest

from tests.faults.gateway.served_job import ServedJob
from tests.faults.gateway.steps import Step, steps
from tests.faults.points import requests_not_among


@pytest.mark.parametrize("step", steps(), ids=str)
def test_the_action_ends_once(served_job: ServedJob, step: Step) -> None:
    """Shows it by jobs and savepoints on the cluster, the records, and the job's own counts."""
    kind = step.kind
    served_job.bring_to(kind.begins)
    before = served_job.before()
    properties = served_job.next_version(fresh_output=kind.afresh) if kind.versions else {}
    served_job.killed_at(step.point, kind.action, **properties)
    sent = served_job.proxy.changes
    served_job.proxy.begin()
    ended = served_job.end_once(before, kind.action, **properties)

    sent += served_job.proxy.changes
    assert requests_not_among(kind.points, sent) == [], "a request at which nothing is killed"
    served_job.assert_once(before, jobs=kind.jobs, savepoints=kind.savepoints)
    served_job.assert_is(kind.ends)
    row = served_job.row()
    if kind.ends:
        # Of what runs the service's own words come first.
        assert row
        assert row["jobOutput"].endswith(ended.output)
    else:
        assert row is None
