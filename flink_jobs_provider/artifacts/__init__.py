"""Files by URI: jars, opened, digested and cached; and savepoints, inspected."""

from flink_jobs_provider.artifacts.directory_listing import DirectoryEntry, list_entries
from flink_jobs_provider.artifacts.jar import Jar, find_jar, open_jar
from flink_jobs_provider.artifacts.savepoint_files import (
    UNSEEN,
    Condition,
    Finding,
    NoSnapshot,
    inspect_savepoint,
    read_snapshot,
)
from flink_jobs_provider.artifacts.snapshot_metadata import MetadataError
from flink_jobs_provider.artifacts.storage import (
    StorageError,
    file_exists,
    list_directory,
    list_names,
)

__all__ = [
    "UNSEEN",
    "Condition",
    "DirectoryEntry",
    "Finding",
    "Jar",
    "MetadataError",
    "NoSnapshot",
    "StorageError",
    "file_exists",
    "find_jar",
    "inspect_savepoint",
    "list_directory",
    "list_entries",
    "list_names",
    "open_jar",
    "read_snapshot",
]
