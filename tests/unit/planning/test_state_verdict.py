"""Whether a version can go on from a state: verdicts by the operators of both versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.job_graph import JobGraph, Vertex, operator_id
from flink_jobs_provider.planning.state_verdict import (
    Compatibility,
    HeldState,
    ProgramGraphs,
    StateVerdict,
    compare,
)

SOURCE = "bc764cd8ddf7a0cff126f51c16239658"  # Flink's id of a first source without a uid
COUNT, SINK = operator_id("count"), operator_id("sink")
NUMBERS = Vertex(SOURCE, ("Source: numbers",), source=True)


def graph(*vertices: Vertex) -> JobGraph:
    return JobGraph(max(each.parallelism for each in vertices), vertices)


def program(count: str = COUNT, name: str = "count", parallelism: int = 2) -> ProgramGraphs:
    """Return the graphs of a source, a keyed operator, and a sink that is chained to it."""
    head = Vertex(count, (name, "sink"), keyed=True, parallelism=parallelism, inputs=(SOURCE,))
    alone = replace(head, operators=(name,))
    sink = Vertex(SINK, ("sink",), parallelism=parallelism, inputs=(count,))
    return ProgramGraphs(graph(NUMBERS, head), graph(NUMBERS, alone, sink))


IN_COUNT = HeldState(COUNT, "count", 4000, 128)
IN_SINK = HeldState(SINK, "sink", 12, 128)


def test_state_of_operators_that_are_there_fits() -> None:
    verdict = compare([IN_COUNT, IN_SINK], None, program())
    assert verdict.compatibility is Compatibility.FITS
    assert str(verdict) == "state fits (2 operators, 4.0 kB)"


def test_state_of_an_operator_whose_uid_is_gone_is_dropped() -> None:
    """Shows it by the uid that the snapshot names, and else by the running version's plan."""
    new = program(operator_id("renamed"))
    by_uid = compare([replace(IN_COUNT, has_uid=True), IN_SINK], None, new)
    by_plan = compare([IN_COUNT, IN_SINK], program(), new)
    for verdict in (by_uid, by_plan):
        assert verdict.compatibility is Compatibility.DROPS
        assert str(verdict) == f"STATE IS DROPPED: 4.0 kB of count ({COUNT})"


def test_without_uid_and_plan_it_cannot_be_told_what_is_gone() -> None:
    verdict = compare([IN_COUNT], None, program(operator_id("renamed")))
    assert verdict.compatibility is Compatibility.CANNOT_TELL
    assert str(verdict) == (
        f"whether state fits is unknown: the plan of the new version does not show count ({COUNT})"
    )


def test_a_parallelism_above_the_maximum_cannot_be_restored() -> None:
    verdict = compare([replace(IN_COUNT, max_parallelism=4)], None, program(parallelism=5))
    assert verdict.compatibility is Compatibility.CANNOT_RESTORE
    assert str(verdict) == (
        "state CANNOT BE RESTORED: parallelism 5 of count is above the maximum parallelism of its "
        "state, 4"
    )
    just = compare([replace(IN_COUNT, max_parallelism=5)], None, program(parallelism=5))
    assert just.compatibility is Compatibility.FITS


def test_operators_without_uids_fit_only_in_a_program_of_the_same_operators() -> None:
    """Shows that a place alone is no evidence: another operator may have it."""
    held = [HeldState(SOURCE, "Source: numbers", 10, 128)]
    same = compare(held, program(), program(parallelism=3))
    assert same.compatibility is Compatibility.FITS
    other = compare(held, program(), program(operator_id("other"), name="other"))
    assert other.compatibility is Compatibility.CANNOT_TELL
    assert str(other) == (
        f"whether state fits is unknown: no uid is set for Source: numbers ({SOURCE})"
    )


def test_state_of_a_chain_fits_where_all_its_operators_are_there() -> None:
    chain = HeldState(COUNT, "count -> sink", 4000, 128, of_chain=True)
    verdict = compare([chain], program(), program(name="counting"))
    assert str(verdict) == "state fits (1 chain, 4.0 kB)"


def test_state_of_a_chain_whose_head_may_have_none_cannot_be_told() -> None:
    old, new = program(), program(operator_id("renamed"))
    forward = ProgramGraphs(
        graph(*(replace(each, keyed=False) for each in old.chained.vertices)), old.unchained
    )
    chain = HeldState(COUNT, "count -> sink", 4000, 128, of_chain=True)
    assert compare([chain], forward, new).compatibility is Compatibility.CANNOT_TELL
    assert compare([chain], old, new).compatibility is Compatibility.DROPS


@pytest.mark.parametrize("held", [[], [replace(IN_COUNT, size=0)]])
def test_no_state_at_all_is_said_so(held: list[HeldState]) -> None:
    assert compare(held, None, program()).compatibility is Compatibility.FITS
    assert str(compare([], None, program())) == "it has no state"


def test_state_of_unknown_size_is_not_said_to_be_dropped() -> None:
    verdict = compare([replace(IN_COUNT, size=None)], program(), program(operator_id("renamed")))
    assert verdict.compatibility is Compatibility.CANNOT_TELL
    fits = compare([replace(IN_COUNT, size=None)], program(), program())
    assert str(fits) == "state fits (1 operator)"


def test_what_was_not_compared_is_unknown() -> None:
    verdict = StateVerdict(why_unknown="the cluster is away")
    assert str(verdict) == "state was not compared: the cluster is away"


def test_the_first_operator_of_a_chain_is_known_though_it_has_another_id_without_chaining() -> None:
    """Shows it of a keyed operator without a uid, after which another program has one more."""
    head = Vertex(
        "20ba6b65f97481d5570070de90e4e791", ("count", "sink"), keyed=True, inputs=(SOURCE,)
    )
    alone = Vertex("0a448493b4782967b150582570326227", ("count",), keyed=True, inputs=(SOURCE,))
    more = Vertex("6d2677a0ecc3fd8df0b72ec675edf8f4", ("more",), inputs=(SINK,))
    source, sink = NUMBERS, Vertex(SINK, ("sink",), inputs=(COUNT,))
    old = ProgramGraphs(graph(source, head), graph(source, alone, sink))
    longer = replace(head, operators=("count", "sink", "more"))
    new = ProgramGraphs(graph(source, longer), graph(source, alone, sink, more))
    held = [HeldState(head.id, "count", 4000, 128)]
    assert compare(held, old, new).compatibility is Compatibility.CANNOT_TELL
    assert compare(held, old, old).compatibility is Compatibility.FITS
    gone = ProgramGraphs(
        graph(source, replace(head, id=COUNT)), graph(source, replace(alone, id=COUNT))
    )
    assert compare(held, old, gone).compatibility is Compatibility.DROPS
