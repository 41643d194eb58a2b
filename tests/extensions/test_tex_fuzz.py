"""No input breaks the evaluator, random trees are computed as numpy computes them, layout changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tex_evaluate import evaluate
from tex_grammar import TexError, parse
from tex_tokens import TOKEN

often = settings(max_examples=150)  # raise it to look further
rng = np.random.default_rng(0)

_PIECES = r"""
x y W_1 \bar A J_F l L 0 1 2 0.5 12 + - = < \le \ge > ( ) [ ] { } _ ^ ' , . / & \\ \top \odot \cdot \bar \hat
\mathrm d \mathbf \mathcal \operatorname \operatorname{relu} \phi' \phi \frac \tfrac12 \binom \partial \sqrt \exp \log
\max \det \sum \prod _{l=0}^{L-1} _{l=L-1,\dots,0} \dots \text{for} \lVert \rVert \lvert \rvert \langle \rangle
\begin{pmatrix} \end{pmatrix} \begin{aligned} \end{aligned} \underbrace \branch{ \boxed \left( \right) \quad % ~
^\top ^{-1} ^2 ^{\odot f(x) h_l h_{l+1} (x) {x} \approx \foo − \frac{\partial x_l} t \theta g( \mathrm{d}
"""
PIECES = [*_PIECES.split(), r"\frac{\partial S_l}{\partial x_l}", "\n"]

EQUATIONS = [
    r"\bar x = \bar y + \bar y J_F^\top",
    r"\bar W_1 = x^\top \left(\bar y W_2^\top \odot \phi'(a)\right)",
    r"\bar x_0 = \bar x_L \prod_{l=1}^{L} \left(I + J_{L-l}\right)",
    r"\begin{aligned} y_l &= \tfrac12 x_{l+1} - F(x, W_1) / 3 \\ &\le \lVert a \rVert_2^2 \end{aligned}",
    r"\frac{\partial S_l}{\partial x_l} = \sqrt{\varepsilon} [a > 0], \quad \text{for } l = 0, \dots, L-1",
    r"\mathcal E = -\frac{1}{N} \sum_{r=0}^{N-1} \log p_{r,t_r}",
    r"\langle \bar y, \mathrm d y \rangle = \begin{pmatrix} 1 & 2 \\ 3 & -4.5 \end{pmatrix}^{\odot 2}",
    r"\boxed{y = \underbrace{F(x)}_{\text{branch}} + \skippath{x}}",
]

NAMESPACE = {
    "x": rng.standard_normal((2, 2)), "y": rng.standard_normal((2, 2)), "W1": rng.standard_normal((2, 2)),
    "A": rng.standard_normal((2, 3)), "J_F": rng.standard_normal((2, 2)), "l": 1, "L": 2, "phi": np.tanh,
    "f": lambda x: (x, lambda y_bar: (y_bar,)), "h": [rng.standard_normal((2, 2)) for _ in range(3)], "d": 2.0,
    "relu": lambda x, *theta: np.maximum(x, 0), "phi_prime": np.cos, "t": np.array([0, 1]), "S": None,
    "x_bar": [0.5, rng.standard_normal(2), "no number"], "theta": (rng.standard_normal((2, 2)), ()),
    "dS_dx": np.ones(3), "g": lambda: 1 / 0,
}  # fmt: skip


def survives(tex: str) -> None:
    """Evaluate `tex`, or see it refused with a place inside it."""
    refusal = None
    try:
        evaluate(parse(tex), NAMESPACE)
    except TexError as error:
        refusal = error
    if refusal:
        lines = tex.split("\n")
        assert refusal.message
        assert 1 <= refusal.line <= len(lines)
        assert 1 <= refusal.column <= len(lines[refusal.line - 1]) + 1


@often
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_random_pieces_are_evaluated_or_refused(tex):
    survives(tex)


@often
@given(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join))
def test_random_right_sides_are_evaluated_or_refused(tex):
    survives(f"x = {tex}")


@often
@given(st.text(alphabet=st.one_of(st.sampled_from("\\{}_^=+xlW12 \n%&'"), st.characters()), max_size=30))
def test_random_text_is_evaluated_or_refused(tex):
    survives(tex)


@often
@given(st.data(), st.sampled_from(EQUATIONS))
def test_damaged_equations_are_evaluated_or_refused(data, tex):
    pieces = cut(tex)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(pieces) - 1))
        pieces[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.lists(st.sampled_from(PIECES), max_size=2)
        )
        pieces = pieces or ["x"]
    survives(" ".join(pieces))


# Layout


def cut(tex: str) -> list[str]:
    return [match.group() for match in TOKEN.finditer(tex) if match.lastgroup != "blank"]


LAYOUT = ["", " ", "\n", r"\,", r"\;", r"\!", r"\quad ", "~", "% a remark \\foo }\n", "\t", r"\displaystyle "]


@pytest.mark.parametrize("tex", EQUATIONS)
@settings(often, max_examples=40)
@given(data=st.data())
def test_layout_changes_nothing(tex, data):
    pieces = cut(tex)
    spaces = [data.draw(st.sampled_from(LAYOUT)) for _ in pieces]
    # A blank of some sort must stand between a command and a letter, and \left before its bracket.
    spaced = [
        piece if piece in (r"\left", r"\right") else piece + (space or " ")
        for piece, space in zip(pieces, spaces, strict=True)
    ]
    assert parse("".join(spaced)) == parse(tex)


# Random trees: TeX and the value that numpy gives, built side by side

ATOM, PRODUCT, ODOT, SUM = range(4)  # how tightly the outermost sign binds
SIZES = (1, 2, 3)
ARRAYS = {f"X{i}_{j}": rng.uniform(-1, 1, (i, j)) for i in SIZES for j in SIZES}
SPACE = {
    **ARRAYS,
    "s": 0.75,
    "phi": np.tanh,
    "F": lambda x: (3 * x, abs),
    "Q": [rng.uniform(-1, 1, (2, 2))] * 3,
}


def bracketed(tex: str, level: int, most: int) -> str:
    return tex if level <= most else rf"\left( {tex} \right)"


@st.composite
def trees(draw, shape, depth):
    """Draw TeX, its value, and the level of its outermost sign."""
    if depth == 0:
        i, j = shape
        return rf"X_{{{i},{j}}}", ARRAYS[f"X{i}_{j}"], ATOM
    build = draw(
        st.sampled_from([a_sum, a_product, an_odot, a_scaled, a_transpose, an_application, a_marked])
    )
    return build(draw, shape, depth - 1)


def a_sum(draw, shape, depth):
    tex, value, level = draw(trees(shape, depth))
    tex, value = (f"- {bracketed(tex, level, ODOT)}", -value) if draw(st.booleans()) else (tex, value)
    for _ in range(draw(st.integers(1, 2))):
        more, add, level = draw(trees(shape, depth))
        sign = draw(st.sampled_from("+-"))
        tex, value = (
            f"{tex} {sign} {bracketed(more, level, ODOT)}",
            value + add if sign == "+" else value - add,
        )
    return tex, value, SUM


def a_product(draw, shape, depth):
    between = draw(st.sampled_from(SIZES))
    left, a, left_level = draw(trees((shape[0], between), depth))
    right, b, right_level = draw(trees((between, shape[1]), depth))
    return f"{bracketed(left, left_level, ATOM)} {bracketed(right, right_level, ATOM)}", a @ b, PRODUCT


def an_odot(draw, shape, depth):
    left, a, left_level = draw(trees(shape, depth))
    right, b, right_level = draw(trees(shape, depth))
    return rf"{bracketed(left, left_level, PRODUCT)} \odot {bracketed(right, right_level, ATOM)}", a * b, ODOT


def a_scaled(draw, shape, depth):
    tex, value, level = draw(trees(shape, depth))
    inner = bracketed(tex, level, ATOM)
    forms = [
        (f"2 {inner}", 2 * value),
        (rf"\tfrac14 {inner}", 0.25 * value),
        (f"s^2 {inner}", 0.75**2 * value),
    ]
    forms += [
        (rf"0.5 \cdot {inner}", 0.5 * value),
        (f"{inner} / 4", value / 4),
        (rf"\frac{{{tex}}}{{8}}", value / 8),
    ]
    found = draw(st.sampled_from(range(len(forms))))
    return *forms[found], ATOM if found == 5 else PRODUCT


def a_transpose(draw, shape, depth):
    tex, value, level = draw(trees(shape[::-1], depth))
    inner = tex if level == ATOM and tex.startswith("X") and "^" not in tex and " " not in tex else f"({tex})"
    return rf"{inner}^\top", value.T, PRODUCT


def an_application(draw, shape, depth):
    tex, value, _ = draw(trees(shape, depth))
    forms = [(rf"\phi({tex})", np.tanh(value)), (f"F({tex})", 3 * value), (rf"\tanh({tex})", np.tanh(value))]
    forms += [(rf"\lvert {tex} \rvert", np.abs(value)), (rf"({tex})^{{\odot 2}}", value**2)]
    return *draw(st.sampled_from(forms)), PRODUCT


def a_marked(draw, shape, depth):
    tex, value, level = draw(trees(shape, depth))
    around = draw(st.sampled_from([r"\underbrace{%s}_{\text{part}}", r"\branch{%s}", r"\skippath{%s}"]))
    return around % tex, value, level


@often
@given(st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES)).flatmap(lambda shape: trees(shape, 4)))
def test_random_trees_have_the_value_that_numpy_gives(tree):
    tex, value, level = tree
    whole = rf"{bracketed(tex, level, SUM)} = \operatorname{{expected}}"
    assert evaluate(parse(whole), {**SPACE, "expected": value}).holds


@often
@given(
    st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES)).flatmap(lambda shape: trees(shape, 3)),
    st.data(),
)
def test_planted_change_of_one_entry_is_seen(tree, data):
    tex, value, _ = tree
    wrong = value.copy()
    place = tuple(data.draw(st.integers(0, size - 1)) for size in value.shape)
    wrong[place] += 1e-3 * max(1.0, np.abs(value).max())
    assert not evaluate(parse(rf"{tex} = \operatorname{{expected}}"), {**SPACE, "expected": wrong}).holds
