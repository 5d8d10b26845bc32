"""A shorter run: a part of the tests, and one case of each, by the seed of its random choices.

`make test` takes it for the tests on real clusters, which else take longer than anybody waits for
before a commit. CI takes all cases of all tests.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

OPTION = "--choice"


def keep_a_choice(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the part of the tests that is asked for, one case of each, in the order of before."""
    seed, part = str(config.option.hypothesis_seed), config.getoption(OPTION)
    kept = chosen({item.nodeid: _is_skipped(item) for item in items}, seed, part)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
    items[:] = [item for item in items if item.nodeid in kept]


def chosen(cases: Mapping[str, bool], seed: str, part: float = 1.0) -> set[str]:
    """Return the id of one case of each chosen test: one that runs, where there is one.

    Args:
        cases: Whether each case is skipped, by its id.
        seed: Of the same cases, the same seed chooses the same ones.
        part: How likely each test is to be chosen.
    """
    of_each: dict[str, list[str]] = {}
    for case in cases:
        of_each.setdefault(case.partition("[")[0], []).append(case)
    found = set()
    for test, ids in of_each.items():
        chance = random.Random(f"{seed} {test}")
        if chance.random() < part:
            found.add(chance.choice([case for case in ids if not cases[case]] or ids))
    return found


def _is_skipped(item: pytest.Item) -> bool:
    conditions = [mark.args[0] for mark in item.iter_markers("skipif")]
    return any(conditions) or item.get_closest_marker("skip") is not None
