"""Equations are computed as they read: right ones hold, wrong ones are off, doubtful ones are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tex_evaluate import Result, evaluate
from tex_grammar import TexError, TexNameError, TexShapeError, parse

L, N, n, m = 4, 3, 5, 4


def rule(x):
    """Return a value and its pull-back, as the rules of resgrad do."""
    return 2 * x, lambda y_bar: (2 * y_bar,)


def picky(x, W):
    if x.shape[1] != W.shape[0]:
        raise ValueError(f"x {x.shape}, W {W.shape}")
    return x @ W


def backward(y_bar, J):
    x_bar = [y_bar]
    for jacobian in reversed(J):
        x_bar.insert(0, x_bar[0] + x_bar[0] @ jacobian)
    return x_bar


def one_block(draw):
    x, y_bar, W1, W2 = draw(1, n), draw(1, n), draw(n, n) / 3, draw(n, n) / 3
    b1, b2, a_prime = draw(n), draw(n), lambda a: 1 - np.tanh(a) ** 2
    a = x @ W1 + b1
    h_bar = y_bar @ W2.T
    a_bar = h_bar * a_prime(a)
    F = np.tanh(a) @ W2 + b2
    J_F = (W1 @ np.diag(a_prime(a)[0]) @ W2).T
    return dict(  # noqa: C408 (names, not strings)
        x=x, W1=W1, W2=W2, b1=b1, b2=b2, a=a, h=np.tanh(a), F=F, y=F + x, phi=np.tanh, phi_prime=a_prime,
        I=np.eye(n), J_F=J_F, y_bar=y_bar, h_bar=h_bar, a_bar=a_bar, x_bar=y_bar + a_bar @ W1.T, F_bar=y_bar,
        W1_bar=x.T @ a_bar, W2_bar=np.tanh(a).T @ y_bar, b1_bar=a_bar.sum(0), dy_dx=np.eye(n) + J_F,
    )  # fmt: skip


def whole_stack(draw):
    J = [draw(n, n) / 4 for _ in range(L)]
    return {"x_bar": backward(draw(1, n), J), "J": J, "I": np.eye(n), "L": L}


@pytest.fixture(scope="module")
def draw():
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape)


@pytest.fixture(scope="module")
def block(draw):
    return one_block(draw)


@pytest.fixture(scope="module")
def stack(draw):
    return whole_stack(draw)


@pytest.fixture(scope="module")
def space(draw):
    """Return one value of each kind that a namespace may hold."""
    labels = np.array([2, 0, 1])
    return dict(  # noqa: C408 (names, not strings)
        x=draw(N, n), y=draw(N, n), W=draw(n, m), A=draw(n, n), B=draw(n, n), b=draw(m), v=draw(n), c=0.5, s=-2.0,
        k=2, N=N, n=n, L=2, l=1, p=np.abs(draw(N, m)) + 0.1, t=labels, z=np.float64(2.5), q=[1.0, 3.0, 5.0],
        h=(draw(N, n), draw(N, n), draw(N, n)), f=np.tanh, F=rule, G=[np.sin, np.cos], P=picky,
        theta=(draw(n, n),), H=np.array(7), eps=np.array(0.25), E=3.0, lambda_=1.5, ones=np.ones((N, n)),
        W1=draw(2, 2), W1_bar=draw(2, 2), sigma_min=0.1, phi2_prime=4.0, x_bar_hat=5.0, dx=6.0, dW1_bar=7.0,
        dS_dx=[draw(2, 2), draw(2, 2)], dy_dW1=draw(3, 3), epsilon=1e-3, big=1e308, none=None, flag=True,
        empty=np.zeros((0, n)), nan=np.array([np.nan]), C=draw(2, 2) + 1j, T=np.zeros((2, 3, 4)), word="x",
        D=np.diag([1.0, 0.0]), u=np.float32(0.5) * np.ones((2, 2), np.float32), zero=0.0, negative=-8.0,
        raises=lambda: 1 / 0, inverse=np.linalg.inv, pair=lambda x: (x, x), grow=lambda x: (lambda a: a * x),
        W_out=draw(2, 3), S=draw(2, 3), J_F=draw(2, 2),
    )  # fmt: skip


def holds(tex, namespace, **settings) -> Result:
    found = evaluate(parse(tex), namespace, **settings)
    assert found.holds, f"{tex}: off by {found.error}"
    return found


def value_is(tex, expected, namespace):
    """See that `tex` has this value, by comparing it with a name."""
    holds(rf"{tex} = \operatorname{{expected}}", namespace | {"expected": expected})


def refused(tex, namespace) -> TexError:
    with pytest.raises(TexError) as caught:
        evaluate(parse(tex), namespace)
    return caught.value


# The equations of the residual block and of a stack, and the mistakes that people make in them

RIGHT = [
    r"y = \phi(x W_1 + b_1) W_2 + b_2 + x",
    r"\bar x = \bar y + \bar y J_F",
    r"\bar x = \bar y \left(I + J_F\right)",
    r"\bar W_2 = h^\top \bar y",
    r"\bar W_1 = x^\top \left(\bar y W_2^\top \odot \phi'(a)\right)",
    r"\bar a = \bar h \odot \phi'(a)",
    r"\bar x = \underbrace{\bar y}_{\text{skip}} + \branch{\left(\bar y W_2^\top \odot \phi'(a)\right) W_1^\top}",
    r"\frac{\partial y}{\partial x} = I + J_F",
    r"(1 - \lVert J_F \rVert_2) \lVert \bar y \rVert \le \lVert \bar x \rVert",
]
WRONG = [
    (r"\bar x = \bar y + \bar y J_F^\top", "transposed"),
    (r"\bar x = \bar y - \bar y J_F", "sign"),
    (r"\bar x = \bar y J_F", "missing term"),
    (r"\bar x = \bar y", "missing term"),
    (r"\bar x = \frac{1}{2}\left(\bar y + \bar y J_F\right)", "factor"),
    (r"\bar x = \bar y + 2 \bar y J_F", "factor"),
    (r"\bar x = \bar y J_F (I + J_F)", "order and power"),
    (r"\bar W_2 = \bar y^\top h", "transposed"),
    (r"\bar x = \bar y + (\bar y W_2 \odot \phi'(a)) W_1", "weights not transposed"),
    (r"\bar x = \bar y + (\bar y W_1^\top \odot \phi'(a)) W_2^\top", "order"),
    (r"\bar x = \bar y + (\bar y W_2^\top \odot \phi(a)) W_1^\top", "no prime"),
    (r"\frac{\partial y}{\partial x} = I - J_F", "sign"),
]
WRONG_SHAPES = [
    (r"\bar a = \bar h \phi'(a)", 1, 17),
    (r"\bar W_2 = h \bar y", 1, 14),
    (r"\bar W_2 = h \bar y^\top", 1, 12),
    (r"\bar b_1 = \bar a", 1, 12),
    (r"\bar x = \bar y W_2 W_1 + b_1^\top", 1, 27),
    (r"\bar x = 1 + \bar y J_F", 1, 14),
]
STACK_RIGHT = [
    r"\bar x_l = \bar x_{l+1} (I + J_l), \quad l = 0, \dots, L-1",
    r"\bar x_0 = \bar x_L \prod_{l=1}^{L} \left(I + J_{L-l}\right)",
    r"\bar x_0 = \bar x_L \prod_{l=L-1,\dots,0} \left(I + J_l\right)",
    r"\bar x_0 = \bar x_L \prod_{l=L-1,L-2,\dots,0} \left(I + J_l\right)",
    r"\bar x_0 = \bar x_L + \sum_{l=0}^{L-1} \bar x_{l+1} J_l",
    r"\bar x_k = \bar x_L + \sum_{l=k}^{L-1} \bar x_{l+1} J_l, \quad k = L-1, \dots, 0",
]
STACK_WRONG = [
    r"\bar x_0 = \bar x_L \prod_{l=0}^{L-1} \left(I + J_l\right)",
    r"\bar x_0 = \bar x_L + \sum_{l=0}^{L-1} \bar x_{l} J_l",
    r"\bar x_0 = \bar x_L + \sum_{l=1}^{L-1} \bar x_{l+1} J_l",
    r"\bar x_0 = \bar x_L \prod_{l=L-1,\dots,0} J_l",
    r"\bar x_1 = \bar x_L \prod_{l=L-1,\dots,0} \left(I + J_l\right)",
]


@pytest.mark.parametrize("tex", RIGHT)
def test_right_equation_holds(tex, block):
    assert holds(tex, block).error < 1e-14


@pytest.mark.parametrize(("tex", "_mistake"), WRONG)
def test_wrong_equation_is_off(tex, _mistake, block):
    found = evaluate(parse(tex), block)
    assert not found.holds
    assert found.error > 0.05


@pytest.mark.parametrize(("tex", "line", "column"), WRONG_SHAPES)
def test_wrong_shapes_are_rejected_where_they_stand(tex, line, column, block):
    error = refused(tex, block)
    assert isinstance(error, TexShapeError)
    assert (error.line, error.column) == (line, column)


@pytest.mark.parametrize("tex", STACK_RIGHT)
def test_right_equation_of_a_stack_holds(tex, stack):
    holds(tex, stack)


@pytest.mark.parametrize("tex", STACK_WRONG)
def test_wrong_equation_of_a_stack_is_off(tex, stack):
    assert evaluate(parse(tex), stack, whole=False).error > 0.05


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9])
def test_planted_error_is_measured(size, block):
    """The error is relative to the largest entry of the two sides."""
    wrong = block["x_bar"].copy()
    wrong[0, 2] += size * np.abs(wrong).max()
    found = evaluate(parse(r"\bar x = \bar y + \bar y J_F"), block | {"x_bar": wrong})
    assert not found.holds
    assert found.error == pytest.approx(size, rel=0.7)


# Results


def test_result_of_an_equality():
    found = evaluate(parse("x = y"), {"x": np.array([3.0, 4.0]), "y": np.array([3.0, 2.0])})
    assert found == Result(error=0.5, holds=False, slack=None, exact=False)


def test_exact_is_no_rounding_at_all():
    assert holds("x = x", {"x": 0.1}).exact
    assert not evaluate(parse("x = 0.3"), {"x": 0.1 + 0.2}).exact


def test_two_zeros_agree():
    assert holds("x = 0 x", {"x": np.zeros((2, 2))}).error == 0


def test_largest_error_of_all_links_and_values_counts():
    space = {"a": [1.0, 1.0, 2.0], "b": 1.0}
    assert evaluate(parse(r"b = b = 4 b"), space).error == 0.75
    assert evaluate(parse(r"b = 1 \\ 4 b = b \\ b = b"), space).error == 0.75
    assert evaluate(parse(r"a_l = b, \quad l = 0, \dots, 2"), space).error == 0.5


def test_tolerance_is_the_callers():
    assert evaluate(parse("x = 1"), {"x": 1 + 1e-7}, rtol=1e-6).holds
    assert not evaluate(parse("x = 1"), {"x": 1 + 1e-7}).holds


def test_inequality_has_slack():
    found = holds(r"0 \le x \le 4", {"x": np.array([1.0, 3.0])})
    assert (found.error, found.slack, found.exact) == (0.0, 0.25, False)


@pytest.mark.parametrize(
    ("tex", "error"), [(r"4 \le x", 0.75), (r"x \ge 4", 0.75), ("x < 1", 0.0), ("1 > x", 0.0)]
)
def test_violated_inequality_does_not_hold(tex, error):
    found = evaluate(parse(tex), {"x": 1.0})
    assert not found.holds
    assert found.error == error


def test_strict_inequality_needs_slack():
    assert not evaluate(parse("0 < x"), {"x": 0.0}).holds
    assert evaluate(parse(r"0 \le x"), {"x": 0.0}).holds


def test_float32_is_compared_as_given():
    x = np.float32(0.1) * np.ones((2, 2), np.float32)
    assert holds(r"\tfrac12 x + \tfrac12 x = x", {"x": x}).exact


def test_complex_sides_are_compared():
    x = np.array([[1 + 1j, 2.0]])
    assert evaluate(parse("x = y"), {"x": x, "y": x + 1j}).error == pytest.approx(1 / abs(2 + 1j))


# Values


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        # names
        (r"\bar W_1", "s['W1_bar']"),
        (r"\sigma_{\min}", "0.1"),
        (r"\phi_2'", "4.0"),
        (r"\hat{\bar x}", "5.0"),
        (r"\mathrm d x", "6.0"),
        (r"\mathrm{d} \bar W_1", "7.0"),
        (r"\mathcal E", "3.0"),
        (r"\lambda", "1.5"),
        (r"\varepsilon", "1e-3"),
        (r"\mathbf 1", "s['ones']"),
        (r"\operatorname{eps}", "0.25"),
        ("J_F", "s['J_F']"),
        (r"W_\text{out}", "s['W_out']"),
        # indices
        ("h_0", "s['h'][0]"),
        ("h_L", "s['h'][2]"),
        ("h_{L-1}", "s['h'][1]"),
        ("h_{2l-1}", "s['h'][1]"),
        ("q_l", "3.0"),
        ("h_{l,k}", "s['h'][1][2]"),
        ("p_{k,t_k}", "s['p'][2, 1]"),
        ("x_k", "s['x'][2]"),
        ("x_{k-1}", "s['x'][1]"),
        (r"\frac{\partial S_l}{\partial x_l}", "s['dS_dx'][1]"),
        (r"\frac{\partial y}{\partial W_1}", "s['dy_dW1']"),
        (r"\frac{\partial S}{\partial x_0}", "s['dS_dx'][0]"),
        (r"\sum_{r=0}^{N-1} x_r", "s['x'].sum(0)"),
        (r"-\frac{1}{N} \sum_{r=0}^{N-1} \log p_{r,t_r}", "-np.log(s['p'][[0, 1, 2], s['t']]).mean()"),
        # sums and products
        ("x W + b", "s['x'] @ s['W'] + s['b']"),
        ("b + x W - b", "s['x'] @ s['W']"),
        ("c + s", "-1.5"),
        ("2 c x", "s['x']"),
        ("- A B - A", "-(s['A'] @ s['B']) - s['A']"),
        ("A B A", "s['A'] @ s['B'] @ s['A']"),
        ("(A + B) (A - B)", "(s['A'] + s['B']) @ (s['A'] - s['B'])"),
        (r"x \odot y", "s['x'] * s['y']"),
        (r"x A \odot 2 y", "(s['x'] @ s['A']) * 2 * s['y']"),
        (r"x \odot (x A) \odot y", "s['x'] * (s['x'] @ s['A']) * s['y']"),
        (r"2 \cdot 3 x", "6 * s['x']"),
        (r"c \cdot A B", "s['c'] * (s['A'] @ s['B'])"),
        ("A B / n", "s['A'] @ s['B'] / 5"),
        (r"\frac{A}{2 c}", "s['A']"),
        (r"\binom{n}{k} + \binom53 + \binom{k}{n}", "20.0"),
        (r"2 \tbinom{n}{k} x", "20 * s['x']"),
        (r"x \odot y / 2", "s['x'] * s['y'] / 2"),
        # powers
        (r"A^\top B", "s['A'].T @ s['B']"),
        ("A^{-1} A", "np.eye(5)"),
        ("A^3", "s['A'] @ s['A'] @ s['A']"),
        ("A^k", "s['A'] @ s['A']"),
        (r"x^{\odot 2}", "s['x'] ** 2"),
        (r"p^{\odot 1/2}", "np.sqrt(s['p'])"),
        ("c^2 + c^{-1}", "2.25"),
        ("2^{-2}", "0.25"),
        (r"(A B)^\top", "(s['A'] @ s['B']).T"),
        (r"\lVert v \rVert^2", "s['v'] @ s['v']"),
        # functions
        ("f(x)", "np.tanh(s['x'])"),
        ("F(x) + x", "3 * s['x']"),
        (r"F(x)^\top", "2 * s['x'].T"),
        ("2 F(x) A", "4 * s['x'] @ s['A']"),
        ("F(x) (A + B)", "2 * s['x'] @ (s['A'] + s['B'])"),
        ("x (A + B)", "s['x'] @ (s['A'] + s['B'])"),
        ("c (x + y)", "s['c'] * (s['x'] + s['y'])"),
        ("P(x, A)", "s['x'] @ s['A']"),
        (r"P(x, \theta)", "s['x'] @ s['theta'][0]"),
        ("G_l(x)", "np.cos(s['x'])"),
        ("G_0(G_1(x))", "np.sin(np.cos(s['x']))"),
        (r"\operatorname{grow}(x)(c)", "0.5 * s['x']"),
        (r"\exp(x) \odot \tanh(y)", "np.exp(s['x']) * np.tanh(s['y'])"),
        (r"\sin(x)^{\odot 2} + \cos(x)^{\odot 2}", "s['ones']"),
        (r"\log p", "np.log(s['p'])"),
        (r"\exp 1", "math.e"),
        (r"\max(x, 0)", "np.maximum(s['x'], 0)"),
        (r"\min(x, y, 0.5)", "np.minimum(np.minimum(s['x'], s['y']), 0.5)"),
        (r"\max(1, 2)", "2.0"),
        (r"\sqrt{p}", "np.sqrt(s['p'])"),
        (r"\sqrt 2", "math.sqrt(2)"),
        (r"\det A", "np.linalg.det(s['A'])"),
        (r"\operatorname{tr}(A)", "np.trace(s['A'])"),
        (r"\operatorname{tr} A^2", "np.trace(s['A'] @ s['A'])"),
        (r"\operatorname{diag}(v)", "np.diag(s['v'])"),
        (r"\lVert x \rVert", "np.linalg.norm(s['x'])"),
        (r"\lVert A \rVert_2", "np.linalg.norm(s['A'], 2)"),
        (r"\lVert A \rVert_{2}", "np.linalg.norm(s['A'], 2)"),
        (r"\lvert s \rvert", "2.0"),
        (r"\lvert x \rvert", "np.abs(s['x'])"),
        (r"\langle x, y \rangle", "np.sum(s['x'] * s['y'])"),
        (r"\langle C, C \rangle", "np.sum(s['C'] ** 2)"),
        # brackets with a meaning
        (r"[x > 0]", "(s['x'] > 0).astype(float)"),
        (r"x \odot [x \ge y]", "s['x'] * (s['x'] >= s['y'])"),
        (r"[l = 1] - [l = 2]", "1.0"),
        (r"[t = 1]", "(s['t'] == 1).astype(float)"),
        (r"\begin{pmatrix} 0 & 2 \\ 0 & 0 \end{pmatrix}", "np.array([[0, 2.0], [0, 0]])"),
        (r"\begin{bmatrix} A & B \end{bmatrix}", "np.hstack([s['A'], s['B']])"),
        (r"\begin{pmatrix} c & s \end{pmatrix}^\top", "np.array([[0.5], [-2.0]])"),
        # sums and products over a range
        (r"\sum_{l=0}^{2} q_l^2 + 1", "36.0"),
        (r"\sum_{l=0}^{2} 2 q_l / 3", "6.0"),
        (r"2 \prod_{l=0}^{2} q_l", "30.0"),
        (r"\prod_{l=0}^{2} \frac{q_l}{2}", "15 / 8"),
        (r"\prod_{l=2,\dots,0} (A + l I)", "(s['A'] + 2 * s['I']) @ (s['A'] + s['I']) @ s['A']"),
        (r"\prod_{k=0}^{2} f(q_k)", "np.tanh(1) * np.tanh(3) * np.tanh(5)"),
        (r"\prod_{k=0}^{1} G_k(c)", "np.sin(0.5) * np.cos(0.5)"),
        (r"\sum_{l=0}^{2} \sum_{k=l}^{2} q_k", "22.0"),
        (r"\sum_{l=0}^{0} \theta_l", "s['theta'][0]"),
    ],
)
def test_value(tex, expected, space):
    s = space | {"I": np.eye(n)}
    value_is(tex, eval(expected, {"s": s, "np": np, "math": math}), s)


def test_python_numbers_do_not_promote(space):
    assert holds(
        r"\sqrt 2 u + \exp(1) u = v", space | {"v": math.sqrt(2) * space["u"] + math.e * space["u"]}
    ).exact


def test_function_that_returns_a_pair_gives_its_value(space):
    assert holds("F(x) = 2 x", space).exact


def test_block_of_a_stack_takes_a_tuple_each():
    space = {
        "K": lambda x, *theta: sum(a * b for a, b in theta) * x,
        "x": 2.0,
        "theta": ((1.0, 2.0), (3.0, 4.0)),
    }
    holds(r"K(x, \theta) = 28", space)


def test_namespace_is_not_changed(space):
    before = dict(space)
    holds(r"\sum_{r=0}^{2} x_r = \sum_{r=0}^{2} x_r", space)
    assert [*space.items()] == [*before.items()]


# An index that runs


@pytest.mark.parametrize(
    ("tex", "column", "says"),
    [
        (
            r"x_r = x_r, \quad r = 0, \dots, N-2",
            3,
            "the index of x reaches 2 of its 3 entries: widen the range",
        ),
        (r"x_r = x_r, \quad r = 1, \dots, N-1", 3, "the index of x reaches 2 of its 3 entries"),
        (r"x_{l+1} = x_{l+1}, \quad l = 0, \dots, 1", 4, "the index of x reaches 2 of its 3 entries"),
        (r"x_{k,i} = x_{k,i}, \quad i = 0, \dots, 3", 6, "the index of x reaches 4 of its 5 entries"),
        (r"c = \sum_{l=0}^{1} q_l / 8", 22, "the index of q reaches 2 of its 3 entries"),
        (r"c = \prod_{l=1,\dots,0} q_l", 27, "the index of q reaches 2 of its 3 entries"),
        (
            r"h_{l,r} = h_{l,r}, \quad l = 0, \dots, 2, \quad r = 0, \dots, 1",
            6,
            "h reaches 2 of its 3 entries",
        ),
        (r"\sum_{i=0}^{0} G_i(x) = \sin(x)", 18, "the index of G reaches 1 of its 2 entries"),
        (r"\frac{\partial S_i}{\partial x_i} = S_1, \quad i = 0, \dots, 0", 18, "dS_dx reaches 1 of its 2"),
        (r"p_{r,t_r} = p_{r,t_r}, \quad r = 0, \dots, 1", 4, "the index of p reaches 2 of its 3 entries"),
    ],
)
def test_range_that_leaves_entries_out_is_refused(tex, column, says, space):
    space = space | {"S1": space["dS_dx"][0]}
    found = refused(tex, space)
    assert says in found.message
    assert (found.line, found.column) == (1, column)
    assert not isinstance(found, TexShapeError)
    evaluate(parse(tex), space, whole=False)


@pytest.mark.parametrize(
    "tex",
    [
        r"x_r = x_r, \quad r = 0, \dots, N-1",
        r"x_r = x_r, \quad r = N-1, \dots, 0",
        # all uses of a symbol count together, those with a fixed index too
        r"x_l = x_{l+1} + x_l - x_{l+1}, \quad l = 0, \dots, N-2",
        r"x_l + x_k = x_k + x_l, \quad l = 0, \dots, 1",
        r"\sum_{l=0}^{1} q_l = 9 - q_2",
        r"\sum_{r=0}^{2} x_r = x_k + \sum_{r=0}^{1} x_r",
        r"\sum_{i=0}^{2} \sum_{j=0}^{i} T_{0,j,i} = 0 T_{0,0,k+1}",
        # what does not run need not reach all
        "q_0 = 1",
        "x_k = x_{2l}",
        r"p_{r,t_r} = p_{r,t_r}, \quad r = 0, \dots, N-1",
        r"p_{r,0} = p_{r,0}, \quad r = 0, \dots, N-1",
        r"\sum_{l=0}^{1} 2^l = 3",
    ],
)
def test_range_that_reaches_all_entries_is_taken(tex, space):
    holds(tex, space)


def test_whole_value_reaches_no_entry_for_an_index(space):
    """An equation of the whole array says nothing about the rows that another equation leaves out."""
    assert "reaches 1 of its 3" in refused(r"x = x \\ x_r = x_r, \quad r = 0, \dots, 0", space).message


def test_sequences_of_different_lengths_count_as_long_as_the_longest():
    jagged = {"q": [[1.0], [2.0, 3.0]]}
    holds(r"\sum_{l=0}^{1} \sum_{k=0}^{l} q_{l,k} = 6", jagged)
    assert "q reaches 1 of its 2" in refused(r"\sum_{l=0}^{1} \sum_{k=0}^{0} q_{l,k} = 3", jagged).message


# Refusals


@pytest.mark.parametrize(
    ("tex", "column", "says"),
    [
        # shapes
        ("x = x + W", 9, "(3, 5) and (5, 4)"),
        ("x = x + 1", 9, r"\mathbf 1"),
        ("x = 1 - x", 9, r"\mathbf 1"),
        ("x = x + b", 9, "(3, 5) and (4,)"),
        ("b = b + x W", 1, "sides"),
        ("x = W x", 7, "(5, 4) and (3, 5)"),
        ("v = A v", 7, "row (1, n)"),
        ("T = T A", 7, "a product of shapes"),
        ("T = T + b", 9, "a sum of shapes"),
        (r"x = x \odot W", 13, r"\odot of shapes"),
        (r"x = x \odot v", 13, r"\odot of shapes"),
        (r"x = 2 \odot x", 13, r"\odot of shapes"),
        (r"v = v^\top", 5, "the transpose of shape (5,)"),
        (r"c = c^\top", 5, "the transpose of shape ()"),
        ("x = x^2", 5, r"^{\odot 2}"),
        ("x = x^{-1}", 5, "not a square matrix"),
        ("x = 2^x", 5, "an exponent of shape"),
        (r"c = c^{\odot 2}", 5, "plain power"),
        (r"x = \frac{1}{x}", 14, "a denominator of shape"),
        ("x = c / A", 9, "a denominator of shape"),
        (r"c = \det x", 5, "det of shape"),
        (r"c = \operatorname{tr}(x)", 5, "trace of shape"),
        (r"x = \operatorname{diag}(x)", 5, "diag of shape"),
        (r"c = \lVert c \rVert", 5, r"\lvert a \rvert"),
        (r"c = \lVert v \rVert_2", 5, "not a matrix"),
        (r"c = \langle x, W \rangle", 5, "an inner product"),
        (r"x = \max(x, v)", 5, "maximum of shapes"),
        ("x = [x > v]", 5, "a comparison of shapes"),
        (r"A = \begin{pmatrix} A & 0 \end{pmatrix}", 5, "all numbers or all matrices"),
        (r"A = \begin{pmatrix} A & x \end{pmatrix}", 5, "do not fit"),
        (r"x = \sum_{l=0}^{1} h_l W", 24, "sides"),
        ("P(x, W) = P(W, x)", 11, "P refuses its arguments: x (5, 4), W (3, 5)"),
        # sides that numpy would broadcast
        ("x = v", 5, "sides of shapes (3, 5) and (5,)"),
        ("x = c", 5, "sides of shapes (3, 5) and ()"),
        ("0 = x", 5, "sides of shapes"),
        (r"x \le v", 7, "sides of shapes"),
    ],
)
def test_shapes_that_do_not_fit(tex, column, says, space):
    found = refused(tex, space)
    assert says in found.message
    if says != "sides":
        assert (found.line, found.column) == (1, column)
    assert isinstance(found, TexShapeError)


@pytest.mark.parametrize(
    ("tex", "column", "says"),
    [
        # what a name may be
        (r"\operatorname{none} = 0", 1, "none is a NoneType"),
        (r"\operatorname{flag} = 1", 1, "flag is a bool"),
        (r"\operatorname{word} = 1", 1, "word is a str"),
        ("h = h", 1, "h is a sequence (give it an index)"),
        ("f = f", 1, "f is a function (give it arguments)"),
        ("x = f x", 5, "f is a function: give it arguments"),
        ("x = f^2 (x)", 5, "f is a function (give it arguments)"),
        ("x = P(f, x)", 7, "f is a function (give it arguments)"),
        ("x = (x, y)", 9, "only a function takes several"),
        ("x = x (x, y)", 11, "only a function takes several"),
        ("t = t + t", 5, "label, not an operand"),
        # indices
        ("h_3 = 0", 3, "the index 3 of h is outside 0, ..., 2"),
        (r"h_{l-2} = 0", 4, "the index -1 of h is outside 0, ..., 2"),
        (r"\sum_{r=0}^{N} x_r = v", 18, "the index 3 of x is outside"),
        ("p_{k,t_k,l} = 0", 4, "p has 2 axes, not 3"),
        ("q_{l,k} = 0", 6, "q has fewer indices"),
        ("h_{l,c} = 0", 6, "whole number"),
        (r"h_\text{out} = 0", 1, "no value here for h_out"),
        # values
        (r"\operatorname{nan} = 0", 1, "nan is not finite"),
        (r"c = 2 \operatorname{big}", 5, "not finite"),
        ("c = c / 0", 9, "a division by zero"),
        (r"c = \binom{c}{2}", 5, "a binomial coefficient takes whole numbers"),
        (r"c = \binom{2}{k - 9}", 5, "a binomial coefficient takes whole numbers from 0 to 2000"),
        (r"c = \binom{9999}{k}", 5, "a binomial coefficient takes whole numbers"),
        (r"c = \frac{c}{\operatorname{zero}}", 14, "a division by zero"),
        (r"c = \log 0", 5, "log of a number that is not positive"),
        (r"x = \log x", 5, "log of a number that is not positive"),
        (r"c = \sqrt s", 5, "sqrt of a number that is not zero or more"),
        ("c = 0^{-1}", 5, "a negative power of zero"),
        ("c = s^c", 5, "a broken power of a negative number"),
        ("c = 2^{99}", 5, "up to 64"),
        ("A = A^c", 5, "whole powers"),
        ("D = D^{-1}", 5, "singular"),
        (r"C \le C", 7, "between complex numbers"),
        ("c = [C > 0]", 5, "between complex numbers"),
        (r"C = \max(C, 0)", 5, "maximum of complex numbers"),
        (r"C = W_1", 5, "sides of different kinds: complex128 and float64"),
        (r"\operatorname{empty} = \operatorname{empty}", 1, "without entries"),
        # functions
        (r"c = \operatorname{raises}(c)", 5, "raises fails: TypeError"),
        (r"c = \operatorname{inverse}(D)", 5, "inverse fails: Singular matrix"),
        (r"c = \operatorname{pair}(c)", 5, "pair is a sequence"),
        # ambiguities
        (r"x = x \odot x A", 13, r"ambiguous after \odot"),
        (r"x = x \odot f(x) A", 13, r"ambiguous after \odot"),
        (r"x = x \cdot x", 13, r"\cdot between arrays"),
        (r"c = \prod_{l=0}^{1} q_l c", 25, r"does this belong to the \prod"),
        (r"c = \prod_{l=0}^{1} q_l (c)", 25, r"does this belong to the \prod"),
        (r"c = \prod_{l=0}^{1} q_l / c", 27, r"does this belong to the \prod"),
        (r"c = \prod_{l=0}^{1} c", 21, r"does this belong to the \prod"),
        # ranges
        (r"c = \sum_{l=2}^{1} q_l", 11, "an empty range: 2 up to 1"),
        (r"c = \sum_{l=0}^{9} \sum_{l=0}^{1} q_l", 26, "already runs"),
        (r"c = \sum_{l=0}^{99999} l", 11, "more than 10000"),
        (r"c = \sum_{l=0}^{c} l", 17, "whole number"),
        (r"c = \sum_{l=0,2,\dots,2} l", 15, "the second value is not 1"),
        (r"c = \sum_{l=2,3,\dots,0} l", 15, "the second value is not 1"),
    ],
)
def test_faults_are_no_shape_errors(tex, column, says, space):
    found = refused(tex, space)
    assert says in found.message
    assert (found.line, found.column) == (1, column)
    assert not isinstance(found, TexShapeError)


@pytest.mark.parametrize(
    ("tex", "namespace", "says"),
    [
        ("Q = 0", {}, "no value here for Q"),
        (r"\bar x_l = 0", {"l": 1}, "no value here for x_l_bar or x_bar"),
        ("x_0 = 0", {"x": np.ones((2, 2))}, "x is an array"),
        (r"x_l = 0, \quad l = 0, \dots, 1", {"x_l": 1.0}, "no value here for x"),
        (r"h_q = 0", {"h": [1.0]}, "no value here for q"),
        (r"\frac{\partial x_1}{\partial x_0} = 0", {}, "dx1_dx0"),
        (
            r"\frac{\partial x_L}{\partial x_l} = 0, \quad l = 0, \dots, 1",
            {"dx_L_dx_l": 0.0},
            "this derivative",
        ),
    ],
)
def test_missing_name(tex, namespace, says):
    found = refused(tex, namespace)
    assert isinstance(found, TexNameError)
    assert says in found.message


@pytest.mark.parametrize(
    ("tex", "namespace"),
    [
        ("W_1 = 0", {"W1": 1.0, "W": [1.0, 2.0]}),
        ("x_l = 0", {"x_l": 1.0, "x": [1.0, 2.0], "l": 1}),
        ("x_l = 0", {"x_l": 1.0, "x": np.ones(2), "l": 1}),
        ("W_{1,l} = 0", {"W1": [1.0, 2.0], "W": [1.0, [2.0, 3.0]], "l": 1}),
        (r"\frac{\partial y}{\partial W_1} = 0", {"dy_dW1": 1.0, "dy_dW": [1.0, 1.0]}),
    ],
)
def test_two_readings_are_refused(tex, namespace):
    assert "ambiguous: the namespace has" in refused(tex, namespace).message


@pytest.mark.parametrize(
    ("tex", "namespace"),
    [
        ("J_F = 1", {"J_F": 1.0, "J": [2.0], "F": np.tanh}),
        ("W_{1,l} = 1", {"W1": [0.0, 1.0], "l": 1}),
        ("W_1 = 1", {"W": [0.0, 1.0]}),
        (r"\sum_{l=0}^{1} x_l = 1", {"x": [0.0, 1.0], "x_l": 5.0, "l": 7}),
        (r"\bar x_{l} = 1", {"x_bar": [0.0, 1.0], "x": [5.0, 5.0], "l": np.int64(1)}),
    ],
)
def test_one_reading_is_taken(tex, namespace):
    holds(tex, namespace)


def test_error_in_a_later_row_has_its_line(space):
    found = refused("\\begin{aligned}\nx &= x \\\\\n  &= x + W\n\\end{aligned}", space)
    assert (found.line, found.column) == (3, 10)
