"""What the provider processes of one run share: real processes, each with a file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.provider.job_operations import JobOperations
from flink_jobs_provider.provider.run_claims import Claim, RunClaims, claims_of
from flink_jobs_provider.provider.run_registry import Declaration, RunRegistry
from tests.unit.model.made_up_jobs import URL, record

TARGET = FlinkTarget(url=URL)
ENGINE = "127.0.0.1:4711"
_DECLARES = """
import json, sys
from pathlib import Path
from flink_jobs_provider.provider.run_claims import Claim, RunClaims
target = json.loads(sys.argv[4])
RunClaims(sys.argv[1], Path(sys.argv[2])).add(Claim(sys.argv[3], "orders", "urn::orders", target))
print("declared", flush=True)
sys.stdin.read()
"""

_ORDERS = Claim(
    TARGET.place, "orders", "urn::orders", TARGET.model_dump(mode="json", exclude_none=True)
)

pytestmark = pytest.mark.process


@contextmanager
def another_process(
    engine: str, directory: Path, target: FlinkTarget = TARGET
) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has declared a job, until the block ends."""
    how = target.model_dump_json(exclude_none=True)
    command = [sys.executable, "-c", _DECLARES, engine, str(directory), target.place, how]
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
    assert mine.of_others("orders") == []
    with another_process(ENGINE, tmp_path):
        assert mine.of_others("orders") == [_ORDERS]
        assert mine.of_others("invoices") == []
    assert mine.of_others("orders") == []
    assert list(tmp_path.iterdir()) == [], "what the dead one has written is removed"


def test_another_run_is_apart(tmp_path: Path) -> None:
    mine = RunClaims(ENGINE, tmp_path)
    with another_process("127.0.0.1:4712", tmp_path):
        assert mine.of_others("orders") == []


def test_what_this_process_declares_is_not_anothers(tmp_path: Path) -> None:
    mine = RunClaims(ENGINE, tmp_path)
    mine.add(_ORDERS)
    mine.add(_ORDERS)
    assert mine.of_others("orders") == []
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
        assert mine.of_others("orders") == [_ORDERS]
        with file.open("a", encoding="utf-8") as other:
            other.write('ices", "urn::invoices", {}]\n')
        assert [claim.resource for claim in mine.of_others("invoices")] == ["urn::invoices"]


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


def operations(tmp_path: Path, clusters: Clusters) -> JobOperations:
    """Return the operations of a provider process that shares what it declares."""
    registry = RunRegistry()
    registry.share(RunClaims(ENGINE, tmp_path))
    return JobOperations(registry, print, clusters)


def test_a_job_of_another_process_is_neither_declared_nor_deleted(tmp_path: Path) -> None:
    """Shows the other declaration, which a check refuses, and the refusal of a delete."""
    jobs = operations(tmp_path, Clusters(str))
    mine, recorded = Declaration("urn::mine", TARGET, "orders"), record()
    assert recorded.spec.target.place == TARGET.place
    jobs.check_is_ours(recorded)
    with another_process(ENGINE, tmp_path):
        assert jobs.declared_by_another(mine) == Declaration("urn::orders", TARGET, "orders")
        same = Declaration("urn::orders", TARGET, "orders")
        assert operations(tmp_path, Clusters(str)).declared_by_another(same) is None
        with pytest.raises(PermanentError, match="'orders', declares this job by another provider"):
            jobs.check_is_ours(recorded)
    jobs.check_is_ours(recorded)


@pytest.mark.parametrize("same", [True, False])
def test_another_address_of_one_cluster_is_no_other_job(tmp_path: Path, same: bool) -> None:
    """Shows two addresses that lead to one cluster, or to two, as what they show tells."""
    other = FlinkTarget(url="http://flink.example.com:8081")
    shown = {TARGET.place: "one", other.place: "one" if same else "another"}

    async def instance(_clusters: Clusters, target: FlinkTarget) -> str:
        return shown[target.place]

    jobs = operations(tmp_path, Clusters(str))
    mine = Declaration("urn::mine", TARGET, "orders")
    with (
        patch("flink_jobs_provider.provider.cluster_identity.instance_of", instance),
        another_process(ENGINE, tmp_path, other),
    ):
        declared = jobs.declared_by_another(mine)
        assert declared == (Declaration("urn::orders", other, "orders") if same else None)
        if not same:
            jobs.check_is_ours(record())
            return
        with pytest.raises(PermanentError, match=f"this job at {other.url} by another provider"):
            jobs.check_is_ours(record())
