"""Going back to an earlier version of a job, which its record lists.

That version is started as any new one is, by the same checks; its inputs are those on record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.history import RecordedVersion
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.redaction import texts_in
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.planning.plan import Plan, plan
from flink_jobs_provider.provider.commit import commit_of
from flink_jobs_provider.reconciling.version_history import Occasion, VersionInputs

_UNTOUCHED = "Nothing was changed"
_WITH_NOW = "Go back with the state of now (--from-savepoint now)"


class FromState(StrEnum):
    """The state that a rollback starts from.

    `now`: that of the job as it is, as an update does. `then`: the one that the version left.
    """

    NOW = "now"
    THEN = "then"


@dataclass(frozen=True)
class Rollback:
    """A job that is to go back to an earlier version.

    Attributes:
        base: The job as it is; it names no restore point where `then` is to count.
        version: The version.
        wanted: The job as it is to be.
        secret: The names of the version's inputs that are secret.
        start: The state that it starts from.
        restore_from: What the program names to start from, which stays on record.
    """

    base: JobRecord
    version: RecordedVersion
    wanted: JobSpec
    secret: frozenset[str]
    start: FromState
    restore_from: str | None

    def as_recorded(self, record: JobRecord) -> JobRecord:
        """Return a record without what was named for this one start.

        The next run would take the program's own restore point for a new one.
        """
        spec = record.spec.model_copy(update={"restore_from": self.restore_from})
        return record.model_copy(update={"spec": spec})

    @property
    def plan(self) -> Plan:
        """What is going to be done; no savepoint is disposed of after it."""
        return replace(plan(self.base, self.wanted), disposes="")

    @property
    def why(self) -> str:
        """What is going to be done, in one line."""
        whose = "its state of now" if self.start is FromState.NOW else "the state that it left"
        back = f"rollback to version {self.version.number} with {whose}"
        return f"{back}: {self.plan.summary}"

    @property
    def occasion(self) -> Occasion:
        """What is recorded of it."""
        return Occasion(self.why, commit_of(), self.secret)

    @property
    def secret_texts(self) -> list[str]:
        """The secret values in the version's inputs."""
        inputs = self.wanted.of_version()
        return [text for name in self.secret for text in texts_in(inputs.get(name))]

    @property
    def drops(self) -> str:
        """What state it drops, a sentence; empty where none."""
        if self.plan.discards_state:
            return "The state of the job is dropped, as its upgrade_mode is stateless."
        if self.start is FromState.NOW:
            return ""
        later = [each for each in self.base.history if each.number > self.version.number]
        numbers = ", ".join(str(each.number) for each in reversed(later) if each.started)
        since = f": version {numbers}" if numbers else ""
        return (
            f"What the job has done since version {self.version.number} ended is not in the state "
            f"that it goes on from{since}. A savepoint of now is taken first, and kept."
        )


def roll_back_to(record: JobRecord, number: int, start: FromState) -> Rollback:
    """Return the rollback of a job to a version.

    Args:
        record: The job as it is recorded, and observed.
        number: The version.
        start: The state that it is to start from.

    Raises:
        PermanentError: There is no such version, or no way to start it from that state.
    """
    name = record.spec.job_name
    version = _version(record, number)
    text = record.version_inputs.get(str(number))
    if text is None:
        raise PermanentError(
            f"{name}: the inputs of version {number} are not on record", now=_UNTOUCHED
        )
    known = VersionInputs.of(text)
    present, own = record.spec.plain(), record.spec.of_version()
    others = {key: value for key, value in present.items() if key not in own}
    inputs: dict[str, Any] = {
        **others,
        **known.inputs,
        "desired_state": DesiredState.RUNNING.value,
    }
    base = record
    if start is FromState.THEN:
        inputs["restore_from"] = _state_of(record, version)
        # Named by whoever goes back, it counts each time, whatever was named before.
        spec = record.spec.model_copy(update={"restore_from": None})
        base = record.model_copy(update={"spec": spec})
    wanted = JobSpec.model_validate(inputs)
    back = Rollback(base, version, wanted, known.secret, start, record.spec.restore_from)
    if not back.plan.needed:
        raise PermanentError(f"{name}: version {number} is what runs already", now=_UNTOUCHED)
    if back.plan.refusal:
        raise PermanentError(back.plan.refusal)
    return back


def _version(record: JobRecord, number: int) -> RecordedVersion:
    name = record.spec.job_name
    found = next((each for each in record.history if each.number == number), None)
    if found is None:
        numbers = [str(each.number) for each in reversed(record.history) if each.started]
        known = f"those are {', '.join(numbers)}" if numbers else "there are none"
        raise PermanentError(
            f"{name}: no version {number} is on record: {known}",
            now=_UNTOUCHED,
            remedy="`flink-jobs jobs history` lists them",
        )
    if not found.started:
        raise PermanentError(
            f"{name}: version {number} did not start: {found.failure or 'its start failed'}",
            now=_UNTOUCHED,
            remedy="Choose one that did; `flink-jobs jobs history` lists them",
        )
    return found


def _state_of(record: JobRecord, version: RecordedVersion) -> str:
    if version.savepoint and version.disposed_at:
        raise PermanentError(
            f"{record.spec.job_name}: the savepoint that version {version.number} left, "
            f"{version.savepoint}, was disposed of at {version.disposed_at}, as "
            "savepoint_retention asks",
            now=_UNTOUCHED,
            remedy=_WITH_NOW,
        )
    if version.savepoint:
        return version.savepoint
    runs = version.job_id == record.job_id and record.status.active
    why = "it runs" if runs else "it is not known where that is"
    raise PermanentError(
        f"{record.spec.job_name}: version {version.number} has left no state to go back to: {why}",
        now=_UNTOUCHED,
        remedy=_WITH_NOW,
    )
