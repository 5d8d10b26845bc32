"""What is written beside a version: whose job it is, and which spec was asked for.

A job service keeps no owner and shows no jar's content. So this text goes along where it is shown
again, and tells a later run what an earlier one has done. Its parts, in order, with dashes between
them: digests of the job's name and owner, of the spec, and, where a savepoint was named to start
from, of that.
"""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.model.identity import JobKey, digest
from flink_jobs_provider.model.savepoint import canonical_path
from flink_jobs_provider.model.spec import JobSpec

_SPEC, _RESTORE = 32, 8


@dataclass(frozen=True)
class Mark:
    """The parts of a mark; empty texts where there is none."""

    key: str
    spec: str
    restore: str = ""

    def __str__(self) -> str:
        """Write it."""
        return "-".join(part for part in (self.key, self.spec, self.restore) if part)

    def is_of(self, *keys: JobKey) -> bool:
        """Whether it marks a job with one of these identities."""
        return any(self.key == key.prefix for key in keys)


def read_mark(text: str) -> Mark:
    """Read a mark back."""
    key, _, rest = text.partition("-")
    spec, _, restore = rest.partition("-")
    return Mark(key, spec, restore)


def mark_of(spec: JobSpec, restore_from: str | None = None) -> Mark:
    """Return the mark of a spec.

    Args:
        spec: What is asked for.
        restore_from: The savepoint that is newly named to start from.
    """
    restore = digest("restore", canonical_path(restore_from))[:_RESTORE] if restore_from else ""
    return Mark(spec.key.prefix, spec.digits(None)[:_SPEC], restore)
