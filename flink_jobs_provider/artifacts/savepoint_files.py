"""Whether a savepoint or checkpoint is there and whole, as far as its `_metadata` file tells.

The file begins with a magic number and the version of its format. Since version 4 (Flink 1.15) it
ends with the checkpoint's properties as a Java object (MetadataV4Serializer), which a file that was
cut off lacks, or holds in part. The state files that it names are not looked at. Recorded on Flink
1.20.5 and 2.3.0.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from flink_jobs_provider.artifacts.java_objects import CutOff, UnknownObject, end_of_object
from flink_jobs_provider.artifacts.storage import StorageError, ask, open_filesystem

_MAGIC = 0x4960672D
#: Since this version of the format the file ends with the checkpoint's properties.
_WITH_PROPERTIES = 4
_PROPERTIES = b"org.apache.flink.runtime.checkpoint.CheckpointProperties"
_STREAM = b"\xac\xed\x00\x05"
#: How much of the end is read: the properties take some 1,000 bytes.
_TAIL = 16_384
_HEAD = 8


class Condition(StrEnum):
    """What can be told of a savepoint or checkpoint from here."""

    WHOLE = "is there"
    GONE = "is not there"
    TORN = "is torn"
    UNSEEN = "cannot be seen from here"


@dataclass(frozen=True)
class Finding:
    """The condition of a savepoint or checkpoint, and why it cannot be restored, if so."""

    condition: Condition
    reason: str = ""

    @property
    def broken(self) -> bool:
        """Whether nothing can be restored from it, for certain."""
        return self.condition in (Condition.GONE, Condition.TORN)

    def __str__(self) -> str:
        """Write it."""
        return self.condition.value + (f" ({self.reason})" if self.reason else "")


UNSEEN = Finding(Condition.UNSEEN)
WHOLE = Finding(Condition.WHOLE)


def inspect_savepoint(uri: str) -> Finding:
    """Return the condition of the savepoint or checkpoint in a directory."""
    place = uri.rstrip("/").removesuffix("/_metadata") + "/_metadata"
    try:
        filesystem, path = open_filesystem(place)
    except StorageError:
        return UNSEEN
    try:
        size = int(ask(filesystem, "size", path) or 0)
        head = filesystem.cat_file(path, start=0, end=min(size, _HEAD))
        tail = filesystem.cat_file(path, start=max(0, size - _TAIL), end=size)
    except FileNotFoundError:
        if place.startswith("http"):
            return UNSEEN  # so fsspec also calls a host that does not answer
        return Finding(Condition.GONE, "it has no _metadata file")
    except Exception:  # noqa: BLE001 - each store raises errors of its own
        return UNSEEN
    return _judged(head, tail, size)


def _judged(head: bytes, tail: bytes, size: int) -> Finding:
    if size < _HEAD:
        return Finding(Condition.TORN, f"its _metadata file has {size} bytes")
    magic, version = struct.unpack(">ii", head)
    if magic != _MAGIC:
        return Finding(Condition.TORN, "its _metadata file is none of Flink's")
    if version < _WITH_PROPERTIES:
        return WHOLE
    cut_off = Finding(Condition.TORN, f"its _metadata file is cut off, after {size} bytes")
    begin = tail.rfind(_STREAM, 0, tail.rfind(_PROPERTIES) + 1)
    if begin < 0 or _PROPERTIES not in tail:
        return cut_off
    try:
        end_of_object(tail, begin + len(_STREAM))
    except CutOff:
        return cut_off
    except UnknownObject:
        return UNSEEN  # a format of later versions
    return WHOLE
