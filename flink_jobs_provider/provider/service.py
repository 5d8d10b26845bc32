"""Pulumi's calls, translated for the core: what `FlinkJobProvider` does in the provider process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)
from pulumi.output import Unknown
from pydantic import ValidationError

from flink_jobs_provider.artifacts import Jar, open_jar
from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.control_planes.prerequisites import Prerequisites
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import JarError, JobError, PermanentError
from flink_jobs_provider.model.hdinsight_limits import is_local
from flink_jobs_provider.model.option_rules import findings_of
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.redaction import KnownSecrets, mask_addresses
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import TARGETS, FlinkTarget
from flink_jobs_provider.model.validation import contains_unknown, problems_of
from flink_jobs_provider.planning.plan import Plan, drift, last_words, plan
from flink_jobs_provider.planning.retention import is_set_back_by_a_cancel, retention_warning
from flink_jobs_provider.provider import background_loop
from flink_jobs_provider.provider.creations import Creations, restore_problems
from flink_jobs_provider.provider.declarations import Declaration, declared_twice
from flink_jobs_provider.provider.engine_liveness import EngineLiveness
from flink_jobs_provider.provider.engine_watch import CallsInProgress, EngineWatch
from flink_jobs_provider.provider.named_errors import FORGET, naming
from flink_jobs_provider.provider.options import OPTIONS_KEY, problems_of_options
from flink_jobs_provider.provider.other_address import is_same_cluster, is_same_job
from flink_jobs_provider.provider.references import resolver
from flink_jobs_provider.provider.resource_key import PREVIEW_KEY, RESOURCE_KEY
from flink_jobs_provider.provider.secret_inputs import SECRETS_KEY, secret_values
from flink_jobs_provider.provider.short_errors import Partial, answer_in_words
from flink_jobs_provider.provider.start_points import plan_start
from flink_jobs_provider.provider.this_run import ThisRun
from flink_jobs_provider.reconciling.flink import Reconciler
from flink_jobs_provider.reconciling.protocol import JobReconciler, reconciler_of

P = ParamSpec("P")
R = TypeVar("R")

#: What a resource has besides its inputs and outputs.
_NO_INPUTS = {"__provider", RESOURCE_KEY, PREVIEW_KEY, OPTIONS_KEY, SECRETS_KEY}

_clusters: Clusters | None = None
_prerequisites: Prerequisites | None = None
_printed: set[str] = set()
_warned_of_checkpoints = False
_run = ThisRun()
_secrets = KnownSecrets()
_calls = CallsInProgress()
_creations = Creations(
    lambda recorded: _look(recorded), lambda recorded, wanted: _plan(recorded, wanted)
)
#: Resources that a refresh could not read: it compares each once with what was recorded.
_unreadable_ids: set[str] = set()


class FlinkJobError(Exception):
    """What a user is shown; the engine prints the last line of the traceback, so one line."""

    __module__ = "builtins"  # the engine prints "FlinkJobError: …", not a dotted path

    partial: Partial | None = None


def _told_in_one_line(method: Callable[P, R]) -> Callable[P, R]:
    """Raise every error as one line: what happened, what runs now, what to do."""

    @wraps(method)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        partial: Partial | None = None
        try:
            with _calls.one():
                return method(*args, **kwargs)
        except JobError as error:
            message = str(error)
            record = getattr(error, "partial", None)
            if isinstance(record, JobRecord):
                partial = Partial(record.spec.job_name, _outputs(record))
        except FlinkJobError as error:
            message = str(error)
        except Exception as error:
            if os.environ.get("FLINK_JOBS_DEBUG"):
                raise
            message = (
                f"an error in flink_jobs_provider itself: {type(error).__name__}: "
                f"{mask_addresses(' '.join(str(error).split()))} Set FLINK_JOBS_DEBUG=1 for the "
                "traceback, and please report it."
            )
        failed = FlinkJobError(_secrets.redact(message))
        failed.partial = partial
        raise failed from None

    return told


class FlinkJobService:
    """Creates, reads, updates and deletes Flink jobs."""

    def configure(self, req: ConfigureRequest) -> None:
        """Prepare the clusters' clients; credentials come from configuration and environment."""
        global _clusters, _prerequisites
        answer_in_words(FlinkJobError)
        liveness = EngineLiveness()
        if _clusters is None:
            EngineWatch(liveness, lambda: bool(_calls)).start()
        resolve = resolver(req.config.get, _secrets.add)
        _clusters = Clusters(resolve, liveness.check)
        _prerequisites = Prerequisites(resolve)

    @_told_in_one_line
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate all inputs, fill in defaults, and add the digest of the jar's content."""
        _secrets.add(*secret_values(news))
        inputs = _without_provider(news)
        problems = [
            *problems_of(inputs, _is_unknown),
            *_problems_of_configuration(_olds, inputs),
            *problems_of_options(news, _olds),
        ]
        jar = None
        if not _is_unknown(inputs.get("jar")) and not any(p.startswith("jar") for p, _ in problems):
            jar, wrong = _opened(inputs)
            problems += wrong
        digest, pinned = jar and jar.digest, inputs.get("jar_digest")
        if digest and pinned not in (None, digest, _olds.get("jar_digest")):
            problems.append(("jar_digest", f"the jar's content is {digest} (got {pinned})"))
        declared = Declaration.of(news)
        other = _declared_by_another(declared) if declared else None
        if declared and other:
            problems.append(("job_name", declared_twice(other, declared)))
        if declared and _prerequisites and not _is_offline():
            problems += _prerequisites.missing(declared.target)
        if problems:
            _run.refused(inputs.get("job_name"))
            return CheckResult(
                inputs, [CheckFailure(path, _secrets.redact(why)) for path, why in problems]
            )
        if digest and pinned is None:
            inputs["jar_digest"] = digest
        if contains_unknown(inputs, _is_unknown):
            return CheckResult(inputs, [])
        spec = JobSpec.model_validate(inputs)
        if refusal := _run.declares(spec):
            _run.refused(spec.job_name)
            return CheckResult(inputs, [CheckFailure("job_name", refusal)])
        if not _without_provider(_olds):
            _run.creates(spec)
            wrong = _foreseen(spec, jar if news.get(PREVIEW_KEY) else None)
        elif news.get(PREVIEW_KEY) and spec.restore_from != _olds.get("restore_from"):
            wrong = background_loop.run(restore_problems(spec, local=_is_offline()))
        else:
            wrong = []
        if wrong:
            _run.refused(spec.job_name)
        return CheckResult(
            spec.plain(), [CheckFailure(path, _secrets.redact(why)) for path, why in wrong]
        )

    @_told_in_one_line
    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is recorded with what is wanted, and print the plan in one line."""
        if id_ in _unreadable_ids:
            _unreadable_ids.discard(id_)  # a refresh asks whether the job has drifted
            return DiffResult(False)
        recorded = _recorded(id_, olds)
        _run.holds(recorded)
        inputs = _without_provider(news)
        if contains_unknown(inputs, _is_unknown):
            unknown = [name for name, v in inputs.items() if contains_unknown(v, _is_unknown)]
            _print(
                f"{recorded.spec.job_name}: depends on values that are not known yet: "
                f"{', '.join(sorted(unknown))}"
            )
            replaces: list[str] = [name for name in ("target", "job_name") if name in unknown]
            return DiffResult(True, replaces, [], bool(replaces))
        wanted = JobSpec.model_validate(inputs)
        decided = plan(recorded, wanted)
        if not _run.is_declared(wanted):  # a refresh asks: whether anything will be done is open
            if found := drift(recorded):
                _print(f"{recorded.spec.job_name}: {', '.join(found)}")
            return DiffResult(decided.needed, list(decided.replaces), [], bool(decided.replaces))
        if decided.refusal:
            raise FlinkJobError(decided.refusal)
        if decided.replaces:
            _run.gives_up(recorded, wanted)
        if decided.needed:
            _print(background_loop.run(_plan(recorded, wanted)).line())
        _warn_of_checkpoints(recorded, wanted)
        # Not both at a time: they would read, and write, the same things.
        return DiffResult(decided.needed, list(decided.replaces), [], bool(decided.replaces))

    @_told_in_one_line
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Carry out NEW. A job that an interrupted run has started is adopted.

        One that another resource had before goes on from what is recorded there.
        """
        wanted = JobSpec.model_validate(_without_provider(props))
        record = _bring_about(_run.known(wanted), wanted)
        return CreateResult(record.spec.job_name, _outputs(record))

    @_told_in_one_line
    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Carry out UPDATE, STATELESS_UPDATE, LAST_STATE_UPDATE, STOP, START or SAVEPOINT."""
        wanted = JobSpec.model_validate(_without_provider(news))
        return UpdateResult(_outputs(_bring_about(_recorded(id_, olds), wanted)))

    @_told_in_one_line
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the job as its cluster shows it: one that is recorded, or one that is named.

        It is named by the option `id`, for a job that is none of this stack's resources.
        """
        if "job_name" in props and not props.keys() & set(JobRecord.output_names()):
            return ReadResult(id_, _outputs(_looked_up(id_, _without_provider(props))))
        try:
            recorded = JobRecord.from_outputs(_without_provider(props))
        except ValidationError as error:
            _print(f"{_unreadable(id_, error)} It was not refreshed.")
            _unreadable_ids.add(id_)
            return ReadResult(id_, props)  # an error would end the refresh of all others
        now = "How it is now is not known, and its record was left as it is"
        with naming(recorded.spec.job_name, "it could not be refreshed", now=now):
            seen = background_loop.run(_look(recorded))
        _run.saw(seen)
        return ReadResult(id_, _outputs(seen), seen.spec.plain())

    @_told_in_one_line
    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Carry out CANCEL, or STOP with a savepoint if `on_delete` says so; and DELETE.

        A job that the program declares with another resource is left to that one.
        """
        recorded = _recorded(id_, props)
        if _run.awaits(recorded):
            _run.check_found(background_loop.run(_look(recorded)))
        if _run.takes_over(recorded) or background_loop.run(_has_another_address(recorded)):
            _print(_taken_over(recorded))
            return
        name, job = recorded.spec.job_name, f"job {recorded.job_id}" if recorded.job_id else "it"
        now = "Whether it runs is not known; it was not deleted, and stays recorded"
        with naming(name, f"{job} could not be ended", now=now, remedy=FORGET):
            removed = background_loop.run(_remove(recorded))
        _run.ended(recorded, removed.savepoint)
        if removed.savepoint:
            _print(f"{recorded.spec.job_name}: deleted, its savepoint is {removed.savepoint}")
        elif not removed.state_told:
            said = last_words(background_loop.run(_seen_at_last(recorded)), time.time())
            if said:
                _print(said)


def _problems_of_configuration(
    olds: dict[str, Any], inputs: dict[str, Any]
) -> list[tuple[str, str]]:
    """Return what is refused of the options of Flink, and print what is warned of."""
    found = findings_of(inputs, olds.get("flink_configuration"))
    for warning in found.warnings:
        _print(f"{inputs.get('job_name')}: warning: {warning}")
    return found.problems


def _opened(inputs: dict[str, Any]) -> tuple[Jar | None, list[tuple[str, str]]]:
    """Return a job's jar, and what is wrong with it."""
    try:
        jar = open_jar(str(inputs["jar"]))
    except JarError as error:
        return None, [("jar", str(error) + _why_read(inputs))]
    if inputs.get("entry_class") or jar.main_class:
        return jar, []
    return jar, [("entry_class", "is required: the jar's manifest names no Main-Class")]


def _foreseen(spec: JobSpec, jar: Jar | None) -> list[tuple[str, str]]:
    """Print the plan of a creation; return what will keep the job from starting.

    Args:
        spec: The job as it should be.
        jar: Its jar, where the program is to be tried.
    """
    clusters = None if _is_offline() else _clusters
    foreseen = background_loop.run(_creations.foresee(clusters, spec, _run.known(spec), jar))
    for line in foreseen.lines:
        _print(line)
    return list(foreseen.problems)


def _is_offline() -> bool:
    """Whether previews are to ask no cluster, and to need nothing that reaches one."""
    return os.environ.get("FLINK_JOBS_OFFLINE", "") not in ("", "0")


def _why_read(inputs: dict[str, Any]) -> str:
    """Say why a jar in the cluster's own storage must be readable from here as well."""
    target = inputs.get("target")
    kind = TARGETS.get(str(target.get("kind"))) if isinstance(target, dict) else None
    there = kind is not None and kind.is_job_service
    if not there or is_local(str(inputs["jar"])):
        return ""
    return (
        " This machine reads it, too, since a change of its content is a change of the job: let it "
        "into that storage, or give a local file and target.jar_upload_directory."
    )


def _taken_over(recorded: JobRecord) -> str:
    job = f"job {recorded.job_id}" if recorded.job_id else "the job"
    return (
        f"{recorded.spec.job_name}: {job} was left alone, nothing was cancelled: another resource "
        "of this stack, or a replacement of this one, takes it over in this run. To rename a "
        "resource without this, give it an alias."
    )


def _bring_about(recorded: JobRecord | None, wanted: JobSpec) -> JobRecord:
    _run.declared(wanted)
    call = "updated" if recorded and recorded.job_id else "started"
    now = "How it is now is not known"
    try:
        with naming(wanted.job_name, f"it could not be {call}", now=now):
            record = _brought_about(recorded, wanted)
    except Exception:
        _run.failed(wanted)
        raise
    _run.brought_about(record)
    _warn_of_checkpoints(record, wanted)
    return record


def _brought_about(recorded: JobRecord | None, wanted: JobSpec) -> JobRecord:
    if recorded and (refusal := plan(recorded, wanted).refusal):
        raise FlinkJobError(refusal)
    jar = open_jar(wanted.jar)
    if wanted.jar_digest != jar.digest:
        raise PermanentError(
            f"{wanted.job_name}: the content of {wanted.jar} is not the one that was planned "
            f"({(wanted.jar_digest or 'none')[:12]}… then, {jar.digest[:12]}… now)",
            now="Nothing was changed",
            remedy="Run again, when nothing writes to it",
        )

    async def work() -> JobRecord:
        return await _reconciler(wanted).bring_about(recorded, wanted, jar)

    declared = _run.declarations.find(wanted.target, wanted.job_name)
    namesakes = _run.declarations.namesakes(declared)
    if background_loop.run(_are_elsewhere(declared, namesakes)):
        return background_loop.run(work())
    # One after the other: what the first has started tells the second that it is one cluster.
    with _run.declarations.turn(wanted.job_name):
        if other := background_loop.run(_on_one_cluster(declared, namesakes)):
            raise PermanentError(
                f"{wanted.job_name}: job_name {declared_twice(other, declared)[:-1]}"
            )
        return background_loop.run(work())


def _declared_by_another(declared: Declaration) -> Declaration | None:
    """Return the declaration by which another resource has a job, or None."""
    if other := _run.declarations.add(declared):
        return other
    namesakes = _run.declarations.namesakes(declared)
    return background_loop.run(_on_one_cluster(declared, namesakes)) if namesakes else None


async def _on_one_cluster(
    declared: Declaration, others: Sequence[Declaration]
) -> Declaration | None:
    """Return the one of other declarations that names the same cluster by another address."""
    for other in others:
        if await _is_same_cluster(declared, other):
            return other
    return None


async def _are_elsewhere(declared: Declaration, others: Sequence[Declaration]) -> bool:
    """Whether other declarations surely name other clusters."""
    return all([await _is_same_cluster(declared, other) is False for other in others])


async def _is_same_cluster(one: Declaration, other: Declaration) -> bool | None:
    return await is_same_cluster(_known_clusters(), one.target, other.target, one.job_name)


async def _look(recorded: JobRecord) -> JobRecord:
    return await _reconciler(recorded.spec).look_for_plan(recorded)


async def _plan(recorded: JobRecord, wanted: JobSpec) -> Plan:
    """Return the plan of a job, as its cluster and its state allow it."""
    find = None
    if isinstance(wanted.target, FlinkTarget) and _clusters is not None:
        find = Reconciler(_clusters.of(wanted.target), wanted.target.loopback).find_start
    return await plan_start(recorded, wanted, find, offline=_is_offline())


async def _has_another_address(recorded: JobRecord) -> bool:
    others = _run.elsewhere(recorded)
    return any([await is_same_job(_known_clusters(), recorded, other) for other in others])


async def _seen_at_last(recorded: JobRecord) -> JobRecord:
    """Return a job that was deleted, with its last state, as far as that can be seen."""
    on_cluster = not recorded.spec.target.is_job_service  # which has forgotten it
    if not on_cluster or recorded.job_id is None or recorded.status is JobStatus.STOPPED:
        return recorded
    try:
        return await _look(recorded)
    except JobError:
        return recorded


async def _remove(recorded: JobRecord) -> Removed:
    return await _reconciler(recorded.spec).remove(recorded)


def _reconciler(spec: JobSpec) -> JobReconciler:
    return reconciler_of(_known_clusters(), spec.target, _print_step)


def _known_clusters() -> Clusters:
    if _clusters is None:
        raise FlinkJobError("the provider was used before it was configured")
    return _clusters


def _recorded(id_: str, olds: dict[str, Any]) -> JobRecord:
    try:
        return JobRecord.from_outputs(_without_provider(olds))
    except ValidationError as error:
        raise FlinkJobError(_unreadable(id_, error)) from None


def _unreadable(id_: str, error: ValidationError) -> str:
    fields = sorted({".".join(map(str, detail["loc"])) for detail in error.errors()})
    return (
        f"{id_}: its recorded state cannot be read ({', '.join(fields)}). Nothing was changed. Is "
        "it of a newer version of flink_jobs_provider than this one? If its record is of no use, "
        "take it out of the stack's state (pulumi state delete), which touches no job."
    )


def _looked_up(id_: str, inputs: dict[str, Any]) -> JobRecord:
    """Return a job that the option `id` names.

    Raises:
        FlinkJobError: Its inputs do not say where it is, or it is not there.
    """
    problems = problems_of(inputs, _is_unknown)
    if problems:
        told = "; ".join(f"{path}: {why}" for path, why in problems)
        raise FlinkJobError(f"{id_}: the job to be read is not declared in full. {told}")
    spec = JobSpec.model_validate(inputs)
    seen = background_loop.run(_look(JobRecord(spec=spec, status=JobStatus.LOST)))
    if seen.job_id is not None and id_ in (spec.job_name, seen.job_id):
        return seen
    job = f"job {spec.job_name} of {spec.owner}" + (f" is job {seen.job_id}" if seen.job_id else "")
    raise FlinkJobError(
        f"{id_}: there is no job of this id: {job} {'' if seen.job_id else 'is not '}on "
        f"{spec.target.address}. Nothing was recorded. The option id reads a job that is there, by "
        "its job_name or jobId; leave it out to have the job started."
    )


def _outputs(record: JobRecord) -> dict[str, Any]:
    """Return a job's outputs, with known secrets masked in what the cluster said of it."""
    return {**record.outputs(), "job_output": _secrets.redact(record.job_output)}


def _without_provider(props: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in props.items() if name not in _NO_INPUTS and v is not None}


def _is_unknown(value: Any) -> bool:
    return isinstance(value, Unknown)


def _warn_of_checkpoints(record: JobRecord, wanted: JobSpec) -> None:
    """Warn, once in a run, of a job that a cancel from outside would set back."""
    global _warned_of_checkpoints
    if not _warned_of_checkpoints and is_set_back_by_a_cancel(record, wanted):
        _warned_of_checkpoints = True
        _print(
            f"{retention_warning(wanted.job_name)}. A run says this once; flink-jobs jobs describe "
            "says it of each job"
        )


def _print(line: str) -> None:
    """Print a line once: a refresh and the step after it diff the same job twice."""
    if line not in _printed:
        _printed.add(line)
        _print_step(line)


def _print_step(line: str) -> None:
    """Print a line; nobody reads what is printed after the engine's end, which is found out."""
    with suppress(OSError):
        sys.stdout.write(_secrets.redact(line) + "\n")
        sys.stdout.flush()
