import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.measure.check import agree, check_vjp, jacobian
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
depths = st.integers(0, 4)


def parameters(rng, n, dtype=np.float64):
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in [(n, 3), (3,), (3, n), (n,)])


def network(seed, L, N, n, dtype=np.float64):
    """Blocks of two kinds in turn, what they start from, and the parameters of each."""
    rng = np.random.default_rng(seed)
    blocks = ([residual(branch(tanh)), tanh] * L)[:L]
    thetas = [() if block is tanh else parameters(rng, n, dtype) for block in blocks]
    return blocks, rng.standard_normal((N, n)).astype(dtype), thetas


def test_by_hand():
    f = stack(residual(linear), linear)
    x, one = np.array([[1.0, 2.0]]), (np.array([[0.5, 2.0], [-1.0, 0.3]]), np.zeros(2))
    y, vjp = f(x, one, (np.array([[1.0], [10.0]]), np.array([0.5])))
    np.testing.assert_allclose(y, [[46.0 + -0.5 + 0.5]])  # (-0.5, 4.6) from the first block
    x_bar, one_bar, two_bar = vjp(np.array([[2.0]]))
    np.testing.assert_allclose(x_bar, [[2 + 41, 20 + 4]])
    np.testing.assert_allclose(one_bar[0], [[2, 20], [4, 40]])
    np.testing.assert_allclose(one_bar[1], [2, 20])
    np.testing.assert_allclose(two_bar[0], [[-1], [9.2]])
    np.testing.assert_allclose(two_bar[1], [2])


@given(seeds, st.integers(1, 4), sizes, sizes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_the_vjp_is_that_of_the_value(seed, L, N, n, dtype):
    blocks, x, thetas = network(seed, L, N, n, dtype)
    errors = check_vjp(stack(*blocks), x, *thetas, rng=np.random.default_rng(seed))
    assert list(errors)[:2] == ["x", "thetas[0][0]"]


@given(seeds, depths, sizes, sizes)
def test_trace_gives_the_same_bits_and_all_between(seed, L, N, n):
    blocks, x, thetas = network(seed, L, N, n)
    y, vjp = stack(*blocks)(x, *thetas)
    xs, pull = trace(*blocks)(x, *thetas)
    x_bars, theta_bars = pull(x)
    x_bar, *stack_theta_bars = vjp(x)
    assert (len(xs), len(x_bars), len(theta_bars)) == (L + 1, L + 1, L)
    assert xs[0] is x
    assert x_bars[L] is x
    assert np.array_equal(xs[L], y)
    assert np.array_equal(x_bars[0], x_bar)
    for k in range(L):
        assert all(map(np.array_equal, theta_bars[k], stack_theta_bars[k]))
        value, block_vjp = blocks[k](xs[k], *thetas[k])
        assert np.array_equal(value, xs[k + 1])
        assert np.array_equal(block_vjp(x_bars[k + 1])[0], x_bars[k])


@given(seeds, st.integers(1, 4), sizes)
def test_product_and_telescoped_sum(seed, L, n):
    rng = np.random.default_rng(seed)
    F = branch(tanh)
    thetas = [parameters(rng, n) for _ in range(L)]
    x = rng.standard_normal((1, n))
    xs, pull = trace(*[residual(F)] * L)(x, *thetas)
    x_bars, _ = pull(x)
    J = [jacobian(F, xs[k], *thetas[k]) for k in range(L)]
    product = x
    for J_k in reversed(J):
        product = product @ (np.eye(n) + J_k)
    assert agree(x_bars[0], product, rtol=1e-11)
    assert agree(x_bars[0], x_bars[L] + sum(x_bars[k + 1] @ J[k] for k in range(L)), rtol=1e-11)


def test_no_block_is_the_identity():
    x, y_bar = np.ones((2, 3)), np.full((2, 3), 5.0)
    y, vjp = stack()(x)
    assert y is x
    assert [gradient is y_bar for gradient in vjp(y_bar)] == [True]
    xs, pull = trace()(x)
    assert xs == (x,)
    assert pull(y_bar) == ((y_bar,), ())
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        stack()(np.arange(3))


both = pytest.mark.parametrize("make", [stack, trace])


@both
@pytest.mark.parametrize("L", [0, 2])
def test_a_gradient_that_does_not_fit(make, L):
    blocks, x, thetas = network(0, L, 2, 3)
    _, pull = make(*blocks)(x, *thetas)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 3\), got \(3,\)"):
        pull(np.ones(3))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        pull(x.astype(np.float32))


@both
def test_parameters_that_do_not_fit(make):
    blocks, x, thetas = network(0, 2, 2, 3)
    f = make(*blocks)
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 2 blocks, got 1"):
        f(x, thetas[0])
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 0 blocks, got 1"):
        make()(x, ())
    with pytest.raises(TypeError, match=r"thetas\[0\]: expected a tuple of parameters, got ndarray"):
        f(x, np.ones((4, 3, 3)), ())
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        f(x.astype(int), *thetas)


@both
def test_blocks_that_are_no_functions(make):
    with pytest.raises(TypeError, match=r"blocks\[0\]: expected a rule, got list"):
        make([tanh, tanh])


@both
def test_blocks_that_do_not_fit_each_other(make):
    with pytest.raises(ValueError, match=r"got x \(4, 2\), W \(3, 2\), b \(2,\)"):
        make(linear, linear)(np.ones((4, 3)), *[(np.ones((3, 2)), np.ones(2))] * 2)
