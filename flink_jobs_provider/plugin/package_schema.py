"""The package as Pulumi's tools know it: its version, and the schema that SDKs are made from.

`schema.json` is written by tools/build_plugin_schema.py from the model.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version as version_of
from importlib.resources import files

_RELEASE = re.compile(r"(\d+\.\d+\.\d+)(?:\.?(a|b|rc|dev)(\d+))?.*")


def text() -> str:
    """Return the schema as JSON."""
    return files(__package__).joinpath("schema.json").read_text(encoding="utf-8")


def text_with_version() -> str:
    """Return the schema as JSON with this package's version, which `pulumi package add` needs."""
    return json.dumps({**json.loads(text()), "version": version()}, ensure_ascii=False)


def version() -> str:
    """Return the version of this package as a semantic one."""
    return semantic(version_of("flink-jobs-provider"))


def semantic(version: str) -> str:
    """Return a version of a Python package as a semantic one: 0.2.0.dev1 is 0.2.0-dev.1."""
    found = _RELEASE.fullmatch(version)
    if found is None:
        return version
    release, kind, number = found.groups()
    return f"{release}-{kind}.{number}" if kind else str(release)
