"""Looking for a jar below a cluster's mounts: what their directories hold, what a manifest names.

Nothing outside a mount is listed or opened: a place must lie below a prefix that is mounted, and,
where that is a directory of this machine, still lie in one when all links are followed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from flink_jobs_provider.artifacts import DirectoryEntry, StorageError, list_entries, open_jar
from flink_jobs_provider.artifacts.storage import local_path
from flink_jobs_provider.gateway.jobs.background import QueueTimeout, Threads
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.errors import JarError

T = TypeVar("T")

#: Entries of a directory that are shown.
MOST_ENTRIES = 500
_ANSWER_WITHIN = 20.0
_PATIENCE = 5.0
#: The property that holds a jar's place, for refusals.
_TARGET = "properties.jarName"


@dataclass(frozen=True)
class ListedEntry:
    """A directory or a jar that can be chosen.

    Attributes:
        name: Its name.
        uri: Its place as callers name it.
        size: Bytes of a jar.
        modified: When a jar was last changed; None where that is not known.
    """

    name: str
    uri: str
    size: int = 0
    modified: datetime | None = None


@dataclass(frozen=True)
class JarDirectory:
    """What a directory holds, as callers name it.

    Attributes:
        uri: The directory; empty for the list of the mounts themselves.
        above: The directory that it is in; empty for the list of the mounts.
        directories: The directories in it.
        jars: The jars in it.
        left_off: How many more entries it has than are shown.
    """

    uri: str
    above: str
    directories: Sequence[ListedEntry] = ()
    jars: Sequence[ListedEntry] = ()
    left_off: int = 0


class JarBrowser:
    """Lists directories below mounts, and reads manifests there.

    Args:
        threads: Where storages are asked: one that hangs holds up nothing else.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def directory(self, cluster: ClusterConfiguration, uri: str) -> JarDirectory:
        """Return what a directory holds; of an empty URI the cluster's mounts.

        Raises:
            Refusal: It lies outside the mounts, or cannot be listed now.
        """
        if not uri:
            mounts = [ListedEntry(prefix, prefix) for prefix in sorted(cluster.mounts)]
            return JarDirectory("", "", mounts)
        return await self._asked(cluster, uri, partial(_directory, cluster, uri))

    async def main_class(self, cluster: ClusterConfiguration, uri: str) -> str:
        """Return the class that a jar's manifest names; empty where it names none.

        Raises:
            Refusal: The jar lies outside the mounts, or cannot be read.
        """
        return await self._asked(cluster, uri, partial(_main_class, cluster, uri))

    async def _asked(self, cluster: ClusterConfiguration, uri: str, function: Callable[[], T]) -> T:
        """Ask a storage in a thread."""
        try:
            return await self._threads.call_within(_ANSWER_WITHIN, _PATIENCE, function)
        except StorageError as error:
            reason = str(error)
        except JarError as error:
            reason = error.reason
        except TimeoutError:
            reason = f"its storage did not answer within {_ANSWER_WITHIN:g} s"
        except QueueTimeout:
            reason = "other places are being read, and it is not this one's turn yet"
        text = cluster.storage.in_callers_words(f"{uri} cannot be read: {reason}.")
        raise Refusal("InvalidParameter", text, target=_TARGET)


def _inside(cluster: ClusterConfiguration, uri: str) -> str:
    """Return where a place is that lies below a mount, also when all links are followed."""
    url = cluster.storage.resolve(uri, _TARGET)
    here = local_path(url)
    if here is not None and not cluster.storage.holds(Path(os.path.realpath(here))):
        raise Refusal(
            "InvalidParameter",
            f"{uri} leads out of the storage that is mounted for this cluster.",
            target=_TARGET,
        )
    return url


def _main_class(cluster: ClusterConfiguration, uri: str) -> str:
    return open_jar(_inside(cluster, uri)).main_class


def _directory(cluster: ClusterConfiguration, uri: str) -> JarDirectory:
    return _shown(cluster, uri, list_entries(_inside(cluster, uri)))


def _shown(
    cluster: ClusterConfiguration, uri: str, entries: Sequence[DirectoryEntry]
) -> JarDirectory:
    base = uri.rstrip("/")
    inside = [
        entry
        for entry in entries
        if (entry.is_directory or entry.name.lower().endswith(".jar"))
        and (entry.local is None or cluster.storage.holds(entry.local))
        and not entry.name.startswith(".")
    ]
    shown = inside[:MOST_ENTRIES]
    listed = [
        (
            entry.is_directory,
            ListedEntry(
                entry.name,
                f"{base}/{entry.name}",
                entry.size,
                datetime.fromtimestamp(entry.modified, UTC) if entry.modified else None,
            ),
        )
        for entry in shown
    ]
    is_mount = base in {prefix.rstrip("/") for prefix in cluster.mounts}
    return JarDirectory(
        uri=base,
        above="" if is_mount else base.rpartition("/")[0],
        directories=[entry for is_directory, entry in listed if is_directory],
        jars=[entry for is_directory, entry in listed if not is_directory],
        left_off=len(inside) - len(shown),
    )
