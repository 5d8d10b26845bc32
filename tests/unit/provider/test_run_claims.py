"""What the provider processes of one run share: real processes, each with a file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.provider.run_claims import RunClaims, claims_of
from flink_jobs_provider.provider.run_registry import Declaration, RunRegistry
from tests.unit.model.made_up_jobs import URL, record

TARGET = FlinkTarget(url=URL)
ENGINE, ORDERS = "127.0.0.1:4711", (TARGET.place, "orders")
_DECLARES = """
import sys
from pathlib import Path
from flink_jobs_provider.provider.run_claims import RunClaims
RunClaims(sys.argv[1], Path(sys.argv[2])).add((sys.argv[3], "orders"), "urn::orders")
print("declared", flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.process


@contextmanager
def another_process(engine: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has declared a job, until the block ends."""
    command = [sys.executable, "-c", _DECLARES, engine, str(directory), TARGET.place]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "declared\n"
        yield process
        process.kill()


def test_what_another_process_of_the_run_declares_is_seen_while_it_runs(tmp_path: Path) -> None:
    """Shows it also of one that was killed, whose file is left."""
    mine = RunClaims(ENGINE, tmp_path)
    assert mine.of_others(ORDERS) is None
    with another_process(ENGINE, tmp_path):
        assert mine.of_others(ORDERS) == "urn::orders"
        assert mine.of_others((TARGET.place, "invoices")) is None
    assert mine.of_others(ORDERS) is None
    assert list(tmp_path.iterdir()) == [], "what the dead one has written is removed"


def test_another_run_is_apart(tmp_path: Path) -> None:
    mine = RunClaims(ENGINE, tmp_path)
    with another_process("127.0.0.1:4712", tmp_path):
        assert mine.of_others(ORDERS) is None


def test_what_this_process_declares_is_not_anothers(tmp_path: Path) -> None:
    mine = RunClaims(ENGINE, tmp_path)
    mine.add(ORDERS, "urn::orders")
    mine.add(ORDERS, "urn::orders")
    assert mine.of_others(ORDERS) is None
    [file] = tmp_path.iterdir()
    assert file.read_text(encoding="utf-8").count("\n") == 1
    mine.close()
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    mine = RunClaims(ENGINE, tmp_path)
    with another_process(ENGINE, tmp_path):
        [file] = tmp_path.iterdir()
        with file.open("a", encoding="utf-8") as other:
            other.write(f'["{TARGET.place}", "invo')
        assert mine.of_others(ORDERS) == "urn::orders"
        with file.open("a", encoding="utf-8") as other:
            other.write('ices", "urn::invoices"]\n')
        assert mine.of_others((TARGET.place, "invoices")) == "urn::invoices"


def test_where_nothing_can_be_shared_the_run_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows a file in the way, somebody else's link, and a process that no engine has started."""
    said: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert claims_of(None, said.append) is None
    assert said == []
    in_the_way = tmp_path / f"flink-jobs-runs-{os.getuid()}"
    for put in (in_the_way.touch, partial(in_the_way.symlink_to, tmp_path)):
        put()
        assert claims_of(ENGINE, said.append) is None
        assert "cannot tell each other what they declare" in said.pop()
        in_the_way.unlink()
    assert claims_of(ENGINE, said.append) is not None
    assert said == []


def test_a_job_of_another_process_is_neither_declared_nor_deleted(tmp_path: Path) -> None:
    """Shows the other declaration, which a check refuses, and the refusal of a delete."""
    registry = RunRegistry()
    registry.share(RunClaims(ENGINE, tmp_path))
    mine, recorded = Declaration("urn::mine", TARGET, "orders"), record()
    assert recorded.spec.target.place == TARGET.place
    registry.check_is_ours(recorded)
    with another_process(ENGINE, tmp_path):
        assert registry.declared_elsewhere(mine) == Declaration("urn::orders", TARGET, "orders")
        same = Declaration("urn::orders", TARGET, "orders")
        assert registry.declared_elsewhere(same) is None, "a resource of two processes is one"
        with pytest.raises(PermanentError, match="'orders', declares this job by another provider"):
            registry.check_is_ours(recorded)
    registry.check_is_ours(recorded)
