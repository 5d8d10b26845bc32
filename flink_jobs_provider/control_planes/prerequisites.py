"""What a target needs on this machine, as far as it is known without asking anybody.

References to secrets, files of TLS and further packages are looked at in a preview, on the
properties that name them; the connection would find the same later, one fault at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from flink_jobs_provider.control_planes.connection import secret, trust
from flink_jobs_provider.control_planes.protocol import Resolve
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.target import Target, Tls

_Problem = tuple[str, str]


class Prerequisites:
    """Looks for what targets need, once for each.

    Args:
        resolve: Resolves references to secrets.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._found: dict[str, list[_Problem]] = {}

    def missing(self, target: Target) -> list[_Problem]:
        """Return what a target needs and this machine lacks: (property path, what is missing)."""
        key = target.model_dump_json()
        if key not in self._found:
            problems = [*_references(target, self._resolve), *_packages(target)]
            if target.tls:
                problems += _tls(target.tls, self._resolve)
            self._found[key] = problems
        return self._found[key]


def _references(target: Target, resolve: Resolve) -> Iterator[_Problem]:
    for path, reference in target.references().items():
        try:
            secret(resolve, reference, f"target.{path}")
        except ClusterRefused as error:
            yield f"target.{path}", _without_path(error, f"target.{path}")


def _tls(tls: Tls, resolve: Resolve) -> Iterator[_Problem]:
    """Return the files that are missing or unreadable; or else of which none is of use."""
    unreadable = False
    for name in ("ca_file", "certificate_file", "key_file"):
        file = getattr(tls, name)
        if file is None:
            continue
        try:
            with open(file, "rb") as opened:
                opened.read(1)
        except OSError as error:
            unreadable = True
            yield f"target.tls.{name}", f"{file} cannot be read: {error.strerror or error}"
    if unreadable:
        return
    try:
        trust(tls, resolve)
    except ClusterRefused as error:
        if "refers to" not in error.happened:  # that was found before
            yield error.field, _without_path(error, error.field)


def _packages(target: Target) -> Iterator[_Problem]:
    needed = target.needed_extra()
    if needed and not _is_installed(needed[1]):
        yield f"target.{needed[0]}", _needs(needed[1])


_MODULES = {"azure": "azure.identity", "dli": "huaweicloudsdkcore"}


def _is_installed(extra: str) -> bool:
    try:
        return find_spec(_MODULES[extra]) is not None
    except ImportError:
        return False


def _needs(extra: str) -> str:
    return f'needs a further package: pip install "flink-jobs-provider[{extra}]"'


def _without_path(error: ClusterRefused, path: str) -> str:
    """Return an error's text for the property that it names."""
    return str(error).removeprefix(path).strip()
