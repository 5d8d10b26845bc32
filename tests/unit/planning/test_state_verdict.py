"""Whether a version can go on from a state: verdicts by the operators of both versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.job_graph import JobGraph, Vertex, operator_id
from flink_jobs_provider.model.snapshot import OperatorSnapshot, SnapshotMetadata, StateKind
from flink_jobs_provider.planning.held_state import HeldState, held_in
from flink_jobs_provider.planning.state_verdict import (
    Compatibility,
    Maxima,
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


@pytest.mark.parametrize(
    ("most", "old", "new", "refused"),
    [
        pytest.param(128, None, 256, True, id="set, where Flink had chosen"),
        pytest.param(64, 64, 128, True, id="changed"),
        pytest.param(64, 64, None, False, id="no longer set, so that Flink takes the state's"),
        pytest.param(64, 64, 64, False, id="as before"),
        pytest.param(128, None, 128, False, id="set to what the state has"),
        pytest.param(16, None, 128, False, id="the operator's own"),
        pytest.param(16, 64, 128, False, id="the operator's own, and changed elsewhere"),
    ],
)
def test_another_maximum_parallelism_than_that_of_the_state(
    most: int, old: int | None, new: int | None, refused: bool
) -> None:
    state = replace(IN_COUNT, max_parallelism=most)
    verdict = compare([state], program(), program(), maxima=Maxima(old, new))
    assert (verdict.compatibility is Compatibility.CANNOT_RESTORE) == refused
    if refused:
        assert str(verdict) == (
            f"state CANNOT BE RESTORED: the maximum parallelism of the state of count is {most}, "
            f"and pipeline.max-parallelism is {new} now"
        )


@pytest.mark.parametrize(("parallelism", "most"), [(1, 128), (85, 128), (86, 256), (30000, 32768)])
def test_the_maximum_that_flink_chooses(parallelism: int, most: int) -> None:
    """Shows it as `KeyGroupRangeAssignment.computeDefaultMaxParallelism` has it."""
    assert Maxima(None, 7).refuses(most, [parallelism])
    assert not Maxima(None, 7).refuses(most * 2, [parallelism])


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
    counted = ProgramGraphs(
        graph(source, replace(head, operators=("[3]:count", "sink"))),
        graph(source, replace(alone, operators=("[5]:count",)), sink),
    )
    assert compare(held, counted, gone).compatibility is Compatibility.DROPS


def test_nothing_is_gone_of_a_program_that_was_not_planned_without_chaining() -> None:
    """Shows it of a uid that the snapshot names: it may be within one of the chains."""
    chained = ProgramGraphs(program().chained)
    verdict = compare([replace(IN_SINK, has_uid=True)], None, chained)
    assert verdict.compatibility is Compatibility.CANNOT_TELL
    by_plan = compare([IN_SINK], program(), chained)
    assert by_plan.compatibility is Compatibility.CANNOT_TELL
    chain = HeldState(COUNT, "count -> sink", 4000, 128, of_chain=True)
    of_chain = compare([chain], program(), ProgramGraphs(program(operator_id("more")).chained))
    assert of_chain.compatibility is Compatibility.CANNOT_TELL


def test_a_chain_in_one_line_is_not_taken_for_its_first_operator() -> None:
    """Shows it of `pipeline.vertex-description-mode: CASCADING`: the sink's uid is another one."""
    old = program()
    cascading = ProgramGraphs(
        graph(*(replace(each, operators=(each.name,)) for each in old.chained.vertices)),
        old.unchained,
    )
    sink = Vertex(operator_id("other"), ("sink",), inputs=(COUNT,))
    assert old.unchained is not None
    new = ProgramGraphs(cascading.chained, graph(*old.unchained.vertices[:2], sink))
    chain = HeldState(COUNT, "count -> sink", 4000, 128, of_chain=True)
    assert compare([chain], cascading, new).compatibility is Compatibility.CANNOT_TELL


LAMBDAS = (
    "Window(TumblingProcessingTimeWindows(30000, 0), null, Zoo$$Lambda/0x00007f2a{}@7{})",
    "Window(TumblingProcessingTimeWindows(30000, 0), null, Zoo$$Lambda$11{}/0x00000008{})",
    "GroupAggregate[1{}]",
)


@pytest.mark.parametrize("name", LAMBDAS)
def test_what_differs_in_each_run_of_main_makes_no_other_program(name: str) -> None:
    """Shows it of names as Flink 2.3.0 and the Table API make them."""
    held = [HeldState(SOURCE, "Source: numbers", 10, 128)]
    old, new = program(name=name.format(3, 4)), program(name=name.format(5, 6))
    assert compare(held, old, new).compatibility is Compatibility.FITS
    other = program(name="Other" + name)
    assert compare(held, old, other).compatibility is Compatibility.CANNOT_TELL


def snapshot(*operators: OperatorSnapshot) -> SnapshotMetadata:
    return SnapshotMetadata(6, 1, operators)


def test_records_in_flight_are_no_state_of_a_savepoint() -> None:
    """Shows that a savepoint carries neither records in flight nor empty parts of merged files."""
    counts = OperatorSnapshot(COUNT, kinds=(StateKind.KEYED,), has_state=True, size=9)
    waits = OperatorSnapshot(SINK, kinds=(StateKind.INPUT_CHANNEL,), has_state=True, size=9)
    empty = OperatorSnapshot(SOURCE, has_state=True)
    unaligned = snapshot(counts, waits, empty)
    by_savepoint = held_in(unaligned, {}, drained=True).states
    assert [each.id for each in by_savepoint] == [COUNT]
    by_checkpoint = held_in(unaligned, {}, drained=False).states
    assert [each.id for each in by_checkpoint] == [COUNT, SINK, SOURCE]


def test_an_operator_that_has_finished_takes_no_other_into_its_chain() -> None:
    """Shows what Flink refuses as a vertex with mixed operator finished state."""
    [finished] = held_in(
        snapshot(OperatorSnapshot(COUNT, "count", parallelism=2, finished_subtasks=2)),
        {},
        drained=True,
    ).finished
    old = program()
    longer = replace(old.chained.vertices[1], operators=("count", "new", "sink"))
    new = ProgramGraphs(graph(NUMBERS, longer), old.unchained)
    verdict = compare([IN_COUNT], old, new, [finished])
    assert verdict.compatibility is Compatibility.CANNOT_TELL
    assert str(verdict) == (
        f"whether state fits is unknown: count ({COUNT}) came to the end of its input, and the "
        "new version has other operators before it or in its chain, which Flink refuses where they "
        "are new"
    )
    assert compare([IN_COUNT], old, old, [finished]).compatibility is Compatibility.FITS
