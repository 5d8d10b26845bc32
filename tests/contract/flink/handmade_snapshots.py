"""A `_metadata` file with what no release from 1.17 on writes, but all read: old state handles.

Its bytes are made by hand, after MetadataV2V3SerializerBase. That Flink 2.3.0 reads them, and what,
is recorded (a JDK of 11 or newer is needed):

    python -m tests.contract.flink.handmade_snapshots
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import zlib
from base64 import b64encode
from pathlib import Path

from tests.contract.flink.record import RECORDED
from tests.contract.flink.record_snapshots import flink_snapshots, recorded
from tests.flink_cluster import FLINK_2

#: What the file begins with: magic number, version 3, checkpoint 7.
_HEAD = struct.pack(">iiq", 0x4960672D, 3, 7)
_NOTHING = bytes(1)
_NO_CHANNELS = bytes(8)
_NO_OPERATOR_STATE = bytes(8)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _file(size: int) -> bytes:
    return struct.pack(">bq", 2, size) + _text("file:/flink/checkpoints/shared/one")


def _bytes(data: bytes) -> bytes:
    return b"\1" + _text("name") + struct.pack(">i", len(data)) + data


def _key_groups(stream: bytes) -> bytes:
    return struct.pack(">biiqq", 3, 0, 2, 0, 8) + stream


def _incremental() -> bytes:
    shared = struct.pack(">i", 2) + _text("1.sst") + _file(1000) + _text("2.sst") + _file(200)
    private = struct.pack(">i", 1) + _text("MANIFEST") + _bytes(b"manifest")
    identity = struct.pack(">bq", 5, 7) + _text("no UUID, as before FLINK-6964")
    return identity + struct.pack(">ii", 0, 2) + _file(30) + shared + private


def _changelog() -> bytes:
    in_memory = struct.pack(">biiqqi", 9, 0, 2, 1, 3, 1) + struct.pack(">ii", 0, 5) + b"abcde"
    in_memory += _text("id-1")
    in_files = struct.pack(">biiiq", 10, 0, 2, 1, 16) + _file(77) + struct.pack(">qq", 61, 61)
    in_files += _text("id-2")
    head = struct.pack(">biiq", 8, 0, 2, 99)
    base = struct.pack(">i", 1) + _key_groups(_file(400))
    delta = struct.pack(">i", 2) + in_memory + in_files
    return head + base + delta + struct.pack(">q", 1) + _text("id-3")


def _operator(number: int, *subtasks: bytes, parallelism: int = 2) -> bytes:
    head = number.to_bytes(16) + struct.pack(">ii", parallelism, 8) + _NOTHING
    return head + struct.pack(">i", len(subtasks)) + b"".join(subtasks)


def _keyed(index: int, keyed: bytes, raw: bytes = _NOTHING) -> bytes:
    return struct.pack(">i", index) + _NO_OPERATOR_STATE + keyed + raw + _NO_CHANNELS


def old_handles() -> bytes:
    """Return the file: five operators and a master state."""
    hook = struct.pack(">i", 1) + _text("hook") + struct.pack(">i", 3) + b"abc"
    master = struct.pack(">Ii", 0xC96B1696, len(hook)) + hook
    finished = struct.pack(">i", -2)
    operators = [
        _operator(1, _keyed(0, _key_groups(_file(50)), _key_groups(_bytes(b"raw")))),
        _operator(2, _keyed(0, _incremental()), _keyed(1, _incremental())),
        _operator(3, _keyed(1, _changelog())),
        _operator(4, _keyed(0, _key_groups(_key_groups(_bytes(b"inner")))), finished),
        _operator(5, _keyed(0, _NOTHING), finished),
    ]
    states = struct.pack(">i", len(operators)) + b"".join(operators)
    return _HEAD + struct.pack(">i", 1) + master + states


def main() -> None:
    """Record what Flink reads of the file."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "_metadata"
        file.write_bytes(old_handles())
        lines = flink_snapshots(FLINK_2, "read", str(file)).splitlines()
    packed = b64encode(zlib.compress(old_handles(), 9)).decode()
    operators = [line.partition(" ")[2] for line in lines]
    cases = {"old-handles": {"details": {}, "metadata": packed, "operators": operators}}
    path = RECORDED / "snapshots-handmade.json"
    path.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path.name}: {len(recorded('handmade'))} snapshot\n")


if __name__ == "__main__":
    main()
