"""Durations, paths, statuses, errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import ActionFailed, InvalidSpec, JobError, TemporaryError
from flink_jobs_provider.model.identity import JobKey
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.savepoint import (
    canonical_path,
    is_checkpoint,
    iso_time,
    join,
    same_path,
)
from flink_jobs_provider.model.target import FlinkTarget


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("1d2h3m4s", 93784), ("01m", 60)],
)
def test_durations(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "0h0m",
        "10",
        "m",
        "-1m",
        "1.5h",
        "10 m",
        "1m1h",
        "1m1m",
        "1M",
        "soon",
        "9" * 400 + "s",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match='such as "90s", "10m" or "1h30m"'):
        seconds(text)


@given(
    st.tuples(
        st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)
    ).filter(any)
)
def test_durations_add_up(parts: tuple[int, int, int, int]) -> None:
    text = "".join(f"{n}{unit}" for n, unit in zip(parts, "dhms", strict=True) if n)
    days, hours, minutes, rest = parts
    assert seconds(text) == ((days * 24 + hours) * 60 + minutes) * 60 + rest


@pytest.mark.parametrize(
    "path",
    ["/a/b", "/a/b/", "/a//b", "file:/a/b", "file:///a/b", "file:/a/b/_metadata", " /a/b "],
)
def test_spellings_of_one_local_path(path: str) -> None:
    assert canonical_path(path) == "/a/b"


@pytest.mark.parametrize("path", ["s3://b/k", "abfss://c@a.dfs.core.windows.net/k", "hdfs:///k"])
def test_paths_of_stores_are_kept(path: str) -> None:
    assert canonical_path(f"{path}/_metadata") == path
    assert not same_path(path, "/" + path.split("/")[-1])


def test_none_is_the_same_as_none() -> None:
    assert same_path(None, None)
    assert not same_path(None, "/a")


@given(st.text(alphabet="/ab:.fiels", max_size=30))
def test_canonical_is_canonical(path: str) -> None:
    assert canonical_path(canonical_path(path)) == canonical_path(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/c/abc/chk-12", True),
        ("s3://c/abc/chk-12/_metadata", True),
        ("/s/savepoint-abc-123", False),
        ("/chk-1/savepoint-abc-123", False),
        ("/c/chk-x", False),
    ],
)
def test_is_checkpoint(path: str, expected: bool) -> None:
    assert is_checkpoint(path) is expected


def test_join_and_time() -> None:
    assert join("s3://b/k/", "orders", "id") == "s3://b/k/orders/id"
    assert iso_time(0) == iso_time(-1) == ""
    assert iso_time(1_700_000_000_999) == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("state", "active", "status"),
    [
        ("INITIALIZING", True, JobStatus.STARTING),
        ("CREATED", True, JobStatus.STARTING),
        ("RUNNING", True, JobStatus.RUNNING),
        ("FAILING", True, JobStatus.RESTARTING),
        ("RESTARTING", True, JobStatus.RESTARTING),
        ("RECONCILING", True, JobStatus.RESTARTING),
        ("SUSPENDED", True, JobStatus.STARTING),
        ("FAILED", False, JobStatus.FAILED),
        ("CANCELED", False, JobStatus.CANCELED),
        ("FINISHED", False, JobStatus.FINISHED),
    ],
)
def test_flinks_words(state: str, active: bool, status: JobStatus) -> None:
    job = ObservedJob("0" * 32, "x", state)
    assert (job.active, job.status, job.status.active) == (active, status, active)


@pytest.mark.parametrize(
    ("state", "tasks", "running", "healthy"),
    [
        ("RUNNING", 2, 2, True),
        ("RUNNING", 2, 1, False),
        ("RUNNING", 0, 0, False),
        ("RESTARTING", 2, 2, False),
    ],
)
def test_running_alone_is_not_healthy(state: str, tasks: int, running: int, healthy: bool) -> None:
    assert ObservedJob("", "", state, tasks=tasks, running_tasks=running).healthy is healthy


def test_submissions_of_one_job_newest_first() -> None:
    key, other = JobKey("orders", "a"), JobKey("orders", "b")
    rows = [
        ObservedJob(key.job_id(2, "1" * 8), "", "RUNNING"),
        ObservedJob(key.job_id(10, "1" * 8), "", "FAILED"),
        ObservedJob(other.job_id(11, "1" * 8), "", "RUNNING"),
        ObservedJob("f" * 32, "orders", "RUNNING"),
    ]
    snapshot = ClusterSnapshot(tuple(rows))
    ours = snapshot.of(key)
    assert ours == [rows[1], rows[0]]
    assert snapshot.strangers(key, ours) == [rows[2]]
    assert snapshot.of(key, recorded="f" * 32)[-1] in (rows[0], rows[3])
    assert rows[3] in snapshot.of(key, recorded="f" * 32)


def test_errors_say_three_things_in_one_line() -> None:
    error = ActionFailed("it\n  failed", now="it runs", remedy="mend it!")
    assert str(error) == "it failed. it runs. mend it!"
    assert str(JobError("it failed.")) == "it failed."
    assert not isinstance(error, TemporaryError)
    assert str(InvalidSpec([("a", "is wrong"), ("b", "too")])) == "a: is wrong; b: too."


@pytest.mark.parametrize(
    ("url", "place", "loopback"),
    [
        ("http://Flink:8081/", "flink:8081", False),
        ("http://flink", "flink:80", False),
        ("https://flink/a/b", "flink:443/a/b", False),
        ("http://localhost:1", "localhost:1", True),
        ("http://127.0.0.1:1", "localhost:1", True),
        ("http://[::1]:1", "localhost:1", True),
    ],
)
def test_places(url: str, place: str, loopback: bool) -> None:
    target = FlinkTarget(url=url)
    assert (target.place, target.loopback) == (place, loopback)
