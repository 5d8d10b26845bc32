"""What CountingJob has committed, and whether its state was carried over."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Counts:
    """The committed output of CountingJob."""

    by_key: dict[int, int]
    """The highest count of each key."""
    labels: Counter[str]
    """How many lines have each label; "" where none was given."""

    @property
    def total(self) -> int:
        """The number of committed lines."""
        return sum(self.labels.values())


def committed_files(directory: Path) -> list[Path]:
    """Return the committed files, with none missing that was committed before another of them.

    A listing may miss a file that is renamed meanwhile, and have one that is renamed later: 16 of
    3,898 listings did, of a directory with a commit every 2 ms (Linux, ext4). So two in a row must
    agree.
    """
    before, found = None, sorted(directory.glob("part-*"))
    while found != before:
        before, found = found, sorted(directory.glob("part-*"))
    return found


def committed_lines(directory: Path) -> list[str]:
    """Return the lines of all committed files; those in progress are hidden ones."""
    return [
        line
        for file in committed_files(directory)
        for line in file.read_text(encoding="utf-8").splitlines()
    ]


def assert_counts_continuous(directory: Path, *, complete: bool = False) -> Counts:
    """Assert that the committed counts of every key are 1, 2, 3, … without a gap or a repeat.

    With `complete`, after a stop with savepoint, assert also that no number was lost or repeated
    before it was counted: the keys take turns, so their counts differ by one at most.
    """
    counts: dict[int, list[int]] = defaultdict(list)
    labels: Counter[str] = Counter()
    for line in committed_lines(directory):
        key, rest = line.split(",", 1)
        count, _, label = rest.partition(",")
        counts[int(key)].append(int(count))
        labels[label] += 1
    for number, seen in sorted(counts.items()):
        repeated = sorted(count for count, times in Counter(seen).items() if times > 1)
        missing = sorted(set(range(1, max(seen) + 1)) - set(seen))
        assert not repeated, f"key {number}: counts repeated: {repeated[:5]}"
        assert not missing, f"key {number}: counts missing: {missing[:5]} of {max(seen)}"
    highest = {key: max(seen) for key, seen in counts.items()}
    if complete:
        assert highest, f"nothing was committed to {directory}"
        spread = max(highest.values()) - min(highest.values())
        assert spread <= 1, f"the source lost or repeated numbers: {highest}"
    return Counts(highest, labels)
