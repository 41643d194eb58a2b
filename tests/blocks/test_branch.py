from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.measure.check import agree, check_vjp
from resgrad.rules.activation import gelu, leaky_relu, relu, sigmoid, tanh

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


def arrays(seed, N, n, h, m, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in [(N, n), (n, h), (h,), (h, m), (m,)]]


def test_by_hand():
    F = branch(relu)
    x, W1, b1 = np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([0.5, -0.5])
    Fx, vjp = F(x, W1, b1, np.array([[2.0], [7.0]]), np.array([0.25]))
    assert Fx.tolist() == [[7.25]]  # hidden (3.5, -1.5): the second one is cut off
    x_bar, W1_bar, b1_bar, W2_bar, b2_bar = vjp(np.array([[3.0]]))
    assert x_bar.tolist() == [[6.0, 6.0]]
    assert W1_bar.tolist() == [[6.0, 0.0], [12.0, 0.0]]
    assert b1_bar.tolist() == [6.0, 0.0]
    assert W2_bar.tolist() == [[10.5], [0.0]]
    assert b2_bar.tolist() == [3.0]


@pytest.mark.parametrize("activation", [tanh, sigmoid, gelu])
@given(seeds, sizes, sizes, sizes, sizes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_the_vjp_is_that_of_the_value(activation, seed, N, n, h, m, dtype):
    check_vjp(branch(activation), *arrays(seed, N, n, h, m, dtype), rng=np.random.default_rng(seed))


@given(seeds, sizes, sizes)
def test_the_vjp_is_linear(seed, N, n):
    y, vjp = branch(tanh)(*arrays(seed, N, n, n, n))
    for whole, one, other in zip(vjp(3 * y + y * y), vjp(y), vjp(y * y), strict=True):
        assert agree(whole, 3 * one + other)


def test_settings_go_to_the_activation():
    x, *theta = arrays(0, 2, 3, 4, 3)
    Fx, vjp = branch(leaky_relu)(x, *theta, slope=0.3)
    bound, bound_vjp = branch(partial(leaky_relu, slope=0.3))(x, *theta)
    assert np.array_equal(Fx, bound)
    assert all(map(np.array_equal, vjp(x), bound_vjp(x)))
    assert not np.array_equal(Fx, branch(leaky_relu)(x, *theta)[0])
    with pytest.raises(TypeError, match="slope"):
        branch(relu)(x, *theta, slope=0.3)


def test_bad_input():
    x, W1, b1, W2, b2 = arrays(0, 2, 3, 4, 3)
    F = branch(tanh)
    with pytest.raises(
        ValueError,
        match=r"expected x \(N, n\) or \(N, ..., n\), W \(n, m\), b \(m,\); got x \(2, 3\), W \(4, 3\)",
    ):
        F(x, W2, b2, W1, b1)
    with pytest.raises(TypeError, match="W: expected the dtype of x, float64, got float32"):
        F(x, W1, b1, W2.astype(np.float32), b2)
    with pytest.raises(TypeError, match="positional argument"):
        F(x, W1, b1, W2)
    _, vjp = F(x, W1, b1, W2, b2)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 3\), got \(2, 4\)"):
        vjp(np.ones((2, 4)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(x.astype(np.float32))
