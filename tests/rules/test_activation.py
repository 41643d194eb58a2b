import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import agree, check_vjp
from resgrad.rules.activation import gelu, leaky_relu, relu, sigmoid, tanh

KINKED = {"relu": relu, "leaky_relu": leaky_relu, "leaky_relu 0.3": partial(leaky_relu, slope=0.3)}
SMOOTH = {"tanh": tanh, "sigmoid": sigmoid, "gelu": gelu}
every = pytest.mark.parametrize("f", [*KINKED.values(), *SMOOTH.values()], ids=[*KINKED, *SMOOTH])

seeds = st.integers(0, 2**32 - 1)
shapes = st.lists(st.integers(1, 5), max_size=4).map(tuple)


def away_from_zero(seed, shape, dtype=np.float64):
    a = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(a + 0.1 * np.where(a < 0, -1, 1)).astype(dtype)


@pytest.mark.parametrize(
    ("f", "y", "derivative"),
    [
        (relu, [0.0, 0.0, 3.0], [0.0, 0.0, 1.0]),
        (leaky_relu, [-0.02, 0.0, 3.0], [0.01, 1.0, 1.0]),
        (partial(leaky_relu, slope=0.5), [-1.0, 0.0, 3.0], [0.5, 1.0, 1.0]),
        (tanh, [math.tanh(-2), 0.0, math.tanh(3)], [1 - math.tanh(2) ** 2, 1.0, 1 - math.tanh(3) ** 2]),
        (
            sigmoid,
            [1 / (1 + math.exp(2)), 0.5, 1 / (1 + math.exp(-3))],
            [math.exp(2) / (1 + math.exp(2)) ** 2, 0.25, math.exp(-3) / (1 + math.exp(-3)) ** 2],
        ),
        # Of a Φ(a) itself, -0.0455 and 2.99595: the tanh form is off in the fourth digit.
        (gelu, [-0.0454023059122, 0.0, 2.99636260792], [-0.0860992566236, 0.5, 1.01158416663]),
    ],
)
def test_by_hand(f, y, derivative):
    value, vjp = f(np.array([-2.0, 0.0, 3.0]))
    np.testing.assert_allclose(value, y, rtol=1e-8)
    np.testing.assert_allclose(vjp(np.full(3, 2.0))[0], 2 * np.array(derivative), rtol=1e-8)


@every
@given(seeds, shapes, st.sampled_from([np.float32, np.float64]))
def test_the_vjp_is_that_of_the_value(f, seed, shape, dtype):
    a = away_from_zero(seed, shape, dtype)
    check_vjp(f, a, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("f", SMOOTH.values(), ids=SMOOTH)
@given(seeds, shapes)
def test_analytic_functions_take_complex_numbers(f, seed, shape):
    a = away_from_zero(seed, shape)
    check_vjp(f, a + 0.3j * a[::-1] if shape else a + 0.3j, rng=np.random.default_rng(seed))
    step = f(a + 1e-30j)[0].imag / 1e-30
    assert agree(step, *(np.asarray(gradient) for gradient in f(a)[1](np.ones(shape))))


@pytest.mark.parametrize("f", KINKED.values(), ids=KINKED)
def test_functions_with_a_kink_take_none(f):
    with pytest.raises(
        TypeError, match=r"a: expected a real floating dtype, got complex128 \(shape \(2,\)\)"
    ):
        f(np.zeros(2, dtype=complex))


@every
@given(seeds, shapes)
def test_the_vjp_is_linear(f, seed, shape):
    a = away_from_zero(seed, shape)
    y, vjp = f(a)
    assert agree(vjp(3 * a + y)[0], 3 * vjp(a)[0] + vjp(y)[0])


@every
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_far_out_there_is_no_overflow(f, dtype):
    a = np.array([-30.0, -10.0, 10.0, 30.0], dtype=dtype)
    y, vjp = f(a)
    (a_bar,) = vjp(np.ones_like(a))
    assert y.dtype == a_bar.dtype == dtype
    assert np.isfinite(y).all()
    assert np.isfinite(a_bar).all()


def test_a_sigmoid_keeps_its_digits_where_it_is_small():
    (y,), _ = sigmoid(np.array([-700.0]))
    assert y == pytest.approx(math.exp(-700), rel=1e-12, abs=0)


@every
def test_bad_input(f):
    with pytest.raises(TypeError, match=r"a: expected a.* floating dtype, got int64 \(shape \(3,\)\)"):
        f(np.arange(3))
    with pytest.raises(TypeError, match="a: expected a numpy array, got list"):
        f([1.0, 2.0])
    _, vjp = f(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 3\), got \(3,\)"):
        vjp(np.ones(3))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(np.ones((2, 3), dtype=np.float32))


@pytest.mark.parametrize("slope", [True, "0.1", np.ones(2), None])
def test_a_slope_that_is_no_number(slope):
    with pytest.raises(TypeError, match="slope: expected a number, got"):
        leaky_relu(np.ones(2), slope=slope)


def test_a_slope_with_a_dtype_does_not_promote():
    y, vjp = leaky_relu(np.full(2, -1, dtype=np.float32), slope=np.float64(0.5))
    assert y.dtype == vjp(y)[0].dtype == np.float32
