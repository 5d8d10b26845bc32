"""The lines that a run prints, and its errors of one line each, without a secret."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from flink_jobs_provider.model.errors import (
    ClusterRefused,
    ClusterUnreachable,
    FlinkJobsError,
    JobError,
)
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.redaction import KnownSecrets, mask_addresses, without_controls
from flink_jobs_provider.model.remedies import STATE_DELETE
from flink_jobs_provider.reconciling.version_history import secret_inputs

#: The record of a job whose cluster is gone for good can be dropped by hand.
FORGET = (
    "Run again when it can be asked; if that cluster is gone for good, take the resource out of "
    f"the stack's state ({STATE_DELETE}), which touches no job"
)


@dataclass(frozen=True)
class Partial:
    """A resource that a failing create or update leaves for the next run to go on with.

    `secret` tells of inputs among its outputs whether they are secret, as far as that is recorded.
    """

    id: str
    outputs: Mapping[str, Any]
    secret: Mapping[str, bool] = field(default_factory=dict)


class FlinkJobError(FlinkJobsError):
    """An error as a user reads it: one line, since engines print the last line of a traceback.

    The resource in `partial`, if any, is to be recorded all the same.
    """

    __module__ = "builtins"  # the engine prints "FlinkJobError: …", not a dotted path

    partial: Partial | None = None


def print_line(line: str) -> None:
    """Print a line; after the engine's end, which the liveness check detects, it is dropped."""
    with suppress(OSError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class RunOutput:
    """The lines and the errors of a run, with all secrets masked that are known.

    `emit` takes each line; by default it is printed.
    """

    def __init__(self, emit: Callable[[str], None] = print_line) -> None:
        self._emit = emit
        self._secrets = KnownSecrets()
        self._printed: set[str] = set()

    def hide(self, *values: str) -> None:
        """Mask secret values from now on, wherever they turn up."""
        self._secrets.add(*values)

    def redact(self, text: str) -> str:
        """Return a text without the known secrets."""
        return self._secrets.redact(text)

    def without_secrets(self, value: Any) -> Any:
        """Return plain JSON types with all known secrets masked in their texts."""
        if isinstance(value, dict):
            return {name: self.without_secrets(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.without_secrets(each) for each in value]
        return self.redact(value) if isinstance(value, str) else value

    def _in_one_line(self, text: str) -> str:
        """Return a text for an engine's log: names of operators, for one, come from programs."""
        return without_controls(self.redact(text.replace("\n", " ")))

    def say_once(self, line: str) -> None:
        """Print a line once: a refresh and the step after it both diff a job."""
        if line not in self._printed:
            self._printed.add(line)
            self.say(line)

    def say(self, line: str) -> None:
        """Print a line."""
        self._emit(self._in_one_line(line))

    def outputs(self, record: JobRecord) -> dict[str, Any]:
        """Return a job's outputs, with known secrets masked in what its cluster reported."""
        outputs = {**record.outputs(), "job_output": self.redact(record.job_output)}
        if "history" in outputs:
            outputs["history"] = [self._without_secrets(each) for each in outputs["history"]]
        return outputs

    def _without_secrets(self, document: dict[str, Any]) -> dict[str, Any]:
        texts = {name: value for name, value in document.items() if isinstance(value, str)}
        return {**document, **{name: self.redact(value) for name, value in texts.items()}}

    def error(self, error: Exception) -> FlinkJobError:
        """Return an error in one line: what happened, how the job is now, what to do."""
        partial: Partial | None = None
        if isinstance(error, JobError):
            message = str(error)
            record = getattr(error, "partial", None)
            if isinstance(record, JobRecord):
                secret = secret_inputs(record)
                partial = Partial(record.spec.job_name, self.outputs(record), secret)
        elif isinstance(error, FlinkJobError):
            message = str(error)
        else:
            message = (
                f"an error in flink_jobs_provider itself: {type(error).__name__}: "
                f"{mask_addresses(' '.join(str(error).split()))} Set FLINK_JOBS_DEBUG=1 for the "
                "traceback, and please report it."
            )
        shown = FlinkJobError(self._in_one_line(message))
        shown.partial = partial
        return shown


def taken_over(recorded: JobRecord) -> str:
    """Return the line on a job that another resource takes over."""
    job = f"job {recorded.job_id}" if recorded.job_id else "the job"
    return (
        f"{recorded.spec.job_name}: {job} was left alone, nothing was cancelled: another resource "
        "of this stack, or a replacement of this one, takes it over in this run. To rename a "
        "resource without this, give it an alias."
    )


@contextmanager
def naming(job_name: str, call: str, *, now: str, remedy: str = "") -> Iterator[None]:
    """Name the job in an error of a cluster without an answer, with how the job is `now`.

    An invalid value of the user, such as a reference that leads nowhere, is reported as it is,
    unless it keeps a job from being ended. The `call` is what failed: "it could not be updated".
    """
    try:
        yield
    except (ClusterRefused, ClusterUnreachable) as error:
        is_of_the_user = isinstance(error, ClusterRefused) and not remedy
        if is_of_the_user or error.happened.startswith(f"{job_name}:"):
            raise
        kind = ClusterUnreachable if isinstance(error, ClusterUnreachable) else ClusterRefused
        raise kind(
            f"{job_name}: {call}: {error.reason}",
            now=error.now or now,
            remedy=" ".join(part for part in (error.remedy, remedy) if part),
        ) from None


def unreadable_record(id_: str, error: ValidationError) -> str:
    """Return what is told of a recorded state that cannot be read."""
    fields = sorted({".".join(map(str, detail["loc"])) for detail in error.errors()})
    return (
        f"{id_}: its recorded state cannot be read ({', '.join(fields)}). Nothing was changed. Is "
        "it of a newer version of flink_jobs_provider than this one? If its record is of no use, "
        f"take it out of the stack's state ({STATE_DELETE}), which touches no job."
    )
