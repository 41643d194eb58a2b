"""The table of notation on its page: every row of the file, typeset."""

import io
from pathlib import Path

import pytest
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from checking import NOTATION
from mathml import to_mathml
from notation import Row, load

ROWS = load(NOTATION).rows


@pytest.fixture
def table(tmp_path: Path) -> nodes.table:
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser', 'notation_table']\nmyst_enable_extensions = ['dollarmath']\n"
    )
    (tmp_path / "index.md").write_text("# Symbols\n\n```{notation-table}\n```\n")
    warnings = io.StringIO()
    with docutils_namespace():
        app = Sphinx(
            tmp_path, tmp_path, tmp_path / "out", tmp_path / "trees", "dummy", status=None, warning=warnings
        )
        app.build()
    assert not warnings.getvalue()
    assert NOTATION.resolve() in {(tmp_path / name).resolve() for name in app.env.dependencies["index"]}
    (found,) = app.env.get_doctree("index").findall(nodes.table)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_each_symbol_can_be_typeset(row: Row) -> None:
    assert to_mathml(row.tex, display=False).startswith("<math")


def test_each_row_of_the_file_is_shown_with_its_name_in_code(table: nodes.table) -> None:
    shown = [(row[0].astext(), row[1][0][0].astext()) for row in table.findall(nodes.row)][1:]
    assert shown == [(row.tex, row.code) for row in ROWS]
