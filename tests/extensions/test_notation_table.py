"""The table of notation on its page: every row of the file, typeset."""

import pytest
from docutils import nodes

from checking import NOTATION
from mathml import to_mathml
from notation import Row, load
from notation_table import cells

ROWS = load(NOTATION).rows


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_each_symbol_can_be_typeset(row: Row) -> None:
    assert to_mathml(row.tex, display=False).startswith("<math")


def test_a_row_shows_symbol_name_shape_and_meaning() -> None:
    symbol, name, meaning = cells(Row(r"\bar x", "x_bar", "(N, n)", "The gradient at x."))
    assert isinstance(symbol[0], nodes.math)
    assert symbol.astext() == r"\bar x"
    assert isinstance(name[0], nodes.literal)
    assert name.astext() == "x_bar (N, n)"
    assert meaning.astext() == "The gradient at x."
