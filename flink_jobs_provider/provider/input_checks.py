"""The checks of a job's inputs: every problem is reported at once, before any change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.artifacts import Jar, open_jar
from flink_jobs_provider.model.errors import JarError
from flink_jobs_provider.model.flink_options import findings_of
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import TARGETS
from flink_jobs_provider.model.target.address import is_local
from flink_jobs_provider.model.validation import contains_unknown, problems_of
from flink_jobs_provider.provider.job_operations import JobOperations, Problems
from flink_jobs_provider.provider.run_output import RunOutput
from flink_jobs_provider.provider.run_registry import Declaration, RunRegistry, declared_twice


@dataclass(frozen=True)
class CheckRequest:
    """A resource that the program declares.

    Attributes:
        recorded: The inputs that are recorded of it; empty for a new resource.
        resource: A name that no other resource of the stack has; empty where it is unknown.
        problems: Problems of the resource itself: (its name or an option, why).
        secret: The names of the inputs that are secret, or hold what is.
        plans: Whether the plan of a creation is printed, and what it will fail of found; not where
            an engine asks for it by a call of its own.
    """

    inputs: dict[str, Any]
    recorded: dict[str, Any]
    resource: str = ""
    preview: bool = False
    problems: tuple[tuple[str, str], ...] = ()
    secret: frozenset[str] = frozenset()
    plans: bool = True


@dataclass(frozen=True)
class Checked:
    """Inputs as they are recorded, with their defaults; and their problems."""

    inputs: dict[str, Any]
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class InputChecks:
    """The validation of resources that a program declares, and the printed plans of new ones."""

    _jobs: JobOperations
    _registry: RunRegistry
    _output: RunOutput
    _is_unknown: Callable[[Any], bool]

    def check(self, request: CheckRequest) -> Checked:
        """Validate all inputs, fill in defaults, and add the digest of the jar's content."""
        inputs = given(request.inputs)
        problems, jar = self._problems(request, inputs)
        if problems:
            return self._refused(inputs, problems)
        if jar and inputs.get("jar_digest") is None:
            inputs["jar_digest"] = jar.digest
        if contains_unknown(inputs, self._is_unknown):
            return Checked(inputs)
        spec = JobSpec.model_validate(inputs)
        self._registry.mark_secret(spec, request.secret)
        if refusal := self._registry.declare(spec):
            return self._refused(inputs, [("job_name", refusal)])
        if problems := self._foreseen(request, spec, jar):
            return self._refused(spec.plain(), problems)
        return Checked(spec.plain())

    def _problems(
        self, request: CheckRequest, inputs: dict[str, Any]
    ) -> tuple[Problems, Jar | None]:
        """Return the problems of a resource, and its jar, where that could be opened."""
        options = findings_of(inputs, request.recorded.get("flink_configuration"))
        for warning in options.warnings:
            self._output.say_once(f"{inputs.get('job_name')}: warning: {warning}")
        problems = [
            *problems_of(inputs, self._is_unknown),
            *options.problems,
            *request.problems,
        ]
        jar = None
        is_known = not self._is_unknown(inputs.get("jar"))
        if is_known and not any(path.startswith("jar") for path, _ in problems):
            jar, of_jar = _opened_jar(inputs)
            problems += of_jar
            problems += _unexpected_content(inputs, request.recorded, jar) if jar else []
        declared = Declaration.of(request.resource, inputs)
        if declared:
            if other := self._jobs.declared_by_another(declared):
                problems.append(("job_name", declared_twice(other, declared)))
            problems += self._jobs.missing_prerequisites(declared)
        return problems, jar

    def _refused(self, inputs: dict[str, Any], problems: Problems) -> Checked:
        """Return the problems of a resource, whose job the run will not bring about."""
        self._registry.mark_refused(inputs.get("job_name"))
        return Checked(inputs, tuple((path, self._output.redact(why)) for path, why in problems))

    def _foreseen(self, request: CheckRequest, spec: JobSpec, jar: Jar | None) -> Problems:
        """Print the plan of a creation; return what will keep a job from starting."""
        recorded = given(request.recorded)
        if not recorded:
            self._registry.expect_creation(spec)
            return self._creation(spec, jar if request.preview else None) if request.plans else []
        if request.preview and spec.restore_from != recorded.get("restore_from"):
            return self._jobs.restore_problems(spec)
        return []

    def foresee_creation(self, spec: JobSpec) -> Problems:
        """Print the plan of a creation, in a preview; return what will keep it from starting."""
        return self._creation(spec, open_jar(spec.jar))

    def announced(self, spec: JobSpec, *, prints: bool) -> JobSpec:
        """Return a job that is to be created; its plan is printed, if that was not done before."""
        if prints:
            self._creation(spec, None)
        return spec

    def foresee_update(self, recorded: JobSpec, wanted: JobSpec) -> Problems:
        """Return what will keep an updated job from starting, as far as its inputs show it."""
        if wanted.restore_from == recorded.restore_from:
            return []
        return self._jobs.restore_problems(wanted)

    def _creation(self, spec: JobSpec, jar: Jar | None) -> Problems:
        foreseen = self._jobs.foresee(spec, jar)
        for line in foreseen.lines:
            self._output.say_once(line)
        return list(foreseen.problems)


def given(props: dict[str, Any]) -> dict[str, Any]:
    """Return the properties that have a value: engines write none for what is not given."""
    return {name: value for name, value in props.items() if value is not None}


def _opened_jar(inputs: dict[str, Any]) -> tuple[Jar | None, Problems]:
    """Return a job's jar, or None, and its problems."""
    try:
        jar = open_jar(str(inputs["jar"]))
    except JarError as error:
        return None, [("jar", str(error) + _why_read(inputs))]
    if inputs.get("entry_class") or jar.main_class:
        return jar, []
    return jar, [("entry_class", "is required: the jar's manifest names no Main-Class")]


def _unexpected_content(inputs: dict[str, Any], recorded: dict[str, Any], jar: Jar) -> Problems:
    """Return the problem of a jar whose content is neither the pinned one nor the recorded one."""
    pinned = inputs.get("jar_digest")
    if pinned in (None, jar.digest, recorded.get("jar_digest")):
        return []
    return [("jar_digest", f"the jar's content is {jar.digest} (got {pinned})")]


def _why_read(inputs: dict[str, Any]) -> str:
    """Return why a jar in the cluster's own storage must be readable from here as well."""
    target = inputs.get("target")
    kind = TARGETS.get(str(target.get("kind"))) if isinstance(target, dict) else None
    there = kind is not None and kind.is_job_service
    if not there or is_local(str(inputs["jar"])):
        return ""
    return (
        " This machine reads it, too, since a change of its content is a change of the job: permit "
        "it to read that storage, or give a local file and target.jar_upload_directory."
    )
