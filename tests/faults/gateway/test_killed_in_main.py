"""A gateway that is killed (`kill -9`) while Flink runs `main` for it, and started again."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path

import httpx

from tests.fault_proxy import Moment, Verdict, at_request
from tests.faults.gateway.served_job import Properties, ServedJob
from tests.faults.points import RUN
from tests.job_jars import TEST_JOBS_JAR, entry_class


def _slow_version(job: ServedJob, until: Path) -> Properties:
    """Return the properties of another version, whose `main` waits for a file."""
    properties = job.next_version()
    jar = job.directory / "jars" / TEST_JOBS_JAR.name
    shutil.copyfile(TEST_JOBS_JAR, jar)
    return properties | {
        "jarName": jar.name,
        "entryClass": entry_class("UnusualMain"),
        "args": f"{properties['args']} --until {until}",
    }


def test_main_is_run_once(served_job: ServedJob, tmp_path: Path) -> None:
    """Of a new job and of an update: what was submitted is waited for, and not sent again."""
    for action, savepoints in (("NEW", 0), ("UPDATE", 1)):
        go_on, killed = tmp_path / f"{action}-goes-on", threading.Event()

        def kill(killed: threading.Event = killed) -> None:
            served_job.gateway.kill()
            killed.set()

        before = served_job.before()
        properties = _slow_version(served_job, go_on)
        served_job.proxy.begin(at_request(RUN.pattern, Moment.BEFORE, kill, Verdict.PASS))
        with contextlib.suppress(httpx.TransportError):
            served_job.ask(action, **properties)
        assert killed.wait(60)
        assert served_job.active() == []
        served_job.proxy.begin(
            at_request(r"GET /jobmanager/thread-dump$", Moment.AFTER, go_on.touch, Verdict.PASS)
        )
        served_job.end_once(before, action, **properties)
        assert [each for each in served_job.proxy.changes if RUN.matches(each)] == []
        served_job.assert_once(before, jobs=1, savepoints=savepoints)
        served_job.assert_runs()
