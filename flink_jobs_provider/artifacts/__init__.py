"""Jars: opened by URI, digested, cached."""

from flink_jobs_provider.artifacts.jar import Jar, find_jar, open_jar
from flink_jobs_provider.artifacts.storage import (
    FileMissing,
    StorageError,
    list_directory,
    list_names,
)

__all__ = [
    "FileMissing",
    "Jar",
    "StorageError",
    "find_jar",
    "list_directory",
    "list_names",
    "open_jar",
]
