"""A cluster's directory: what may be one, and what is removed of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flink_jobs_provider.local.settings import Layout, LocalClusterError, exclusive


def test_new_empty_and_own_directories_are_taken(tmp_path: Path) -> None:
    """A directory that is not there, is empty, or was a cluster's before, may be one."""
    Layout(tmp_path / "new").refuse_foreign()
    Layout(tmp_path).refuse_foreign()
    layout = Layout(tmp_path)
    layout.lock.touch()
    layout.create()
    layout.refuse_foreign()
    layout.lock.unlink()
    layout.settings.touch()
    layout.refuse_foreign()


def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    """Nothing is mixed into what the user keeps."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(LocalClusterError, match="is not empty"):
        Layout(tmp_path).refuse_foreign()


@pytest.mark.parametrize("name", ["a,b", "a:b", "a|b"])
def test_names_that_flink_splits_are_refused(tmp_path: Path, name: str) -> None:
    """Flink would take one such path for two."""
    with pytest.raises(LocalClusterError, match="Flink cannot work in"):
        Layout(tmp_path / name).refuse_foreign()


def test_remove_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    """The user's files stay, and with them the directory; otherwise it goes too."""
    layout = Layout(tmp_path / "cluster")
    layout.create()
    layout.lock.touch()
    (layout.savepoints / "one").touch()
    (layout.root / "notes.txt").touch()
    layout.remove()
    assert [file.name for file in layout.root.iterdir()] == ["notes.txt"]
    (layout.root / "notes.txt").unlink()
    layout.create()
    layout.remove()
    assert not layout.root.exists()


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    """The second waits, says for what, and goes on when the first is done."""
    lock = tmp_path / "lock"
    order: list[str] = []
    waits = threading.Event()

    def report(step: str) -> None:
        order.append(step)
        waits.set()

    def second() -> None:
        with exclusive(lock, "the first", report):
            order.append("second")

    thread = threading.Thread(target=second)
    with exclusive(lock, "nobody"):
        thread.start()
        assert waits.wait(10)
        order.append("first")
    thread.join()
    assert order == ["Waiting for the first", "first", "second"]


def test_a_lock_that_was_removed_is_taken_anew(tmp_path: Path) -> None:
    """Whoever waited on a lock file that was removed does not hold a lock on nothing."""
    lock = tmp_path / "lock"
    waits = threading.Event()
    held: list[bool] = []

    def second() -> None:
        with exclusive(lock, "the first", lambda _: waits.set()):
            held.append(lock.exists())

    thread = threading.Thread(target=second)
    with exclusive(lock, "nobody"):
        thread.start()
        assert waits.wait(10)
        lock.unlink()
    thread.join()
    assert held == [True]
