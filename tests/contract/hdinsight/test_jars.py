"""Jars: used where they lie, or uploaded under a name of their content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import fsspec
import pytest

from flink_jobs_provider.artifacts import Jar, uploaded_jars
from flink_jobs_provider.model.errors import JarError, PermanentError
from flink_jobs_provider.model.spec import JobSpec
from tests.contract.hdinsight.stack import JAR, TARGET, Stack, spec
from tests.unit.gateway.jobs.gateway import make_jar


def version(directory: str, jar: Path, **changes: Any) -> JobSpec:
    """Return a version of the job whose jar is uploaded."""
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    target = {**TARGET, "jar_upload_directory": directory}
    return spec(target=target, jar=str(jar), jar_digest=digest, **changes)


@pytest.fixture(params=["file", "memory"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    place = tmp_path / "uploads"
    return f"file://{place}" if request.param == "file" else f"memory:/{place}"


def uploaded(directory: str) -> dict[str, bytes]:
    """Return the uploaded jars by name."""
    scheme, _, path = directory.partition("://")
    store = fsspec.filesystem(scheme)
    path = f"/{path.lstrip('/')}"
    if not store.exists(path):
        return {}
    return {str(each).rpartition("/")[2]: store.cat_file(each) for each in store.find(path)}


def test_a_local_jar_is_uploaded_and_the_former_ones_stay_for_one_version(
    directory: str, tmp_path: Path
) -> None:
    stack, jar = Stack(), tmp_path / "orders.jar"
    names = []
    for content in (b"one", b"two", b"three"):
        jar.write_bytes(content)
        stack.up(version(directory, jar))
        job = stack.arm.job()
        assert job["jobJarDirectory"] == directory
        names.append(job["jarName"])
        assert uploaded(directory)[names[-1]] == content
    assert stack.arm.actions() == ["NEW", "UPDATE", "UPDATE"]
    assert len(set(names)) == 3
    assert set(uploaded(directory)) == set(names[1:]), "the previous version's, and this one's"
    stack.destroy()
    assert uploaded(directory) == {}


def test_the_jars_of_others_are_left_alone(directory: str, tmp_path: Path) -> None:
    first, second, jar = Stack(), Stack(), tmp_path / "orders.jar"
    jar.write_bytes(b"one")
    first.up(version(directory, jar))
    second.up(version(directory, jar, owner="other/stack/dev"))
    assert len(uploaded(directory)) == 2
    first.destroy()
    assert set(uploaded(directory)) == {second.arm.job()["jarName"]}


def test_a_jar_in_the_clusters_storage_is_used_in_place() -> None:
    stack = Stack()
    stack.up(spec(jar="abfs://c@account/a/b/orders.jar"))
    job = stack.arm.job()
    assert (job["jobJarDirectory"], job["jarName"]) == ("abfs://c@account/a/b", "orders.jar")


def test_a_jar_that_moved_restarts_nothing() -> None:
    stack = Stack()
    stack.up(spec())
    moved = spec(jar="abfs://c@account/moved/orders.jar")
    assert stack.plan(moved).action is None
    stack.up(moved)
    stack.refresh()
    assert not stack.plan(moved).needed
    assert stack.arm.actions() == ["NEW"]


@pytest.mark.parametrize("azure", [True, False])
def test_new_bytes_at_an_old_place(azure: bool) -> None:
    """Shows that they are an update; and none where only that place had the previous version's."""
    target = TARGET if azure else {**TARGET, "endpoint": "https://gateway.example"}
    stack = Stack()
    stack.up(spec(target=target))
    changed = spec(target=target, jar_digest="3" * 64)
    if azure:
        with pytest.raises(PermanentError) as caught:
            stack.up(changed)
        job_id = stack.arm.job()["jobId"]
        assert caught.value.happened == (
            "orders: the previous version could not be started again if the new one fails: "
            f"{JAR} has other content now than the recorded jar (SHA-256 111111111111…)."
        )
        assert caught.value.now == f"Job {job_id} goes on as it was."
        assert stack.arm.actions() == ["NEW"]
        stack.up(spec(desired_state="stopped"))
    stack.up(changed)
    assert stack.arm.launches[-1].restored_from == stack.recorded.last_savepoint


@pytest.mark.parametrize("mode", ["savepoint", "stateless"])
def test_a_former_jar_that_is_gone_from_the_storage(mode: str, storage: dict[str, str]) -> None:
    """Shows that nothing is stopped; with `stateless` there is no way back to be kept."""
    stack = Stack()
    stack.up(spec())
    del storage[JAR]
    new = spec("New", jar=f"{JAR}.2", jar_digest="3" * 64, upgrade_mode=mode)
    if mode == "stateless":
        stack.up(new)
        return
    with pytest.raises(PermanentError, match=rf"if the new one fails: {JAR} does not exist"):
        stack.up(new)
    assert stack.arm.actions() == ["NEW"]


@pytest.mark.parametrize("kept", [True, False])
def test_an_uploaded_former_jar_that_is_gone(kept: bool, tmp_path: Path) -> None:
    """Shows that it is uploaded again where its file is still there; else nothing is stopped."""
    stack, directory = Stack(), f"file://{tmp_path}/uploads"
    stack.up(version(directory, make_jar(tmp_path / "orders.jar", "1")))
    (name,) = uploaded(directory)
    (tmp_path / "uploads" / name).unlink()
    if not kept:
        (tmp_path / "orders.jar").unlink()
    wanted = version(directory, make_jar(tmp_path / "new.jar", "2"))
    if kept:
        stack.up(wanted)
        assert name in uploaded(directory)
        assert stack.arm.actions() == ["NEW", "UPDATE"]
        return
    with pytest.raises(PermanentError, match=rf"{name} does not exist, and cannot open .*orders"):
        stack.up(wanted)
    assert stack.arm.actions() == ["NEW"]


def test_a_storage_that_cannot_be_read_stops_no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that it is said: neither that the way back is there, nor that it is not."""

    def refuse(uri: str) -> Jar:
        raise JarError(f"cannot open {uri}: Forbidden")

    monkeypatch.setattr(uploaded_jars, "open_jar", refuse)
    stack = Stack()
    stack.up(spec())
    stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "UPDATE"]
    assert (
        "orders: whether the previous version could be started again is unknown here: "
        f"cannot open {JAR}: Forbidden"
    ) in stack.said


def test_a_jar_that_cannot_be_uploaded(tmp_path: Path) -> None:
    jar = tmp_path / "orders.jar"
    jar.write_bytes(b"one")
    (tmp_path / "file").touch()
    stack = Stack()
    with pytest.raises(JarError) as caught:
        stack.up(version(f"file://{tmp_path}/file/jars", jar))
    assert "cannot be uploaded to file://" in str(caught.value)
    assert "Check target.jar_upload_directory" in str(caught.value)
    with pytest.raises(JarError, match="the cluster cannot read"):
        stack.up(spec(jar=str(jar)))
    assert stack.arm.orders == []


def test_old_jars_that_cannot_be_removed_fail_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flink_jobs_provider.artifacts import StorageError

    def refuse(uri: str) -> None:
        raise StorageError(f"no leave to remove {uri}")

    monkeypatch.setattr(uploaded_jars, "remove_file", refuse)
    stack, jar = Stack(), tmp_path / "orders.jar"
    for content in (b"one", b"two", b"three"):
        jar.write_bytes(content)
        stack.up(version(f"file://{tmp_path}/uploads", jar))
    assert "no leave to remove" in stack.said[-1]
    assert stack.recorded.status == "RUNNING"
