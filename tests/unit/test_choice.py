"""A shorter run takes some tests, and one case of each, by the seed that a run prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.choice import chosen

CASES = {"a.py::one": False, "a.py::two[x]": False, "a.py::two[y]": False, "b.py::two[x]": False}


def test_each_test_has_one_case() -> None:
    for seed in "12345":
        assert sorted(case.partition("[")[0] for case in chosen(CASES, seed)) == [
            "a.py::one",
            "a.py::two",
            "b.py::two",
        ]


def test_in_time_all_cases_are_taken_and_a_seed_repeats_its_own() -> None:
    assert set().union(*(chosen(CASES, str(seed)) for seed in range(50))) == set(CASES)
    assert all(chosen(CASES, str(seed)) == chosen(CASES, str(seed)) for seed in range(50))


def test_a_skipped_case_is_taken_only_where_all_are() -> None:
    """Shows that a test which runs somewhere runs, and that one which does not gives its reason."""
    cases = CASES | {"a.py::two[x]": True, "b.py::two[x]": True}
    for seed in range(50):
        assert chosen(cases, str(seed)) == {"a.py::one", "a.py::two[y]", "b.py::two[x]"}


def test_of_many_tests_about_the_part_is_taken_that_is_asked_for() -> None:
    cases = {f"a.py::test_{number}[{case}]": False for number in range(1000) for case in "xy"}
    taken = chosen(cases, "1", 0.4)
    assert 300 < len(taken) < 500
    assert len({case.partition("[")[0] for case in taken}) == len(taken)
    assert chosen(cases, "2", 0.4) != taken


_PROBE = """
def test_of_its_own(request, worker_id):
    print(f"<{worker_id} {request.config.option.hypothesis_seed}>")
    assert False


test_another = test_of_its_own
"""


@pytest.mark.process
def test_all_processes_have_the_seed_that_is_printed(tmp_path: Path) -> None:
    (tmp_path / "test_probe.py").write_text(_PROBE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "--numprocesses", "2", f"--rootdir={tmp_path}", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    seen = dict(re.findall(r"<(gw\d) (\d+)>", run.stdout))
    printed = re.findall(r"--hypothesis-seed=(\d+)", run.stdout)
    assert sorted(seen) == ["gw0", "gw1"], run.stdout
    assert set(seen.values()) == set(printed)
