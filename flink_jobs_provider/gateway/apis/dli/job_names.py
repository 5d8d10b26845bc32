"""What a job is called on its cluster.

The service takes names that a cluster's jobs cannot have here: with capitals and underscores. Such
a name gets a digest to the plain rest of it, so that no two become one.
"""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def job_name_of(name: str) -> str:
    """Return the name under which the cluster has a job that callers call by another."""
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower())[:44].strip("-")
    return f"{plain or 'job'}-{digest}"
