import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.measure.check import agree
from resgrad.measure.spectrum import (
    bounds,
    branch_norm,
    effective_rank,
    resolved,
    singular_values,
    unresolved,
)
from resgrad.rules.activation import relu, tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)


def drawn(seed, N, n, L, dtype=np.float64):
    rng = np.random.default_rng(seed)
    theta = [tuple(rng.standard_normal(shape) / 2 for shape in ((n, n), n, (n, n), n)) for _ in range(L)]
    return rng.standard_normal((N, n)).astype(dtype), [tuple(v.astype(dtype) for v in p) for p in theta]


def forward_values(f, x, *parameters):
    """The same from the forward pass alone, by a complex step in each entry of a row."""
    found = []
    for row in x:
        moved = [f(row[None] + 1e-30j * e, *parameters)[0].imag.ravel() / 1e-30 for e in np.eye(len(row))]
        found.append(np.linalg.svd(np.array(moved), compute_uv=False))
    return np.array(found)


@given(seeds, st.integers(1, 3), st.integers(1, 5), st.integers(1, 4))
def test_the_values_are_those_of_the_forward_pass_row_by_row(seed, N, n, L):
    x, theta = drawn(seed, N, n, L)
    network = stack(*[residual(branch(tanh))] * L)
    s = singular_values(network, x, *theta)
    assert s.shape == (N, n)
    complex_theta = [tuple(v + 0j for v in p) for p in theta]
    # Both are exact but for rounding, which svd makes relative to the largest value.
    assert agree(s, forward_values(network, x, *complex_theta), rtol=1e-11)


def test_of_no_square_jacobian_there_are_as_many_values_as_fit():
    W, b = np.array([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), np.zeros(3)
    assert agree(singular_values(linear, np.ones((2, 2)), W, b), np.array([[4.0, 3.0]] * 2))
    flat = W.reshape(2, 3)

    def images(x):  # of any shape, here (1, 1, 2) to (1, 3)
        y, vjp = linear(x.reshape(len(x), 2), flat, b)
        return y, lambda y_bar: (vjp(y_bar)[0].reshape(x.shape),)

    assert singular_values(images, np.ones((4, 1, 2))).shape == (4, 2)


def test_single_precision_stays_single():
    x, theta = drawn(1, 2, 4, 2, np.float32)
    s = singular_values(stack(*[residual(branch(tanh))] * 2), x, *theta)
    assert s.dtype == np.float32
    assert branch_norm(residual(branch(tanh)), x, *theta[0]).dtype == np.float32


def test_settings_go_to_the_function():
    def scaled(x, *, scale):
        return scale * x, lambda y_bar: (scale * y_bar,)

    assert singular_values(scaled, np.ones((1, 2)), scale=3.0).tolist() == [[3, 3]]
    assert branch_norm(scaled, np.ones((1, 2)), scale=3.0).tolist() == [2]


@given(seeds, st.integers(1, 6), st.integers(1, 5))
def test_all_values_of_a_stack_lie_between_the_bounds(seed, n, L):
    x, theta = drawn(seed, 1, n, L)
    block = residual(branch(tanh))
    xs, _ = trace(*[block] * L)(x, *theta)
    c = [branch_norm(block, x_l, *p)[0] for x_l, p in zip(xs[:-1], theta, strict=True)]
    low, high = bounds(c)
    s = singular_values(stack(*[block] * L), x, *theta)[0]
    assert low * (1 - 1e-12) <= s[-1]
    assert s[0] <= high * (1 + 1e-12)


def test_the_norm_is_that_of_the_branch():
    x, (p,) = drawn(3, 2, 5, 1)
    expected = singular_values(branch(tanh), x, *p)[:, 0]
    assert agree(branch_norm(residual(branch(tanh)), x, *p), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda y_bar, F_bar: F_bar,  # the skip forgotten
        lambda y_bar, F_bar: (y_bar + F_bar) / 2,  # averaged
        lambda y_bar, F_bar: y_bar - F_bar,  # the sign
    ],
)
def test_a_wrong_vjp_shows_in_the_values(wrong):
    x, (p,) = drawn(5, 1, 4, 1)

    def block(x, *theta):
        y, _ = residual(branch(tanh))(x, *theta)
        F_vjp = branch(tanh)(x, *theta)[1]
        return y, lambda y_bar: (wrong(y_bar, F_vjp(y_bar)[0]), *F_vjp(y_bar)[1:])

    right = singular_values(residual(branch(tanh)), x, *p)
    assert not agree(singular_values(block, x, *p), right, rtol=1e-3)


def test_bounds_by_hand():
    assert bounds([0.5]) == (0.5, 1.5)
    assert bounds([0.25, 0.5]) == (0.375, 1.875)
    assert bounds([3.0, 3.0]) == (0.0, 16.0)  # not 4: two negative factors are no bound


def test_an_overflow_says_what_to_change():
    L, n = 1200, 2
    theta = [(np.eye(n), np.zeros(n))] * L
    with pytest.raises(
        OverflowError, match=r"sample 0, \(2, 2\), has entries.* take fewer blocks or smaller"
    ):
        singular_values(stack(*[residual(linear)] * L), np.zeros((1, n)), *theta)
    with pytest.raises(OverflowError, match="over 1200 blocks is too large: take fewer, or smaller c"):
        bounds([1.0] * L)


def test_what_is_too_small_to_tell_is_reported():
    n = 3
    theta = [(np.diag([1.0, 0.1, 0.01]), np.zeros(n))] * 12
    s = singular_values(stack(*[linear] * 12), np.ones((1, n)), *theta)
    assert resolved(s).tolist() == [[True, True, False]]
    assert unresolved(s).tolist() == pytest.approx([1 / 3])


def test_effective_rank_by_hand():
    s = np.array([[2.0, 2.0, 2.0, 2.0], [5.0, 0.0, 0.0, 0.0], [3.0, 1.0, 0.0, 0.0]])
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert effective_rank(s) == pytest.approx([4, 1, math.exp(entropy)])
    assert effective_rank(1e-200 * s) == pytest.approx(effective_rank(s))


def test_unresolved_depends_on_the_precision():
    s = np.array([1.0, 1e-3, 1e-8, 1e-17])
    assert unresolved(s) == 0.25
    assert unresolved(s.astype(np.float32)) == 0.5
    assert unresolved(1e6 * s) == 0.25


@pytest.mark.parametrize("measure", [effective_rank, resolved, unresolved])
@pytest.mark.parametrize("s", [np.zeros(3), np.array([1.0, -1.0]), np.array([1.0, np.nan]), np.ones(0)])
def test_measures_refuse_what_are_no_singular_values(measure, s):
    with pytest.raises(ValueError, match="singular values of shape"):
        measure(s)


def test_bad_input():
    W, b = np.ones((2, 3)), np.zeros(3)
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        singular_values(relu, np.ones((1, 2), int))
    with pytest.raises(
        ValueError, match=r"x: expected samples in rows, \(N, \.\.\.\), not empty, got \(2,\)"
    ):
        singular_values(relu, np.ones(2))
    with pytest.raises(ValueError, match=r"not empty, got \(0, 2\)"):
        singular_values(relu, np.ones((0, 2)))
    with pytest.raises(TypeError, match="f: expected one output"):
        singular_values(lambda x: ((x, x), None), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"one row of y for the one row of x \(1, 2\), got \(2, 2\)"):
        singular_values(lambda x: (np.tile(x, (2, 1)), None), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"block: expected a square Jacobian, got \(3, 2\)"):
        branch_norm(linear, np.ones((1, 2)), W, b)
    for c in ([], [-1.0], [np.nan], [[0.5]]):
        with pytest.raises(ValueError, match=r"c of shape .*: expected \(L,\)"):
            bounds(c)
