"""The plugin as an archive, for `pulumi plugin install --file`: a launcher and all its packages.

It is made of the environment that runs this, so nothing is downloaded, neither here nor where it is
installed. Some packages have compiled parts: it is for the same platform and version of Python,
which is all that it needs there.
"""

from __future__ import annotations

import gzip
import io
import platform
import re
import sys
import tarfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from flink_jobs_provider.plugin import package_schema

EXECUTABLE = "pulumi-resource-flink-jobs"
_OWN = "flink-jobs-provider"
_PACKAGES = "packages"
#: Of what the plugin does not do: the gateway, the local cluster (uv), a debugger, installers.
_EXTRAS_LEFT_OUT = {"gateway", "postgres"}
_LEFT_OUT = {"uv", "debugpy", "pip"}
#: What says where a package was installed from.
_OF_THE_INSTALLER = {"direct_url.json", "INSTALLER", "RECORD", "REQUESTED"}
_REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:\[([^\]]*)\])?")
_OF_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# An engine watches the process that it started: so the interpreter takes the launcher's place.
_LAUNCHER = """\
#!/bin/sh
# Pulumi's plugin flink-jobs, with the packages in this directory.
here=$(CDPATH='' cd -- "${0%/*}" && pwd) || exit 1
for python in python{version} python3; do
  if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != ({tuple}))' 2>/dev/null; then
    exec "$python" -I -c '
import sys
sys.path.insert(0, sys.argv.pop(1))
from flink_jobs_provider.plugin.serving import main
main()
' "$here/{packages}" "$@"
  fi
done
echo "{executable}: this archive needs Python {version}, and there is none on the PATH" >&2
exit 1
"""


def file_name() -> str:
    """Return the name that Pulumi's tools have for an archive of this version and platform."""
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    system = platform.system().lower()
    return f"{EXECUTABLE}-v{package_schema.version()}-{system}-{architecture}.tar.gz"


def write(file: Path) -> None:
    """Write the archive; the same environment makes the same bytes."""
    launcher = launcher_text(sys.version_info[:2]).encode()
    with (
        file.open("wb") as out,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=out, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        _add(archive, EXECUTABLE, launcher, mode=0o755)
        for name, path in sorted(_files(_needed())):
            _add(archive, f"{_PACKAGES}/{name}", path.read_bytes(), mode=0o644)


def launcher_text(version: tuple[int, int]) -> str:
    """Return the script that starts the plugin with a version of Python."""
    return (
        _LAUNCHER.replace("{version}", ".".join(map(str, version)))
        .replace("{tuple}", ", ".join(map(str, version)))
        .replace("{packages}", _PACKAGES)
        .replace("{executable}", EXECUTABLE)
    )


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _needed() -> list[Distribution]:
    """Return the installed packages that the plugin needs, itself first."""
    own = distribution(_OWN)
    extras = set(own.metadata.get_all("Provides-Extra") or ()) - _EXTRAS_LEFT_OUT
    found: dict[str, Distribution] = {}
    todo: list[tuple[str, frozenset[str]]] = [(_OWN, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, wanted = todo.pop()
        if (name, wanted) in seen or name in _LEFT_OUT:
            continue
        seen.add((name, wanted))
        try:
            package = found.get(name) or distribution(name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed, or of another platform
        found[name] = package
        todo.extend(_required(package.requires or (), wanted))
    return list(found.values())


def _required(
    requirements: Iterable[str], extras: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    for requirement in requirements:
        of_extra = _OF_EXTRA.search(requirement)
        found = _REQUIREMENT.match(requirement)
        if found is None or (of_extra and of_extra[1] not in extras):
            continue
        name = re.sub(r"[-_.]+", "-", found[1]).lower()
        yield name, frozenset(each.strip() for each in (found[2] or "").split(",") if each.strip())


def _files(packages: Iterable[Distribution]) -> Iterator[tuple[str, Path]]:
    """Return the files of packages, by their names in the directory of packages."""
    own = Path(__file__).parents[1]  # an editable installation lists none of its modules
    for path in own.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{own.name}/{path.relative_to(own).as_posix()}", path
    for package in packages:
        for listed in package.files or ():
            if listed.parts[0] in ("..", own.name) or "__pycache__" in listed.parts:
                continue
            if listed.suffix == ".pth" or listed.name in _OF_THE_INSTALLER:
                continue
            yield listed.as_posix(), Path(str(package.locate_file(listed)))
