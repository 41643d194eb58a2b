"""``{notation-table}``: the table of notation as a page shows it, from the file that the checks read."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from checking import NOTATION
from notation import Row, load
from tables import table

_HEADS = ("Symbol", "In code, and its shape", "Meaning")


class NotationTable(SphinxDirective):
    """All symbols of the site: typeset, as they are spelled in code with their shape, and what they mean."""

    def run(self) -> list[nodes.Node]:
        """Lay out the rows of the file, and note it, so that a change of it shows."""
        self.env.note_dependency(str(NOTATION))
        return [table(_HEADS, map(self._cells, load(NOTATION).rows), classes=["notation"])]

    def _cells(self, row: Row) -> list[list[nodes.Node]]:
        """Return the cells of one symbol; its meaning may hold formulas and links."""
        name = nodes.literal(row.code, row.code)
        return [
            [nodes.math(row.tex, row.tex)],
            [name, nodes.Text(f" {row.shape}")],
            self.parse_inline(row.meaning)[0],
        ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("notation-table", NotationTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
