"""`up` with both versions running, killed at its requests: never two jobs for good, never none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.counting_output import committed_lines
from tests.faults.conftest import MakeJob
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import CHECKPOINT, FULL, RUN, STOP, Case, Next, Point, cases, on_engines
from tests.waiting import wait_until

UP = ("up", "--yes", "--skip-preview")
SAVEPOINT = Point("savepoint", r"POST /jobs/\w+/savepoints$")
MARK = Point("mark", r"POST /jars/upload$", once_seen=SAVEPOINT.pattern)
POINTS = [SAVEPOINT, MARK, RUN, CHECKPOINT, STOP]
#: The points at which nobody has asked the old version to stop yet.
BEFORE_THE_STOP = POINTS[:-1]
CASES = cases(
    POINTS,
    (Next.SAME, Next.ANOTHER, Next.PREVIOUS),
    [
        Case(MARK),
        Case(RUN, Victims.ENGINE),
        Case(CHECKPOINT, then=Next.PREVIOUS),
        Case(CHECKPOINT, then=Next.ANOTHER),
        Case(STOP),
        Case(STOP, then=Next.PREVIOUS),
    ],
)


def next_version(job: CountedJob, mode: str = "blue-green") -> None:
    """Declare a version that writes to a directory of its own, by a sink of its own."""
    job.next_version(fresh_output=True, upgrade_mode=mode, allow_non_restored_state=True)
    job.inputs["args"] += ["--sink-uid", job.label]
    job.inputs["settle_time"] = "1s"


def start(job: CountedJob) -> str:
    """Start the first version, and return its jobId when it has committed lines."""
    next_version(job)
    job.project.up()
    wait_until(lambda: counted(job), 30, "the first version commits lines")
    return str(job.outputs()["job_id"])


def counted(job: CountedJob) -> dict[int, set[int]]:
    """Return the counts of each key that any version has committed."""
    found: dict[int, set[int]] = {}
    for directory in Path(job.directory).glob("output-*"):
        for line in committed_lines(directory):
            key, count = line.split(",")[:2]
            found.setdefault(int(key), set()).add(int(count))
    return found


def assert_none_is_missing(job: CountedJob) -> None:
    """Stop the job, and assert that each number was counted: by one version, or by both."""
    job.inputs["desired_state"] = "stopped"
    job.project.up()
    assert job.active() == []
    found = counted(job)
    for key, counts in found.items():
        assert counts == set(range(1, max(counts) + 1)), f"key {key}: a count is missing"
    highest = [max(counts) for counts in found.values()]
    assert max(highest) - min(highest) <= 1, "the source lost numbers"


@pytest.mark.parametrize(("engine", "case"), on_engines(CASES, [Case(RUN), Case(STOP)]))
def test_the_next_run_ends_with_one_job_and_no_count_is_missing(
    make_job: MakeJob, engine: str, case: Case
) -> None:
    """Shows it of the same version, of an ordinary update to another one, and of the old one."""
    job = make_job(engine)
    blue = start(job)
    before = dict(job.inputs)
    jar = Path(job.inputs["jar"]).read_bytes()
    next_version(job)
    job.interrupted(UP, case.point.strike, case.who)
    if case.then is Next.SAME:
        job.recover()
    elif case.then is Next.ANOTHER:
        next_version(job, "savepoint")
        job.recover()
    else:
        job.inputs.update(before)
        Path(job.inputs["jar"]).write_bytes(jar)
        job.recover(*UP, "--refresh")
    outputs = job.outputs()
    wait_until(lambda: len(job.active()) == 1, 10, "one job is left")
    assert job.active() == [outputs["job_id"]]
    if case.then is Next.PREVIOUS and case.point in BEFORE_THE_STOP:
        assert outputs["job_id"] == blue
    assert job.project.run("preview", "--refresh", "--expect-no-changes").code == 0
    assert_none_is_missing(job)


@pytest.mark.parametrize("engine", ["embedded"])
@pytest.mark.parametrize("point", POINTS if FULL else [RUN, STOP], ids=lambda point: point.name)
def test_a_deletion_after_that_leaves_neither_of_the_two(
    make_job: MakeJob, engine: str, point: Point
) -> None:
    job = make_job(engine)
    start(job)
    next_version(job)
    job.interrupted(UP, point.strike, Victims.ENGINE_AND_PROVIDER)
    job.recover("destroy", "--yes")
    job.assert_gone()
