"""The clusters that a gateway serves: their part of the configuration, and their storage mounts.

A job that was written for HDInsight on AKS names its jar as `abfs://container@account/…`. A mount
names the storage that this prefix stands for. What lies below no mount is not opened at all: the
gateway reads with its own rights, and a caller must not choose what it reads with them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from flink_jobs_provider.artifacts.storage import local_path
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.setting_types import Settings, from_file
from flink_jobs_provider.model.health_gate import HealthGate
from flink_jobs_provider.model.inputs import Directory
from flink_jobs_provider.model.savepoint_retention import SavepointRetention
from flink_jobs_provider.model.target import FlinkTarget

#: Returns a text in which places are named as callers of the cluster with a key name them.
Mask = Callable[[str, str], str]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
#: Encoded dots, separators, percent signs and control characters: the storage may decode them.
_ENCODED = re.compile(r"%(?:2e|2f|5c|25|[01][0-9a-f]|7f)", re.IGNORECASE)
_LONGEST = 4096
#: The inputs of jobs that a cluster's configuration alone decides on, not who asks for an action.
OF_CLUSTER = ("health", "savepoint_retention")
_CLUSTER_ID = re.compile(
    r"/subscriptions/[^/\s?#%]+/resourcegroups/[^/\s?#%]+/providers/microsoft\.hdinsight"
    r"/clusterpools/[^/\s?#%]+/clusters/[^/\s?#%]+",
    re.IGNORECASE,
)
_CLUSTER_EXAMPLE = (
    "/subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.HDInsight"
    "/clusterpools/<pool>/clusters/<cluster>"
)


class _Place(NamedTuple):
    """A URI taken apart. A bare path is a `file` place; scheme and authority have no case."""

    scheme: str
    authority: str
    segments: tuple[str, ...]


class Mounts:
    """Resolves the URIs that callers name; the longest mounted prefix of whole segments wins.

    Args:
        mounts: URL of a storage by the prefix that it stands for.

    Raises:
        ValueError: A prefix or a URL cannot be mounted; the text names it and why.
    """

    def __init__(self, mounts: Mapping[str, str]) -> None:
        self._urls = {prefix: url.rstrip("/") for prefix, url in mounts.items()}
        self._mounts: list[tuple[_Place, str]] = []
        for prefix, url in mounts.items():
            place = _mountable(prefix, prefix)
            _mountable(url, f"{prefix}: {url}")
            if any(place == known for known, _ in self._mounts):
                raise ValueError(f"{prefix}: is mounted twice")
            self._mounts.append((place, url.rstrip("/")))
        self._mounts.sort(key=lambda mount: len(mount[0].segments), reverse=True)

    def resolve(self, uri: str, target: str) -> str:
        """Return the fsspec URI of what a caller named.

        Args:
            uri: As the caller wrote it.
            target: Path of the property that holds it, for the refusal.

        Raises:
            Refusal: It leads out of where it seems to lead, or lies below no mount.
        """
        try:
            place = _taken_apart(uri)
        except ValueError as error:
            raise Refusal("InvalidParameter", f"{target} {error}.", target=target) from None
        for prefix, url in self._mounts:
            depth = len(prefix.segments)
            if place[:2] == prefix[:2] and place.segments[:depth] == prefix.segments:
                return "/".join((url, *place.segments[depth:]))
        mounted = ", ".join(sorted(self._urls)) or "nothing"
        raise Refusal(
            "InvalidParameter",
            f"{target} must lie in a storage that is mounted for this cluster "
            f"(mounted: {mounted}).",
            target=target,
        )

    def holds(self, path: Path) -> bool:
        """Whether a place on this machine, links followed, lies in a directory that is mounted."""
        return any(path.is_relative_to(directory) for directory in self._directories())

    def _directories(self) -> Iterator[Path]:
        for url in self._urls.values():
            if url.startswith(("file:", "local:", "/")) and (directory := local_path(url)):
                yield Path(os.path.realpath(directory))

    def in_callers_words(self, text: str) -> str:
        """Return a text in which places below mounted URLs are named as callers would.

        What a storage's URL is here, or where its files lie, is not theirs to know.
        """
        for url in sorted(self._urls.values(), key=len, reverse=True):
            prefix = next(prefix for prefix, mounted in self._urls.items() if mounted == url)
            text = text.replace(f"{url}/", f"{prefix.rstrip('/')}/")
            path = url.removeprefix("file://")
            if path != url and path.startswith("/"):
                named = f"{prefix.rstrip('/')}/"
                text = re.sub(rf"(?<![\w/:.@-]){re.escape(path)}/", lambda _: named, text)  # noqa: B023
        return text

    def named(self, url: str) -> str | None:
        """Return what a caller would write for a place below a mounted URL; None where nothing is.

        Where several would do it is the one with the longest URL.
        """
        fits = [
            (len(mounted), prefix)
            for prefix, mounted in self._urls.items()
            if url.startswith(f"{mounted}/")
        ]
        length, prefix = max(fits, default=(0, ""))
        return f"{prefix.rstrip('/')}{url[length:]}" if fits else None


def _mountable(uri: str, name: str) -> _Place:
    try:
        return _taken_apart(uri)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _taken_apart(uri: str) -> _Place:
    """Take a URI apart, without a library: each of those repairs some of what must be refused."""
    if not uri or len(uri) > _LONGEST:
        raise ValueError(f"must be a URI of 1 to {_LONGEST} characters")
    if any(ord(character) < 32 or ord(character) == 127 for character in uri):
        raise ValueError("must not hold control characters")
    if uri != uri.strip():
        raise ValueError("must not have blanks around it")
    if "\\" in uri or "::" in uri:
        raise ValueError("must be one URI with forward slashes: no \\ and no ::")
    if _ENCODED.search(uri):
        raise ValueError("must not hold encoded dots, slashes, percent signs or control characters")
    match = _SCHEME.fullmatch(uri)
    scheme, rest = (match[1].lower(), match[2]) if match else ("file", uri)
    authority = ""
    if match and rest.startswith("//"):
        authority, _, path = rest[2:].partition("/")
    elif rest.startswith("/"):
        path = rest
    else:
        raise ValueError("must be an absolute URI, such as abfs://container@account/directory")
    if authority and scheme in ("file", "local"):
        raise ValueError(f"must have no host, as in {scheme}:///{authority}/… (three slashes)")
    if not authority and scheme not in ("file", "local"):
        raise ValueError(f"must name a place after {scheme}://")
    if "?" in uri or "#" in uri:
        raise ValueError("must end with the path: no ? and no #")
    segments = tuple(segment for segment in path.split("/") if segment)
    if any(segment in (".", "..") for segment in (authority, *segments)):
        raise ValueError("must not hold . or .. between slashes")
    return _Place(scheme, authority.lower(), segments)


def _cluster_id(value: str) -> str:
    if not _CLUSTER_ID.fullmatch(value):
        raise ValueError(f"must be an id such as {_CLUSTER_EXAMPLE} (got {value!r})")
    return value


def _queue(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        raise ValueError(f"must be 1 to 128 letters, digits, _ or - (got {value!r})")
    return value


class DliPlace(Settings):
    """What a cluster is to callers of the Data Lake Insight API: queues of a project."""

    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,64}$")] = Field(
        description="The project, as the callers' URLs have it.",
        examples=["48cc2c48765f481480c7db940d6409d1"],
    )
    queues: list[Annotated[str, AfterValidator(_queue)]] = Field(
        min_length=1,
        description="Names of the queues whose jobs run on this cluster. The first is what the "
        "cluster is known by on record, where it has no id: leave it first.",
        examples=[["default"]],
    )

    @field_validator("queues")
    @classmethod
    def _each_once(cls, queues: list[str]) -> list[str]:
        if twice := sorted({queue for queue in queues if queues.count(queue) > 1}):
            raise ValueError(f"must not hold a queue twice ({twice[0]})")
        return queues


class ClusterConfiguration(Settings):
    """A Flink session cluster that the gateway serves."""

    id: Annotated[str, AfterValidator(_cluster_id)] | None = Field(
        None,
        description="Its resource id, as the URLs of callers of the HDInsight on AKS API have it. "
        "Case does not count.",
        examples=[_CLUSTER_EXAMPLE],
    )
    dli: DliPlace | None = Field(
        None, description="Its project and queues, for callers of the Data Lake Insight API."
    )
    flink: FlinkTarget = Field(description="How its REST API is reached. Secrets are env:NAME.")
    savepoint_directory: Directory | None = Field(
        None, description="Where savepoints go of jobs that name no directory; else Flink's own."
    )
    mounts: dict[str, str] = Field(
        default_factory=dict,
        description="Storage by the prefix that stands for it in what callers name. A jar below no "
        "prefix is refused.",
        examples=[{"abfs://container@account": "file:///srv/jobs"}],
    )
    uploads: list[str] = Field(
        default_factory=list,
        description="Directories, as callers name them, into which jars are uploaded on the "
        "portal. They lie below mounts that are directories of this machine.",
        examples=[["abfs://container@account/uploads"]],
    )
    health: HealthGate | None = Field(
        None,
        description="What each version must show that an action starts: the health gate of "
        "resources. No gate, if not given.",
    )
    savepoint_retention: SavepointRetention | None = Field(
        None,
        description="Which old savepoints of its jobs are disposed of after an action that "
        "succeeded: those that exceed either limit, and that nothing comes back to. None ever is, "
        "if not given.",
    )
    relaunch_lost: bool = Field(
        default=True,
        description="Start again, from its newest state, a job that the cluster lost: one that "
        "came back without its jobs.",
    )

    @property
    def key(self) -> str:
        """What the cluster is known by everywhere in the gateway, and on record."""
        if self.id:
            return self.id.lower()
        assert self.dli is not None  # noqa: S101 - so it was checked
        return f"dli/{self.dli.project_id}/{self.dli.queues[0]}".lower()

    def gated(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return inputs of a job with the cluster's own health gate and retention, or none."""
        own = {name: getattr(self, name) for name in OF_CLUSTER}
        given = {name: value.model_dump(mode="json") for name, value in own.items() if value}
        return {name: value for name, value in inputs.items() if name not in own} | given

    @cached_property
    def storage(self) -> Mounts:
        """What resolves the URIs that its callers name."""
        return Mounts(self.mounts)

    @property
    def name(self) -> str:
        """How messages call it: its id as it is written, or else its key."""
        return self.id or self.key

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if not (self.id or self.dli):
            raise ValueError(
                "must have an id, or dli with its project and queues: else no caller can name it"
            )
        return self

    @field_validator("mounts")
    @classmethod
    def _mountable(cls, value: dict[str, str]) -> dict[str, str]:
        Mounts(value)
        return value

    @model_validator(mode="after")
    def _uploads_are_directories_here(self) -> Self:
        for directory in self.uploads:
            try:
                url = self.storage.resolve(directory, directory)
            except Refusal as refusal:
                raise ValueError(f"uploads: {refusal.happened}") from None
            if local_path(url) is None:
                raise ValueError(
                    f"uploads: {directory} must lie below a mount that is a directory of this "
                    "machine (file:///…)"
                )
        return self

    @field_validator("flink")
    @classmethod
    def _reachable_from_here(cls, value: FlinkTarget, info: ValidationInfo) -> FlinkTarget:
        references = [value.bearer_token, *value.secret_headers.values()]
        references += [value.basic_auth.password] if value.basic_auth else []
        references += [value.tls.key_password] if value.tls else []
        if any(reference and not reference.startswith("env:") for reference in references):
            raise ValueError("must refer to secrets as env:NAME: a gateway has no stack")
        if value.tls is None:
            return value
        names = ("ca_file", "certificate_file", "key_file")
        given = {name: path for name in names if (path := getattr(value.tls, name))}
        paths = {name: from_file(path, info) for name, path in given.items()}
        return value.model_copy(update={"tls": value.tls.model_copy(update=paths)})


def places_masked(clusters: Iterable[ClusterConfiguration]) -> Mask:
    """Return what names places below mounts as callers of their cluster would."""
    storages = {cluster.key: cluster.storage for cluster in clusters}
    return lambda cluster, text: (
        storages[cluster].in_callers_words(text) if cluster in storages else text
    )
