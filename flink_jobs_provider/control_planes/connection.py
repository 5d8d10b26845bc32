"""The connections to all systems: secrets by reference, TLS, and one control plane per cluster.

What a system's control plane needs (an HTTP client first of all) is imported when the first of its
clusters is opened: a preview without new jobs asks no cluster, and starts without it.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, overload

from flink_jobs_provider.control_planes.protocol import Guard, Resolve
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.target import DliTarget, FlinkTarget, HDInsightTarget, Target, Tls

if TYPE_CHECKING:
    from flink_jobs_provider.control_planes.dli.plane import DliPlane
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest
    from flink_jobs_provider.control_planes.hdinsight.plane import HDInsightPlane


def environment(reference: str) -> str:
    """Return the secret that `env:NAME` refers to.

    Raises:
        KeyError: There is no such variable, or it is empty; its name.
    """
    kind, _, name = reference.partition(":")
    value = os.environ.get(name) if kind == "env" else None
    if not value:
        raise KeyError(name)
    return value


#: References whose values are sent in headers, which hold printable ASCII alone.
_IN_HEADERS = re.compile(
    r"(target\.)?(bearer_token|token|access_key|security_token|secret_headers\..+)"
)
_HEADER_VALUE = re.compile("[!-~]([ -~]*[!-~])?")


def secret(resolve: Resolve, reference: str, path: str) -> str:
    """Return the secret that the property at a path refers to.

    Raises:
        ClusterRefused: It leads nowhere, or to what no header can hold: the HTTP client would
            refuse it with a message that quotes it.
    """
    kind, _, name = reference.partition(":")
    where = "environment variable" if kind == "env" else "key of the stack's configuration"
    try:
        value = resolve(reference)
    except KeyError as error:
        raise ClusterRefused(
            f"{{field}} refers to {reference}, and there is no such {where}",
            remedy=f"Set {error.args[0] if error.args else name}",
            field=path,
        ) from None
    if _IN_HEADERS.fullmatch(path) and not _HEADER_VALUE.fullmatch(value):
        raise ClusterRefused(
            f"{{field}} refers to {reference}, and that {where} has characters that a header "
            "cannot have",
            remedy=f"Set {name} without line breaks, without spaces at its ends, in ASCII",
            field=path,
        )
    return value


@cache
def system_trust() -> ssl.SSLContext:
    """Return the system's certificates as what is trusted, loaded once in a process.

    Loading them takes 30 ms of CPU (Python 3.11 with the 140 of Debian 12); all clients share them.
    """
    return ssl.create_default_context()


def trust(tls: Tls | None, resolve: Resolve) -> ssl.SSLContext:
    """Return whose certificates are trusted, and which one is shown.

    Raises:
        ClusterRefused: A file cannot be used, or a reference leads nowhere.
    """
    if tls is None:
        return system_trust()
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise _unusable("target.tls.ca_file", tls.ca_file, error) from None
    if tls.certificate_file:
        password = None
        if tls.key_password:
            password = secret(resolve, tls.key_password, "target.tls.key_password")
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password)
        except OSError as error:
            raise _unusable("target.tls.certificate_file", tls.certificate_file, error) from None
    return context


def is_tls(error: BaseException | None) -> bool:
    """Whether TLS is at the bottom of an error: another try would end the same way."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unusable(field: str, file: str | None, error: OSError) -> ClusterRefused:
    return ClusterRefused(
        f"{{field}} {file} cannot be used: {error.strerror or error}",
        remedy="It must be a PEM file that this machine can read",
        field=field,
    )


def guarded(guard: Guard) -> dict[str, Any]:
    """Return the extensions of a request that have a guard called right before it is written.

    It may have waited for a connection, or for TLS, since it was made. Nothing of it was sent where
    the guard raises.
    """

    async def before(event: str, _details: object) -> None:
        if event.endswith(".send_request_headers.started"):
            guard()

    return {"trace": before}


_Problem = tuple[str, str]


class Prerequisites:
    """What targets need on this machine, as far as it is known without asking anybody.

    References to secrets, files of TLS and further packages are checked in a preview, on the
    properties that name them; the connection would find the same later, one fault at a time.
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
        install = f'pip install "flink-jobs-provider[{needed[1]}]"'
        yield f"target.{needed[0]}", f"needs a further package: {install}"


_MODULES = {"azure": "azure.identity", "dli": "huaweicloudsdkcore"}


def _is_installed(extra: str) -> bool:
    try:
        return find_spec(_MODULES[extra]) is not None
    except ImportError:
        return False


def _without_path(error: ClusterRefused, path: str) -> str:
    """Return an error's text for the property that it names."""
    return str(error).removeprefix(path).strip()


def _open_flink(
    target: FlinkTarget, resolve: Resolve, guard: Guard, submissions: int | None = None
) -> FlinkRest:
    from flink_jobs_provider.control_planes.flink.client import open_client
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest

    return FlinkRest(open_client(target, resolve), guard, submissions=submissions)


def _open_hdinsight(target: HDInsightTarget, resolve: Resolve, guard: Guard) -> HDInsightPlane:
    from flink_jobs_provider.control_planes.hdinsight.client import open_client
    from flink_jobs_provider.control_planes.hdinsight.plane import HDInsightPlane

    return HDInsightPlane(target, open_client(target, resolve), guard)


def _open_dli(target: DliTarget, resolve: Resolve, guard: Guard) -> DliPlane:
    from flink_jobs_provider.control_planes.dli.client import open_client
    from flink_jobs_provider.control_planes.dli.plane import DliPlane

    return DliPlane(target, open_client(target, resolve), guard)


#: How each kind of target is reached.
_OPENERS: Mapping[str, Callable[..., FlinkRest | HDInsightPlane | DliPlane]] = {
    "flink": _open_flink,
    "hdinsight": _open_hdinsight,
    "dli": _open_dli,
}


class Clusters:
    """Opens control planes by target, each once.

    A Flink cluster is given no more than `submissions` jobs at once, if a number is given.
    """

    def __init__(
        self,
        resolve: Resolve,
        guard: Guard = lambda: None,
        *,
        submissions: int | None = None,
    ) -> None:
        self._resolve = resolve
        self._guard = guard
        self._openers: Mapping[str, Callable[..., FlinkRest | HDInsightPlane | DliPlane]] = {
            **_OPENERS,
            "flink": partial(_open_flink, submissions=submissions),
        }
        self._planes: dict[str, FlinkRest | HDInsightPlane | DliPlane] = {}

    @overload
    def of(self, target: FlinkTarget) -> FlinkRest: ...

    @overload
    def of(self, target: HDInsightTarget) -> HDInsightPlane: ...

    @overload
    def of(self, target: DliTarget) -> DliPlane: ...

    def of(
        self, target: FlinkTarget | HDInsightTarget | DliTarget
    ) -> FlinkRest | HDInsightPlane | DliPlane:
        """Return the control plane of a target. Call it in the event loop that will use it.

        Raises:
            ClusterRefused: A reference leads nowhere, or a certificate file cannot be used.
        """
        key = target.model_dump_json()
        if key not in self._planes:
            self._planes[key] = self._openers[target.kind](target, self._resolve, self._guard)
        return self._planes[key]

    async def close(self) -> None:
        """Close all connections."""
        for plane in self._planes.values():
            await plane.close()
        self._planes.clear()


async def instance_of(clusters: Clusters, target: Target) -> str:
    """Return what a target's cluster shows and no other one has; empty where it shows none."""
    return "" if target.is_job_service else (await clusters.of(target).facts()).instance


async def started_jobs(clusters: Clusters, target: Target, name: str) -> set[tuple[object, ...]]:
    """Return the ids and start times of a target's jobs of a name; on Flink, of all its jobs."""
    if target.is_job_service:
        rows = await clusters.of(target).named(name)
        return {(row.run_id, row.job_id, row.started) for row in rows if row.started}
    snapshot = await clusters.of(target).jobs()  # a program may rename its job: all of them count
    return {(job.job_id, job.started) for job in snapshot.jobs if job.started}
