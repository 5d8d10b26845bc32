"""The identity of a job in its Flink jobId: its owner, its submission, and its spec.

Names and global job parameters do not identify a running Flink job, since programs overwrite
both; the jobId does. It is chosen by the caller, shows in the one list call, and Flink refuses a
second job under it (measured on Flink 1.17 to 2.3). Its 32 hexadecimal digits are, in order:

    12  digest of the job's name
     6  digest of its owner (organization/project/stack)
     6  generation: counts the submissions of the job
     8  digest of the spec that was submitted
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache

from flink_jobs_provider.model.savepoint import canonical_path

_NAME, _OWNER, _GENERATION, _SPEC = 12, 6, 6, 8
MAX_GENERATION = 16**_GENERATION - 1
#: What the name of a rehearsal begins with.
REHEARSAL_OF = "rehearsal of "
_JOB_ID = re.compile(r"[0-9a-f]{32}")


def digest(*parts: object) -> str:
    """Return the SHA-256 of JSON-serialisable parts, as 64 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4096)
def _digits(what: str, text: str, number: int) -> str:
    """Return the first digits of a digest; each list of jobs asks for those of the same names."""
    return digest(what, text)[:number]


@dataclass(frozen=True)
class JobKey:
    """A job's identity over all its submissions: its name and its owner."""

    name: str
    owner: str

    @property
    def name_digits(self) -> str:
        """The digits that every job of this name shares, whoever owns it."""
        return _digits("name", self.name, _NAME)

    @property
    def owner_digits(self) -> str:
        """The digits that every job of this owner has, whatever its name."""
        return _digits("owner", self.owner, _OWNER)

    @property
    def prefix(self) -> str:
        """The digits that all submissions of this job share."""
        return self.name_digits + self.owner_digits

    @property
    def rehearsal(self) -> JobKey:
        """The identity of this job's rehearsals.

        No job can have such a name, so that none of them is taken for a submission of one.
        """
        return JobKey(f"{REHEARSAL_OF}{self.name}", self.owner)

    def job_id(self, generation: int, spec_digits: str) -> str:
        """Return the jobId of one submission.

        Raises:
            ValueError: The generation is out of range.
        """
        if not 1 <= generation <= MAX_GENERATION:
            raise ValueError(f"generation must be 1 to {MAX_GENERATION} (got {generation})")
        return f"{self.prefix}{generation:0{_GENERATION}x}{spec_digits[:_SPEC]}"

    def owns(self, job_id: str) -> bool:
        """Whether a jobId is a submission of this job."""
        return job_id.startswith(self.prefix)

    def shares_name(self, job_id: str) -> bool:
        """Whether a jobId is of a job with this name, whoever owns it."""
        return job_id.startswith(self.name_digits)


def identity_of(job_id: str) -> str:
    """Return the digits that all submissions of a jobId's job share."""
    return job_id[: _NAME + _OWNER]


def generation_of(job_id: str) -> int:
    """Return the generation in a jobId of ours; 0 where it is no jobId at all."""
    if not _JOB_ID.fullmatch(job_id):
        return 0
    return int(job_id[_NAME + _OWNER : _NAME + _OWNER + _GENERATION], 16)


def submission_in(path: str, key: JobKey) -> str | None:
    """Return the jobId of the submission of a job whose directory a path is in, or None."""
    parts = (part for part in path.split("/") if _JOB_ID.fullmatch(part))
    return next((part for part in parts if key.owns(part)), None)


def name_digits_of(job_id: str) -> str:
    """Return the digits of a jobId that are derived from the job's name."""
    return job_id[:_NAME]


def owner_digits_of(job_id: str) -> str:
    """Return the digits of a jobId that are derived from the job's owner."""
    return job_id[_NAME : _NAME + _OWNER]


def spec_digits_of(job_id: str) -> str:
    """Return the digits of a jobId that are derived from the submitted spec."""
    return job_id[-_SPEC:]


def trigger_id(job_id: str, purpose: str, attempt: int) -> str:
    """Derive the trigger id of a savepoint or stop, so that a repeated request finds its own.

    Flink keeps the result under a trigger id for five minutes and takes no second savepoint for
    one that it knows (measured on Flink 1.17 to 2.3).
    """
    return digest("trigger", job_id, purpose, attempt)[:32]


def restore_digest(path: str) -> str:
    """Return the digest of a savepoint that is named to start from: 8 hexadecimal digits."""
    return digest("restore", canonical_path(path))[:8]
