"""Storage by URI, through fsspec: local files, http, and object stores by their extras."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from flink_jobs_provider.model.errors import Signal

#: Schemes that are another store's under a name of their own, and the extra each needs.
_ALIASES = {"s3a": "s3", "s3n": "s3", "obs": "s3", "abfss": "abfs", "oss": "s3"}
_OURS = {"file", "http", "https", "abfs", "s3", "gs", "gcs", "memory"}
_EXTRAS = {"abfs": "abfs", "s3": "s3", "gs": "gcs", "gcs": "gcs", "obs": "obs"}
#: Seconds within which a store must describe one path, and list a directory.
ANSWER_WITHIN = 30.0
LIST_WITHIN = 120.0
#: As s3fs has it, an endpoint that accepts connections and is silent is waited for 25 minutes.
_S3_CONNECT = 10
_S3_READ = 30
_S3_ATTEMPTS = 2


class StorageError(Signal):
    """A file or directory cannot be read; the text is the reason, in one line."""


class ContainerMissing(StorageError):
    """There is certainly no bucket or container of that name."""


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
    OBS_ENDPOINT_URL. A scheme that is not among ours is reached as fsspec does it, with the host
    and user of the URI.

    Raises:
        StorageError: The scheme is unknown, or its extra is not installed.
    """
    import fsspec  # not before it is needed: a preview of local jars starts the faster

    local = local_path(uri)
    protocol, _, path = ("file", "", str(local)) if local else uri.partition("://")
    target = _ALIASES.get(protocol, protocol)
    options: dict[str, Any] = {}
    if protocol == "obs":
        endpoint = os.environ.get("OBS_ENDPOINT_URL")
        if not endpoint:
            raise StorageError("set OBS_ENDPOINT_URL to the address of the object storage service")
        options = {"endpoint_url": endpoint}
    if target in ("http", "https"):
        path = uri
    try:
        filesystem = fsspec.get_filesystem_class(target)
    except ImportError as error:
        raise _package_missing(protocol, error) from None
    except ValueError:
        raise StorageError(
            f"{protocol}:// is no known scheme (known: file, http, https, abfs, s3, gs, obs)"
        ) from None
    if target == "abfs" and (account := _account_of(uri)):
        options["account_name"] = account
    try:
        if target == "s3":
            options["config_kwargs"] = _s3_limits(fsspec.config.conf.get("s3", {}))
        elif target not in _OURS:
            options, path = filesystem._get_kwargs_from_urls(uri), filesystem._strip_protocol(uri)
        opened = filesystem(**options)
    except ImportError as error:  # hdfs:// imports its package no sooner than here
        raise _package_missing(protocol, error) from None
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise StorageError(f"{protocol}:// cannot be reached: {reason_of(error)}") from None
    if target == "s3":
        opened.retries = _S3_ATTEMPTS
    return opened, path


def _package_missing(protocol: str, error: ImportError) -> StorageError:
    """Return the error for a scheme whose package is not installed, with the one that is needed."""
    extra = _EXTRAS.get(protocol) or _EXTRAS.get(_ALIASES.get(protocol, protocol))
    if extra:
        needed = f'pip install "flink-jobs-provider[{extra}]"'
    elif protocol in (metadata("fsspec").get_all("Provides-Extra") or ()):
        needed = f'pip install "fsspec[{protocol}]"'
    else:
        needed = reason_of(error)
    return StorageError(f"{protocol}:// needs a further package: {needed}")


def _s3_limits(configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the time limits of S3's client, where none are configured."""
    limits: dict[str, Any] = {"connect_timeout": _S3_CONNECT, "read_timeout": _S3_READ}
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        limits["retries"] = {"total_max_attempts": _S3_ATTEMPTS}
    return {**limits, **configured.get("config_kwargs", {})}


def ask(filesystem: Any, question: str, path: str, **options: Any) -> Any:
    """Call a method of a filesystem; a store in the network must answer in a limited time.

    Args:
        filesystem: What `open_filesystem` returned.
        question: The method: info, exists, size, ls, find, rm_file.
        path: The path within it.
        options: Passed on.

    Raises:
        FileNotFoundError: There is nothing at that path.
        ContainerMissing: Its bucket or container does not exist.
        StorageError: The store did not answer in time.
        Exception: Whatever else the store raises.
    """
    if not _is_asynchronous(filesystem):
        return getattr(filesystem, question)(path, **options)
    lists = question in ("ls", "find")
    method = partial(getattr(filesystem, f"_{question}"), path, **options)
    try:
        answer = _in_time(filesystem, method, LIST_WITHIN if lists else ANSWER_WITHIN)
    except FileNotFoundError:
        _check_container(filesystem, path)
        raise
    if lists and not answer:
        _check_container(filesystem, path)
    return answer


def _in_time(filesystem: Any, method: Callable[[], Any], within: float = ANSWER_WITHIN) -> Any:
    from fsspec.asyn import sync
    from fsspec.exceptions import FSTimeoutError

    try:
        return sync(filesystem.loop, method, timeout=within)
    except FSTimeoutError:
        raise StorageError(f"the store did not answer within {within:g} s") from None


def _check_container(filesystem: Any, path: str) -> None:
    """Distinguish an empty bucket from one that does not exist.

    Both s3fs and adlfs list what is not there as empty. Where permissions hide whether it is
    there, nothing is claimed.

    Raises:
        ContainerMissing: There is no such bucket or container.
        StorageError: The store did not answer in time.
    """
    container = str(path).lstrip("/").partition("/")[0]
    kinds = (filesystem.protocol,) if isinstance(filesystem.protocol, str) else filesystem.protocol
    try:
        if "s3" in kinds:
            _in_time(filesystem, partial(filesystem._call_s3, "head_bucket", Bucket=container))
            return
        if "abfs" not in kinds:
            return
        name = container.partition("@")[0]
        if _in_time(filesystem, partial(filesystem._container_exists, name)):
            return
    except FileNotFoundError:
        pass
    except StorageError:
        raise
    except Exception:  # noqa: BLE001 - it may be there, and this caller may not see it
        return
    what = "bucket" if "s3" in kinds else "container"
    raise ContainerMissing(f"the {what} {container} does not exist")


def _account_of(uri: str) -> str:
    """Return the storage account of abfs://container@account…/path; empty where it names none."""
    authority = uri.partition("://")[2].partition("/")[0]
    return authority.partition("@")[2].partition(".")[0]


def file_exists(uri: str) -> bool:
    """Whether there is a file at a URI.

    Raises:
        StorageError: The store cannot be asked.
    """
    filesystem, path = open_filesystem(uri)
    try:
        return answered(lambda: ask(filesystem, "info", path), None) is not None
    except ContainerMissing:
        return False


def list_directory(uri: str) -> list[Entry]:
    """List the files below a directory, at any depth; empty where it does not exist.

    Its bucket or container must exist. The paths begin as the directory is spelt: a cluster that
    reads s3a:// may know no s3://.

    Raises:
        StorageError: It cannot be listed.
    """
    filesystem, path = open_filesystem(uri)
    find = partial(ask, filesystem, "find", path, detail=True)
    found = answered(find if _is_asynchronous(filesystem) else lambda: _find(filesystem, path), {})
    base = str(filesystem._strip_protocol(path)).rstrip("/")
    return [
        Entry(
            uri.rstrip("/") + name.removeprefix(base)
            if name.startswith(f"{base}/")
            else filesystem.unstrip_protocol(name),
            modified_time(info),
        )
        for name, info in found.items()
    ]


def _is_asynchronous(filesystem: Any) -> bool:
    from fsspec.asyn import AsyncFileSystem

    return isinstance(filesystem, AsyncFileSystem)


def _find(filesystem: Any, path: str) -> dict[str, Any]:
    """Return what a filesystem holds below a directory.

    Its own `find` passes over directories that it is not permitted to read, as if they were empty.
    """
    found: dict[str, Any] = {}
    below = [path]
    while below:
        directory = below.pop()
        try:
            infos = filesystem.ls(directory, detail=True)
        except FileNotFoundError:
            continue  # it is not there, or has just gone
        for info in infos:
            name = str(info["name"]).rstrip("/")
            if info["type"] != "directory":
                found[name] = info
            elif name != str(directory).rstrip("/"):
                below.append(name)
    return found


def list_names(uri: str) -> list[str]:
    """List the names in a directory, not what lies below them; empty where it does not exist.

    Raises:
        StorageError: It cannot be listed.
    """
    filesystem, path = open_filesystem(uri)
    found = answered(lambda: ask(filesystem, "ls", path, detail=False), [])
    return [str(name).rstrip("/").rsplit("/", 1)[-1] for name in found]


def answered(call: Callable[[], Any], nothing: Any) -> Any:
    """Return what a store answers; nothing where the file or directory does not exist.

    Raises:
        StorageError: The store answered with an error of its own.
    """
    try:
        return call()
    except FileNotFoundError:
        return nothing
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise StorageError(reason_of(error)) from None


def why_unseen(error: FileNotFoundError) -> BaseException | None:
    """Return why a file could not be seen; None where there is none.

    fsspec's http also reports a server so that cannot be reached, or that refuses.
    """
    cause = error.__cause__
    missing = isinstance(cause, FileNotFoundError) or getattr(cause, "status", 0) in (404, 410)
    return None if missing else cause


def modified_time(info: dict[str, Any]) -> float:
    """Return when a file was last changed, in seconds since the epoch; 0 where it is not known."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value: Any = info.get(name)
        if isinstance(value, int | float):
            return float(value)
        if value is not None and hasattr(value, "timestamp"):
            return float(value.timestamp())
    return 0.0


def reason_of(error: BaseException) -> str:
    """Return the reason of a store's error, in one line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


_ERRNO = re.compile(r"\[Errno (\d{1,5})\]")


def plain_reason(error: BaseException) -> str:
    """Return why a web server gave no file: the reason at the bottom of an error, in one line.

    aiohttp nests the errors of the sockets below it in texts of its own, such as "Cannot connect to
    host h:80 ssl:default [Multiple exceptions: [Errno 111] Connect call failed (…), …]".
    """
    for cause in _causes(error):
        if reason := _known(cause):
            return reason
    return reason_of(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those it was made of, the innermost first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = getattr(error, "os_error", None) or error.__cause__
    return reversed(chain)


def _known(error: BaseException) -> str:
    """Return what an error of the network means; empty for any other."""
    status = getattr(error, "status", None)  # an answer, as aiohttp raises it
    if isinstance(status, int) and status >= 400:
        return f"the server answered {status} {getattr(error, 'message', '')}".rstrip()
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, socket.gaierror):
        return "its host is unknown"
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return _of_system(error)
    return _PLAIN.get(type(error).__name__, "")


def _of_system(error: OSError) -> str:
    found = _ERRNO.search(str(error))
    number = error.errno if isinstance(error.errno, int) and error.errno > 0 else None
    number = number or (int(found[1]) if found else None)
    return os.strerror(number).lower() if number else ""


#: Errors of aiohttp that no error of a socket is behind.
_PLAIN = {
    "InvalidURL": "it is not a valid URL",
    "InvalidUrlClientError": "it is not a valid URL",
    "ServerDisconnectedError": "the server closed the connection",
    "ClientPayloadError": "the connection broke off while it was read",
    "TooManyRedirects": "the server redirects without end",
}
