"""``{notation-table}``: the table of notation as a page shows it, from the file that the checks read."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import notation
from checking import NOTATION

_HEADS = ("Symbol", "In code", "Meaning")
_WIDTHS = (15, 30, 55)


class NotationTable(SphinxDirective):
    """All symbols of the site: typeset, as they are spelled in code with their shape, and what they mean."""

    def run(self) -> list[nodes.Node]:
        """Lay out the rows of the file, and note it, so that a change of it shows."""
        self.env.note_dependency(str(NOTATION))
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in _WIDTHS), cols=len(_HEADS))
        group += nodes.thead("", _row([nodes.paragraph("", head)] for head in _HEADS))
        group += nodes.tbody("", *(_row(_cells(row)) for row in notation.load(NOTATION).rows))
        return [nodes.table("", group, classes=["notation"])]


def _cells(row: notation.Row) -> list[list[nodes.Node]]:
    """The cells of one symbol; its shape stands below its name, so that three columns fit a phone."""
    return [
        [nodes.paragraph("", "", nodes.math(row.tex, row.tex))],
        [
            nodes.paragraph("", "", nodes.literal(row.code, row.code)),
            nodes.paragraph("", row.shape, classes=["shape"]),
        ],
        [nodes.paragraph("", row.meaning)],
    ]


def _row(cells: Any) -> nodes.row:
    return nodes.row("", *(nodes.entry("", *cell) for cell in cells))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("notation-table", NotationTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
