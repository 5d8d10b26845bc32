"""State of the running job that a new version cannot go on from: refused before anything stops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.job_graph import Vertex
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version

UNKNOWN = "warning: orders: whether state fits is unknown: "

#: Operators as a plan without chaining shows them: a source, a keyed one with a sink, a filter.
SOURCE = Vertex("source", ("Source: numbers",), source=True)
COUNT = Vertex("count", ("count",), keyed=True)
SINK = Vertex("sink", ("sink",))
FILTER = Vertex("filter", ("filter",))
#: The same as a job has them: the sink is chained to the count, and the filter to the source.
SOURCE_CHAIN = Vertex("source", ("Source: numbers", "filter"), source=True)
COUNT_CHAIN = Vertex("count", ("count", "sink"), keyed=True)
SIZES = (("source", 10), ("count", 4000))
OLD = Program(
    vertices=(SOURCE_CHAIN, COUNT_CHAIN),
    operators=(SOURCE, FILTER, COUNT, SINK),
    state_sizes=SIZES,
)


#: A program without chains.
SINGLE = replace(OLD, vertices=(SOURCE, COUNT), operators=(SOURCE, COUNT))


def other_id(vertex: Vertex, new: str) -> Vertex:
    """Return a vertex whose first operator has another uid."""
    return replace(vertex, id=new)


def updated(new: Program, old: Program = OLD, mode: str = "savepoint", **changes: object) -> Stack:
    """Return a stack whose job was updated from one program to another."""
    stack = running(mode, old)
    stack.flink.pass_time(60)  # it has completed a checkpoint
    stack.flink.programs["New"] = new
    stack.up(version("New", mode, **changes))
    assert stack.flink.submissions[-1].spec.entry_class == "New"
    return stack


RENAMED = Program(
    vertices=(SOURCE_CHAIN, other_id(COUNT_CHAIN, "renamed")),
    operators=(SOURCE, FILTER, other_id(COUNT, "renamed"), SINK),
)


def assert_refused(
    old: Program,
    new: Program,
    mode: str = "savepoint",
    match: str = "has no place for",
    **changes: object,
) -> PermanentError:
    """Assert that an update is refused while the old version goes on; return the error."""
    stack = running(mode, old)
    stack.flink.pass_time(60)
    stack.flink.programs["New"] = new
    job = stack.flink.the_job()
    with pytest.raises(PermanentError, match=match) as caught:
        stack.up(version("New", mode, **changes))
    assert stack.flink.the_job() is job
    assert job.savepoint == ""
    assert caught.value.now == f"Job {job.job_id} goes on as it was."
    assert "--" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("mode", ["savepoint", "last-state"])
def test_a_renamed_operator_with_state_is_refused(mode: str) -> None:
    error = assert_refused(OLD, RENAMED, mode)
    assert error.happened == (
        "orders: the new version has no place for 4.0 kB of state of the running job: it has no "
        "operator with the id of count -> sink (count)."
    )
    assert "allow_non_restored_state" in error.remedy


def test_what_says_so_in_words_is_let_through() -> None:
    """Shows that what is dropped is printed where that is permitted, and before the stop."""
    stack = updated(RENAMED, allow_non_restored_state=True)
    line = "orders: STATE IS DROPPED: 4.0 kB of count -> sink (count); runs of main to see it: 2"
    assert line in stack.said
    assert stack.said.index(line) < stack.said.index(stopping(stack))
    assert not [line for line in updated(RENAMED, mode="stateless").said if "DROPPED: " in line]


def stopping(stack: Stack) -> str:
    """Return the line of the stop."""
    return next(line for line in stack.said if "stopping" in line)


def test_a_warning_stops_nothing() -> None:
    stack = updated(RENAMED, state_check="warn")
    assert (
        "warning: orders: STATE IS DROPPED: 4.0 kB of count -> sink (count); runs of main to see "
        "it: 2. If Flink refuses the state, the previous version is started again"
    ) in stack.said


@pytest.mark.parametrize(
    ("old", "new", "mode", "plans"),
    [
        pytest.param(OLD, RENAMED, "off", 1, id="off"),
        pytest.param(SINGLE, SINGLE, "strict", 2, id="the new version shows all"),
        pytest.param(OLD, OLD, "strict", 3, id="chains are resolved in the running version"),
    ],
)
def test_main_is_run_at_most_twice_more(old: Program, new: Program, mode: str, plans: int) -> None:
    stack = running("savepoint", old)
    stack.flink.pass_time(60)
    stack.flink.programs["New"] = new
    before = stack.flink.steps.count("plan")
    stack.up(version("New", "savepoint", state_check=mode))
    assert stack.flink.steps.count("plan") - before == plans


def wide(vertex: Vertex) -> Vertex:
    """Return a vertex with four subtasks."""
    return replace(vertex, parallelism=4)


def test_a_parallelism_above_the_maximum_is_refused() -> None:
    """Shows that Flink's own refusal, after the stop, is foreseen."""
    new = Program(
        vertices=(SOURCE_CHAIN, wide(COUNT_CHAIN)), operators=(SOURCE, FILTER, wide(COUNT), SINK)
    )
    few = replace(OLD, max_parallelism=(("source", 128), ("count", 3)))
    error = assert_refused(few, new, match="cannot be started from the state of the running job")
    assert (
        "parallelism 4 of count -> sink is above the maximum parallelism of its state, 3"
        in error.happened
    )
    assert "parallelism" in error.remedy
    enough = replace(OLD, max_parallelism=(("source", 128), ("count", 4)))
    said = updated(new, enough).said
    assert "orders: state fits (2 chains, 4.0 kB); runs of main to see it: 2" in said


def test_dropping_state_does_not_permit_what_cannot_be_restored() -> None:
    new = Program(
        vertices=(SOURCE_CHAIN, wide(COUNT_CHAIN)), operators=(SOURCE, FILTER, wide(COUNT), SINK)
    )
    few = replace(OLD, max_parallelism=(("count", 3),))
    assert_refused(few, new, match="cannot be started from", allow_non_restored_state=True)


def test_a_savepoint_that_is_named_is_not_compared_with_the_running_job() -> None:
    stack = running("savepoint", OLD)
    stack.up(version("Old", "savepoint", savepoint_trigger="1"))
    stack.flink.programs["New"] = RENAMED
    named = stack.recorded.last_savepoint
    stack.up(version("New", "savepoint", savepoint_trigger="1", restore_from=named))
    assert stack.flink.submissions[-1].spec.entry_class == "New"


def test_random_ids_are_refused_though_the_program_is_the_same() -> None:
    """Shows it of an operator whose id is another one each time: neither version could restore."""
    random = Program(
        vertices=(SOURCE_CHAIN, other_id(COUNT_CHAIN, "random-2")),
        operators=(SOURCE, FILTER, other_id(COUNT, "random-3"), SINK),
        ran_as=(SOURCE_CHAIN, other_id(COUNT_CHAIN, "random-1")),
        state_sizes=(("source", 10), ("random-1", 4000)),
    )
    new = replace(random, operators=(SOURCE, FILTER, other_id(COUNT, "random-4"), SINK))
    assert_refused(random, new)


def test_a_removed_source_is_refused() -> None:
    new = Program(vertices=(COUNT_CHAIN,), operators=(COUNT, SINK, FILTER))
    assert "Source: numbers -> filter (source)" in assert_refused(OLD, new).happened


def test_chains_of_which_nothing_is_left_are_refused() -> None:
    old = replace(OLD, vertices=(SOURCE, FILTER, COUNT_CHAIN), state_sizes=(("filter", 7),))
    new = Program(vertices=(SOURCE, COUNT_CHAIN), operators=(SOURCE, COUNT, SINK))
    assert_refused(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(OLD, OLD, id="the same"),
        pytest.param(
            replace(OLD, state_sizes=(("source", 10), ("count", 0))), RENAMED, id="no state"
        ),
        pytest.param(
            OLD,
            Program(
                vertices=(Vertex("source", ("Source: numbers", "filter", "count", "sink")),),
                operators=(SOURCE, FILTER, COUNT, SINK),
            ),
            id="within another chain",
        ),
    ],
)
def test_state_that_has_a_place_is_carried_over_without_a_word(old: Program, new: Program) -> None:
    stack = updated(new, old)
    assert stack.flink.the_job().restored_from == stack.recorded.last_savepoint
    assert not [line for line in stack.said if UNKNOWN in line]


PLAIN = replace(COUNT_CHAIN, keyed=False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            replace(OLD, vertices=(SOURCE_CHAIN, PLAIN)),
            RENAMED,
            id="the state may be that of what is left of the chain",
        ),
        pytest.param(replace(OLD, operators=()), RENAMED, id="chains that cannot be undone"),
        pytest.param(
            replace(OLD, vertices=(SOURCE_CHAIN, replace(COUNT_CHAIN, operators=()))),
            RENAMED,
            id="without descriptions",
        ),
    ],
)
def test_what_cannot_be_told_is_said_and_not_refused(old: Program, new: Program) -> None:
    stack = updated(new, old)
    [line] = [line for line in stack.said if UNKNOWN in line]
    assert "(count)" in line
    assert line.endswith("If Flink refuses the state, the previous version is started again")


def test_a_chain_with_records_in_flight_is_not_said_to_be_dropped() -> None:
    """Shows it of one that may have no other state: a savepoint has no records in flight."""
    old = replace(OLD, state_sizes=(("source", 10), ("count", None)))
    assert [line for line in updated(RENAMED, old).said if UNKNOWN in line]
    assert "orders: state fits (2 chains); runs of main to see it: 2" in updated(OLD, old).said


def test_before_the_first_checkpoint_nothing_tells_what_has_state() -> None:
    stack = running("savepoint", OLD)
    stack.flink.the_job().completed = 0
    stack.flink.programs["New"] = RENAMED
    stack.up(version("New", "savepoint"))
    assert [line for line in stack.said if UNKNOWN in line]


def test_a_running_program_that_can_no_longer_be_planned_is_not_compared() -> None:
    stack = running("savepoint", OLD)
    stack.flink.pass_time(60)
    stack.flink.programs["Old"] = replace(OLD, plan_error="IllegalStateException: topic is gone")
    stack.flink.programs["New"] = RENAMED
    stack.up(version("New", "savepoint"))
    assert [line for line in stack.said if UNKNOWN in line]
