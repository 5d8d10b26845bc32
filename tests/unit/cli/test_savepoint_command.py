"""`flink-jobs savepoint show`: the operators of recorded savepoints, and why there are none."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flink_jobs_provider.cli.app import app
from tests.contract.flink.record_snapshots import recorded


def show(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["savepoint", "show", *words])


def savepoint(directory: Path, version: str, case: str) -> str:
    """Write a recorded file, and return its directory."""
    (directory / "_metadata").write_bytes(recorded(version)[case].metadata)
    return str(directory)


def test_the_operators_of_a_savepoint(tmp_path: Path) -> None:
    """Shows a line for each operator, finished ones too, and which has no uid."""
    shown = show(savepoint(tmp_path, "2.3.0", "heap-stop"))
    assert shown.exit_code == 0
    lines = {" ".join(line.split()) for line in shown.output.splitlines()}
    assert lines >= {
        "kind savepoint (Suspend Savepoint, canonical)",
        "format version 6",
        "operators 10, 7 of them with state",
        "size 8.3 kB",
        "operator uid parallelism max parallelism state size",
        "count count 2 8 keyed (canonical) 2.3 kB",
        "Source: numbers numbers 2 8 list, coordinator 500 B",
        "operator states 😀 größe-😀 2 8 list, union list, broadcast 1.4 kB",
        "raw raw 2 8 raw keyed, raw operator 44 B",
        "pause pause 2 8 - 0 B",
        "ended map ended-map 2 8 finished 0 B",
        "no uid - 2 8 list 388 B",
        "Without a uid: no uid. The state of such an operator is found again only as long as the "
        "program has the same operators in the same places.",
    }


def test_a_format_without_names(tmp_path: Path) -> None:
    """Shows that operators of older releases are listed by their ids, and why."""
    shown = show(savepoint(tmp_path, "1.20.5", "rocksdb-checkpoint"))
    assert "kind            checkpoint (Checkpoint)" in shown.output
    assert "b71731f1c0df9c3076c4a455334d0ad6  -" in shown.output
    assert "keyed (incremental)" in shown.output
    assert shown.output.endswith(
        "Format version 4 (before Flink 2.0) has no names and uids: operators are listed by their "
        "ids.\n"
    )
    shown = show(savepoint(tmp_path, "2.3.0", "rocksdb-checkpoint-v2"))
    assert "kind            not in this format" in shown.output


def test_a_handle_without_state(tmp_path: Path) -> None:
    """Shows that an operator may have to be there for its empty handle alone."""
    shown = show(savepoint(tmp_path, "2.3.0", "merged-files-checkpoint"))
    lines = {" ".join(line.split()) for line in shown.output.splitlines()}
    assert {"pause pause 2 8 empty 0 B", "operators 8, 7 of them with state"} <= lines


def test_json(tmp_path: Path) -> None:
    place = savepoint(tmp_path, "2.3.0", "heap-native-savepoint")
    document = json.loads(show(place, "--json").output)
    operators = {operator["uid"]: operator for operator in document.pop("operators")}
    assert document == {
        "path": place,
        "kind": "savepoint",
        "type": "Savepoint",
        "savepoint_format": "native",
        "checkpoint_id": document["checkpoint_id"],
        "format_version": 6,
        "size_bytes": sum(operator["size_bytes"] for operator in operators.values()),
        "master_states": [],
    }
    assert operators["größe-😀"] == {
        "id": "5d30dbb0b352b659180bc3281be46192",
        "name": "operator states 😀",
        "uid": "größe-😀",
        "parallelism": 2,
        "max_parallelism": 8,
        "stateful_subtasks": 2,
        "finished_subtasks": 0,
        "kinds": ["list", "union list", "broadcast"],
        "has_state": True,
        "states": operators["größe-😀"]["states"],
        "keyed_format": None,
        "size_bytes": 1374,
        "coordinator_size_bytes": 0,
    }
    assert {"name": "rules", "kind": "broadcast"} in operators["größe-😀"]["states"]
    assert operators[None]["name"] == "no uid"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no savepoint or checkpoint at {}: there is no such directory. Give"),
        (b"PK", "the _metadata file of {} is cut off: at byte 0: expected the magic number"),
        (b"PK\3\4", "the _metadata file of {} is damaged, or none of Flink's: at byte 0: exp"),
        (
            struct.pack(">ii", 0x4960672D, 9),
            "the operators of {} cannot be listed: at byte 4: expected a version of the format "
            "from 2 to 6, found version 9. A newer version, if Flink has one, needs a newer",
        ),
        (
            struct.pack(">ii", 0x4960672D, 1),
            "the operators of {} cannot be listed: at byte 4: expected a version of the format "
            "from 2 to 6, found version 1 (of Flink 1.1 or 1.2, which Flink itself no longer",
        ),
    ],
)
def test_why_there_is_nothing_to_show(tmp_path: Path, content: bytes | None, message: str) -> None:
    place = tmp_path / "savepoint-1"
    if content is not None:
        place.mkdir()
        (place / "_metadata").write_bytes(content)
    shown = show(str(place))
    assert shown.exit_code == 1
    assert shown.output.startswith("error: " + message.format(place))


def test_a_store_that_cannot_be_used() -> None:
    """Shows the reason, and no password that the address holds."""
    shown = show("http://user:secret@127.0.0.1:9/savepoint-1")
    assert shown.output == (
        "error: http://***@127.0.0.1:9/savepoint-1 cannot be read: connection refused\n"
    )
    assert "nowhere:// is no known scheme" in show("nowhere://bucket/savepoint-1").output
