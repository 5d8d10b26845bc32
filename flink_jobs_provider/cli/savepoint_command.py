"""`flink-jobs savepoint`: what is in a savepoint or checkpoint, read without any cluster.

The modules that do the work are imported by the commands: `--help` need not wait for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import fail, say, say_facts, say_json, say_table, size

if TYPE_CHECKING:
    from flink_jobs_provider.model.snapshot import OperatorSnapshot, SnapshotMetadata

app = typer.Typer(
    help="Savepoints and checkpoints, without a cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _one_of_several() -> None:
    """Savepoints and checkpoints, without a cluster."""


@app.command()
def show(
    path: Annotated[
        str,
        typer.Argument(
            help="A savepoint's or checkpoint's directory, or its _metadata file: local, or in a "
            "store (s3://, abfs://, gs://, obs://, hdfs://, https://)."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """List the operators of a savepoint or checkpoint, and their state."""
    snapshot = _read(path)
    if as_json:
        say_json(_plain(path, snapshot))
        return
    say_facts(_facts(snapshot))
    say("")
    say_table(
        ("operator", "uid", "parallelism", "max parallelism", "state", "size"),
        [_cells(operator) for operator in snapshot.operators],
        right=("parallelism", "max parallelism", "size"),
    )
    for line in _remarks(snapshot):
        say("")
        say(line)


def _read(path: str) -> SnapshotMetadata:
    from flink_jobs_provider.artifacts import (
        MetadataError,
        NoSnapshot,
        StorageError,
        read_snapshot,
    )
    from flink_jobs_provider.artifacts.snapshot_metadata import CutOff, UnknownVersion
    from flink_jobs_provider.model.redaction import mask_addresses

    shown = mask_addresses(path)
    try:
        return read_snapshot(path)
    except NoSnapshot as error:
        fail(
            f"there is no savepoint or checkpoint at {shown}: {error}. Give the directory of one, "
            "or its _metadata file; one that was not completed has no such file."
        )
    except StorageError as error:
        fail(f"{shown} cannot be read: {mask_addresses(str(error))}")
    except UnknownVersion as error:
        fail(
            f"the operators of {shown} cannot be listed: {error}. A newer version, if Flink has "
            "one, needs a newer flink-jobs."
        )
    except CutOff as error:
        fail(f"the _metadata file of {shown} is cut off: {error}. Flink cannot restore it.")
    except MetadataError as error:
        fail(f"the _metadata file of {shown} is damaged, or none of Flink's: {error}.")


def _facts(snapshot: SnapshotMetadata) -> dict[str, object]:
    properties = snapshot.properties
    kind = "not in this format"
    if properties:
        details = [properties.type_name, properties.savepoint_format]
        kind = f"{properties.what} ({', '.join(filter(None, details))})"
    stateful = sum(bool(operator.kinds) for operator in snapshot.operators)
    return {
        "kind": kind,
        "number": snapshot.checkpoint_id,
        "format version": snapshot.format_version,
        "operators": f"{len(snapshot.operators)}, {stateful} of them with state",
        "size": size(snapshot.size),
    }


def _cells(operator: OperatorSnapshot) -> list[object]:
    return [
        *(operator.name or operator.id, operator.uid or None),
        *(operator.parallelism, operator.max_parallelism),
        *(_state(operator), size(operator.size)),
    ]


def _state(operator: OperatorSnapshot) -> str | None:
    if not operator.kinds:
        if operator.finished_subtasks == operator.parallelism:
            return "finished"
        return "empty" if operator.has_state else None
    from flink_jobs_provider.model.snapshot import StateKind

    words = [
        f"{kind} ({operator.keyed_format})" if kind is StateKind.KEYED else str(kind)
        for kind in operator.kinds
    ]
    return ", ".join(words)


def _remarks(snapshot: SnapshotMetadata) -> list[str]:
    if not snapshot.knows_uids:
        return [
            f"Format version {snapshot.format_version} (before Flink 2.0) has no names and uids: "
            "operators are listed by their ids."
        ]
    without = [each.label for each in snapshot.operators if each.has_state and not each.uid]
    if not without:
        return []
    return [
        f"Without a uid: {', '.join(without)}. The state of such an operator is found again only "
        "as long as the program has the same operators in the same places."
    ]


def _plain(path: str, snapshot: SnapshotMetadata) -> dict[str, Any]:
    from dataclasses import asdict

    from flink_jobs_provider.model.redaction import mask_addresses

    document = asdict(snapshot)
    properties = document.pop("properties") or {}
    return {
        "path": mask_addresses(path),
        "kind": properties.get("what"),
        "type": properties.get("type_name"),
        "savepoint_format": properties.get("savepoint_format") or None,
        "checkpoint_id": snapshot.checkpoint_id,
        "format_version": snapshot.format_version,
        "size_bytes": snapshot.size,
        "operators": [_plain_operator(each) for each in document["operators"]],
        "master_states": [_with_bytes(each) for each in document["master_states"]],
    }


def _plain_operator(operator: dict[str, Any]) -> dict[str, Any]:
    plain = _with_bytes(operator)
    return plain | {"name": plain["name"] or None, "uid": plain["uid"] or None}


def _with_bytes(document: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{key}_bytes" if key.endswith("size") else key: value for key, value in document.items()
    }
