"""Order resources by what needs what, as the state records it."""

from collections.abc import Collection, Sequence

from flink_jobs_provider.engine.state_keeper import Record


def dependents_of(
    root: Record, records: Sequence[Record], ignored: Collection[str]
) -> list[Record]:
    """Give what needs `root`, directly or not, in order of dependency.

    `records` are in order of dependency. Children alone do not need their parent here.
    """
    needing = {root.state.urn}
    dependents = []
    for record in records[records.index(root) + 1 :]:
        state = record.state
        if state.urn in ignored:
            continue
        if needing & state.all_dependencies() or state.provider_urn in needing:
            needing.add(state.urn)
            dependents.append(record)
    return dependents


def deletion_waves(condemned: Sequence[Record], records: Sequence[Record]) -> list[list[Record]]:
    """Group what is to be deleted so that each group can go at once, dependents first.

    `records` is everything there is, in order of dependency: a resource that a condemned one needs
    through others that stay is found as well.
    """
    doomed = set(condemned)
    depth: dict[Record, int] = {}
    by_urn: dict[str, list[Record]] = {}
    children: dict[str, list[Record]] = {}
    for record in records:
        if record in doomed:
            needed = _needed(record, by_urn, children)
            depth[record] = max(
                (depth[other] + 1 for other in needed if other in doomed), default=0
            )
        by_urn.setdefault(record.state.urn, []).append(record)
        if record.state.parent:
            children.setdefault(record.state.parent, []).append(record)
    waves: list[list[Record]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for record, level in depth.items():
        waves[level].append(record)
    return waves[::-1]


def _needed(
    record: Record, by_urn: dict[str, list[Record]], children: dict[str, list[Record]]
) -> set[Record]:
    """Find what a resource needs among those before it.

    Needing a component means needing what is in it.
    """
    state = record.state
    needed: set[Record] = set()
    for urn in state.all_dependencies() | {state.provider_urn}:
        for dependency in by_urn.get(urn, ()):
            needed.add(dependency)
            if not dependency.state.custom:
                needed.update(_descendants(urn, children))
    needed.update(by_urn.get(state.parent, ()))
    return needed


def _descendants(urn: str, children: dict[str, list[Record]]) -> set[Record]:
    found: set[Record] = set()
    open_urns = [urn]
    while open_urns:
        for child in children.get(open_urns.pop(), ()):
            if child not in found:
                found.add(child)
                open_urns.append(child.state.urn)
    return found
