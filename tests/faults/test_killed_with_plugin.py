"""Runs of the native plugin that are killed: the next `up` goes on as after the dynamic provider's.

What is done between two requests is the same core, whose every request is struck there; shown here
is that the plugin, and the engine that runs it, leave as much to go on with.
"""

from __future__ import annotations

import pytest

from tests.faults.conftest import MakeJob
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import FULL, RUN, STOP, Case, on_engines

UP = ("up", "--yes", "--skip-preview")
CREATES = [Case(RUN, Victims.ENGINE)]
UPDATES = [Case(STOP, Victims.ENGINE), Case(RUN), *([Case(STOP)] if FULL else [])]


def _by_plugin(make_job: MakeJob, engine: str) -> CountedJob:
    job = make_job(engine)
    job.project.face = "plugin"
    job.project.write_program()
    job.next_version()
    return job


@pytest.mark.parametrize(("engine", "case"), on_engines(CREATES, CREATES))
def test_a_create_is_found_again(make_job: MakeJob, engine: str, case: Case) -> None:
    """Shows that the job which was submitted is the one that runs."""
    job = _by_plugin(make_job, engine)
    job.interrupted(UP, case.point.strike, case.who)
    job.recover()
    job.assert_runs()


@pytest.mark.parametrize(("engine", "case"), on_engines(UPDATES, UPDATES))
def test_an_update_goes_on_with_the_state(make_job: MakeJob, engine: str, case: Case) -> None:
    """Shows that it ends with one job, and no count lost or repeated."""
    job = _by_plugin(make_job, engine)
    job.project.up()
    job.assert_runs()
    job.proxy.begin()
    job.next_version()
    job.interrupted(UP, case.point.strike, case.who)
    job.recover()
    job.assert_runs()
