"""The page that `make faults` writes."""

from __future__ import annotations

from collections.abc import Mapping

from tests.bench.machine import Machine
from tests.faults.matrix.actions import ACTIONS, STOP, UPDATE
from tests.faults.matrix.cases import Case, Outcome, Tried
from tests.faults.matrix.kinds import KINDS, RequestOfRun
from tests.faults.matrix.page import Campaigns, page

MACHINE = Machine(2, 23.6, 0.25, (("Flink", "2.3.0"),), "2026-11-21")
KILLED, RESET = KINDS[0], KINDS[3]


def tried(action: object, kind: object, outcome: Outcome, why: str = "", runs: int = 1) -> Tried:
    case = Case(action, kind, RequestOfRun("POST /jobs/…/stop"))  # type: ignore[arg-type]
    return Tried(case, outcome, "killed", 1.0, why, runs)


def row(kind: str, cells: Mapping[str, str], *sums: str) -> str:
    """Return a row of the table; other actions than those given have no number."""
    return f"| {' | '.join([kind, *(cells.get(a.name, '-') for a in ACTIONS), *sums])} |"


def test_each_kind_and_action_is_counted() -> None:
    """Shows the table and the sums, where all survived but one, and one was not reached."""
    found = [
        tried(UPDATE, KILLED, Outcome.SURVIVED),
        tried(UPDATE, KILLED, Outcome.SURVIVED, runs=2),
        tried(STOP, KILLED, Outcome.NOT_REACHED),
        tried(STOP, RESET, Outcome.DOUBLED, "key 0:\n counts repeated: [1]"),
    ]
    lines = page(Campaigns(found, 7, 9, 1.6), MACHINE).splitlines()
    assert "| faults tried | **3** of 9 |" in lines
    assert "| doubled | **1** |" in lines
    assert "| took more than one undisturbed run | 1 |" in lines
    assert "| Flink | 2.3.0 |" in lines
    assert row("killed before it is sent", {"UPDATE": "2"}, "2", "2", "0", "0", "0") in lines
    counted = {"UPDATE": "2", "STOP": "1 (**1 doubled**)"}
    assert row("**all**", counted, "3", "2", "0", "0", "1") in lines
    assert (
        "- doubled: STOP, POST /jobs/…/stop: reset, not carried out; then the same. "
        "key 0: counts repeated: [1]" in lines
    )


def test_nothing_that_failed_is_said() -> None:
    text = page(Campaigns([tried(UPDATE, KILLED, Outcome.SURVIVED)], 0, 1, 0.1), MACHINE)
    assert "## What failed\n\nNothing.\n" in text


def test_the_page_of_clusters_with_ha_storage_leads_to_the_other() -> None:
    done = Campaigns([tried(UPDATE, KILLED, Outcome.SURVIVED)], 0, 1, 0.1)
    text = page(done, MACHINE, with_ha=True)
    assert text.startswith("# Faults with HA storage\n")
    assert 'Written by `make faults FAULTS="--parts ha"`;' in text
    assert "(faults.md)" in text
    assert "## How" not in text
