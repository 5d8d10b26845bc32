"""Where the state is: the backend, its files and its locks."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flink_jobs_provider.engine.backend import (
    FileBackend,
    hold_lock,
    locks_in,
    write_durably,
)
from flink_jobs_provider.engine.errors import (
    BackendError,
    LockedError,
    StackError,
    UnsupportedError,
)
from flink_jobs_provider.engine.workspace import backend_url, find_project

GOOD = "name: demo\nruntime: python\n"


def test_the_backend_is_given_by_the_environment_before_the_project(tmp_path: Path) -> None:
    """And where neither names one, the error says what to set."""
    (tmp_path / "Pulumi.yaml").write_text(GOOD + "backend: {url: 'file:///p'}")
    project = find_project(tmp_path)
    assert backend_url(project, {"PULUMI_BACKEND_URL": "file:///e"}) == "file:///e"
    assert backend_url(project, {}) == "file:///p"
    (tmp_path / "Pulumi.yaml").write_text(GOOD)
    with pytest.raises(BackendError) as error:
        backend_url(find_project(tmp_path), {})
    assert "PULUMI_BACKEND_URL" in error.value.hint


@pytest.mark.parametrize("url", ["s3://bucket", "https://api.pulumi.com", "/tmp/x", "file://"])
def test_only_files_are_a_backend(url: str) -> None:
    """Others are refused by name."""
    with pytest.raises(BackendError):
        FileBackend(url)


def test_paths_of_a_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, relative to here, in the home directory, with parameters, with spaces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    for url, root in {
        "file:///a/b": "/a/b",
        "file://./s": f"{tmp_path}/s",
        "file://~": "/home/somebody",
        "file://~/s": "/home/somebody/s",
        "file:///a%20b?no_tmp_dir=true": "/a b",
    }.items():
        checkpoint = FileBackend(url).files_of("demo", "dev").checkpoint
        assert str(checkpoint) == f"{root}/.pulumi/stacks/demo/dev.json"


def test_names_of_stacks(tmp_path: Path) -> None:
    """Short, with project, with organization; another project's and odd ones are refused."""
    backend = FileBackend(f"file://{tmp_path}")
    for name in ("dev", "demo/dev", "organization/demo/dev"):
        assert backend.files_of("demo", name).full_name == "organization/demo/dev"
    for name in ("other/dev", "acme/demo/dev", "", "a b", "../up", "a/b/c/d"):
        with pytest.raises(StackError):
            backend.files_of("demo", name)


def test_layouts_of_another_version_are_refused(tmp_path: Path) -> None:
    """Rather than misread."""
    backend = FileBackend(f"file://{tmp_path}")
    backend.prepare()
    assert (tmp_path / ".pulumi/meta.yaml").read_text() == "version: 1\n"
    (tmp_path / ".pulumi/meta.yaml").write_text("version: 2\n")
    with pytest.raises(UnsupportedError, match="version 2"):
        backend.check()
    (tmp_path / ".pulumi/meta.yaml").unlink()
    write_durably(tmp_path / ".pulumi/stacks/old.json", "{}")
    with pytest.raises(UnsupportedError, match="without projects"):
        backend.check()


def test_a_missing_stack_is_told_from_a_compressed_one(tmp_path: Path) -> None:
    """The first can be made, the second is the CLI's."""
    files = FileBackend(f"file://{tmp_path}").files_of("demo", "dev")
    with pytest.raises(StackError, match="no stack named 'dev'"):
        files.read_checkpoint()
    write_durably(files.checkpoint.with_name("dev.json.gz"), "")
    with pytest.raises(UnsupportedError, match="compressed"):
        files.read_checkpoint()


def test_a_write_that_cannot_be_done_is_told(tmp_path: Path) -> None:
    """Without a traceback, with the file's name; the old content stays."""
    (tmp_path / "file").write_text("old")
    with pytest.raises(BackendError, match="cannot be written"):
        write_durably(tmp_path / "file/within", "text")
    assert (tmp_path / "file").read_text() == "old"


def lock_of(directory: Path, **content: object) -> Path:
    """Write a lock as somebody else would."""
    path = directory / "0000.json"
    moment = datetime.now(UTC).isoformat()
    own = {"pid": 1, "username": "u", "hostname": socket.gethostname(), "timestamp": moment}
    write_durably(path, json.dumps(own | content))
    return path


def test_a_lock_is_there_while_it_is_held(tmp_path: Path) -> None:
    """In the CLI's form, and gone after, even after an error."""
    with pytest.raises(ValueError, match="mine"), hold_lock(tmp_path, print):  # noqa: PT012
        (lock,) = locks_in(tmp_path)
        assert (lock.pid, lock.hostname) == (os.getpid(), socket.gethostname())
        _refuse_a_second(tmp_path)
        raise ValueError("mine")
    assert locks_in(tmp_path) == []


def _refuse_a_second(directory: Path) -> None:
    with pytest.raises(LockedError, match=f"process {os.getpid()}"), hold_lock(directory, print):
        pass


@pytest.mark.process
def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """And it is said."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    lock_of(tmp_path, pid=process.pid)
    said: list[str] = []
    with hold_lock(tmp_path, said.append):
        assert len(locks_in(tmp_path)) == 1
    assert "taking over" in said[0]


def test_the_lock_of_a_process_whose_number_was_given_away_is_taken_over(tmp_path: Path) -> None:
    """A process that began after the lock was made is not its owner."""
    lock_of(tmp_path, pid=os.getpid(), timestamp="2001-01-01T00:00:00Z")
    with hold_lock(tmp_path, lambda _: None):
        pass


@pytest.mark.parametrize("content", [{"pid": os.getppid()}, {"hostname": "elsewhere", "pid": 0}])
def test_the_lock_of_others_is_respected(tmp_path: Path, content: dict[str, object]) -> None:
    """One that lives, or is on another host where nobody can tell from here."""
    lock_of(tmp_path, **content)
    with pytest.raises(LockedError) as error, hold_lock(tmp_path, print):
        pass
    assert "cancel" in error.value.hint


def test_a_mangled_lock_is_respected(tmp_path: Path) -> None:
    """What cannot be read may be somebody's."""
    (tmp_path / "0.json").write_text("{")
    with pytest.raises(LockedError, match="somebody@some host"), hold_lock(tmp_path, print):
        pass
