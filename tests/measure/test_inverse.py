import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.measure.check import agree
from resgrad.measure.inverse import invert, iterates
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
EPS = np.finfo(np.float64).eps


def contraction(seed, N, n, c, dtype=np.float64):
    """A two-layer branch whose Lipschitz constant is c or less, and an input."""
    rng = np.random.default_rng(seed)
    W1, W2 = rng.standard_normal((2, n, n))
    W1, W2 = W1 / np.linalg.norm(W1, 2), c * W2 / np.linalg.norm(W2, 2)
    b1, b2 = rng.standard_normal((2, n))
    x = rng.standard_normal((N, n))
    return x.astype(dtype), [v.astype(dtype) for v in (W1, b1, W2, b2)]


def rule(f):
    return lambda x: (f(x), None)


@given(seeds, st.integers(1, 4), st.integers(1, 8), st.floats(0.05, 0.95))
def test_it_recovers_the_input_of_a_contraction(seed, N, n, c):
    x, theta = contraction(seed, N, n, c)
    y, _ = residual(branch(tanh))(x, *theta)
    found, steps = invert(branch(tanh), y, *theta)
    assert (found.shape, found.dtype) == (x.shape, x.dtype)
    # The last change is 1e-13 of x or less, the distance at most c/(1-c) = 19 times that, and rounding as much again.
    assert agree(found, x, rtol=1e-11)
    assert 1 <= steps <= np.log(1e-15) / np.log(c) + 2


def test_it_recovers_single_precision_in_single_precision():
    x, theta = contraction(0, 3, 5, 0.8, np.float32)
    found, _ = invert(branch(tanh), residual(branch(tanh))(x, *theta)[0], *theta)
    assert found.dtype == np.float32
    assert agree(found, x, rtol=2e-5)


@pytest.mark.parametrize("c", [0.5, 0.9, 1.0, 1.1])
def test_of_an_orthogonal_branch_the_error_is_exactly_c_to_the_k(c):
    rng = np.random.default_rng(18)
    n = 32
    Q, x, b = np.linalg.qr(rng.standard_normal((n, n)))[0], rng.standard_normal((1, n)), np.zeros(n)
    u = iterates(linear, residual(linear)(x, c * Q, b)[0], c * Q, b, steps=20)
    errors = np.array([np.linalg.norm(v - x) for v in u])
    # Each step rounds y and a product of n terms, n eps of the size of y and u, and c <= 1.1 carries it on.
    allowed = 20 * 1.1**20 * 4 * n * EPS * (np.linalg.norm(x) + errors)
    assert (np.abs(errors - c ** np.arange(21) * errors[0]) <= allowed).all()


@given(seeds, st.floats(0.1, 0.95))
def test_the_a_priori_bound_holds_at_every_step(seed, c):
    x, theta = contraction(seed, 1, 6, c)
    u = iterates(branch(tanh), residual(branch(tanh))(x, *theta)[0], *theta, steps=60)
    first = np.linalg.norm(u[1] - u[0])
    floor = (
        100 * EPS * (np.linalg.norm(x) + np.linalg.norm(u[0])) / (1 - c)
    )  # rounding of each step, summed up
    for k, v in enumerate(u):
        assert np.linalg.norm(v - x) <= c**k / (1 - c) * first + floor


def test_iterates_by_hand():
    u = iterates(linear, np.array([[3.0]]), np.array([[0.5]]), np.array([1.0]), steps=2)
    assert [v.item() for v in u] == [3.0, 0.5, 1.75]
    assert len(iterates(linear, np.ones((1, 1)), np.ones((1, 1)), np.ones(1), steps=0)) == 1


def test_a_lipschitz_constant_below_one_is_not_necessary():
    x, _ = invert(rule(lambda x: 1.5 * np.tanh(x)), np.array([5.0]))
    assert agree(x + 1.5 * np.tanh(x), np.array([5.0]))
    nilpotent = np.array([[0.0, 2.0], [0.0, 0.0]])
    x, steps = invert(linear, np.ones((1, 2)), nilpotent, np.zeros(2))
    assert (x.tolist(), steps) == ([[1.0, -1.0]], 2)


def test_settings_go_to_the_branch():
    def scaled(x, *, scale):
        return scale * x, None

    x, _ = invert(scaled, np.array([3.0]), scale=0.5)
    assert agree(x, np.array([2.0]))


@pytest.mark.parametrize(
    ("F", "words"),
    [
        (
            lambda x: 5 * x,
            "is inf times the one before: scale F so that its Lipschitz constant is below 1, or use a cou",
        ),
        (lambda x: x, r"in 1000 steps: the last change, 1, is 1 times the one before: scale F"),
        (lambda x: -x, r"in 1000 steps: the last change, 1, is 1 times the one before: scale F"),
        (lambda x: 5 * np.tanh(x), "is 1 times the one before: scale F"),
        (lambda x: x / 0.0, r"in 1 steps: the last change, inf, is nan times the one before: scale F"),
        (
            lambda x: 0.999 * x,
            r"is 0.999 times the one before: raise max_steps or rtol, or, for a faster rate, scale F",
        ),
    ],
    ids=["invertible, and diverges", "stands still", "no inverse", "two in turn", "not finite", "slow"],
)
def test_no_convergence_says_what_to_change(F, words):
    with pytest.raises(ArithmeticError, match=words):
        invert(rule(F), np.array([1.0]))


def test_bad_input():
    y, half = np.ones((2, 3)), rule(lambda x: x / 2)
    with pytest.raises(TypeError, match="y: expected a floating dtype, got int64"):
        invert(half, np.arange(3))
    with pytest.raises(ValueError, match=r"y: expected finite entries, one or more \(shape \(0,\)\)"):
        invert(half, np.ones(0))
    with pytest.raises(ValueError, match=r"y: expected finite entries, one or more \(shape \(2,\)\)"):
        invert(half, np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"F\(u\): expected shape \(2, 3\), got \(2, 1\)"):
        invert(rule(lambda x: x[:, :1]), y)
    with pytest.raises(TypeError, match=r"F\(u\): expected dtype float64, got float32"):
        invert(rule(lambda x: x.astype(np.float32)), y)
    with pytest.raises(ValueError, match="rtol: expected a number between 0 and 1, got 0"):
        invert(half, y, rtol=0)
    with pytest.raises(ValueError, match=r"max_steps: expected 1 or more for y \(2, 3\), got 0"):
        invert(half, y, max_steps=0)
    with pytest.raises(TypeError, match=r"max_steps: expected whole numbers, got 1\.5"):
        invert(half, y, max_steps=1.5)
    with pytest.raises(ValueError, match=r"steps: expected none or more for y \(2, 3\), got -1"):
        iterates(half, y, steps=-1)
