"""Which resources a run that ended early has not begun with."""

from collections.abc import Iterable

from flink_jobs_provider.engine import urns
from flink_jobs_provider.engine.events import Diagnostic, Severity, Step
from flink_jobs_provider.engine.program_report import Declared
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.steps import Op


class Begun:
    """Notes which resources steps were begun with, and of which failures were reported.

    Args:
        refreshing: Whether the run only refreshes; else to refresh a resource is not to begin it.
    """

    def __init__(self, *, refreshing: bool) -> None:
        self._refreshing = refreshing
        self._urns: set[str] = set()

    def step_started(self, step: Step) -> None:
        """Note a step."""
        if step.op is not Op.REFRESH or self._refreshing:
            self._urns.add(step.urn)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Note a failure."""
        if diagnostic.severity is Severity.ERROR:
            self._urns.add(diagnostic.urn)

    def report_others(self, run: Run, declared: Declared | None) -> None:
        """Report every known resource that was not begun, if there are any.

        Args:
            run: The run, with what it learnt of.
            declared: What the program had declared; None where it was not started.
        """
        known = self._known(run)
        begun = self._begun(run)
        names = sorted(urns.name_of(urn) for urn in known if urn not in begun)
        if declared:
            names += _not_registered(declared, known)
        if declared and not declared.complete:
            names.append("what the program had not declared by then")
        if names:
            run.report(Severity.WARNING, f"the run ended early; not begun: {', '.join(names)}")

    def _known(self, run: Run) -> list[str]:
        in_state = [
            record.state.urn for record in run.snapshots.remaining if _is_a_users(record.state)
        ]
        declared = [*run.books.seen, *run.books.refused]
        return list(dict.fromkeys([*in_state, *filter(_is_named, declared)]))

    def _begun(self, run: Run) -> set[str]:
        renamed = run.books.alias_of
        return self._urns | {old for old, new in renamed.items() if new in self._urns}


def _not_registered(declared: Declared, known: Iterable[str]) -> list[str]:
    """Return the names of declared resources that never came to the run."""
    names = {(urns.type_of(urn), urns.name_of(urn)) for urn in known}
    return [
        name
        for type_, name in dict.fromkeys(declared.resources)
        if _is_users_type(type_) and (type_, name) not in names
    ]


def _is_a_users(state: ResourceState) -> bool:
    return state.custom and not state.is_provider and not state.external


def _is_named(urn: str) -> bool:
    return _is_users_type(urns.type_of(urn))


def _is_users_type(type_: str) -> bool:
    return not type_.startswith(urns.PROVIDER_TYPE_PREFIX) and type_ != urns.STACK_TYPE
