"""What is written alongside a version: whose job it is, and which spec was asked for.

A job service keeps no owner and shows no jar's content. So this text goes along where it is shown
again, and tells a later run what an earlier one has done. Its parts, in order, with dashes between
them: digests of the job's name and owner, of the spec, and, where a savepoint was named to start
from, of that and of the run before: it was honoured when another run is the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.model.identity import JobKey, digest, restore_digest
from flink_jobs_provider.model.spec import JobSpec

_SPEC, _RUN = 32, 8


@dataclass(frozen=True)
class Mark:
    """The parts of a mark; empty texts where there is none."""

    key: str
    spec: str
    restore: str = ""
    before: str = ""

    def __str__(self) -> str:
        """Write it."""
        parts = (self.key, self.spec, self.restore, self.before)
        return "-".join(part for part in parts if part)

    def was_written_before(self, run: str) -> bool:
        """Whether it was written before a run began, which is then the one that it was for."""
        return bool(run) and self.before != digest_of_run(run)

    def is_of(self, *keys: JobKey) -> bool:
        """Whether it marks a job with one of these identities."""
        return any(self.key == key.prefix for key in keys)


def read_mark(text: str) -> Mark:
    """Read a mark back."""
    key, _, rest = text.partition("-")
    spec, _, rest = rest.partition("-")
    restore, _, before = rest.partition("-")
    return Mark(key, spec, restore, before)


def mark_of(spec: JobSpec, restore_from: str | None = None, before: str = "") -> Mark:
    """Return the mark of a spec.

    Args:
        spec: What is asked for.
        restore_from: The savepoint that is newly named to start from.
        before: The job's last run until then; empty for none.
    """
    restore = restore_digest(restore_from) if restore_from else ""
    run = digest_of_run(before) if restore_from and before else ""
    return Mark(spec.key.prefix, spec.digits(None)[:_SPEC], restore, run)


def digest_of_run(run: str) -> str:
    """Return what stands for a run."""
    return digest("run", run)[:_RUN]
