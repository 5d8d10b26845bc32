"""docs/faults.md and docs/faults-with-ha.md, from what was tried. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.machine import Machine
from tests.faults.matrix.actions import ACTIONS
from tests.faults.matrix.cases import Outcome, Tried

_HEAD = """\
# {title}

Written by `make faults{options}`; not edited by hand.

What happens to a job when a run of the provider is killed, loses answers, or meets a cluster that
fails. Each action was first carried out undisturbed, which recorded its requests. Then each request
was struck by each kind of fault, in a run of its own, on a real cluster. After each fault the next
run was undisturbed: the same (as it was, or with a refresh before), that of another version, or of
a move one that takes it back.
"""
_HOLDS = """\
What had to hold then, or the fault counts as one by which state was **lost**, or a job **doubled**:

- the declared version runs, and nothing else of that job, on any cluster; or it is stopped, or
  gone, as declared
- the counting job of examples/, which writes exactly once, has counted every number, none twice,
  and goes on
- a job starts from every savepoint that an output has named

A fault **went back** where the new version failed by it after it had committed, and the struck run
reported its rollback: the previous version starts from the state that the stop has left, so that
what was committed since is counted again. None of that state is lost. So did a job that is declared
stateless and whose cluster lost it: it starts afresh.
"""
_NOTES = """\
How it was done:

- The runs are those of the reconciler in the process of the suite, each with an event loop and
  clients of its own. Killed is one by ending its loop, and from that moment on no request of it is
  passed on. `tests/faults` kills real processes, engine and provider, at every changing request.
- *Carried out* means that the cluster had done it, and the answer was replaced; *not carried out*
  that the cluster never saw it. *From then on* means until the end of that run.
- An orphaned provider goes on after its engine has ended, and the next run works at the same time.
  *Two runs at once* is two engines without a lock.
- A move is between two clusters. The requests to each are struck; the other one goes on as it is,
  but a killed run reaches neither. It may be the next run that takes the change of target back.
- A request that only reads is struck by those kinds alone that are another fault for it, and of
  polls the first two are.
- Storage is full when no file of JobManager and TaskManager can grow, and read-only when the
  directory of the savepoint cannot be made.
- A JobManager [with HA storage](faults-with-ha.md) has a page of its own.
"""


@dataclass(frozen=True)
class Campaigns:
    """All that was tried, and on what.

    Attributes:
        restored: How many savepoints a job was started from at the end; the others were restored
            from on the way.
        planned: How many faults there are; fewer were tried where a sample was asked for.
    """

    found: Sequence[Tried]
    restored: int
    planned: int
    minutes: float


_WITH_HA = """\

The cluster's JobManager is killed at each request that changes something, before or after it has
answered, and started again with its jobs, which it has kept in a ZooKeeper that is started from
Flink's own package. No move is tried: two clusters would need two. All other faults, also without
HA storage, are [on the other page](faults.md).
"""


def page(done: Campaigns, machine: Machine, *, with_ha: bool = False) -> str:
    """Return a whole page."""
    head = (
        _HEAD.format(title="Faults with HA storage", options=' FAULTS="--parts ha"') + _WITH_HA
        if with_ha
        else _HEAD.format(title="Faults", options="")
    )
    tried = [each for each in done.found if each.outcome is not Outcome.NOT_REACHED]
    return "\n".join(
        [
            head,
            _summary(done, tried, machine),
            _HOLDS,
            f"## By kind and action\n\n{_table(tried)}\n",
            f"## What failed\n\n{_failures(tried)}\n",
            *([] if with_ha else [f"## How\n\n{_NOTES}"]),
        ]
    )


def _summary(done: Campaigns, tried: Sequence[Tried], machine: Machine) -> str:
    counted = Counter(each.outcome for each in tried)
    rows = [
        ("faults tried", f"**{len(tried)}** of {done.planned}"),
        ("survived", f"**{counted[Outcome.SURVIVED]}**"),
        ("lost", f"**{counted[Outcome.LOST]}**"),
        ("doubled", f"**{counted[Outcome.DOUBLED]}**"),
        ("went back, and said so", str(counted[Outcome.WENT_BACK])),
        ("not reached: the run made no such request", str(len(done.found) - len(tried))),
        ("took more than one undisturbed run", str(sum(each.runs > 1 for each in tried))),
        ("savepoints restored from at the end", str(done.restored)),
        ("minutes", f"{done.minutes:.0f}"),
        *machine.rows(),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines, ""])


def _table(tried: Sequence[Tried]) -> str:
    kinds = list(dict.fromkeys(each.case.kind.name for each in tried))
    actions = [each.name for each in ACTIONS]
    head = ["fault", *actions, "tried", "survived", "went back", "lost", "doubled"]
    rows = []
    for kind in sorted(kinds):
        of_kind = [each for each in tried if each.case.kind.name == kind]
        cells = [_cell(each for each in of_kind if each.case.action.name == a) for a in actions]
        rows.append([kind, *cells, *_totals(of_kind)])
    by_action = [_cell(each for each in tried if each.case.action.name == a) for a in actions]
    rows.append(["**all**", *by_action, *_totals(tried)])
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(tried: Iterable[Tried]) -> str:
    """Return how many were tried, and how many of them ended badly."""
    counted = Counter(each.outcome for each in tried)
    bad = [
        f"**{counted[outcome]} {outcome.value}**"
        for outcome in (Outcome.LOST, Outcome.DOUBLED)
        if counted[outcome]
    ]
    number = str(sum(counted.values()) or "-")
    return f"{number} ({', '.join(bad)})" if bad else number


def _totals(tried: Sequence[Tried]) -> list[str]:
    counted = Counter(each.outcome for each in tried)
    each = (Outcome.SURVIVED, Outcome.WENT_BACK, Outcome.LOST, Outcome.DOUBLED)
    return [str(len(tried)), *(str(counted[outcome]) for outcome in each)]


def _failures(tried: Sequence[Tried]) -> str:
    bad = [each for each in tried if each.is_bad]
    lines = [f"- {each.outcome.value}: {each.case}. {' '.join(each.why.split())}" for each in bad]
    return "\n".join(lines) or "Nothing."
