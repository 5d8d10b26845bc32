"""Storage mounts: where the places that a job's URIs name really lie.

A job that was written for HDInsight on AKS names its jar as `abfs://container@account/…`. A mount
says which storage stands for that prefix here. What lies below no mount is not opened at all: the
gateway reads with its own rights, and a caller must not choose what it reads with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from flink_jobs_provider.gateway.refusals import Refusal

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
#: Encoded dots, separators, percent signs and control characters: the storage may decode them.
_ENCODED = re.compile(r"%(?:2e|2f|5c|25|[01][0-9a-f]|7f)", re.IGNORECASE)
_LONGEST = 4096


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
        ValueError: A prefix or a URL cannot be mounted; the text says which and why.
    """

    def __init__(self, mounts: Mapping[str, str]) -> None:
        self._prefixes = sorted(mounts)
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
        mounted = ", ".join(self._prefixes) or "nothing"
        raise Refusal(
            "InvalidParameter",
            f"{target} must lie in a storage that is mounted for this cluster "
            f"(mounted: {mounted}).",
            target=target,
        )

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
        if not fits:
            return None
        length, prefix = max(fits)
        return f"{prefix.rstrip('/')}{url[length:]}"


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
