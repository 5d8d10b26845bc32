"""Tables that are redrawn on a terminal, and fit its width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

#: Blanks between two columns, and what is left of a column that gives way.
_GAP, _LEAST = 2, 12


@dataclass(frozen=True)
class FittingTable:
    """A table with a line for each row, whatever the width: less important columns are left out.

    Attributes:
        headings: The headings.
        rows: The cells of each row.
        right: Headings of columns that are aligned to the right.
        gives_way: The heading of the column that is cut first.
        leave_out: Headings of columns that may be left out, the least important one first; those
            without any value go before all others.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Text]]
    right: Sequence[str] = ()
    gives_way: str = ""
    leave_out: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Yield the table for a width."""
        widths = {
            heading: max(len(heading), *(row[at].cell_len for row in self.rows), 0)
            for at, heading in enumerate(self.headings)
        }
        shown = self._shown(widths, options.max_width)
        table = Table(box=None, pad_edge=False)
        for heading in shown:
            over = max(0, _total(widths, shown) - options.max_width)
            table.add_column(
                heading,
                justify="right" if heading in self.right else "left",
                no_wrap=True,
                overflow="ellipsis",
                max_width=max(_LEAST, widths[heading] - over)
                if heading == self.gives_way
                else None,
            )
        for row in self.rows:
            table.add_row(*(row[self.headings.index(heading)] for heading in shown))
        yield table

    def _shown(self, widths: dict[str, int], room: int) -> list[str]:
        """Return the headings of the columns that there is room for."""
        least = {**widths}
        if self.gives_way:
            least[self.gives_way] = min(_LEAST, widths[self.gives_way])
        shown = list(self.headings)
        empty = [each for each in self.leave_out if self._is_empty(each)]
        for heading in [*empty, *self.leave_out]:
            if _total(least, shown) <= room:
                break
            shown = [each for each in shown if each != heading]
        return shown

    def _is_empty(self, heading: str) -> bool:
        at = self.headings.index(heading)
        return all(row[at].plain == "-" for row in self.rows)


def _total(widths: dict[str, int], shown: Sequence[str]) -> int:
    return sum(widths[each] for each in shown) + _GAP * (len(shown) - 1)
