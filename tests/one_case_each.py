"""A shorter run: of the cases of each test one, chosen by the seed of the run's random choices.

`make test` takes it for the tests on real clusters, which else take longer than anybody waits for
before a commit. CI takes all cases.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

OPTION = "--one-case-each"


def keep_one_case_each(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one case of each test, in the order of before."""
    seed = str(config.option.hypothesis_seed)
    kept = chosen({item.nodeid: _is_skipped(item) for item in items}, seed)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
    items[:] = [item for item in items if item.nodeid in kept]


def chosen(cases: Mapping[str, bool], seed: str) -> set[str]:
    """Return the id of one case of each test: one that runs, where there is one.

    Args:
        cases: Whether each case is skipped, by its id.
        seed: Of the same cases, the same seed chooses the same ones.
    """
    of_each: dict[str, list[str]] = {}
    for case in cases:
        of_each.setdefault(case.partition("[")[0], []).append(case)
    return {
        random.Random(f"{seed} {test}").choice([case for case in ids if not cases[case]] or ids)
        for test, ids in of_each.items()
    }


def _is_skipped(item: pytest.Item) -> bool:
    conditions = [mark.args[0] for mark in item.iter_markers("skipif")]
    return any(conditions) or item.get_closest_marker("skip") is not None
