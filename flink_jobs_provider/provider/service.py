"""The provider behind the protocol of any engine.

`dynamic` translates the calls of Pulumi's dynamic providers; another protocol needs another adapter
and nothing else. One `ProviderService` holds the state between the calls of a run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from pydantic import ValidationError

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.control_planes.protocol import Guard
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.validation import contains_unknown, problems_of
from flink_jobs_provider.planning.drift import drift
from flink_jobs_provider.planning.known_state import last_words
from flink_jobs_provider.planning.move import is_move
from flink_jobs_provider.planning.plan import Plan, plan
from flink_jobs_provider.planning.retention import is_set_back_by_a_cancel, retention_warning
from flink_jobs_provider.provider.input_checks import Checked, CheckRequest, InputChecks, given
from flink_jobs_provider.provider.job_operations import JobOperations, secret_resolver
from flink_jobs_provider.provider.operation_timeout import as_declared, limited
from flink_jobs_provider.provider.preview import unchanged_outputs
from flink_jobs_provider.provider.process import (
    BackgroundLoop,
    CallsInProgress,
    EngineLiveness,
    EngineWatch,
)
from flink_jobs_provider.provider.run_claims import claims_of
from flink_jobs_provider.provider.run_output import (
    FORGET,
    FlinkJobError,
    RunOutput,
    naming,
    taken_over,
    unreadable_record,
)
from flink_jobs_provider.provider.run_registry import RunRegistry
from flink_jobs_provider.reconciling.version_history import secret_texts

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Difference:
    """Whether a resource is to be changed.

    Attributes:
        needed: Whether there is anything to do or to record.
        replaces: The inputs whose change makes it another job: then the old one is deleted first,
            since both would read, and write, the same things.
        changed: The inputs that differ, by their paths.
    """

    needed: bool
    replaces: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """A job as its cluster shows it: outputs, and inputs as they are there."""

    outputs: dict[str, Any]
    inputs: dict[str, Any]


def _in_one_line(
    method: Callable[Concatenate[ProviderService, P], R],
) -> Callable[Concatenate[ProviderService, P], R]:
    """Raise every error of a call as one line: what happened, what runs now, what to do."""

    @wraps(method)
    def call(service: ProviderService, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with service.calls.one():
                return method(service, *args, **kwargs)
        except Exception as error:
            ours = isinstance(error, JobError | FlinkJobError)
            if not ours and os.environ.get("FLINK_JOBS_DEBUG"):
                raise
            shown = service.output.error(error)
        raise shown from None

    return call


class ProviderService:
    """The provider of one run of an engine: it creates, reads, updates and deletes Flink jobs.

    Without `clusters` it uses those that `configure` connects to.
    """

    def __init__(
        self,
        is_unknown: Callable[[Any], bool],
        clusters: Clusters | None = None,
        loop: BackgroundLoop | None = None,
        output: RunOutput | None = None,
    ) -> None:
        self._is_unknown = is_unknown
        self._is_watched = False
        self._is_warned_of_checkpoints = False
        #: Whether the last check was of a preview: a run compares state itself, before it stops.
        self._is_preview = False
        #: Resources that a refresh could not read; it diffs each once afterwards.
        self._unreadable_ids: set[str] = set()
        self._registry = RunRegistry()
        self.calls = CallsInProgress()
        self.output = output or RunOutput()
        self.jobs = JobOperations(self._registry, self.output.say, clusters, loop)
        self._checks = InputChecks(self.jobs, self._registry, self.output, is_unknown)

    def configure(
        self,
        configuration: Callable[[str], Any],
        liveness: EngineLiveness,
        guard: Guard | None = None,
        submissions: int | None = None,
    ) -> None:
        """Prepare the clusters' clients; credentials come from configuration and environment.

        `configuration` reads a key of the stack's, None where it is not set. This process ends
        after its engine. The `guard` is called before each request that changes anything: by
        default it checks that the engine lives. A Flink cluster is given no more than `submissions`
        jobs at once, if a number is given.
        """
        self.watch(liveness)
        resolve = secret_resolver(configuration, self.output.hide)
        self.jobs.connect(resolve, guard or liveness.check, submissions)

    def watch(self, liveness: EngineLiveness) -> None:
        """End this process after its engine."""
        if not self._is_watched:
            self._is_watched = True
            self._registry.share(claims_of(liveness.engine, self.output.say_once))
            EngineWatch(liveness, lambda: bool(self.calls)).start()

    def close(self) -> None:
        """Close the connections to the clusters."""
        self.jobs.close()

    @_in_one_line
    def check(self, request: CheckRequest) -> Checked:
        """Validate all inputs, fill in defaults, and add the digest of the jar's content."""
        self._is_preview = request.preview
        return self._checks.check(request)

    @_in_one_line
    def diff(
        self, id_: str, recorded: dict[str, Any], inputs: dict[str, Any], *, prints: bool = True
    ) -> Difference:
        """Compare what is recorded with what is wanted, and print the plan in one line.

        It is not printed, except for a replacement, without `prints`: where an engine calls an
        update in a preview, too, the plan is printed there.
        """
        if id_ in self._unreadable_ids:
            self._unreadable_ids.discard(id_)  # the diff of that refresh
            return Difference(needed=False)
        record, inputs = self._recorded(id_, recorded, inputs), given(inputs)
        self._registry.hold(record)
        if contains_unknown(inputs, self._is_unknown):
            return self._unknown_difference(record, inputs)
        wanted = JobSpec.model_validate(inputs)
        decided = plan(record, wanted)
        changed = tuple(change.name for change in decided.changed)
        difference = Difference(decided.needed, decided.replaces, changed)
        if not self._registry.is_declared(wanted):
            # This is the diff of a refresh: the program may yet declare another spec.
            if found := drift(record):
                self.output.say_once(f"{record.spec.job_name}: {', '.join(found)}")
            return difference
        if decided.refusal:
            raise FlinkJobError(decided.refusal)
        if decided.replaces or is_move(record, wanted):
            self._registry.give_up(record, wanted)
        if decided.needed and (prints or decided.replaces):
            self._print_plan(record, wanted, with_state=self._is_preview)
        self._warn_of_checkpoints(record, wanted)
        return difference

    @_in_one_line
    def foresee_creation(self, inputs: dict[str, Any]) -> None:
        """Print the plan of a creation, in a preview of it.

        Raises:
            FlinkJobError: Something will certainly keep the job from starting.
        """
        inputs = given(inputs)
        if contains_unknown(inputs, self._is_unknown):
            return
        problems = self._checks.foresee_creation(JobSpec.model_validate(inputs))
        if problems:
            raise FlinkJobError("; ".join(f"{path}: {why}" for path, why in problems))

    @_in_one_line
    def foresee_update(
        self, id_: str, recorded: dict[str, Any], inputs: dict[str, Any]
    ) -> dict[str, Any]:
        """Print the plan of an update, in a preview of it; return the outputs that will not change.

        Raises:
            FlinkJobError: It will be refused.
        """
        record, inputs = self._recorded(id_, recorded, inputs), given(inputs)
        if contains_unknown(inputs, self._is_unknown):
            return {}
        wanted = JobSpec.model_validate(inputs)
        if problems := self._checks.foresee_update(record.spec, wanted):
            raise FlinkJobError("; ".join(f"{path}: {why}" for path, why in problems))
        return unchanged_outputs(record, self._print_plan(record, wanted, with_state=True))

    @_in_one_line
    def announce_update(self, id_: str, recorded: dict[str, Any], inputs: dict[str, Any]) -> None:
        """Print the plan of an update that is about to be carried out.

        Raises:
            FlinkJobError: It is refused.
        """
        wanted = JobSpec.model_validate(given(inputs))
        self._print_plan(self._recorded(id_, recorded, inputs), wanted, with_state=False)

    def _print_plan(self, record: JobRecord, wanted: JobSpec, *, with_state: bool) -> Plan:
        shown = self.jobs.plan(record, wanted, with_state=with_state)
        if shown.needed:
            self.output.say_once(shown.line())
        if shown.refusal:
            raise FlinkJobError(shown.refusal)
        return shown

    @_in_one_line
    def create(
        self, inputs: dict[str, Any], *, timeout: float | None = None, announces: bool = False
    ) -> tuple[str, dict[str, Any]]:
        """Execute NEW; return the resource's id and outputs. It `announces` its plan, if asked to.

        A job that an interrupted run has started is adopted. One that another resource had before
        goes on from what is recorded there. No step takes longer than the `timeout` in seconds.
        """
        wanted = self._checks.announced(JobSpec.model_validate(given(inputs)), prints=announces)
        record = self._bring_about(self._registry.known(wanted), wanted, timeout)
        return record.spec.job_name, self.output.outputs(record)

    @_in_one_line
    def update(
        self,
        id_: str,
        recorded: dict[str, Any],
        inputs: dict[str, Any],
        *,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Execute UPDATE, STATELESS_UPDATE, LAST_STATE_UPDATE, STOP, START or SAVEPOINT.

        No step takes longer than the `timeout` in seconds, but for those of a way back.
        """
        wanted = JobSpec.model_validate(given(inputs))
        record = self._recorded(id_, recorded, inputs)
        return self.output.outputs(self._bring_about(record, wanted, timeout))

    @_in_one_line
    def read(self, id_: str, recorded: dict[str, Any]) -> Observed | None:
        """Return the job as its cluster shows it, or None for a record that cannot be read.

        An error instead of None would end the refresh of all other resources. The option `id` names
        a job that no resource of the stack has.
        """
        if "job_name" in recorded and not recorded.keys() & set(JobRecord.output_names()):
            return self._observed(self._looked_up(id_, given(recorded)))
        try:
            record = self._recorded(id_, recorded)
        except FlinkJobError as unreadable:
            self.output.say_once(f"{unreadable} It was not refreshed.")
            self._unreadable_ids.add(id_)
            return None
        now = "How it is now is not known, and its record was left as it is"
        with naming(record.spec.job_name, "it could not be refreshed", now=now):
            seen = self.jobs.observe(record)
        self._registry.observed(seen)
        return self._observed(seen)

    @_in_one_line
    def delete(self, id_: str, recorded: dict[str, Any], *, timeout: float | None = None) -> None:
        """Execute CANCEL, or STOP with a savepoint, and DELETE; or release it, as `on_delete` asks.

        A job that the program declares with another resource is left to that one. No step takes
        longer than the `timeout` in seconds.
        """
        record = self._recorded(id_, recorded)
        self.jobs.check_is_ours(record)
        if self._registry.expects_creation(record):
            self._registry.check_found(self.jobs.observe(record))
        if self._registry.takes_over(record) or self.jobs.has_another_address(record):
            self.output.say_once(taken_over(record))
            return
        name, job = record.spec.job_name, f"job {record.job_id}" if record.job_id else "it"
        now = "Whether it runs is not known; it was not deleted, and stays recorded"
        with naming(name, f"{job} could not be ended", now=now, remedy=FORGET):
            removed = self.jobs.remove(
                record.model_copy(update={"spec": limited(record.spec, timeout)})
            )
        if removed.released:
            self._registry.observed(record)  # whoever creates it again in this run goes on with it
            self.output.say_once(f"{name}: released, {removed.released}")
            return
        self._registry.mark_ended(record, removed.savepoint)
        if removed.savepoint:
            self.output.say_once(f"{name}: deleted, its savepoint is {removed.savepoint}")
        elif not removed.state_reported:
            line = last_words(self.jobs.last_seen(record), time.time())
            if line:
                self.output.say_once(line)

    def _recorded(
        self, id_: str, outputs: dict[str, Any], inputs: Mapping[str, Any] | None = None
    ) -> JobRecord:
        """Return a job as it is recorded; what is secret in it is masked from now on."""
        try:
            record = JobRecord.from_outputs(given(outputs))
        except ValidationError as error:
            raise FlinkJobError(unreadable_record(id_, error)) from None
        self.output.hide(*secret_texts(record, inputs or {}))
        return record

    def _unknown_difference(self, record: JobRecord, inputs: dict[str, Any]) -> Difference:
        names = [name for name, v in inputs.items() if contains_unknown(v, self._is_unknown)]
        self.output.say_once(
            f"{record.spec.job_name}: depends on values that are not known yet: "
            f"{', '.join(sorted(names))}"
        )
        replaces = tuple(name for name in ("target", "job_name") if name in names)
        return Difference(needed=True, replaces=replaces)

    def _bring_about(
        self, recorded: JobRecord | None, wanted: JobSpec, timeout: float | None
    ) -> JobRecord:
        self._registry.mark_declared(wanted)
        call = "updated" if recorded and recorded.job_id else "started"
        now, during = "How it is now is not known", limited(wanted, timeout)
        try:
            with naming(wanted.job_name, f"it could not be {call}", now=now):
                record = self.jobs.bring_about(recorded, during)
        except Exception as error:
            self._registry.mark_failed(wanted)
            if isinstance(error, JobError) and isinstance(error.partial, JobRecord):
                error.partial = as_declared(error.partial, during, wanted)
            raise
        record = as_declared(record, during, wanted)
        self._registry.mark_brought_about(record)
        self._warn_of_checkpoints(record, wanted)
        return record

    def _looked_up(self, id_: str, inputs: dict[str, Any]) -> JobRecord:
        """Return a job that the option `id` names.

        Raises:
            FlinkJobError: Its inputs do not name its cluster, or the job is not there.
        """
        problems = problems_of(inputs, self._is_unknown)
        if problems:
            reasons = "; ".join(f"{path}: {why}" for path, why in problems)
            raise FlinkJobError(f"{id_}: the job to be read is not declared in full. {reasons}")
        spec = JobSpec.model_validate(inputs)
        seen = self.jobs.observe(JobRecord(spec=spec, status=JobStatus.LOST))
        if seen.job_id is not None and id_ in (spec.job_name, seen.job_id):
            return seen
        job = f"job {spec.job_name} of {spec.owner}"
        there = f" is job {seen.job_id} on" if seen.job_id else " is not on"
        raise FlinkJobError(
            f"{id_}: there is no job of this id: {job}{there} {spec.target.address}. Nothing was "
            "recorded. The option id reads a job that is there, by its job_name or jobId; leave it "
            "out to have the job started."
        )

    def _observed(self, record: JobRecord) -> Observed:
        return Observed(self.output.outputs(record), record.spec.plain())

    def _warn_of_checkpoints(self, record: JobRecord, wanted: JobSpec) -> None:
        """Warn, once in a run, of a job that a cancel from outside would set back."""
        if not self._is_warned_of_checkpoints and is_set_back_by_a_cancel(record, wanted):
            self._is_warned_of_checkpoints = True
            self.output.say_once(
                f"{retention_warning(wanted.job_name)}. A run prints this once; flink-jobs jobs "
                "describe shows it for each job"
            )
