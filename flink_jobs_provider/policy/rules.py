"""What each policy finds wrong with a job: pure functions of its inputs and of parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from posixpath import normpath
from typing import Any
from urllib.parse import urlsplit

from flink_jobs_provider.engine.values import UNKNOWN, Secret, Value, plain
from flink_jobs_provider.model.flink_options import DISCARDED, RETAINED, RETENTION
from flink_jobs_provider.model.redaction import (
    holds_credential,
    mask_addresses,
    secret_name_pattern,
)
from flink_jobs_provider.policy import parameters
from flink_jobs_provider.policy.declared_job import (
    DeclaredJob,
    Finding,
    NotKnownYet,
    Unjudged,
    Violation,
    parts_of,
)

#: What an upgrade mode does that a policy may not want.
_MODES = {
    "stateless": "drops the job's state at every restart",
    "blue-green": "runs two versions at once for a while, which may write output twice",
    "last-state": "repeats what the job did after its latest checkpoint",
}
_DELETIONS = {
    "cancel": "ends the job without a savepoint",
    "savepoint": "ends the job with a savepoint",
    "release": "leaves the job running without a stack that manages it",
}
#: Values that name a secret instead of being it, and those that are too plain to be one.
_NO_SECRET = re.compile(r"(env|config|file|vault|secretref):|\$\{|/|@|(true|false|\d{1,6}|)$")
#: Below it are the keys of storage accounts, by the accounts' names.
_AZURE_KEYS = "fs.azure.account.key."
_OPTION = re.compile(r"--?(?=[A-Za-z])")


def state_carried_over(job: DeclaredJob, given: parameters.RefusedModes) -> Iterator[Finding]:
    """Find an upgrade mode that drops state, or that doubles output."""
    mode = job.known("upgrade_mode")
    if mode in given.refused:
        kept = [each for each in ("savepoint", "last-state") if each not in given.refused]
        yield Violation(
            "upgrade_mode", f"is {mode}, which {_MODES[mode]}", f"Set it to {' or '.join(kept)}."
        )


def savepoint_directory(
    job: DeclaredJob, given: parameters.OutlivingDirectories
) -> Iterator[Finding]:
    """Find a job whose savepoints may end with its cluster."""
    permitted = [f"{where} {', '.join(named)}" for where, named in _permitted(given) if named]
    wanted = (
        f"Set it to a directory {', or '.join(permitted)}"
        if permitted
        else "None is permitted: configure `schemes` or `directories` of this policy"
    )
    directory = job.known("savepoint_directory")
    if directory is None:
        settings = job.known("dli")
        if not (isinstance(settings, dict) and settings.get("obs_bucket")):
            yield Violation(
                "savepoint_directory",
                "is not set, so savepoints go where the cluster's own configuration says",
                f"{wanted}.",
            )
        return
    scheme = _scheme(directory)
    if scheme in given.schemes or any(_is_below(directory, each) for each in given.directories):
        return
    yield Violation(
        "savepoint_directory",
        f"is {mask_addresses(directory)}, and storage of the scheme {scheme} may end with the "
        "cluster",
        f"{wanted}.",
    )


def _permitted(given: parameters.OutlivingDirectories) -> tuple[tuple[str, list[str]], ...]:
    return ("in", given.schemes), ("below", given.directories)


def _scheme(location: str) -> str:
    return urlsplit(location).scheme.lower() or "file"


def _is_below(location: str, directory: str) -> bool:
    below, above = _plain_path(location), _plain_path(directory)
    return below == above or below.startswith(f"{above}/")


def _plain_path(location: str) -> str:
    """Return a location in one spelling: /a, file:/a, file:///a and /b/../a are the same.

    Flink takes `.` and `..` out of paths in every storage, as a URI has them (`Path`).
    """
    store, separator, path = re.sub(r"^file:/+", "/", location).rpartition("://")
    if not separator:
        return normpath("/" + path.lstrip("/")).rstrip("/")
    authority, _, below = path.partition("/")
    return f"{store}://{authority}{normpath('/' + below)}".rstrip("/")


def savepoint_on_delete(job: DeclaredJob, given: parameters.AllowedOnDelete) -> Iterator[Finding]:
    """Find a job that a deletion would end without a savepoint."""
    chosen = job.known("on_delete")
    if chosen not in given.allowed:
        yield Violation(
            "on_delete",
            f"is {chosen}, which {_DELETIONS[chosen]} when its resource is deleted",
            f"Set it to {' or '.join(given.allowed)}.",
        )


def jar_pinned(job: DeclaredJob, given: parameters.PinnedJars) -> Iterator[Finding]:
    """Find a jar whose content can change without a change of the program."""
    if job.inputs.get("jar_digest") is None:
        raise NotKnownYet("jar_digest")  # of a jar whose address is unknown
    jar, digest = str(job.known("jar")), str(job.known("jar_digest"))
    if digest in given.digests or digest[: given.digits] in jar.lower():
        return
    yield Violation(
        "jar",
        f"is {mask_addresses(jar)}, whose content may change under the same address",
        f"Add its SHA-256 {digest} to `digests` of this policy, or publish the jar at an address "
        f"that contains {digest[: given.digits]}.",
    )


def job_parallelism(job: DeclaredJob, given: parameters.JobMaximum) -> Iterator[Finding]:
    """Find a job, or the copy of its rehearsal, of too high a parallelism."""
    maximum = given.exceptions.get(job.name, given.maximum)
    if maximum is None:
        return
    yield from _above("parallelism", job.known("parallelism"), maximum, job.name)
    rehearsal = job.known("rehearsal")
    copied = rehearsal.get("parallelism") if isinstance(rehearsal, dict) else None
    if copied is not None:
        yield from _above("rehearsal.parallelism", copied, maximum, job.name)


def _above(path: str, parallelism: int, maximum: int, job: str) -> Iterator[Finding]:
    if parallelism > maximum:
        yield Violation(
            path,
            f"is {parallelism}, above the maximum of {maximum}",
            f'Lower it, or raise `exceptions["{job}"]` of this policy.',
        )


def stack_parallelism(
    jobs: Sequence[DeclaredJob], given: parameters.StackMaximum
) -> Iterator[Finding]:
    """Find a stack whose running jobs have too high a parallelism in all."""
    if given.maximum is None:
        return
    total, running = 0, 0
    for job in jobs:
        if job.known("desired_state") == "running":
            total += job.known("parallelism")
            running += 1
    if total > given.maximum:
        yield Violation(
            "parallelism",
            f"is {total} over all {running} running jobs, above the maximum of {given.maximum}",
            "Lower that of some, or raise `maximum` of this policy.",
        )


def no_plain_secrets(job: DeclaredJob, given: parameters.SecretNames) -> Iterator[Finding]:
    """Find secrets that are written in the program; what Pulumi knows to be secret is none."""
    names = secret_name_pattern(given.names)
    rehearsal = job.inputs.get("rehearsal")
    of_copy = dict[str, Value]()
    if rehearsal is UNKNOWN:
        yield Unjudged("rehearsal")
    elif isinstance(rehearsal, dict):
        of_copy = rehearsal
    for prefix, inputs in (("", job.inputs), ("rehearsal.", of_copy)):
        yield from _plain_arguments(f"{prefix}args", inputs.get("args"), names)
        options = inputs.get("flink_configuration")
        yield from _plain_options(f"{prefix}flink_configuration", options, names)


def _plain_arguments(path: str, value: Value, names: re.Pattern[str]) -> Iterator[Finding]:
    if value is UNKNOWN:
        yield Unjudged(path)
        return
    if isinstance(value, str):
        value = list[Value](value.split())
    before = ""
    for where, _, argument in parts_of(path, value):
        if argument is UNKNOWN:
            yield Unjudged(where)
        elif not isinstance(argument, Secret):
            text = str(argument)
            if _is_secret_argument(text, before, names):
                yield _plain_secret(where)
        before = str(argument) if isinstance(argument, str) else ""


def _is_secret_argument(text: str, before: str, names: re.Pattern[str]) -> bool:
    if holds_credential(text):
        return True
    name, given, value = text.partition("=")
    if given:
        return bool(names.search(name)) and not _NO_SECRET.match(value)
    is_value = _OPTION.match(before) and "=" not in before and not _OPTION.match(text)
    return bool(is_value and names.search(before)) and not _NO_SECRET.match(text)


def _plain_options(path: str, value: Value, names: re.Pattern[str]) -> Iterator[Finding]:
    if value is UNKNOWN:
        yield Unjudged(path)
        return
    for where, key, option in parts_of(path, value):
        if isinstance(option, Secret):
            continue
        named = str(key).startswith(_AZURE_KEYS) or bool(names.search(str(key)))
        if option is UNKNOWN:
            if named:
                yield Unjudged(where)
            continue
        text = str(option)
        if holds_credential(text) or (named and not _NO_SECRET.match(text)):
            yield _plain_secret(where)


def _plain_secret(path: str) -> Violation:
    return Violation(
        path,
        "looks like a secret in plain text, which is then part of the state",
        "Let the job read it where it runs, or pass a secret of the stack's configuration "
        "(require_secret).",
    )


def state_checked(job: DeclaredJob, given: parameters.AllowedChecks) -> Iterator[Finding]:
    """Find a job of a Flink cluster whose state is not compared before an update stops it."""
    if _kind(job) != "flink":
        return
    chosen = job.known("state_check")
    if chosen not in given.allowed:
        problem = (
            "so state that does not fit the new version shows only once the old one has stopped"
            if chosen == "off"
            else "so an update goes on where state would be dropped"
        )
        yield Violation("state_check", f"is {chosen}, {problem}", f"Set it to {given.allowed[0]}.")


def _kind(job: DeclaredJob) -> Any:
    """Return the kind of the job's target, of which the rest may be unknown."""
    target = job.inputs.get("target")
    while isinstance(target, Secret):
        target = target.value
    kind = target.get("kind") if isinstance(target, dict) else target
    if kind is UNKNOWN:
        raise NotKnownYet("target")
    return plain(kind)


def checkpoints_retained(job: DeclaredJob, given: parameters.Retention) -> Iterator[Finding]:
    """Find a job whose checkpoints do not outlive a cancel."""
    path = f'flink_configuration["{RETENTION}"]'
    options = {key: option for _, key, option in job.parts("flink_configuration")}
    option = options.get(RETENTION)
    if option is UNKNOWN:
        raise NotKnownYet(path)
    remedy = f"Set it to {RETAINED}."
    if option is None:
        if not given.set_by_clusters:
            problem = "is not set, so a cancel from outside may delete the job's checkpoints"
            yield Violation(path, problem, remedy)
        return
    if str(plain(option)).upper() != RETAINED:
        problem = f"is not {RETAINED}, so a cancel deletes the job's checkpoints ({DISCARDED})"
        yield Violation(path, problem, remedy)


@dataclass(frozen=True)
class Policy:
    """A policy: its name and meaning, and how it judges.

    Attributes:
        level: How it is enforced unless it is configured: `mandatory` or `advisory`.
        parameters: The model of its parameters.
        of_job: Finds what is wrong with one job; None of a policy on a whole stack.
        of_stack: Finds what is wrong with all jobs of a stack.
    """

    name: str
    description: str
    level: str
    parameters: type[parameters.Parameters]
    of_job: Callable[[DeclaredJob, Any], Iterator[Finding]] | None = None
    of_stack: Callable[[Sequence[DeclaredJob], Any], Iterator[Finding]] | None = None


POLICIES: tuple[Policy, ...] = (
    Policy(
        "state-carried-over",
        "An upgrade carries the job's state over, and runs one version at a time.",
        "mandatory",
        parameters.RefusedModes,
        state_carried_over,
    ),
    Policy(
        "savepoint-directory",
        "Savepoints are written to storage that outlives the cluster.",
        "mandatory",
        parameters.OutlivingDirectories,
        savepoint_directory,
    ),
    Policy(
        "savepoint-on-delete",
        "A deletion takes a savepoint, or leaves the job running.",
        "mandatory",
        parameters.AllowedOnDelete,
        savepoint_on_delete,
    ),
    Policy(
        "jar-pinned",
        "A jar's content is approved by its SHA-256, or is named by its address.",
        "advisory",
        parameters.PinnedJars,
        jar_pinned,
    ),
    Policy(
        "job-parallelism",
        "A job's parallelism is at most the configured maximum.",
        "mandatory",
        parameters.JobMaximum,
        job_parallelism,
    ),
    Policy(
        "stack-parallelism",
        "The parallelism of all running jobs of a stack is at most the configured maximum.",
        "mandatory",
        parameters.StackMaximum,
        of_stack=stack_parallelism,
    ),
    Policy(
        "no-plain-secrets",
        "Arguments and Flink options hold no secret in plain text.",
        "mandatory",
        parameters.SecretNames,
        no_plain_secrets,
    ),
    Policy(
        "state-checked",
        "State is compared with a new version before an update stops the old one.",
        "mandatory",
        parameters.AllowedChecks,
        state_checked,
    ),
    Policy(
        "checkpoints-retained",
        "Checkpoints outlive a cancel.",
        "mandatory",
        parameters.Retention,
        checkpoints_retained,
    ),
)
