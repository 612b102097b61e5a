"""A table of text."""

from dataclasses import dataclass, field

__all__ = ["Table"]


@dataclass
class Table:
    """Rows under headings; columns are as wide as their widest entry.

    Parameters
    ----------
    title : str
        Stands above.
    headings : sequence of str
        One a column. The first column is set flush left, the others flush right.
    notes : list of str
        Stand below, one a line.

    Examples
    --------
    >>> from solvent.demo._table import Table
    >>> table = Table("Squares", ("n", "n squared"))
    >>> table.add("2", "4")
    >>> table.add("12", "144")
    >>> print(table)
    Squares
    n   n squared
    ─────────────
    2           4
    12        144
    """

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row; one cell a column."""
        if len(cells) != len(self.headings):
            raise ValueError(f"the row has {len(cells)} cells; expected {len(self.headings)}")
        self.rows.append(cells)

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.headings, *self.rows, strict=True)]
        lines = [self.title, _line(self.headings, widths), "─" * (sum(widths) + 2 * (len(widths) - 1))]
        lines += [_line(row, widths) for row in self.rows]
        return "\n".join(lines + [f"  {note}" for note in self.notes])


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()
