"""The SQLite file under a running gateway: whether it is still the one, and what SQLite says of it.

SQLite goes on with a file that was moved or removed: it has it open, and what is committed then is
gone when the process ends; a further connection makes an empty file at the same path.
"""

from __future__ import annotations

from pathlib import Path

#: What SQLite's primary result codes (sqlite.org/rescode.html) mean for whoever runs the gateway.
_CAUSES = {
    "SQLITE_FULL": "the disk of the database is full: free some space",
    "SQLITE_READONLY": "the database is read-only: make its file and directory writable",
    "SQLITE_IOERR": "the disk of the database fails, or a limit of the file's size is reached",
    "SQLITE_CANTOPEN": "the database cannot be opened: see its file, and who may read it",
    "SQLITE_BUSY": "another program has locked the database: end it",
    "SQLITE_NOTADB": "the file is no database: stop the gateway, and restore a backup",
    "SQLITE_CORRUPT": "the database is damaged: stop the gateway, and restore a backup",
}
#: No statement of the gateway's is wrong where SQLite reports these.
DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def code_of(error: object) -> str:
    """Return SQLite's primary code of an error, such as SQLITE_FULL; empty for others."""
    name = str(getattr(error, "sqlite_errorname", None) or "")
    return "_".join(name.split("_")[:2])


def cause_of(error: object) -> str:
    """Return what an error of SQLite's means, and its code; empty for others.

    SQLite's own text is not used: it may hold parts of a statement.
    """
    code = code_of(error)
    return f"{_CAUSES[code]} ({code})" if code in _CAUSES else ""


def leftovers(path: Path) -> str:
    """Return why a database is not to be made here: the records of one that is missing; or "".

    SQLite drops the journal beside a file that is empty. It writes the file's first page before
    the journal has any, so a start that was killed leaves no such pair.
    """
    journal = path.with_name(f"{path.name}-wal")
    if _size(path) or not _size(journal):
        return ""
    return (
        f"{path} is missing or empty, and {journal} has records of it: move the same file back; "
        f"to start with a backup, or without records, remove {journal.name} first"
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class SqliteFile:
    """The file of a database that was just opened.

    Args:
        path: Where it is.

    Attributes:
        moved: What is reported once it is no longer there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._identity = self._identified()
        self.moved = (
            f"{self._path} was moved, removed or replaced while the gateway runs: move the same "
            "file back, and the gateway continues"
        )

    @property
    def in_place(self) -> bool:
        """Whether the path still leads to the file that was opened."""
        return self._identity is not None and self._identified() == self._identity

    def _identified(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
