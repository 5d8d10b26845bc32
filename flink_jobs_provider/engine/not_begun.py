"""Which resources a run that ended early has not begun with."""

from flink_jobs_provider.engine import urns
from flink_jobs_provider.engine.events import Diagnostic, Severity, Step
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

    def report_others(self, run: Run, *, program_cut_short: bool) -> None:
        """Name every resource that the run knows of and did not begin, if there are any."""
        names = [urns.name_of(urn) for urn in self._others(run)]
        unknown = "what the program had not declared by then" if program_cut_short else ""
        listed = [*names, *([unknown] if unknown else [])]
        if listed:
            run.tell(Severity.WARNING, f"the run ended early; not begun: {', '.join(listed)}")

    def _others(self, run: Run) -> list[str]:
        in_state = [
            record.state.urn for record in run.keeper.remaining if _is_a_users(record.state)
        ]
        declared = [*run.books.seen, *run.books.refused]
        known = dict.fromkeys([*in_state, *filter(_is_named, declared)])
        renamed = run.books.alias_of
        begun = self._urns | {old for old, new in renamed.items() if new in self._urns}
        return sorted((urn for urn in known if urn not in begun), key=urns.name_of)


def _is_a_users(state: ResourceState) -> bool:
    return state.custom and not state.is_provider and not state.external


def _is_named(urn: str) -> bool:
    type_ = urns.type_of(urn)
    return not type_.startswith(urns.PROVIDER_TYPE_PREFIX) and type_ != urns.STACK_TYPE
