"""`_metadata` files of real clusters, read as Flink itself reads them.

What a case is a snapshot of is told by record_snapshots.py, which made them.
"""

from __future__ import annotations

import pytest

from flink_jobs_provider.artifacts.snapshot_metadata import parse_metadata
from flink_jobs_provider.model.snapshot import (
    KeyedFormat,
    MasterState,
    NamedState,
    OperatorSnapshot,
    SnapshotMetadata,
    StateKind,
)
from tests.contract.flink.handmade_snapshots import old_handles
from tests.contract.flink.record_snapshots import Recorded, recorded

#: The versions of the format that releases of Flink write.
FORMATS = {"1.17.2": 4, "1.20.5": 4, "2.0.1": 5, "2.1.1": 6, "2.3.0": 6}
CASES = [(version, case) for version in FORMATS for case in recorded(version)]

NUMBERS = "ca88eee0095684d687a1b6495617f957"
COUNT = "b71731f1c0df9c3076c4a455334d0ad6"
OPERATOR_STATES = "5d30dbb0b352b659180bc3281be46192"
RAW = "2eb21345232e4346594708abffa5c25d"
PAUSE = "29bc39b8e0da45a3791e7412043731b3"
WRITER = "eae5c6d2bc3e7d57a36526fbb842351e"
COMMITTER = "8313c4f18bf3e7e2a533ee54d3249306"
ENDED = "711148d7995d899f2e2da39e4bc1e61d"
ENDED_MAP = "697bcee4719c989b3c49c13dac989abb"
#: The operator without a uid: its id is another as soon as the program has one source more.
NO_UID, NO_UID_WITH_ENDED = (
    "9e21fc48da836c4aabcb828331acbd4a",
    "da713932eb68b93c720981d839f6b48e",
)
#: The operators of each task, by the id of its first.
CHAINS = {
    NUMBERS: (NUMBERS,),
    COUNT: (COUNT, OPERATOR_STATES),
    RAW: (RAW, NO_UID, NO_UID_WITH_ENDED),
    PAUSE: (PAUSE, WRITER, COMMITTER),
    ENDED: (ENDED, ENDED_MAP),
}


def found(version: str, case: str) -> tuple[SnapshotMetadata, Recorded]:
    """Return what is read of a recording, and the recording."""
    recording = recorded(version)[case]
    return parse_metadata(recording.metadata), recording


def operators(version: str, case: str) -> dict[str, OperatorSnapshot]:
    """Return the operators of a recording by their ids."""
    return {operator.id: operator for operator in found(version, case)[0].operators}


def no_uid(of: dict[str, OperatorSnapshot]) -> str:
    """Return the id of the operator without a uid, which depends on the sources."""
    return NO_UID_WITH_ENDED if ENDED in of else NO_UID


@pytest.mark.parametrize(("version", "case"), [*CASES, ("handmade", "old-handles")])
def test_operators_are_as_flink_reads_them(version: str, case: str) -> None:
    """Shows ids, parallelism, sizes and whether there is state, as Flink's own classes have it."""
    metadata, recording = found(version, case)
    assert [
        (each.id, each.parallelism, each.max_parallelism, each.has_state, each.size)
        for each in metadata.operators
    ] == [
        (each.id, each.parallelism, each.max_parallelism, each.has_state, each.size)
        for each in recording.operators
    ]
    for operator, of_flink in zip(metadata.operators, recording.operators, strict=True):
        if of_flink.fully_finished:
            assert operator.finished_subtasks == operator.parallelism
            assert not operator.has_state
        else:
            assert operator.finished_subtasks == of_flink.finished_subtasks
        assert operator.stateful_subtasks <= of_flink.subtasks


@pytest.mark.parametrize(("version", "case"), CASES)
def test_sizes_are_those_that_the_cluster_reported(version: str, case: str) -> None:
    """Shows the sizes of tasks; REST counts no state of coordinators.

    Format version 2 has no records in flight.
    """
    metadata, recording = found(version, case)
    sizes = {each.id: each.size - each.coordinator_size for each in metadata.operators}
    if not case.endswith("-v2"):
        assert sum(sizes.values()) == recording.details["state_size"]
        for vertex, size in recording.details["tasks"].items():
            assert sum(sizes.pop(id_, 0) for id_ in CHAINS[vertex]) == size, vertex
        assert not any(sizes.values())
    assert metadata.checkpoint_id == recording.details["id"]


@pytest.mark.parametrize(("version", "case"), CASES)
def test_kinds_of_state(version: str, case: str) -> None:
    """Shows each kind of state where the job has it, whatever backend stored it."""
    of = operators(version, case)
    kinds = {id_: set(operator.kinds) - IN_FLIGHT for id_, operator in of.items()}
    coordinator = set() if case.endswith("-v2") else {StateKind.COORDINATOR}
    assert kinds[NUMBERS] == {StateKind.LIST} | coordinator
    assert kinds[COUNT] == {StateKind.KEYED}
    assert kinds[OPERATOR_STATES] == {StateKind.LIST, StateKind.UNION, StateKind.BROADCAST}
    assert kinds[RAW] == {StateKind.RAW_KEYED, StateKind.RAW_OPERATOR}
    assert kinds[no_uid(of)] == {StateKind.LIST}
    assert kinds[PAUSE] == set()
    assert set(of[OPERATOR_STATES].states) == {
        NamedState("split", StateKind.LIST),
        NamedState("union", StateKind.UNION),
        NamedState("rules", StateKind.BROADCAST),
    }
    assert all(operator.stateful_subtasks == 2 for operator in of.values() if set(operator.kinds))


IN_FLIGHT = {StateKind.INPUT_CHANNEL, StateKind.OUTPUT_CHANNEL}


@pytest.mark.parametrize("version", FORMATS)
def test_records_in_flight(version: str) -> None:
    """Shows that those of an unaligned checkpoint are counted with the tasks that hold them."""
    of = operators(version, "unaligned-checkpoint")
    assert StateKind.OUTPUT_CHANNEL in of[NUMBERS].kinds
    assert StateKind.INPUT_CHANNEL in of[PAUSE].kinds
    assert of[PAUSE].size > 0
    assert not IN_FLIGHT & set(operators(version, "heap-savepoint")[PAUSE].kinds)


@pytest.mark.parametrize("version", FORMATS)
def test_formats_of_keyed_state(version: str) -> None:
    """Shows how keyed state is stored by each backend, and that savepoints may be of any."""
    formats = {
        case: operators(version, case)[COUNT].keyed_format
        for case in recorded(version)
        if not case[-1].isdigit()
    }
    merged = {"merged-files-checkpoint": KeyedFormat.INCREMENTAL}
    assert formats == {
        "heap-checkpoint": KeyedFormat.FULL,
        "heap-savepoint": KeyedFormat.CANONICAL,
        "heap-stop": KeyedFormat.CANONICAL,
        "heap-files-checkpoint": KeyedFormat.FULL,
        "heap-native-savepoint": KeyedFormat.FULL,
        "heap-drained": KeyedFormat.CANONICAL,
        "rocksdb-checkpoint": KeyedFormat.INCREMENTAL,
        "rocksdb-savepoint": KeyedFormat.CANONICAL,
        "rocksdb-native-savepoint": KeyedFormat.INCREMENTAL,
        "changelog-checkpoint": KeyedFormat.CHANGELOG,
        "changelog-files-checkpoint": KeyedFormat.CHANGELOG,
        "unaligned-checkpoint": KeyedFormat.FULL,
        **(merged if version >= "1.20" else {}),
    }


@pytest.mark.parametrize("version", FORMATS)
def test_properties(version: str) -> None:
    """Shows what each snapshot is: of which kind, why it was taken, in which format."""
    properties = {
        case: (told.what, told.type_name, told.savepoint_format)
        for case in recorded(version)
        if (told := found(version, case)[0].properties)
    }
    assert properties["heap-checkpoint"] == ("checkpoint", "Checkpoint", "")
    assert properties["heap-savepoint"] == ("savepoint", "Savepoint", "canonical")
    assert properties["heap-native-savepoint"] == ("savepoint", "Savepoint", "native")
    assert properties["heap-stop"] == ("savepoint", "Suspend Savepoint", "canonical")
    assert properties["heap-drained"] == ("savepoint", "Terminate Savepoint", "canonical")


@pytest.mark.parametrize(("version", "number"), FORMATS.items())
def test_names_and_uids(version: str, number: int) -> None:
    """Shows names and uids where the format has them, beyond ASCII too, and none elsewhere."""
    metadata, _ = found(version, "heap-savepoint")
    assert metadata.format_version == number
    assert metadata.knows_uids is (number >= 5)
    of = operators(version, "heap-savepoint")
    names = {id_: (operator.name, operator.uid) for id_, operator in of.items()}
    if number < 5:
        assert set(names.values()) == {("", "")}
        assert of[COUNT].label == COUNT
        return
    assert names[COUNT] == ("count", "count")
    assert names[OPERATOR_STATES] == ("operator states 😀", "größe-😀")
    assert names[no_uid(of)] == ("no uid", "")


def test_operators_that_have_finished() -> None:
    """Shows operators of a source that has come to its end."""
    of = operators("2.3.0", "heap-checkpoint")
    ended = {operator.name: operator for operator in of.values() if operator.finished_subtasks}
    assert len(ended) >= 1
    assert all(each.uid.startswith("ended") and not each.kinds for each in ended.values())


def test_older_formats_of_the_same_snapshot() -> None:
    """Shows versions 2 to 5, as Flink itself writes them: the same but for what they lack."""
    for number in (2, 3, 4, 5):
        now, _ = found("2.3.0", "rocksdb-checkpoint")
        then, _ = found("2.3.0", f"rocksdb-checkpoint-v{number}")
        assert then.format_version == number
        assert (then.properties is None) is (number < 4)
        assert [each.id for each in then.operators] == [each.id for each in now.operators]
        coordinator = now.size - then.size
        assert (coordinator > 0) is (number < 3)
        assert bool(then.operators[0].uid) is (number == 5)
    for number in (3, 4):
        then, _ = found("2.0.1", f"unaligned-checkpoint-v{number}")
        assert then.size == found("2.0.1", "unaligned-checkpoint")[0].size


def test_old_handles() -> None:
    """Shows handles that only older releases write, a master state, and tasks half finished.

    What Flink reads of the same bytes is shown with the other files.
    """
    metadata, recording = found("handmade", "old-handles")
    assert recording.metadata == old_handles()
    assert metadata.checkpoint_id == 7
    assert metadata.master_states == (MasterState("hook", 1, 3),)
    of = {int(operator.id, 16): operator for operator in metadata.operators}
    assert of[1].kinds == (StateKind.KEYED, StateKind.RAW_KEYED)
    assert [of[number].keyed_format for number in range(1, 6)] == [
        KeyedFormat.FULL,
        KeyedFormat.INCREMENTAL,
        KeyedFormat.CHANGELOG,
        KeyedFormat.FULL,
        None,
    ]
    assert [of[number].stateful_subtasks for number in range(1, 6)] == [1, 2, 1, 1, 0]
    assert [of[number].finished_subtasks for number in range(1, 6)] == [0, 0, 0, 1, 1]
