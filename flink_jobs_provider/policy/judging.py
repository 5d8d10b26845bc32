"""The verdicts of a policy on jobs, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flink_jobs_provider.policy.declared_job import (
    DeclaredJob,
    Finding,
    NotKnownYet,
    Unjudged,
    Violation,
    is_judged,
    stack_of,
)
from flink_jobs_provider.policy.parameters import Parameters
from flink_jobs_provider.policy.rules import Policy


@dataclass(frozen=True)
class Verdict:
    """What one policy says of one job, or of a stack.

    Attributes:
        violations: A message for each.
        unjudged: What was not judged, and why; None where all was.
        not_applicable: Why it was not asked; None where it was.
    """

    violations: tuple[str, ...] = ()
    unjudged: str | None = None
    not_applicable: str | None = None


def judge(policy: Policy, job: DeclaredJob, given: Parameters) -> Verdict:
    """Judge a job by a policy that is about one."""
    rule = policy.of_job
    if rule is None:
        return Verdict(not_applicable="it is about all jobs of a stack")
    return _verdict(job.name, job.urn, given, lambda: rule(job, given))


def judge_stack(policy: Policy, jobs: Sequence[DeclaredJob], given: Parameters) -> Verdict:
    """Judge the jobs of a stack by a policy that is about all of them."""
    rule = policy.of_stack
    if rule is None:
        return Verdict(not_applicable="it is about each job")
    if not jobs:
        return Verdict(not_applicable="the stack has no Flink jobs")
    urn = jobs[0].urn
    return _verdict(f"stack {stack_of(urn)}", urn, given, lambda: rule(jobs, given))


def _verdict(
    named: str, urn: str, given: Parameters, find: Callable[[], Iterator[Finding]]
) -> Verdict:
    if not is_judged(urn, given.stacks):
        globs = ", ".join(given.stacks)
        return Verdict(
            not_applicable=f"the stack {stack_of(urn)} is none of those judged ({globs})"
        )
    found: list[Finding] = []
    try:
        for each in find():
            found.append(each)  # noqa: PERF402 - what was found before an unknown stays found
    except NotKnownYet as unknown:
        found.append(Unjudged(unknown.path))
    wrong = [each for each in found if isinstance(each, Violation)]
    unknown_paths = [each.path for each in found if isinstance(each, Unjudged)]
    return Verdict(
        tuple(f"{named}: {each.path} {each.problem}. {each.remedy}" for each in wrong),
        _not_judged(named, unknown_paths),
    )


def _not_judged(named: str, paths: Sequence[str]) -> str | None:
    if not paths:
        return None
    verb = "is" if len(paths) == 1 else "are"
    return (
        f"{named}: {', '.join(paths)} {verb} known only once the update has run, and not judged "
        "by this preview. The update judges before it changes the job."
    )
