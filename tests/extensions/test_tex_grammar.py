"""The grammar reads what it knows, drops what is only look, and refuses the rest where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tex_grammar import Statement, TexError, parse
from tex_names import spelled, spelled_derivative
from tex_tree import Function, Group, Odot, Product, Quotient, Raised, Symbol


def right_side(tex: str) -> object:
    return parse(f"y = {tex}").chains[0].links[0][1]


def refused(tex: str) -> TexError:
    with pytest.raises(TexError) as caught:
        parse(tex)
    return caught.value


# What is read


def test_chain_has_its_relations_in_order():
    chain = parse(r"0 \le a < b = c").chains[0]
    assert [relation for relation, _ in chain.links] == [r"\le", "<", "="]


@pytest.mark.parametrize(("sign", "meant"), [(r"\leq", r"\le"), (r"\geq", r"\ge")])
def test_two_spellings_of_a_relation_are_one(sign, meant):
    assert parse(f"a {sign} b").chains[0].links[0][0] == meant


def test_juxtaposition_binds_tighter_than_odot():
    found = right_side(r"a b \odot c")
    assert isinstance(found, Odot)
    assert isinstance(found.parts[0], Product)


def test_function_application_is_left_open():
    found = right_side(r"\phi'(a)")
    assert found.factors == (Symbol(found.at, r"\phi", marks=("prime",)), found.factors[1])
    assert isinstance(found.factors[1], Group)


@pytest.mark.parametrize(
    ("tex", "same"),
    [
        (r"\bar W_1", r"\bar{W_1}"),
        (r"\bar W_1", r"\bar{W}_1"),
        (r"\bar x^\top_l", r"\bar x_l^\top"),
        (r"\phi_2'", r"\phi'_2"),
        (r"\tfrac12 x", r"\frac{1}{2} x"),
        (r"\dfrac12 x", r"\tfrac1{2}x"),
        (r"\binom L2 x", r"\dbinom{L}{2} x"),
        (r"x^2", r"x^{2}"),
        (r"\mathrm d x", r"\mathrm{d}x"),
        (r"\mathcal E", r"\mathcal{E}"),
        (r"\mathrm{relu}(x)", r"\operatorname{relu}(x)"),
        (r"J_\text{out}", r"J_{\mathrm{out}}"),
        (r"\prod_{l=0}^{L-1} J_l", r"\prod^{L-1}_{l=0} J_l"),
        (r"\sum_{l=0}^L J_l", r"\sum\limits_{l=0}^{L} J_l"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \\ \end{pmatrix}", r"\begin{pmatrix} 1&2\\3&4 \end{pmatrix}"),
    ],
)
def test_two_spellings_read_alike(tex, same):
    assert right_side(tex) == right_side(same)


@pytest.mark.parametrize(
    "looks",
    [
        r"y = \left( a + b \right) c",
        r"y = \bigl( a + b \bigr) \, c",
        "y = ( a + b ) % a remark \\unknown\n c",
        r"y = \underbrace{(a + b)}_{\text{both}} c .",
        r"y = \overbrace{(a + b) c}^{n},",
        r"\boxed{y = (a + b) c}",
        r"\skippath{y} = \branch{(a + b)} c",
        r"\begin{aligned} y &= (a + b) c \end{aligned}.",
        r"\begin{aligned} y &= (a + b) c. \end{aligned}",
        r"y &= (a + b) c \\",
        r"\displaystyle y \quad = \qquad (a~+ b)\;c",
    ],
)
def test_layout_changes_nothing(looks):
    assert parse(looks) == parse("y = (a + b) c")


def test_coloured_part_is_read_as_it_looks():
    r"""`\branch{a + b} c` shows no parentheses, so it has none."""
    assert right_side(r"\branch{a + b} c") == right_side("a + b c")
    assert right_side(r"\skippath{a} \branch{- b}") == right_side("a - b")


def test_rows_go_on_with_a_chain_or_start_one():
    found = parse(r"\begin{aligned} y &= a \\ &\quad + b \\ &= c \\ z &\le d \end{aligned}")
    assert found == parse("y = a + b = c \\\\ z \\le d")
    assert [len(chain.links) for chain in found.chains] == [2, 1]


def test_row_may_begin_with_minus_or_odot():
    assert parse(r"y = a \\ - b \\ \odot c") == parse(r"y = a - b \odot c")


def test_row_of_its_own_may_have_a_minus_first():
    assert len(parse("- y = a").chains) == 1


@pytest.mark.parametrize(
    "tex",
    [
        r"x_l = y_l, \quad l = 0, \dots, L-1",
        r"x_l = y_l, \qquad \text{for } l = 0, \ldots, L-1.",
        r"x_l = y_l \quad \text{for all } l = 0, \dots, L-1",
        r"\begin{aligned} x_l &= y_l \end{aligned}, \quad l = 0, \dots, L-1",
    ],
)
def test_quantifier_stands_at_the_end(tex):
    found = parse(tex)
    assert [span.variable.base for span in found.quantifiers] == ["l"]
    assert len(found.chains) == 1


def test_two_quantifiers():
    found = parse(r"x_{k,l} = 0, \quad k = 0, \dots, 2, \quad l = 0, 1, \dots, L")
    assert [span.variable.base for span in found.quantifiers] == ["k", "l"]


def test_symbols_have_positions_and_come_from_subscripts_too():
    found = parse("\\bar x\n  = \\sum_{l=0}^{L} J_{l+1}")
    assert [(s.base, s.at.line, s.at.column) for s in found.symbols()] == [
        ("x", 1, 1), ("l", 2, 11), ("L", 2, 17), ("J", 2, 20), ("l", 2, 23),
    ]  # fmt: skip


def test_trees_are_frozen_and_equal_wherever_they_stand():
    found = parse("y = x")
    assert found == parse("  y\n =  x")
    assert hash(found) == hash(parse("y=x"))
    with pytest.raises(AttributeError):
        found.chains = ()  # type: ignore[misc]
    assert isinstance(found, Statement)


def test_bare_argument_is_one_factor():
    assert right_side(r"- \log p_{r,t_r}").terms[0][1] == right_side(r"\log(p_{r,t_r})")
    assert isinstance(right_side(r"\det A^\top"), Function)


def test_superscript_belongs_to_what_it_stands_on():
    found = right_side(r"x W^\top")
    assert isinstance(found.factors[1], Raised)
    assert isinstance(right_side("a / n"), Quotient)


# What is refused, and where


@pytest.mark.parametrize(
    ("tex", "line", "column", "says"),
    [
        # signs outside the grammar
        ("y = \\foo x", 1, 5, r"\foo is not in the grammar"),
        ("y\n = x \\approx z", 2, 6, "agree"),
        (r"x_l \to 0", 1, 5, "agree"),
        (r"x \in y", 1, 3, "agree"),
        (r"y = x_0 \cdots x_L", 1, 9, "agree"),
        (r"y = x_0 + \dots + x_L", 1, 11, "agree"),
        (r"y = \lim x", 1, 5, "agree"),
        (r"y = \mathbb E x", 1, 5, "agree"),
        (r"y = \begin{cases} 1 \\ 2 \end{cases}", 1, 5, "agree"),
        (r"y = \begin{tabular} 1 \end{tabular}", 1, 5, "not in the grammar"),
        (r"y = a \times b", 1, 7, r"\cdot"),
        ("y = a * b", 1, 7, r"\cdot"),
        ("y = |a|", 1, 5, r"\lvert"),
        (r"y = \|a\|", 1, 5, r"\lVert"),
        (r"y = \ln a", 1, 5, r"\log"),
        (r"y = \nabla x", 1, 5, r"\bar x"),
        (r"y = \phantom{x}", 1, 5, "hides"),
        ("y := x", 1, 3, "write ="),
        ("y = x!", 1, 6, "not in the grammar"),
        ("y = 1234567890123456", 1, 5, "15 digits"),
        # signs outside ASCII
        ("y = a − b", 1, 7, "write -"),
        ("y = a ≤ b", 1, 7, r"write \le"),
        ("y = xᵀ", 1, 6, r"write ^\top"),
        ("ÿ = x", 1, 1, "U+00FF"),
        ("y =\u00a0x", 1, 4, "write ~"),
        ("y = \\é", 1, 6, "U+00E9"),
        # layout that says too much
        (r"y = a \\[2pt] z = b", 1, 7, r"write \\ alone"),
        (r"\begin{aligned} y &= a \\ [-.5 em] z &= b \end{aligned}", 1, 24, r"write \\ alone"),
        (r"y = \begin{pmatrix} 1 \\[2pt] 2 \end{pmatrix}", 1, 23, r"write \\ alone"),
        (r"y = \text{if } x", 1, 5, "words stand under a brace"),
        (r"y = x \text{ and } z = x", 1, 7, "own row"),
        (r"y = \text{a {b}}", 1, 5, "one pair of braces"),
        (r"y = \left. x \right)", 1, 5, "before a bracket"),
        (r"y = x \big", 1, 7, "before a bracket"),
        (r"y = \branch x", 1, 5, "must be followed by {"),
        (r"y = x^\branch{2}", 1, 7, "needs braces around it"),
        (r"y = {a + b} c", 1, 5, "expected a symbol"),
        (r"y = c {a + b}", 1, 7, "write parentheses"),
        # brackets that do not pair
        ("y = (a + b", 1, 11, "expected ), found the end"),
        ("y = (a + b]", 1, 11, "expected ), found ]"),
        ("y = a)", 1, 6, "expected the end of the row"),
        ("y = a}", 1, 6, "} closes nothing"),
        (r"y = \frac{a}{b", 1, 13, "{ is never closed"),
        (r"y = \binom{L}", 1, 14, "found the end"),
        (r"y = \branch{a", 1, 5, r"\branch is never closed"),
        (r"y = \underbrace{a}_{b", 1, 19, "label of the brace is never closed"),
        (r"y = \lVert a \rvert", 1, 14, r"expected \rVert"),
        (r"\begin{aligned} y = a", 1, 1, "is never closed"),
        (r"y = \begin{aligned} a \end{aligned}", 1, 5, "around the whole statement"),
        (r"y = a \end{aligned}", 1, 7, "around the whole statement"),
        # statements
        ("", 1, 1, "nothing is stated"),
        (" % only a remark", 1, 1, "nothing is stated"),
        ("y", 1, 2, "expected a relation"),
        ("= y", 1, 1, "needs a left side"),
        ("y = ", 1, 4, "found the end"),
        ("y = = x", 1, 5, "found ="),
        (r"y = a \\ b c", 1, 13, "expected a relation"),
        (r"y = a \\ - b = c", 1, 10, "end of the row above"),
        (r"x_l = 0, l = 0, \dots, L \\ y = 1", 1, 10, "at the end of the whole statement"),
        (r"x = 0, y = 1", 1, 13, "expected ,"),
        (r"x = 0, \quad 0 \le l", 1, 14, "a range such as"),
        (r"x_l = 0, \quad l \in k", 1, 18, "agree"),
        (r"x_l = 0, \quad l_1 = 0, \dots, L", 1, 16, "plain letter"),
        (r"x_l = 0, \quad l = 0, 1, 2, \dots, L", 1, 26, r"expected \dots"),
        # sums, products and powers
        ("y = + x", 1, 5, "two signs in a row"),
        ("y = a + - b", 1, 9, "two signs in a row"),
        (r"y = a \odot - b", 1, 13, "two signs in a row"),
        ("y = 2 3", 1, 7, "a number stands before"),
        ("y = x 2", 1, 7, "a number stands before"),
        ("y = x 2^k", 1, 7, "a number stands before"),
        (r"y = 2 \frac12", 1, 7, "as their sum"),
        ("y = a / b c", 1, 11, "ambiguous after a / b"),
        ("y = a / b / c", 1, 11, "ambiguous after a / b"),
        ("y = a / n (b)", 1, 11, "ambiguous after a / b"),
        ("y = x^12", 1, 7, "put 12 in braces"),
        (r"y = \frac1.5 x", 1, 10, "put 1.5 in braces"),
        (r"y = \tfrac1.2", 1, 11, "put 1.2 in braces"),
        ("y = x^T", 1, 7, r"write ^\top"),
        ("y = x^{T}", 1, 7, r"write ^\top"),
        (r"y = x^\prime", 1, 7, "write '"),
        ("y = x^{(1)}", 1, 8, "is a label"),
        ("y = x^2^3", 1, 8, "after a superscript"),
        ("y = x^2'", 1, 8, "after a superscript"),
        ("y = (a)_1", 1, 8, "belongs to a symbol"),
        ("y = 2'", 1, 6, "belongs to a symbol"),
        # symbols
        (r"y = \bar{a + b}", 1, 12, "stands over one symbol"),
        (r"y = \bar{(a)}", 1, 10, "expected a symbol"),
        (r"y = \bar 2", 1, 10, "expected a letter or a brace"),
        (r"y = \bar \mathcal E", 1, 10, "expected a letter or a brace"),
        ("y = x_1_2", 1, 8, "two subscripts"),
        ("y = x_12", 1, 7, "put 12 in braces"),
        ("y = x_{skip}", 1, 9, r"\text{...}"),
        ("y = x_{l 1}", 1, 10, "an operator or a comma"),
        ("y = x_{1.5}", 1, 8, "whole number"),
        ("y = x_{}", 1, 8, "expected an index"),
        ("y = x_{l^2}", 1, 9, "expected }"),
        (r"y = x_\text{two words}", 1, 7, "one word"),
        (r"y = \mathbf{ab}", 1, 5, "takes one letter"),
        (r"y = \mathrm{a+b}", 1, 5, "takes one letter"),
        (r"y = \mathbf 2", 1, 5, "takes one letter"),
        (r"y = \mathrm d (x)", 1, 15, r"a symbol after \mathrm d"),
        (r"y = \mathrm d \mathrm d x", 1, 15, "differential of a differential"),
        (r"L = \mathcal L", 1, 5, r"\mathcal L and L are both L"),
        (r"\mathbf x = x", 1, 13, r"x and \mathbf x are both x"),
        # derivatives
        (r"y = \frac{\partial^2 y}{\partial x^2}", 1, 19, r"a symbol after \partial"),
        (r"y = \frac{\partial}{\partial x} y", 1, 19, r"a symbol after \partial"),
        (r"y = \frac{\partial y}{x}", 1, 23, r"expected \partial"),
        (r"y = \partial y / \partial x", 1, 5, r"\frac{\partial y}{\partial x}"),
        # functions and brackets with a meaning
        (r"y = \log p q", 1, 12, "where does the argument of log end"),
        (r"y = \log F(x)", 1, 11, "where does the argument of log end"),
        (r"y = \log p \odot q", 1, 12, "where does the argument of log end"),
        (r"y = \sin^2 x", 1, 9, r"\sin takes no ^"),
        (r"y = \tanh'(x)", 1, 10, r"\tanh takes no '"),
        (r"y = \max_l x", 1, 9, r"\max takes no _"),
        (r"y = \max(x)", 1, 5, "two or more arguments"),
        (r"y = \exp(x, y)", 1, 5, "one argument"),
        (r"y = \operatorname{diag}(x, y)", 1, 5, "one argument"),
        (r"y = \sqrt[3]{x}", 1, 10, "only square roots"),
        ("y = [a]", 1, 7, "a relation"),
        (r"y = \langle a \rangle", 1, 15, "inner product"),
        (r"y = \lVert a \rVert_1", 1, 21, r"norms are"),
        (r"y = \begin{pmatrix} 1 & 2 \\ 3 \end{pmatrix}", 1, 5, "different lengths"),
        (r"y = \begin{pmatrix} 1 & \end{pmatrix}", 1, 25, "expected a symbol"),
        # ranges
        (r"y = \sum x_l", 1, 5, "write the limits"),
        (r"y = \sum_{l=0} x_l", 1, 5, "write the limits"),
        (r"y = \sum^{L} x_l", 1, 5, "write the limits"),
        (r"y = \sum_{l=0,\dots,L}^{L} x_l", 1, 5, "write the limits"),
        (r"y = \sum_l^L x_l", 1, 10, "expected {"),
        (r"y = \sum_{l=0}_{k=0} x", 1, 15, "two limits"),
        (r"y = \sum_{k,l=0}^{L} x", 1, 12, "expected ="),
        (r"y = \sum_{l=0}^{L} - x_l", 1, 20, "two signs in a row"),
    ],
)
def test_refusal_says_what_and_where(tex, line, column, says):
    error = refused(tex)
    assert says in error.message
    assert (error.line, error.column) == (line, column)


def test_error_reads_as_one_line():
    assert str(refused("y = \n x!")) == "line 2, column 3: ! is not in the grammar"


@pytest.mark.parametrize(
    "tex",
    [
        "y = " + "(" * 60 + "x" + ")" * 60,
        "y = " + r"\bar{" * 60 + "x" + "}" * 60,
        "y = " + r"x_{" * 5000 + "1" + "}" * 5000,
        "y = " + r"\frac{1}{" * 60 + "x" + "}" * 60,
        "y = " + r"\sum_{l=0}^{1}" * 60 + "x",
        "y = " + r"\log" * 60 + " x",
        "y = " + r"\mathrm d" * 60 + " x",
    ],
)
def test_deep_nesting_is_refused(tex):
    assert "levels deep" in refused(tex).message


def test_width_is_no_depth():
    assert len(right_side(" + ".join(["x"] * 3000)).terms) == 3000


# The page for contributors

PAGE = (Path(__file__).parents[2] / "docs" / "practice" / "grammar.md").read_text("utf-8")


def examples(section: str) -> list[list[str]]:
    """Return the first two columns of a section's table, as the code in them."""
    rows = re.findall(
        r"^\| (.*?) \| (.*?) \|", PAGE.partition(f"## {section}")[2].partition("##")[0], re.MULTILINE
    )
    return [[re.findall("`(.*?)`", cell) for cell in row] for row in rows[1:]]


@pytest.mark.parametrize("tex", [tex for row in examples("What each sign stands for") for tex in row[0]])
def test_what_the_page_lists_is_read(tex):
    right_side(tex)


@pytest.mark.parametrize(
    ("tex", "name"),
    [pair for row in examples("How a symbol is spelled") for pair in zip(row[0], row[1], strict=True)],
)
def test_names_are_spelled_as_the_page_says(tex, name):
    found = right_side(tex)
    is_symbol = isinstance(found, Symbol)
    assert (
        spelled(found, found.subscript) if is_symbol else spelled_derivative(found, found.bottom.subscript)
    ) == name
