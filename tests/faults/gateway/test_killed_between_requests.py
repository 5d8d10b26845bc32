"""A gateway that is killed while it asks nothing of the cluster: before an action, and after it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tests.fault_proxy import Exchange, Moment, Verdict, at_request
from tests.faults.gateway.served_job import ServedJob
from tests.faults.points import FORGET


def test_between_acceptance_and_the_first_request(served_job: ServedJob) -> None:
    """Shows that what was accepted is carried out, though nothing of it had been begun."""
    served_job.bring_to("RUNNING")
    before = served_job.before()
    properties = served_job.next_version()
    dead = threading.Event()

    def hold(_exchange: Exchange, _moment: Moment) -> Verdict:
        dead.wait(60)
        return Verdict.DROP

    served_job.proxy.begin(hold)
    served_job.ask("UPDATE", **properties)
    served_job.gateway.kill()
    assert served_job.proxy.changes == []
    served_job.proxy.begin()
    dead.set()
    served_job.end_once(before, "UPDATE", **properties)
    served_job.assert_once(before, jobs=1, savepoints=1)
    served_job.assert_runs()


def test_between_the_last_request_and_the_end_on_record(served_job: ServedJob) -> None:
    """Shows that an action which is done, and not known to be, is not done again."""
    served_job.bring_to("RUNNING")
    before = served_job.before()
    properties = served_job.next_version()
    answered = threading.Event()
    with locked(served_job) as lock:
        last = at_request(FORGET.pattern, Moment.BEFORE, lock, Verdict.PASS)

        def done(exchange: Exchange, moment: Moment) -> Verdict:
            verdict = last(exchange, moment)
            assert isinstance(verdict, Verdict)
            if FORGET.matches(exchange) and moment is Moment.AFTER:
                answered.set()
            return verdict

        served_job.proxy.begin(done)
        path = served_job.ask("UPDATE", **properties)
        assert answered.wait(60)
        (new,) = served_job.active()
        assert new not in before.jobs
        assert served_job.operation(path)["actionResult"] == "IN_PROGRESS"
        served_job.gateway.kill()
        sent = len(served_job.proxy.changes)
    served_job.end_once(before, "UPDATE", **properties)
    assert [str(each) for each in served_job.proxy.changes[sent:]] == ["POST /jobs/…/checkpoints"]
    served_job.assert_once(before, jobs=1, savepoints=1)
    served_job.assert_runs()
    assert served_job.active() == [new]


@contextmanager
def locked(job: ServedJob) -> Iterator[Callable[[], None]]:
    """Return a function after which the gateway can write nothing more on record, until the end."""
    path = job.directory / "data" / "gateway.db"
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    with closing(connection):

        def lock() -> None:
            connection.execute("BEGIN IMMEDIATE")

        yield lock
