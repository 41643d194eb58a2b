import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import agree, check_vjp
from resgrad.rules.linear import linear

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)


def arrays(seed, N, n, m, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in [(N, n), (n, m), (m,), (N, m)]]


def test_by_hand():
    x, W, b = (
        np.array([[1.0, 2.0], [0.0, -1.0]]),
        np.array([[0.5, 2.0], [-1.0, 0.25]]),
        np.array([10.0, 20.0]),
    )
    y, vjp = linear(x, W, b)
    assert y.tolist() == [[8.5, 22.5], [11.0, 19.75]]
    x_bar, W_bar, b_bar = vjp(np.array([[1.0, 2.0], [4.0, 8.0]]))
    assert x_bar.tolist() == [[4.5, -0.5], [18.0, -2.0]]
    assert W_bar.tolist() == [[1.0, 2.0], [-2.0, -4.0]]
    assert b_bar.tolist() == [5.0, 10.0]


@given(seeds, sizes, sizes, sizes, st.sampled_from([np.float32, np.float64, np.complex128]))
def test_the_vjp_is_that_of_the_value(seed, N, n, m, dtype):
    x, W, b, _ = arrays(seed, N, n, m, dtype)
    check_vjp(linear, x, W, b, rng=np.random.default_rng(seed))


@given(seeds, st.lists(st.integers(0, 3), max_size=3).map(tuple), sizes, sizes)
def test_more_axes_are_more_rows(seed, between, n, m):
    rng, shape = np.random.default_rng(seed), (2, *between)
    x, W, b = rng.standard_normal((*shape, n)), rng.standard_normal((n, m)), rng.standard_normal(m)
    y_bar, N = rng.standard_normal((*shape, m)), math.prod(shape)
    (y, vjp), (rows, rows_vjp) = linear(x, W, b), linear(x.reshape(N, n), W, b)
    np.testing.assert_allclose(y, rows.reshape(*shape, m), rtol=1e-12)
    for bar, of_rows in zip(vjp(y_bar), rows_vjp(y_bar.reshape(N, m)), strict=True):
        np.testing.assert_allclose(bar, of_rows.reshape(bar.shape), rtol=1e-12)
    if N:
        check_vjp(linear, x, W, b, rng=rng)


@given(seeds, sizes, sizes, sizes)
def test_the_vjp_is_linear(seed, N, n, m):
    x, W, b, y_bar = arrays(seed, N, n, m)
    y, vjp = linear(x, W, b)
    for whole, one, other in zip(vjp(3 * y_bar + y), vjp(y_bar), vjp(y), strict=True):
        assert agree(whole, 3 * one + other)


def test_a_batch_without_rows():
    x, W, b, y_bar = arrays(0, 0, 3, 2)
    y, vjp = linear(x, W, b)
    assert y.shape == (0, 2)
    assert [gradient.shape for gradient in vjp(y_bar)] == [(0, 3), (3, 2), (2,)]


@pytest.mark.parametrize(
    ("x", "W", "b"),
    [
        ((3,), (3, 2), (2,)),
        ((1, 4, 2), (3, 2), (2,)),
        ((4, 3), (2, 2), (2,)),
        ((4, 3), (3,), (2,)),
        ((4, 3), (3, 2, 1), (2,)),
        ((4, 3), (3, 2), (3,)),
        ((4, 3), (3, 2), (1,)),
        ((4, 3), (3, 2), (1, 2)),
        ((4, 3), (3, 2), ()),
    ],
)
def test_shapes_that_do_not_fit(x, W, b):
    message = (
        rf"expected x \(N, n\) or \(N, ..., n\), W \(n, m\), b \(m,\); got x \({x[0]},.*, W \({W[0]},.*, b \("
    )
    with pytest.raises(ValueError, match=message):
        linear(np.zeros(x), np.zeros(W), np.zeros(b))


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_dtypes_that_do_not_fit(wrong):
    given = [np.zeros((4, 3)), np.zeros((3, 2)), np.zeros(2)]
    name = "xWb"[wrong]
    for dtype, message in [(np.int64, "floating dtype, got int64"), (np.float32, "dtype of x, float")]:
        other = [array.astype(dtype) if i == wrong else array for i, array in enumerate(given)]
        with pytest.raises(TypeError, match=message) as error:
            linear(*other)
        # Where the first is the odd one out, the second is the one that differs from it.
        assert str(error.value).startswith("W" if wrong == 0 and dtype is np.float32 else name)
    with pytest.raises(TypeError, match=f"{name}: expected a numpy array, got list"):
        linear(*[array.tolist() if i == wrong else array for i, array in enumerate(given)])


def test_a_gradient_that_does_not_fit():
    _, vjp = linear(np.zeros((4, 3)), np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(4, 2\), got \(1, 2\)"):
        vjp(np.zeros((1, 2)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(np.zeros((4, 2), dtype=np.float32))
    with pytest.raises(TypeError, match=r"y_bar: expected a numpy array of shape \(4, 2\), got float"):
        vjp(1.0)
