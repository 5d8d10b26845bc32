"""A job's jar: opened wherever it lies, digested by content, cached by that digest.

Its manifest is read without unpacking more than it can need, since jars come from anybody: a
deflated text may be a thousand times as long as it is in the archive, and a directory of names
takes many times its bytes in memory. Both are limited, before anything of it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flink_jobs_provider.artifacts.storage import (
    ContainerMissing,
    StorageError,
    ask,
    local_path,
    open_filesystem,
    plain_reason,
    reason_of,
    why_unseen,
)
from flink_jobs_provider.model.errors import JarError, JarMissing, Signal

_CHUNK = 1 << 20
#: What an object store or web server reports of a file that changes with its content.
_FINGERPRINTS = ("ETag", "etag", "content_md5", "md5Hash", "generation", "VersionId")

_MANIFEST = "META-INF/MANIFEST.MF"
#: Bytes of the longest main section. The sections after it are of signed files, and not read.
LONGEST_MAIN_SECTION = 1 << 20
#: Bytes of the longest manifest: the JobManager reads all of it into memory.
LONGEST_MANIFEST = 64 << 20
#: Bytes of the longest directory of an archive: that of a million short names.
LONGEST_DIRECTORY = 64 << 20
#: What Java unpacks (java.util.zip.ZipEntry).
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: Where the directory's size is in what zipfile knows of an archive's end; the same since 2.4.
_DIRECTORY_SIZE = 5


class UnreadableManifest(Signal):
    """A manifest that cannot be read; the text is the reason."""


@dataclass(frozen=True)
class Jar:
    """A jar as a local file.

    Attributes:
        path: The local file: the original, or a copy in the cache.
        digest: SHA-256 of its bytes, 64 hexadecimal digits.
        main_class: The manifest's Main-Class; empty where there is none.
    """

    uri: str
    path: Path
    digest: str
    main_class: str


_known: dict[tuple[str, int, int, int], Jar] = {}
_lock = threading.Lock()


def open_jar(uri: str) -> Jar:
    """Open a jar by path or URI. Blocks while a remote one is fetched.

    A local file is digested once for each content (known by inode, size and time); a remote one is
    fetched again unless its ETag or checksum shows that it is the same.

    Raises:
        JarMissing: It does not exist.
        JarError: It cannot be read, or is not a jar.
    """
    if path := local_path(uri):
        return _local(uri, path)
    try:
        return _remote(uri)
    except ContainerMissing as error:
        raise JarMissing(f"cannot open {uri}: {error}") from None
    except StorageError as error:
        raise JarError(f"cannot open {uri}: {error}") from None


def find_jar(uri: str, digest: str) -> Jar:
    """Return the jar that a URI once led to, by its digest: there still, or as a cached copy.

    It blocks.

    Raises:
        JarError: It is nowhere; the text names what is at the URI now.
    """
    try:
        jar = open_jar(uri)
        if jar.digest == digest:
            return jar
        reason = f"{uri} has other content now"
    except JarError as error:
        reason = error.reason
    copy = _cache() / f"{digest}.jar"
    if copy.is_file():
        jar = _local(str(copy), copy)
        if jar.digest == digest:  # its name is a digest, but somebody may have written to it
            return replace(jar, uri=uri)
    raise JarError(reason)


def _local(uri: str, path: Path) -> Jar:
    try:
        stat = path.stat()
    except OSError as error:
        kind = JarMissing if isinstance(error, FileNotFoundError) else JarError
        raise kind(
            f"cannot open {uri}: {error.strerror or error}", remedy=f"Looked for {path}"
        ) from None
    if not path.is_file():
        raise JarError(f"{uri} is not a file")
    mark = (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns)
    with _lock:
        if mark not in _known:
            _known[mark] = _inspected(uri, path)
        return _known[mark]


def _inspected(uri: str, path: Path) -> Jar:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        main_class = read_main_class(path)
    except zipfile.BadZipFile:
        raise JarError(f"{uri} is not a jar (no zip archive)") from None
    except UnreadableManifest as error:
        raise JarError(f"{uri} is not a jar that Flink can run: {error}") from None
    except OSError as error:
        raise JarError(f"cannot read {uri}: {error.strerror or error}") from None
    return Jar(uri, path, digest, main_class)


def _remote(uri: str) -> Jar:
    filesystem, path = open_filesystem(uri)
    try:
        info = ask(filesystem, "info", path)
    except FileNotFoundError as error:
        if cause := why_unseen(error):
            raise JarError(f"cannot open {uri}: {_reason(uri, cause)}") from None
        raise JarMissing(f"{uri} does not exist") from None
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise JarError(f"cannot open {uri}: {_reason(uri, error)}") from None
    marker = _marker(uri, info)
    cached = _from_cache(uri, marker) if marker else None
    return cached or _fetch(uri, filesystem, path, marker)


def _reason(uri: str, error: BaseException) -> str:
    return plain_reason(error) if uri.startswith(("http:", "https:")) else reason_of(error)


def _marker(uri: str, info: dict[str, Any]) -> str:
    marks = {name: str(info[name]) for name in _FINGERPRINTS if info.get(name)}
    if not marks:
        return ""
    text = json.dumps([uri, info.get("size"), marks], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _from_cache(uri: str, marker: str) -> Jar | None:
    note = _cache() / f"{marker}.uri"
    try:
        path = _cache() / f"{note.read_text().strip()}.jar"
    except OSError:
        return None
    if not path.is_file():
        return None
    jar = _local(str(path), path)
    # The cache may have been tampered with or cut short: its names are digests, so check.
    return Jar(uri, path, jar.digest, jar.main_class) if path.stem == jar.digest else None


def _fetch(uri: str, filesystem: Any, path: str, marker: str) -> Jar:
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=cache, suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as copy, filesystem.open(path, "rb") as source:
            while chunk := source.read(_CHUNK):
                copy.write(chunk)
        jar = _inspected(uri, partial)
        kept = cache / f"{jar.digest}.jar"
        partial.replace(kept)
        if marker:
            (cache / f"{marker}.uri").write_text(jar.digest)
        return Jar(uri, kept, jar.digest, jar.main_class)
    except JarError:
        raise
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise JarError(f"cannot fetch {uri}: {_reason(uri, error)}") from None
    finally:
        partial.unlink(missing_ok=True)


def _cache() -> Path:
    base = os.environ.get("FLINK_JOBS_CACHE")
    if base:
        return Path(base) / "jars"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "flink-jobs" / "jars"


def read_main_class(path: Path) -> str:
    """Return the manifest's entry class; empty where there is none.

    Raises:
        BadZipFile: It is no zip archive.
        UnreadableManifest: It exceeds a limit, or is damaged.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        end: Any = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end and end[_DIRECTORY_SIZE] > LONGEST_DIRECTORY:
            raise UnreadableManifest(
                f"its directory has {end[_DIRECTORY_SIZE]} bytes, and at most {LONGEST_DIRECTORY} "
                "are read"
            )
        with zipfile.ZipFile(file) as archive:
            return _main_class(_main_section(archive))


def _main_section(archive: zipfile.ZipFile) -> str:
    """Return the section before the first empty line, which alone is the jar's own."""
    try:
        info = archive.getinfo(_MANIFEST)
    except KeyError:
        return ""
    if info.file_size > LONGEST_MANIFEST:
        raise UnreadableManifest(
            f"its manifest has {info.file_size} bytes, and at most {LONGEST_MANIFEST} are accepted"
        )
    if info.compress_type not in _METHODS:
        raise UnreadableManifest("its manifest is neither stored nor deflated")
    try:
        with archive.open(info) as file:
            begin = file.read(LONGEST_MAIN_SECTION + 1)
    except (zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise UnreadableManifest(f"its manifest cannot be unpacked ({error})") from None
    text = begin.replace(b"\r\n", b"\n")
    section, separator, _ = text.partition(b"\n\n")
    if not separator and len(begin) > LONGEST_MAIN_SECTION:
        raise UnreadableManifest(
            f"the main section of its manifest has more than {LONGEST_MAIN_SECTION} bytes"
        )
    return section.decode("utf-8", "replace")


def _main_class(section: str) -> str:
    """Return the entry class: Flink reads program-class before Main-Class.

    Names have no case; a line that begins with a blank goes on with the one before.
    """
    lines = section.replace("\n ", "").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    values = {name.strip().lower(): value.strip() for name, value in pairs}
    return values.get("program-class") or values.get("main-class") or ""
