"""One table names the symbols: each row agrees with the evaluator, and a symbol without a row is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import notation
from tex_grammar import TexError, TexNameError, parse

TABLE = Path(__file__).parents[2] / "docs" / "notation.toml"


def row(tex: str, code: str) -> str:
    return f"[[symbol]]\ntex = '''{tex}'''\ncode = '{code}'\nshape = '(N, n)'\nmeaning = 'A sentence.'\n"


@pytest.fixture
def write(tmp_path):
    def write(*rows):
        path = tmp_path / "notation.toml"
        path.write_text("\n".join(rows), encoding="utf-8")
        return path

    return write


def test_table_of_the_site_is_read():
    table = notation.load(TABLE)
    assert {"x", r"\bar x", "J_F", r"\phi'", r"\mathcal E"} <= {row.tex for row in table.rows}
    assert {"bar", "prime", "d"} <= table.marks
    assert all(row.meaning.endswith(".") for row in table.rows)


@pytest.mark.parametrize(
    "tex",
    [
        r"\bar x = \bar y + \bar y J_F",
        r"\bar W_1 = x^\top (\bar y W_2^\top \odot \phi'(a))",
        r"\mathrm d y = \mathrm d x (I + J_F^\top)",
        r"\bar x_l = \bar x_{l+1} \frac{\partial y}{\partial x}, \quad l = 0, \dots, L-1",
    ],
)
def test_equations_of_the_site_pass(tex):
    notation.load(TABLE).check(parse(tex))


@pytest.mark.parametrize(
    ("tex", "column", "says"),
    [
        (r"x = \Xi", 5, r"\Xi is not in the table"),
        (r"x = y + \bar q", 9, "q is not in the table"),
        (r"x = \mathbf y", 5, r"\mathbf y is not in the table"),
        (r"x_q = y", 3, "q is not in the table"),
        (r"x = \operatorname{other}(y)", 5, r"\operatorname{other} is not in the table"),
        (r"x = y_l, \quad l = 0, \dots, q", 30, "q is not in the table"),
        (r"x = \frac{\partial q}{\partial x}", 20, "q is not in the table"),
        (r"x = \hat y", 5, "no row of the table of notation shows hat"),
        (r"x = \mathrm d y", 5, "no row of the table of notation shows d"),
    ],
)
def test_symbol_without_a_row_is_refused_where_it_stands(tex, column, says, write):
    rows = [row(tex, tex) for tex in "xyl"] + [row(r"\bar x", "x_bar")]
    with pytest.raises(TexNameError) as caught:
        notation.load(write(*rows)).check(parse(tex))
    assert says in caught.value.message
    assert (caught.value.line, caught.value.column) == (1, column)
    assert isinstance(caught.value, TexError)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row(r"\bar x", "xbar")], r"\bar x is x_bar in code, not xbar"),
        ([row(r"\lambda", "lambda")], r"\lambda is lambda_ in code, not lambda"),
        ([row("L", "L"), row(r"\mathcal L", "L")], r"L and \mathcal L are both L in code"),
        ([row("x + y", "x")], "x + y is not one symbol"),
        ([row(r"\foo", "foo")], r"\foo: \foo is not in the grammar"),
        ([row("x_{l+1}", "x")], "x_{l+1} is None in code"),
        (["[[symbol]]\ntex = 'x'\ncode = 'x'\n"], "a row has the columns tex, code, shape, meaning"),
        ([row("x", "x").replace("A sentence.", "")], "a row has the columns"),
        ([row("x", "x") + "kind = 'array'\n"], "a row has the columns"),
    ],
)
def test_faulty_row_is_named(rows, says, write):
    with pytest.raises(ValueError, match="notation") as caught:
        notation.load(write(*rows))
    assert says in str(caught.value)


def test_changed_file_is_read_again(write):
    assert len(notation.load(write(row("x", "x"))).rows) == 1
    assert len(notation.load(write(row("x", "x"), row("y", "y"))).rows) == 2
