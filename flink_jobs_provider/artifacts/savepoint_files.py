"""The `_metadata` file of a savepoint or checkpoint: whether it is complete, and what it tells.

The file begins with a magic number and the version of its format. Since version 4 (Flink 1.15) it
ends with the checkpoint's properties as a Java object (MetadataV4Serializer), which a file that was
cut off lacks, or holds in part. So its two ends are enough to judge it. The state files that it
names are not read. Recorded on Flink 1.20.5 and 2.3.0.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flink_jobs_provider.artifacts.snapshot_metadata import (
    FIRST_WITH_PROPERTIES,
    MAGIC,
    PROPERTIES_CLASS,
    STREAM_HEADER,
    CutOff,
    DataInput,
    JavaObjects,
    MetadataError,
    parse_metadata,
)
from flink_jobs_provider.artifacts.storage import (
    StorageError,
    answered,
    ask,
    open_filesystem,
    plain_reason,
    why_unseen,
)
from flink_jobs_provider.model.snapshot import SnapshotMetadata

#: How much of the end is read: the properties take some 1,000 bytes.
_TAIL = 16_384
_HEAD = 8
#: How large a file is read whole: a job of thousands of subtasks writes some 10 MB.
LARGEST = 256 * 1024 * 1024
#: How many savepoints below a directory are named, where it is given instead of one of them.
_MOST_NAMED = 3


class Condition(StrEnum):
    """The condition of a savepoint or checkpoint, as it shows from here."""

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


def savepoint_size(uri: str) -> int | None:
    """Return the bytes of all files in a savepoint's directory, or None where they are unseen."""
    try:
        filesystem, path = open_filesystem(uri)
        return int(ask(filesystem, "du", path))
    except Exception:  # noqa: BLE001 - each store raises errors of its own
        return None


class NoSnapshot(StorageError):
    """There is no savepoint or checkpoint at a path; the text is what is missing, in one line."""


def read_snapshot(uri: str) -> SnapshotMetadata:
    """Return what a savepoint or checkpoint holds, operator by operator.

    It blocks while the file is read: call it in a thread.

    Args:
        uri: Its directory, or its `_metadata` file, local or in a store.

    Raises:
        NoSnapshot: There is none at that path.
        StorageError: It cannot be read: the store, a package, a permission, or its size.
        MetadataError: The file is none of Flink's, is cut off, or of a version not known here.
    """
    filesystem, path = open_filesystem(uri.rstrip("/"))
    place = path if path.endswith("/_metadata") else f"{path}/_metadata"
    try:
        data = _content(filesystem, place)
        if data is None and place != path:
            data = _content(filesystem, path)  # a savepoint of one file, under a name of its own
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise StorageError(plain_reason(error)) from None
    if data is None:
        raise NoSnapshot(_what_is_missing(filesystem, path))
    return parse_metadata(data)


def _content(filesystem: Any, path: str) -> bytes | None:
    """Return the bytes of a file, or None where there is none."""
    try:
        if (info := ask(filesystem, "info", path)).get("type") == "directory":
            return None
        size = int(info.get("size") or 0)
        if size <= LARGEST:
            return bytes(filesystem.cat_file(path))
    except NotADirectoryError:
        return None
    except FileNotFoundError as error:
        if cause := why_unseen(error):
            raise StorageError(plain_reason(cause)) from None
        return None
    raise StorageError(f"its _metadata has {size} bytes; {LARGEST} are read at most")


def _what_is_missing(filesystem: Any, path: str) -> str:
    if path.endswith("/_metadata") or path.startswith("http"):
        return "there is no such file"
    found = answered(lambda: ask(filesystem, "ls", path, detail=False), [])
    if not found:
        return "there is no such directory"
    names = sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in found)
    below = [name for name in names if re.match(r"savepoint-|chk-\d", name)]
    more = f" and {len(below) - _MOST_NAMED} more" if len(below) > _MOST_NAMED else ""
    hint = f", but below it {', '.join(below[:_MOST_NAMED])}{more}" if below else ""
    return f"the directory has no _metadata file{hint}"


def _judged(head: bytes, tail: bytes, size: int) -> Finding:
    if size < _HEAD:
        return Finding(Condition.TORN, f"its _metadata file has {size} bytes")
    magic, version = struct.unpack(">ii", head)
    if magic != MAGIC:
        return Finding(Condition.TORN, "its _metadata file is none of Flink's")
    if version < FIRST_WITH_PROPERTIES:
        return WHOLE
    cut_off = Finding(Condition.TORN, f"its _metadata file is cut off, after {size} bytes")
    properties = PROPERTIES_CLASS.encode()
    begin = tail.rfind(STREAM_HEADER, 0, tail.rfind(properties) + 1)
    if begin < 0 or properties not in tail:
        return cut_off
    try:
        JavaObjects(DataInput(tail, begin + len(STREAM_HEADER))).value()
    except CutOff:
        return cut_off
    except MetadataError:
        return UNSEEN  # a format of later versions
    return WHOLE
