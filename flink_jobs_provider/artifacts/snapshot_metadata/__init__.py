"""The format of Flink's `_metadata` files: bytes in, values out."""

from flink_jobs_provider.artifacts.snapshot_metadata.data_input import (
    CutOff,
    DataInput,
    MetadataError,
)
from flink_jobs_provider.artifacts.snapshot_metadata.java_objects import (
    STREAM_HEADER,
    JavaObjects,
    UnknownObject,
)
from flink_jobs_provider.artifacts.snapshot_metadata.metadata_file import (
    FIRST_WITH_PROPERTIES,
    MAGIC,
    PROPERTIES_CLASS,
    UnknownVersion,
    parse_metadata,
)

__all__ = [
    "FIRST_WITH_PROPERTIES",
    "MAGIC",
    "PROPERTIES_CLASS",
    "STREAM_HEADER",
    "CutOff",
    "DataInput",
    "JavaObjects",
    "MetadataError",
    "UnknownObject",
    "UnknownVersion",
    "parse_metadata",
]
