from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.shortcut import dropout, dropped, highway, pad_channels, scaled, shortcut
from resgrad.blocks.stack import stack
from resgrad.measure.check import agree, check_vjp, jacobian
from resgrad.rules.activation import sigmoid, tanh
from resgrad.rules.convolution import conv2d
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])


def normal(rng, dtype, *shapes):
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def two_layers(rng, n, m, dtype=np.float64):
    return normal(rng, dtype, (n, 3), (3,), (3, m), (m,))


# By hand first: they fail at once where a rule is broken.
def test_shortcut_by_hand():
    W, P, b = np.array([[0.5, 2.0], [-1.0, 0.3]]), np.array([[1.0, 0.0], [4.0, 2.0]]), np.zeros(2)
    y, vjp = shortcut(linear, linear)(np.array([[1.0, -1.0]]), (W, b), (P, b))
    assert y.tolist() == [[1.5 - 3.0, 1.7 - 2.0]]
    x_bar, (W_bar, b_bar), (P_bar, _) = vjp(np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(x_bar, [[4.5 + 1.0, -0.4 + 8.0]])  # y_bar W.T + y_bar P.T
    assert (
        W_bar.tolist() == P_bar.tolist() == [[1.0, 2.0], [-1.0, -2.0]]
    )  # both paths see one x and one y_bar
    assert b_bar.tolist() == [1.0, 2.0]


def test_pad_channels_by_hand():
    x = np.arange(1.0, 13.0).reshape(1, 3, 2, 2)
    y, vjp = pad_channels(x, channels=3, stride=(2, 1))
    assert y[0].tolist() == [[[1, 2, 0], [3, 4, 0]], [[9, 10, 0], [11, 12, 0]]]
    (x_bar,) = vjp(10 * np.arange(1.0, 13.0).reshape(1, 2, 2, 3))
    assert x_bar[0].tolist() == [[[10, 20], [40, 50]], [[0, 0], [0, 0]], [[70, 80], [100, 110]]]


def test_scaled_by_hand():
    W, b = np.array([[0.5, 2.0], [-1.0, 0.3]]), np.zeros(2)
    y, vjp = scaled(linear, lam=0.5, alpha=2)(np.array([[1.0, -1.0]]), W, b)
    np.testing.assert_allclose(y, [[3.0 + 0.5, 3.4 - 0.5]])
    x_bar, W_bar, b_bar = vjp(np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(x_bar, [[9.0 + 0.5, -0.8 + 1.0]])
    assert W_bar.tolist() == [[2.0, 4.0], [-2.0, -4.0]]
    assert b_bar.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(("open_", "value"), [(0.0, [[3.0, 4.0]]), (1.0, [[-2.5, 7.2]])])
def test_a_shut_gate_is_the_skip_and_an_open_one_the_branch(open_, value):
    W, b = np.array([[0.5, 2.0], [-1.0, 0.3]]), np.zeros(2)
    constant = np.zeros((2, 2)), np.full(2, open_)
    y, vjp = highway(linear, linear)(np.array([[3.0, 4.0]]), (W, b), constant)
    np.testing.assert_allclose(y, value)
    x_bar, (W_bar, _), (T_bar, _) = vjp(np.ones((1, 2)))
    np.testing.assert_allclose(x_bar, [[1.0, 1.0]] if open_ == 0 else [[2.5, -0.7]])
    np.testing.assert_allclose(W_bar, open_ * np.array([[3.0, 3.0], [4.0, 4.0]]))
    np.testing.assert_allclose(T_bar, [[3 * -5.5, 3 * 3.2], [4 * -5.5, 4 * 3.2]])  # x.T (H(x) - x)


def test_dropout_draws_from_its_generator_and_returns_one_gradient():
    x, rng = np.ones((30, 40)), np.random.default_rng(0)
    y, vjp = dropout(x, rate=0.25, rng=rng)
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert abs(y.mean() - 1) < 5 * np.sqrt(0.25 / 0.75 / x.size)  # five standard deviations
    assert np.array_equal(vjp(x)[0], y)
    assert np.array_equal(vjp(x)[0], y)
    assert not np.array_equal(dropout(x, rate=0.25, rng=rng)[0], y)
    assert np.array_equal(dropout(x, rate=0.25, rng=np.random.default_rng(0))[0], y)


def test_a_kept_branch_is_the_residual_block_and_a_dropped_one_the_identity():
    rng = np.random.default_rng(0)
    x, y_bar = normal(rng, np.float32, (3, 4), (3, 4))
    theta = two_layers(rng, 4, 4, np.float32)
    kept, expected = dropped(branch(tanh), keep=True), residual(branch(tanh))
    assert np.array_equal(kept(x, *theta)[0], expected(x, *theta)[0])
    assert all(map(np.array_equal, kept(x, *theta)[1](y_bar), expected(x, *theta)[1](y_bar)))
    y, vjp = dropped(branch(tanh), keep=np.bool(False))(x, *theta)
    x_bar, *theta_bar = vjp(y_bar)
    assert np.array_equal(y, x)
    assert np.array_equal(x_bar, y_bar)
    assert [(bar.shape, bar.dtype, bar.any()) for bar in theta_bar] == [
        (v.shape, v.dtype, np.False_) for v in theta
    ]


@given(seeds, sizes, sizes, sizes, dtypes)
def test_the_vjp_of_a_projection_is_that_of_the_value(seed, N, n, m, dtype):
    rng = np.random.default_rng(seed)
    (x,), block = normal(rng, dtype, (N, n)), shortcut(branch(tanh), linear)
    errors = check_vjp(block, x, two_layers(rng, n, m, dtype), normal(rng, dtype, (n, m), (m,)), rng=rng)
    assert list(errors)[-2:] == ["theta_S[0]", "theta_S[1]"]


@given(seeds, st.integers(1, 3), st.integers(3, 5), st.sampled_from([np.float32, np.float64]))
def test_both_shortcuts_beside_a_strided_convolution(seed, C, side, dtype):
    rng = np.random.default_rng(seed)
    x, W, b = normal(rng, dtype, (2, side, side, C), (3, 3, C, C + 1), (C + 1,))
    F = partial(conv2d, stride=2, padding=1)
    project = shortcut(F, partial(conv2d, stride=2))
    check_vjp(project, x, (W, b), normal(rng, dtype, (1, 1, C, C + 1), (C + 1,)), rng=rng)
    check_vjp(shortcut(F, partial(pad_channels, channels=C + 1, stride=2)), x, (W, b), (), rng=rng)


def test_the_identity_as_a_shortcut_is_the_residual_block():
    rng = np.random.default_rng(0)
    (x,), theta = normal(rng, np.float64, (3, 4)), two_layers(rng, 4, 4)
    y, vjp = shortcut(branch(tanh), identity)(x, theta, ())
    expected, expected_vjp = residual(branch(tanh))(x, *theta)
    assert np.array_equal(y, expected)
    assert np.array_equal(vjp(y)[0], expected_vjp(y)[0])


def identity(x):
    return x, lambda y_bar: (y_bar,)


@given(seeds, sizes, sizes, sizes, st.tuples(sizes, sizes), st.integers(0, 3), dtypes)
def test_the_vjp_of_pad_channels_is_that_of_the_value(seed, H, W, C, stride, more, dtype):
    rng = np.random.default_rng(seed)
    (x,) = normal(rng, dtype, (2, H, W, C))
    check_vjp(pad_channels, x, rng=rng, channels=C + more, stride=stride)


def test_pad_channels_that_has_nothing_to_do_is_the_identity():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    y, vjp = pad_channels(x, channels=2)
    assert np.array_equal(y, x)
    assert np.array_equal(vjp(3 * x)[0], 3 * x)


def test_pad_channels_is_a_convolution_with_a_unit_kernel():
    rng = np.random.default_rng(0)
    (x,) = normal(rng, np.float64, (2, 5, 4, 2))
    y, vjp = pad_channels(x, channels=3, stride=2)
    same, conv_vjp = conv2d(x, np.eye(2, 3).reshape(1, 1, 2, 3), np.zeros(3), stride=2)
    assert agree(y, same)
    assert agree(vjp(y + 1)[0], conv_vjp(y + 1)[0])


@given(seeds, sizes, sizes, st.floats(-2, 2), st.floats(-2, 2), dtypes)
def test_the_vjp_of_scaled_is_that_of_the_value(seed, N, n, lam, alpha, dtype):
    rng = np.random.default_rng(seed)
    (x,) = normal(rng, dtype, (N, n))
    check_vjp(scaled(branch(tanh), lam=lam, alpha=alpha), x, *two_layers(rng, n, n, dtype), rng=rng)


def test_scaled_keeps_the_dtype_of_x_whatever_the_factor_is():
    x, W, b = np.ones((1, 2), np.float32), np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
    y, vjp = scaled(linear, lam=np.float64(0.5), alpha=np.float32(2))(x, W, b)
    assert [y.dtype, *(bar.dtype for bar in vjp(y))] == [np.float32] * 4


def gate(rng, n, dtype, bias=0.0):
    W, b = normal(rng, dtype, (n, n), (n,))
    return (W, b + dtype(bias)), ()


@given(seeds, sizes, sizes, dtypes)
def test_the_vjp_of_a_highway_is_that_of_the_value(seed, N, n, dtype):
    rng = np.random.default_rng(seed)
    (x,), block = normal(rng, dtype, (N, n)), highway(branch(tanh), stack(linear, sigmoid))
    check_vjp(block, x / 2, two_layers(rng, n, n, dtype), gate(rng, n, dtype), rng=rng)


@given(seeds, sizes)
def test_the_jacobian_of_a_highway_has_three_terms(seed, n):
    rng = np.random.default_rng(seed)
    H, T = branch(tanh), stack(linear, sigmoid)
    (x,), theta_H, theta_T = normal(rng, np.float64, (1, n)), two_layers(rng, n, n), gate(rng, n, np.float64)
    g, change = T(x, *theta_T)[0], H(x, *theta_H)[0] - x
    J_H, J_T = jacobian(H, x, *theta_H), jacobian(T, x, *theta_T)
    J = g.T * J_H + np.diagflat(1 - g) + change.T * J_T
    assert agree(jacobian(highway(H, T), x, theta_H, theta_T), J)


@given(seeds, st.sampled_from([0.0, 0.3, 0.9]), dtypes)
def test_the_vjp_of_dropout_is_that_of_the_value(seed, rate, dtype):
    (x,) = normal(np.random.default_rng(seed), dtype, (4, 5))

    def same_mask(x):
        return dropout(x, rate=rate, rng=np.random.default_rng(seed))

    check_vjp(same_mask, x, rng=np.random.default_rng(1))


def test_dropout_of_nothing_is_the_identity():
    x = np.arange(6.0)
    y, vjp = dropout(x, rate=0, rng=np.random.default_rng(0))
    assert np.array_equal(y, x)
    assert np.array_equal(vjp(2 * x)[0], 2 * x)


def test_what_is_dropped_leaves_no_trace():
    y, vjp = dropout(np.full(200, np.inf), rate=0.5, rng=np.random.default_rng(0))
    assert not np.isnan(y).any()
    assert not np.isnan(vjp(np.full(200, np.inf))[0]).any()


@given(seeds, st.booleans())
def test_the_vjp_of_a_dropped_branch_is_that_of_the_value(seed, keep):
    rng = np.random.default_rng(seed)
    (x,), nested = normal(rng, np.float64, (2, 3)), normal(rng, np.float64, (3, 3), (3,))
    check_vjp(dropped(stack(linear, tanh), keep=keep), x, nested, (), rng=rng)


def test_a_dropped_branch_is_not_called():
    def never(x, W):
        raise AssertionError

    W = np.ones((2, 2))
    assert dropped(never, keep=False)(np.ones((1, 2)), W)[1](np.ones((1, 2)))[1].tolist() == [[0, 0], [0, 0]]


x23, one_theta = np.ones((2, 3)), (np.eye(3), np.zeros(3))
narrow = np.ones((3, 1)), np.zeros(1)
images = np.ones((1, 4, 4, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: shortcut(linear, linear)(x23, one_theta, narrow),
            ValueError,
            r"F\(x\) and S\(x\) of one shape; got x \(2, 3\), Fx \(2, 3\), Sx \(2, 1\)",
        ),
        (
            lambda: shortcut(linear, linear)(x23, np.eye(3), one_theta),
            TypeError,
            "theta_F: expected a tuple of parameters, got ndarray",
        ),
        (
            lambda: shortcut(linear, lambda x: (x.astype(np.float32), None))(x23, one_theta, ()),
            TypeError,
            "Sx: expected the dtype of x, float64, got float32",
        ),
        (
            lambda: shortcut(linear, linear)(x23, one_theta, one_theta)[1](np.ones(3)),
            ValueError,
            r"y_bar: expected shape \(2, 3\), got \(3,\)",
        ),
        (
            lambda: shortcut(linear, lambda x: (x, lambda y_bar: (y_bar[0],)))(x23, one_theta, ())[1](x23),
            ValueError,
            r"x_bar from S: expected shape \(2, 3\), got \(3,\)",
        ),
        (
            lambda: pad_channels(images, channels=1),
            ValueError,
            r"channels: expected at least the 2 of x \(1, 4, 4, 2\), got 1",
        ),
        (lambda: pad_channels(images, channels=2.0), TypeError, "channels: expected whole numbers, got 2.0"),
        (lambda: pad_channels(images, channels=2, stride=0), ValueError, "stride"),
        (
            lambda: pad_channels(x23, channels=4),
            ValueError,
            r"expected x \(N, H, W, C\) with a pixel; got x \(2, 3\)",
        ),
        (lambda: pad_channels(images[:, :0], channels=4), ValueError, r"with a pixel; got x \(1, 0, 4, 2\)"),
        (
            lambda: pad_channels(images, channels=3)[1](images),
            ValueError,
            r"y_bar: expected shape \(1, 4, 4, 3\)",
        ),
        (lambda: pad_channels(images.astype(int), channels=3), TypeError, "x: expected a floating dtype"),
        (lambda: scaled(linear, lam="1"), TypeError, "lam: expected a number, got str"),
        (lambda: scaled(linear, lam=True), TypeError, "lam: expected a number, got bool"),
        (
            lambda: scaled(linear, lam=1, alpha=float("nan")),
            ValueError,
            "alpha: expected a finite number, got nan",
        ),
        (
            lambda: scaled(linear, lam=1)(x23, *narrow),
            ValueError,
            r"F\(x\) of x's shape; got x \(2, 3\), Fx \(2, 1\)",
        ),
        (
            lambda: scaled(linear, lam=1)(x23, *one_theta)[1](x23[0]),
            ValueError,
            r"y_bar: expected shape \(2, 3\)",
        ),
        (
            lambda: scaled(lambda x: (x, lambda y_bar: (y_bar[0],)), lam=1)(x23)[1](x23),
            ValueError,
            "x_bar from F: expected shape",
        ),
        (
            lambda: highway(linear, linear)(x23, one_theta, narrow),
            ValueError,
            r"H\(x\) and T\(x\) of x's shape; got x \(2, 3\), Hx \(2, 3\), Tx \(2, 1\)",
        ),
        (
            lambda: highway(linear, linear)(x23, one_theta, [*one_theta]),
            TypeError,
            "theta_T: expected a tuple of parameters, got list",
        ),
        (
            lambda: highway(linear, linear)(x23, one_theta, one_theta)[1](x23[0]),
            ValueError,
            r"y_bar: expected shape \(2, 3\)",
        ),
        (
            lambda: highway(linear, lambda x: (x, lambda y_bar: (y_bar[0],)))(x23, one_theta, ())[1](x23),
            ValueError,
            "x_bar from T: expected shape",
        ),
        (
            lambda: highway(lambda x: (x, lambda y_bar: (y_bar[0],)), linear)(x23, (), one_theta)[1](x23),
            ValueError,
            "x_bar from H: expected shape",
        ),
        (
            lambda: dropout(x23, rate=1, rng=np.random.default_rng(0)),
            ValueError,
            r"rate: expected a number in \[0, 1\), got 1",
        ),
        (lambda: dropout(x23, rate=-0.1, rng=np.random.default_rng(0)), ValueError, "rate: expected"),
        (
            lambda: dropout(x23, rate=None, rng=np.random.default_rng(0)),
            TypeError,
            "rate: expected a number, got NoneType",
        ),
        (lambda: dropout(x23, rate=0.5, rng=0), TypeError, "rng: expected a numpy.random.Generator, got int"),
        (
            lambda: dropout(x23.astype(int), rate=0.5, rng=np.random.default_rng(0)),
            TypeError,
            "x: expected a floating dtype",
        ),
        (
            lambda: dropout(x23, rate=0.5, rng=np.random.default_rng(0))[1](x23[0]),
            ValueError,
            r"y_bar: expected shape \(2, 3\)",
        ),
        (lambda: dropped(linear, keep=1), TypeError, "keep: expected a bool, got int"),
        (lambda: dropped(linear, keep=True)(x23, *narrow), ValueError, r"F\(x\) of x's shape"),
        (
            lambda: dropped(linear, keep=False)(x23.astype(int), *one_theta),
            TypeError,
            "x: expected a floating dtype",
        ),
        (
            lambda: dropped(linear, keep=False)(x23, *one_theta)[1](x23[0]),
            ValueError,
            r"y_bar: expected shape \(2, 3\)",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
