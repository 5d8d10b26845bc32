"""A jar's manifest, read without unpacking more than it can need: jars come from anybody.

A deflated text may be a thousand times as long as it is in the archive, and a directory of names
takes many times its bytes in memory. Both are limited, before anything of it is read.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

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


class UnreadableManifest(Exception):
    """A manifest that cannot be read; the text says why."""


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
    """Return the entry class: Flink looks for program-class before Main-Class.

    Names have no case; a line that begins with a blank goes on with the one before.
    """
    lines = section.replace("\n ", "").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    values = {name.strip().lower(): value.strip() for name, value in pairs}
    return values.get("program-class") or values.get("main-class") or ""
