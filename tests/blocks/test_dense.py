from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.dense import dense
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.measure.check import agree, check_vjp, jacobian
from resgrad.rules.activation import leaky_relu, tanh
from resgrad.rules.convolution import conv2d
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)


def arrays(seed, N, n, growth, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = [(N, n), (n, 3), (3,), (3, growth), (growth,)]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def test_by_hand():
    W, x = np.array([[0.5, 2.0], [-1.0, 0.3]]), np.array([[1.0, -1.0]])
    y, vjp = dense(linear)(x, W, np.zeros(2))
    assert y.tolist() == [[1.0, -1.0, 1.5, 1.7]]
    x_bar, W_bar, b_bar = vjp(np.array([[10.0, 20.0, 1.0, 2.0]]))
    np.testing.assert_allclose(x_bar, [[14.5, 19.6]])  # (10, 20) + (1, 2) W.T
    assert W_bar.tolist() == [[1.0, 2.0], [-1.0, -2.0]]
    assert b_bar.tolist() == [1.0, 2.0]


@given(seeds, sizes, sizes, sizes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_the_vjp_is_that_of_the_value(seed, N, n, growth, dtype):
    check_vjp(dense(branch(tanh)), *arrays(seed, N, n, growth, dtype), rng=np.random.default_rng(seed))


@given(seeds, sizes, sizes)
def test_the_jacobian_is_the_identity_above_that_of_the_branch(seed, n, growth):
    x, *theta = arrays(seed, 1, n, growth)
    J_F = jacobian(branch(tanh), x, *theta)
    assert agree(jacobian(dense(branch(tanh)), x, *theta), np.vstack([np.eye(n), J_F]))


def test_addition_is_concatenation_and_a_layer_of_two_identities():
    x, *theta = arrays(0, 2, 4, 4)
    both = np.vstack([np.eye(4)] * 2), np.zeros(4)
    y, vjp = stack(dense(branch(tanh)), linear)(x, tuple(theta), both)
    expected, expected_vjp = residual(branch(tanh))(x, *theta)
    assert agree(y, expected)
    x_bar, theta_bar, _ = vjp(x)
    for ours, theirs in zip((x_bar, *theta_bar), expected_vjp(x), strict=True):
        assert agree(ours, theirs)


def test_images_grow_in_channels():
    rng = np.random.default_rng(0)
    x, W, b = (rng.standard_normal(shape) for shape in [(2, 4, 3, 2), (3, 3, 2, 5), (5,)])
    y, _ = dense(partial(conv2d, padding=1))(x, W, b)
    assert y.shape == (2, 4, 3, 7)
    check_vjp(dense(partial(conv2d, padding=1)), x, W, b, rng=rng)


def test_settings_go_to_the_branch():
    x, *theta = arrays(0, 2, 3, 4)
    y, _ = dense(branch(leaky_relu))(x, *theta, slope=0.3)
    assert np.array_equal(y[:, 3:], branch(leaky_relu)(x, *theta, slope=0.3)[0])


@pytest.mark.parametrize(
    ("F", "x", "error", "message"),
    [
        (
            lambda x: (x[:1], None),
            np.ones((2, 3)),
            ValueError,
            r"but for the last axis; got x \(2, 3\), Fx \(1, 3\)",
        ),
        (lambda x: (x[0], None), np.ones((2, 3)), ValueError, r"got x \(2, 3\), Fx \(3,\)"),
        (lambda x: (x, None), np.ones(()), ValueError, r"got x \(\), Fx \(\)"),
        (
            lambda x: (x.astype(np.float32), None),
            np.ones(2),
            TypeError,
            "Fx: expected the dtype of x, float64",
        ),
        (lambda x: (x, None), np.arange(3), TypeError, "x: expected a floating dtype, got int64"),
    ],
)
def test_what_is_refused(F, x, error, message):
    with pytest.raises(error, match=message):
        dense(F)(x)


def test_gradients_that_do_not_fit():
    _, vjp = dense(lambda x: (x, lambda y_bar: (y_bar[0],)))(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 6\), got \(2, 3\)"):
        vjp(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"x_bar from F: expected shape \(2, 3\), got \(3,\)"):
        vjp(np.ones((2, 6)))
