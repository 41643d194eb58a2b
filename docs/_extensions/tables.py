"""A small table of docutils from its heads and its cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from docutils import nodes

Cell = Iterable[nodes.Node]


def table(
    heads: Sequence[str],
    rows: Iterable[Iterable[Cell]],
    *,
    widths: Sequence[int] = (),
    classes: Sequence[str] = (),
) -> nodes.table:
    """A table in which every cell is one paragraph; without widths its columns are alike."""
    columns = (nodes.colspec(colwidth=width) for width in widths or [1] * len(heads))
    group = nodes.tgroup("", *columns, cols=len(heads))
    group += nodes.thead("", _row([nodes.Text(head)] for head in heads))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=[*classes])


def _row(cells: Iterable[Cell]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))
