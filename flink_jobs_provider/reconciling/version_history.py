"""What is recorded of each version of a job: why it was started, and the state that it left.

The record before an action and the one after it show what happened in between, on every target.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.history import RecordedVersion
from flink_jobs_provider.model.record import Adopted, JobRecord
from flink_jobs_provider.model.redaction import texts_in
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.record_updates import now_text

#: Older ones are no longer listed; nothing else of them is touched.
VERSIONS_LISTED = 30
#: Reasons of the savepoints that a version ends with.
_AT_THE_END = (SavepointReason.UPDATE, SavepointReason.STOP)


@dataclass(frozen=True)
class Occasion:
    """What a version is started by.

    Attributes:
        why: The plan.
        commit: The commit that the run is of; empty where that is not known.
        secret: The names of the inputs that are secret.
    """

    why: str
    commit: str = ""
    secret: frozenset[str] = frozenset()


@dataclass(frozen=True)
class VersionInputs:
    """The inputs that made a version, and the names of those that are secret."""

    inputs: dict[str, Any]
    secret: frozenset[str] = frozenset()

    def text(self) -> str:
        """Return them as they are recorded.

        In one text: an engine masks each secret text wherever it prints it, and would mask every
        argument and path that also stands in here.
        """
        document = {"inputs": self.inputs, "secret": sorted(self.secret)}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def of(cls, text: str) -> VersionInputs:
        """Read them back."""
        document = json.loads(text)
        return cls(document["inputs"], frozenset(document["secret"]))


def secret_inputs(record: JobRecord) -> dict[str, bool]:
    """Return whether inputs are secret, of those that a listed version had with the same value."""
    now, found = record.spec.of_version(), dict[str, bool]()
    for version in map(VersionInputs.of, record.version_inputs.values()):
        for name, value in version.inputs.items():
            if now.get(name) == value:
                found[name] = found.get(name, False) or name in version.secret
    return found


def secret_texts(record: JobRecord, inputs: Mapping[str, Any]) -> set[str]:
    """Return the texts of the secret inputs of a record, as far as versions tell which these are.

    Left out are names of options, and what the new `inputs` of the same names hold: whether that
    is secret is known of them.
    """
    former = record.spec.of_version()
    names = [name for name, is_secret in secret_inputs(record).items() if is_secret]
    texts = {text for name in names for text in texts_in(former[name]) if not text.startswith("-")}
    return texts.difference(*(texts_in(inputs.get(name)) for name in names))


def with_history(before: JobRecord | None, after: JobRecord, occasion: Occasion) -> JobRecord:
    """Return a record with the version that was started since an earlier record, if one was."""
    known = _known(before)
    started = after.action in STARTS and known.misses(before, after)
    known = _ended(known, before, after, started=started)
    if started or _is_rescaled(before, after):
        version = _version(after, known.next_number(after.generation), occasion)
        if not started:  # it goes on as it was, with another parallelism
            version = version.model_copy(update={"action": Action.UPDATE, "restored_from": None})
        known = _Versions([version, *known.listed], known.inputs)
        known = known.with_inputs(after.spec, occasion)
    return known.recorded_in(after)


def with_failure(
    before: JobRecord | None, error: ActionFailed, wanted: JobSpec, occasion: Occasion
) -> JobRecord | None:
    """Return what is to be recorded after a version did not start, with that version listed.

    None where nothing is to be recorded.
    """
    after = error.partial
    if isinstance(after, JobRecord) and after.gate_failed is not None:
        return _with_kept(before, after, error, occasion)
    if not isinstance(after, JobRecord):
        return None
    known = _known(before)
    runs_again = not after.never_came_up and known.misses(before, after)
    known = _ended(known, before, after, started=runs_again)
    failed = RecordedVersion(
        number=known.next_number(error.version),
        at=now_text(),
        action=after.action if runs_again else None,
        result=ActionResult.FAILED,
        why=occasion.why,
        by=wanted.owner,
        commit=occasion.commit,
        jar=wanted.jar,
        jar_digest=wanted.jar_digest,
        failure=error.reason,
    )
    former = next((each for each in known.listed if each.started), None)
    known = _Versions([failed, *known.listed], known.inputs)
    if runs_again:
        back = f" {former.number}" if former else ""
        why = f"version {failed.number} did not start: back to version{back}"
        again = Occasion(why, occasion.commit, _secret_of(known, former, after.spec))
        number = known.next_number(after.generation)
        known = _Versions([_version(after, number, again), *known.listed], known.inputs)
        known = known.with_inputs(after.spec, again)
    return known.recorded_in(after)


def _with_kept(
    before: JobRecord | None, after: JobRecord, error: ActionFailed, occasion: Occasion
) -> JobRecord:
    """Return the record of a version that is left running, though it was not healthy."""
    record = with_history(before, after, occasion)
    newest, *older = record.history
    newest = newest.model_copy(update={"failure": error.reason})
    return record.model_copy(update={"history": [newest, *older]})


@dataclass(frozen=True)
class _Versions:
    """The versions of a job, newest first, and the inputs of those that started, by number."""

    listed: list[RecordedVersion]
    inputs: dict[str, str]

    def next_number(self, generation: int) -> int:
        return max(generation, self.listed[0].number + 1 if self.listed else 1)

    def misses(self, before: JobRecord | None, after: JobRecord) -> bool:
        """Whether a record is of a version that is not listed.

        A refresh may have shown it before the run that goes on with it.
        """
        known = {each.job_id for each in self.listed}
        return _run(before) != _run(after) or after.job_id not in known

    def with_inputs(self, spec: JobSpec, occasion: Occasion) -> _Versions:
        text = VersionInputs(spec.of_version(), occasion.secret).text()
        return _Versions(self.listed, {**self.inputs, str(self.listed[0].number): text})

    def recorded_in(self, record: JobRecord) -> JobRecord:
        listed = self.listed[:VERSIONS_LISTED]
        numbers = {str(each.number) for each in listed}
        inputs = {number: text for number, text in self.inputs.items() if number in numbers}
        return record.model_copy(update={"history": listed, "version_inputs": inputs})


def _known(before: JobRecord | None) -> _Versions:
    """Return the versions in a record; of one that lists none, that which it is the record of."""
    if before is None:
        return _Versions([], {})
    if before.history or before.job_id is None or before.never_came_up:
        return _Versions(list(before.history), dict(before.version_inputs))
    left = before.last_savepoint if before.status is JobStatus.STOPPED else None
    unknown = before.adopted not in (None, Adopted.SAME_VERSION)
    version = RecordedVersion(
        number=max(before.generation, 1),
        at=before.started_at or "",
        action=before.action if before.action in STARTS else None,
        by="" if before.adopted else before.spec.owner,
        why="started by others, and adopted" if before.adopted else "",
        jar="" if unknown else before.spec.jar,
        jar_digest=None if unknown else before.spec.jar_digest,
        job_id=before.job_id,
        restored_from=before.restored_from,
        savepoint=left,
    )
    if unknown:  # what was declared with it may not be the program that runs
        return _Versions([version], {})
    occasion = Occasion("", secret=_may_be_secret(before.spec))
    return _Versions([version], {}).with_inputs(before.spec, occasion)


def _ended(
    known: _Versions, before: JobRecord | None, after: JobRecord, *, started: bool
) -> _Versions:
    """Note the state that the version which ran before has left, if it has ended since."""
    at = next((i for i, each in enumerate(known.listed) if each.started), None)
    if before is None or at is None or known.listed[at].savepoint:
        return known
    seen = {each.path for each in before.savepoints}
    taken = [
        each.path
        for each in after.savepoints
        if each.path not in seen and each.reason in _AT_THE_END
    ]
    left = taken[0] if taken else None
    if left is None and started:
        origin = after.restored_from
        named = origin and same_path(origin, after.spec.restore_from)
        left = None if named else origin
    if left is None:
        return known
    listed = list(known.listed)
    listed[at] = listed[at].model_copy(update={"savepoint": left})
    return _Versions(listed, known.inputs)


def _version(record: JobRecord, number: int, occasion: Occasion) -> RecordedVersion:
    return RecordedVersion(
        number=number,
        at=now_text(),
        action=record.action or Action.NEW,
        why=occasion.why,
        by=record.spec.owner,
        commit=occasion.commit,
        jar=record.spec.jar,
        jar_digest=record.spec.jar_digest,
        job_id=record.job_id,
        restored_from=record.restored_from,
    )


def _secret_of(known: _Versions, version: RecordedVersion | None, spec: JobSpec) -> frozenset[str]:
    """Return the names of the secret inputs of a version, whose spec is given."""
    text = known.inputs.get(str(version.number)) if version else None
    return VersionInputs.of(text).secret if text else _may_be_secret(spec)


def _may_be_secret(spec: JobSpec) -> frozenset[str]:
    """Return the names of what may be secret of a version of which it is not on record."""
    return frozenset(spec.of_version()) - {"jar", "jar_digest"}


def _is_rescaled(before: JobRecord | None, after: JobRecord) -> bool:
    """Whether a job was rescaled to another parallelism while it ran."""
    if before is None or before.job_id != after.job_id:
        return False
    was, now = before.submitted_parallelism, after.submitted_parallelism
    return was is not None and now is not None and was != now


def _run(record: JobRecord | None) -> tuple[object, ...] | None:
    """Return what distinguishes one submission of a job from the next."""
    if record is None or record.job_id is None:
        return None
    return record.job_id, record.run_id, record.started_at, record.generation
