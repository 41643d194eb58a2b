import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad import gradient_correlation
from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.measure.check import agree, jacobian
from resgrad.measure.correlation import autocorrelation, cosines, input_gradients, pair_mean
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 5)
dtypes = st.sampled_from([np.float32, np.float64])


def network(seed, N, n, dtype=np.float64):
    """A residual block with x and its parameters, and a gradient for one output."""
    rng = np.random.default_rng(seed)
    shapes = [(N, n), (n, 3), (3,), (3, n), (n,), (n,)]
    x, *theta, y_bar = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return residual(branch(tanh)), x, theta, y_bar


def test_by_hand():
    rows = np.array([[3.0, 4.0], [-4.0, 3.0], [0.0, -2.0], [6.0, 8.0]])
    right = [[1, 0, -0.8, 1], [0, 1, -0.6, 0], [-0.8, -0.6, 1, -0.8], [1, 0, -0.8, 1]]
    np.testing.assert_allclose(cosines(rows), right, atol=1e-15)
    assert pair_mean(cosines(rows)) == pytest.approx((0 - 0.8 + 1 - 0.6 + 0 - 0.8) / 6)
    found = autocorrelation(np.array([1.0, 2.0, 4.0, 5.0]), lags=3)
    assert found == pytest.approx([1, 0.3, -0.4, -0.4])


@given(seeds, sizes, sizes, dtypes)
def test_a_row_is_the_gradient_of_its_own_sample(seed, N, n, dtype):
    f, x, theta, y_bar = network(seed, N, n, dtype)
    found = input_gradients(f, x, *theta, y_bar=y_bar)
    assert found.shape == x.shape
    assert found.dtype == dtype
    right = np.array([y_bar @ jacobian(f, row[None], *theta) for row in x])
    assert agree(found, right)


@given(seeds, st.integers(2, 5), sizes)
def test_the_correlation_is_the_cosine_of_the_jacobians_rows(seed, N, n):
    f, x, theta, y_bar = network(seed, N, n)
    C = gradient_correlation(f, x, *theta, y_bar=y_bar)
    g = [y_bar @ jacobian(f, row[None], *theta) for row in x]
    for r in range(N):
        for s in range(N):
            right = g[r] @ g[s] / math.sqrt(g[r] @ g[r]) / math.sqrt(g[s] @ g[s])
            assert abs(C[r, s] - right) < 1e-12  # a few roundings of numbers up to 1
    assert np.array_equal(C, C.T)
    assert (np.diag(C) == 1).all()


@given(seeds, st.integers(2, 5), sizes, dtypes, st.integers(-100, 100))
def test_the_length_of_a_row_does_not_matter(seed, N, n, dtype, power):
    rows = np.random.default_rng(seed).standard_normal((N, n)).astype(dtype)
    scaled = rows * dtype(2.0**power)  # exact
    assert np.array_equal(cosines(rows), cosines(scaled))
    assert cosines(rows).dtype == dtype
    assert np.abs(cosines(rows)).max() == 1


def test_squares_that_leave_the_range_of_the_dtype_do_no_harm():
    rows = np.array([[1e300, 1e300], [1e-300, 0.0]])
    assert cosines(rows)[0, 1] == pytest.approx(math.sqrt(0.5))
    assert autocorrelation(1e300 * np.array([1.0, -1.0, 1.0, -1.0]), lags=1)[1] == pytest.approx(-0.75)


def test_images_and_a_single_number_for_an_output():
    x = np.random.default_rng(0).standard_normal((3, 2, 2, 1))

    def total_square(x):
        return (x**2).sum(axis=(1, 2, 3)), lambda y_bar: (2 * x * y_bar[:, None, None, None],)

    assert np.array_equal(input_gradients(total_square, x), 2 * x)
    assert agree(gradient_correlation(total_square, x), cosines(x.reshape(3, 4)))


@given(seeds, st.integers(3, 6))
def test_less_the_mean_over_the_inputs_nothing_of_a_common_correlation_is_left(seed, N):
    """Why no mean is taken off: rows with any common cosine have -1/(N - 1) then."""
    rng = np.random.default_rng(seed)
    part = rng.uniform(0.1, 0.9)
    Q = np.linalg.qr(rng.standard_normal((N + 1, N + 1)))[0]
    rows = math.sqrt(part) * Q[0] + math.sqrt(1 - part) * Q[1:]
    assert pair_mean(cosines(rows)) == pytest.approx(part)
    assert pair_mean(cosines(rows - rows.mean(axis=0))) == pytest.approx(-1 / (N - 1))


@given(seeds, st.integers(2, 40))
def test_the_autocorrelation_is_that_of_the_definition(seed, N):
    values = np.random.default_rng(seed).standard_normal(N)
    u = values - values.mean()
    right = np.correlate(u, u, "full")[N - 1 :] / (u @ u)
    found = autocorrelation(values, lags=N - 1)
    assert np.abs(found - right).max() < 1e-12
    assert np.abs(found).max() == found[0] == 1
    assert np.abs(autocorrelation(5 + 3 * values, lags=N - 1) - found).max() < 1e-12


def test_white_and_brown_noise_are_told_apart():
    white = np.random.default_rng(3).standard_normal((200, 256))
    first = np.array([autocorrelation(row, lags=1)[1] for row in white])
    brown = np.array([autocorrelation(row, lags=1)[1] for row in white.cumsum(axis=1)])
    # 1/sqrt(256) for one, over the root of 200 for the mean; the mean that is taken off costs 1/256.
    assert abs(first.mean() + 1 / 256) < 5 / 16 / math.sqrt(200)
    assert 0.7 < first.std() * 16 < 1.3
    assert brown.min() > 0.8


def test_nothing_that_was_given_is_changed():
    f, x, theta, y_bar = network(2, 3, 4)
    kept = [array.copy() for array in (x, *theta, y_bar)]
    first = gradient_correlation(f, x, *theta, y_bar=y_bar)
    assert np.array_equal(first, gradient_correlation(f, x, *theta, y_bar=y_bar))
    assert all(map(np.array_equal, kept, (x, *theta, y_bar)))
    rows = x.copy()
    cosines(rows)
    autocorrelation(rows.ravel(), lags=2)
    assert np.array_equal(rows, x)


def test_a_transposed_pull_back_is_seen():
    """The planted error: a square matrix pulled back with W in place of its transpose."""
    rng = np.random.default_rng(4)
    x, W1, W2 = rng.standard_normal((2, 6)), *rng.standard_normal((2, 6, 6))

    def f(x, W1, W2, wrong=False):
        h = np.tanh(x @ W1)
        back = W2 if wrong else W2.T
        return h @ W2, lambda y_bar: ((y_bar @ back * (1 - h**2)) @ W1.T, None, None)

    y_bar = rng.standard_normal(6)
    right = gradient_correlation(f, x, W1, W2, y_bar=y_bar)
    assert not agree(gradient_correlation(f, x, W1, W2, y_bar=y_bar, wrong=True), right, rtol=1e-3)


def test_what_does_not_fit():
    x, W, b = np.ones((3, 2)), np.ones((2, 4)), np.zeros(4)
    with pytest.raises(ValueError, match=r"y_bar: expected one of shape \(4,\), for an output is no single"):
        gradient_correlation(linear, x, W, b)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(4,\), got \(3, 4\)"):
        gradient_correlation(linear, x, W, b, y_bar=np.ones((3, 4)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        gradient_correlation(linear, x, W, b, y_bar=np.ones(4, np.float32))
    with pytest.raises(ValueError, match=r"x: expected one sample or more in rows, got shape \(0, 2\)"):
        gradient_correlation(linear, x[:0], W, b, y_bar=b)
    with pytest.raises(TypeError, match="x: expected a real floating dtype, got complex128"):
        gradient_correlation(linear, x + 0j, W, b, y_bar=b)
    with pytest.raises(TypeError, match="x: expected a floating dtype, got int64"):
        input_gradients(linear, np.ones((3, 2), int), W, b, y_bar=b)
    with pytest.raises(
        ValueError, match=r"f: expected one output for each of 3 samples, got y of shape \(\)"
    ):
        input_gradients(lambda x: (x.sum(keepdims=True)[0, 0:1].reshape(()), None), x)
    with pytest.raises(TypeError, match="f: expected one output, an array, got tuple"):
        input_gradients(lambda x: ((x, x), None), x)
    with pytest.raises(ValueError, match=r"rows\[0\]: expected a finite vector other than 0 \(3, 2\)"):
        gradient_correlation(linear, x, W, b, y_bar=b)  # a gradient of zeros
    with pytest.raises(ValueError, match="x_bar: the gradient is not finite in float64: fewer blocks"):
        gradient_correlation(lambda x: (x, lambda y_bar: (np.inf * y_bar,)), x, y_bar=np.ones(2))
    with pytest.raises(ValueError, match=r"x_bar: expected shape \(3, 2\), got \(2, 3\)"):
        gradient_correlation(lambda x: (x, lambda y_bar: (y_bar.T,)), x, y_bar=np.ones(2))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (np.ones(3), r"rows: expected shape \(N, ...\), not empty, got \(3,\)"),
        (np.ones((0, 2)), r"rows: expected shape"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), r"rows\[1\]: expected a finite vector other than 0"),
        (np.array([[1.0, np.nan]]), r"rows\[0\]: expected a finite vector"),
    ],
)
def test_rows_without_an_angle(rows, problem):
    with pytest.raises(ValueError, match=problem):
        cosines(rows)


def test_sequences_without_a_correlation():
    for values in (np.full(5, 0.1), np.zeros(3), np.full(7, 1e-310)):
        with pytest.raises(ValueError, match=r"values: all . are equal: no correlation"):
            autocorrelation(values, lags=1)
    for values in (np.ones((2, 2)), np.ones(1), np.array([1.0, np.inf])):
        with pytest.raises(ValueError, match="values: expected two finite numbers or more in a row"):
            autocorrelation(values, lags=0)
    for lags in (-1, 3):
        with pytest.raises(ValueError, match=f"lags: expected 0 to 2 for 3 values, got {lags}"):
            autocorrelation(np.array([1.0, 2.0, 3.0]), lags=lags)
    with pytest.raises(TypeError, match=r"lags: expected whole numbers, got 1\.0"):
        autocorrelation(np.array([1.0, 2.0, 3.0]), lags=1.0)
    with pytest.raises(TypeError, match="values: expected a real floating dtype, got complex128"):
        autocorrelation(np.array([1j, 2.0]), lags=1)
    for C in (np.ones((2, 3)), np.ones((1, 1)), np.ones(4)):
        with pytest.raises(ValueError, match=r"C: expected shape \(N, N\) with N two or more"):
            pair_mean(C)
