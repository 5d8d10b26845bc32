"""A job of a stack goes back to an earlier version, with its state of now or of then."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.savepoint import same_path
from tests.counting_output import committed_lines
from tests.end_to_end.flink.counting_stack import CountingStack
from tests.flink_cluster import FlinkCluster
from tests.job_jars import TEST_JOBS_JAR, copy_with_other_bytes
from tests.waiting import wait_until

LATEST = 5


class _Versions:
    """A job `orders` that has run in five versions, each with a jar and a label of its own."""

    def __init__(self, stack: CountingStack, jars: Path) -> None:
        self.stack = stack
        self.jars = jars
        for number in range(1, LATEST + 1):
            jar = self.jar(number)
            copy_with_other_bytes(TEST_JOBS_JAR, jar, f"version {number}")
            declare = stack.declare if number == 1 else stack.change
            declare("orders", "--label", f"v{number}", jar=str(jar))
            stack.project.up()
            self.await_more(number)

    def jar(self, number: int) -> Path:
        return self.jars / f"orders-{number}.jar"

    def counts(self, *labels: str) -> dict[int, list[int]]:
        """Return the committed counts of each key, in order, of lines with these labels, or all."""
        found: dict[int, list[int]] = defaultdict(list)
        for line in committed_lines(self.stack.output("orders")):
            key, count, label = line.split(",")
            if not labels or label in labels:
                found[int(key)].append(int(count))
        return {key: sorted(each) for key, each in found.items()}

    def await_more(self, number: int) -> None:
        """Wait until more lines have a version's label."""
        label = f"v{number}"
        before = self.counts(label)
        wait_until(lambda: self.counts(label) != before, 30, f"version {number} counts on")

    def history(self) -> dict[int, dict[str, Any]]:
        """Return the versions on record, by number."""
        listed = json.loads(self.stack.project.run("jobs", "history", "orders", "--json").out)
        return {each["number"]: each for each in listed}

    def back(self, *words: str, code: int = 0) -> Any:
        """Run `flink-jobs jobs rollback orders`."""
        return self.stack.project.run("jobs", "rollback", "orders", *words, code=code)


@pytest.fixture
def versions(stack: CountingStack, tmp_path: Path) -> _Versions:
    """Return a job in its fifth version."""
    jars = tmp_path / "jars"
    jars.mkdir()
    return _Versions(stack, jars)


def assert_whole(counts: dict[int, list[int]], begins: dict[int, int] | None = None) -> None:
    """Assert that the counts of each key follow one another, each once."""
    for key, seen in counts.items():
        repeated = [count for count, times in Counter(seen).items() if times > 1]
        assert not repeated, f"key {key}: repeated {repeated[:5]}"
        first = begins[key] if begins else 1
        assert seen == list(range(first, first + len(seen))), f"key {key}: a gap in {seen}"


def assert_recorded_as_version_6(versions: _Versions, origin: str, why: str) -> None:
    """Assert what the stack, and the next preview, say after a rollback to version 2."""
    stack = versions.stack
    history = versions.history()
    [running] = stack.active("orders")
    assert list(history) == [6, 5, 4, 3, 2, 1]
    assert history[6]["job_id"] == running == stack.job_id("orders")
    assert history[6]["jar_digest"] == history[2]["jar_digest"] != history[5]["jar_digest"]
    assert history[6]["why"].startswith(why)
    assert same_path(history[6]["restored_from"], origin)
    assert same_path(stack.restored_from(running), origin)
    assert history[5]["savepoint"].split("/")[-2] == history[5]["job_id"]
    recorded = stack.recorded("orders")
    assert (recorded["action"], recorded["action_result"]) == ("UPDATE", "SUCCESS")
    assert recorded["args"] == stack.args("orders", "--label", "v2")
    differs = stack.project.preview("--refresh", "--expect-no-changes", code=7)
    differs.assert_says(
        "orders: UPDATE, stop with savepoint and restart: args changed, jar content changed"
    )
    stack.change("orders", args=recorded["args"], jar=str(versions.jar(2)))
    stack.project.preview("--refresh", "--expect-no-changes")


def test_back_to_version_2_with_the_state_of_now(
    versions: _Versions, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Nothing is lost; a jar that is gone is refused before anything stops, a copy is taken."""
    copy = tmp_path / "copy.jar"
    versions.jar(2).rename(copy)
    running = versions.stack.active("orders")
    refused = versions.back("--to", "2", code=1)
    refused.assert_says(
        "orders: the jar of that version (SHA-256 ",
        f"Put that jar back at {versions.jar(2)}, or give a copy of it with --jar.",
        "Nothing was changed.",
    )
    other = versions.back("--to", "2", "--jar", str(versions.jar(1)), code=1)
    other.assert_says(f"is not the one at {versions.jar(1)}")
    versions.back("--to", "7", code=1).assert_says(
        "orders: no version 7 is on record: those are 1, 2, 3, 4, 5. Nothing was changed."
    )
    versions.back("--to", "5", code=1).assert_says("orders: version 5 is what runs already.")
    assert versions.stack.active("orders") == running

    done = versions.back("--to", "2", "--jar", str(copy))
    done.assert_says("orders is back at version 2, as version 6: job ", "goes forward again")
    copy.rename(versions.jar(2))
    versions.await_more(2)
    origin = versions.history()[5]["savepoint"]
    assert_whole(versions.counts())
    assert_recorded_as_version_6(
        versions, origin, "rollback to version 2 with its state of now: UPDATE, stop with savepoint"
    )


def test_back_to_version_2_with_the_state_that_it_left(versions: _Versions) -> None:
    """What came later is dropped, which is said and asked; a savepoint of it is kept."""
    [running] = versions.stack.active("orders")
    asked = versions.back("--to", "2", "--from-savepoint", "then", code=1)
    asked.assert_says(
        "What the job has done since version 2 ended is not in the state that it goes on from: "
        "version 3, 4, 5. A savepoint of now is taken first, and kept.",
        "confirm it with --yes. Nothing was changed.",
    )
    assert versions.stack.active("orders") == [running]
    versions.back("--to", "5", "--from-savepoint", "then", code=1).assert_says(
        "orders: version 5 has left no state to go back to: it runs."
    )

    begins = {key: seen[0] for key, seen in versions.counts("v2").items()}
    versions.back("--to", "2", "--from-savepoint", "then", "--yes")
    origin = versions.history()[2]["savepoint"]
    versions.await_more(2)
    assert_whole(versions.counts("v2"), begins)
    why = "rollback to version 2 with the state that it left: UPDATE, stop with savepoint"
    assert_recorded_as_version_6(versions, origin, why)
    assert versions.history()[5]["savepoint"] != origin
    # Forward again, with what has been counted since.
    versions.stack.change("orders", "--label", "v7", jar=str(versions.jar(5)))
    versions.stack.project.up()
    versions.await_more(7)
    assert_whole(versions.counts("v2", "v7"), begins)
