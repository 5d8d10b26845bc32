"""Storage by URI, through fsspec: local files, http, and object stores by their extras."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Schemes that are another store's under a name of their own, and the extra each needs.
_ALIASES = {"s3a": "s3", "s3n": "s3", "obs": "s3", "abfss": "abfs", "oss": "s3"}
_EXTRAS = {"abfs": "abfs", "s3": "s3", "gs": "gcs", "gcs": "gcs", "obs": "obs"}


class StorageError(Exception):
    """A file or directory cannot be read; the text says why, in one line."""


class FileMissing(StorageError):
    """There is certainly nothing at that place."""


@dataclass(frozen=True)
class Entry:
    """One file below a directory: its path with scheme, and its time in seconds since the epoch."""

    path: str
    modified: float


def local_path(uri: str) -> Path | None:
    """Return the absolute path of a local file's path or URI; none where it lies elsewhere."""
    scheme, separator, rest = uri.partition("://")
    if separator and scheme not in ("file", "local"):
        return None
    path = rest if separator else uri.removeprefix("file:")  # file:/a, as Flink writes it
    return Path(os.path.abspath(os.path.expanduser(path)))


def open_filesystem(uri: str) -> tuple[Any, str]:
    """Return the fsspec filesystem of a URI, and the path within it.

    An `obs://` URI is reached through the store's S3 interface; its address is taken from
    OBS_ENDPOINT_URL.

    Raises:
        StorageError: The scheme is unknown, or its extra is not installed.
    """
    import fsspec  # not before it is needed: a preview of local jars starts the faster

    local = local_path(uri)
    protocol, _, path = ("file", "", str(local)) if local else uri.partition("://")
    target, options = _ALIASES.get(protocol, protocol), {}
    if protocol == "obs":
        endpoint = os.environ.get("OBS_ENDPOINT_URL")
        if not endpoint:
            raise StorageError("set OBS_ENDPOINT_URL to the address of the object storage service")
        options = {"endpoint_url": endpoint}
    if target in ("http", "https"):
        path = uri
    try:
        filesystem = fsspec.get_filesystem_class(target)
    except ImportError:
        extra = _EXTRAS.get(protocol) or _EXTRAS.get(target, protocol)
        raise StorageError(
            f'{protocol}:// needs a further package: pip install "flink-jobs-provider[{extra}]"'
        ) from None
    except ValueError:
        raise StorageError(
            f"{protocol}:// is no known scheme (known: file, http, https, abfs, s3, gs, obs)"
        ) from None
    if target == "abfs" and (account := _account_of(uri)):
        options["account_name"] = account
    try:
        return filesystem(**options), path
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise StorageError(f"{protocol}:// cannot be reached: {_reason(error)}") from None


def _account_of(uri: str) -> str:
    """Return the storage account of abfs://container@account…/path; empty where it names none."""
    authority = uri.partition("://")[2].partition("/")[0]
    return authority.partition("@")[2].partition(".")[0]


def list_directory(uri: str) -> list[Entry]:
    """List the files below a directory, at any depth; empty where it does not exist.

    Their paths begin as the directory is spelt: a cluster that reads s3a:// may know no s3://.

    Raises:
        StorageError: It cannot be listed.
    """
    filesystem, path = open_filesystem(uri)
    found = _listed(lambda: filesystem.find(path, detail=True), {})
    base = str(filesystem._strip_protocol(path)).rstrip("/")
    return [
        Entry(
            uri.rstrip("/") + name.removeprefix(base)
            if name.startswith(f"{base}/")
            else filesystem.unstrip_protocol(name),
            _modified(info),
        )
        for name, info in found.items()
    ]


def list_names(uri: str) -> list[str]:
    """List the names in a directory, not what lies below them; empty where it does not exist.

    Raises:
        StorageError: It cannot be listed.
    """
    filesystem, path = open_filesystem(uri)
    found = _listed(lambda: filesystem.ls(path, detail=False), [])
    return [str(name).rstrip("/").rsplit("/", 1)[-1] for name in found]


def _listed(call: Callable[[], Any], nothing: Any) -> Any:
    """Return what a store lists; nothing where the directory does not exist."""
    try:
        return call()
    except FileNotFoundError:
        return nothing
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise StorageError(_reason(error)) from None


def _modified(info: dict[str, Any]) -> float:
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value: Any = info.get(name)
        if isinstance(value, int | float):
            return float(value)
        if value is not None and hasattr(value, "timestamp"):
            return float(value.timestamp())
    return 0.0


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
