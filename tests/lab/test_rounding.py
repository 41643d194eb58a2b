import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.lab.rounding import UNIT, bfloat16, float16, float32, rounded, stochastic
from resgrad.measure.check import agree
from resgrad.rules.linear import linear

numbers = st.floats(
    width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**120), max_value=2.0**120
)


def one(value):
    return np.array([value], np.float32)


def test_bfloat16_by_hand():
    ends = {
        1 + 2**-8: 1,
        1 + 3 * 2**-8: 1 + 2**-6,
        1 + 2**-8 + 2**-20: 1 + 2**-7,
        -257: -256,
        259: 260,
        0: 0,
        2**-130: 2**-130,
    }
    for value, nearest in ends.items():  # ties go to the even one, up and down
        assert bfloat16(one(value)).item() == nearest
    assert bfloat16(one(3.4e38)).item() == np.inf
    assert np.signbit(bfloat16(one(-0.0))).item()


@given(numbers)
def test_bfloat16_is_the_nearest_of_all_neighbours(value):
    """Against the definition: of the numbers with a zero lower half, the nearest, and the even one of two."""
    x = one(value)
    bits = x.view(np.uint32)
    below = (bits & np.uint32(0xFFFF0000)).view(np.float32)
    above = ((bits & np.uint32(0xFFFF0000)) + np.uint32(0x10000)).view(np.float32)
    down, up = (abs(float(end.item()) - float(x.item())) for end in (below, above))
    even = below if (below.view(np.uint32) >> np.uint32(16)).item() % 2 == 0 else above
    nearest = even if down == up else (below if down < up else above)
    assert bfloat16(x).item() == nearest.item()
    assert bfloat16(bfloat16(x)).item() == bfloat16(x).item()


def test_bfloat16_agrees_with_another_implementation():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="comes with JAX: make oracle installs it")
    bits = np.random.default_rng(0).integers(0, 2**32, 10**5, dtype=np.uint32)
    x = bits.view(np.float32)
    x = x[np.isfinite(x)]
    assert np.array_equal(bfloat16(x), x.astype(ml_dtypes.bfloat16).astype(np.float32))


@given(
    st.floats(2.0**-10, 2.0**10, width=32), st.sampled_from([(bfloat16, "bfloat16"), (float16, "float16")])
)
def test_no_rounding_is_off_by_more_than_u(value, chosen):
    rounding, name = chosen
    x = one(value)
    assert abs(rounding(x).item() - x.item()) <= UNIT[name] * x.item()


def test_stochastic_rounding_is_right_in_the_mean_and_one_of_two():
    x = np.full(40000, 257.5, np.float32)
    values = stochastic(np.random.default_rng(3))(x)
    assert set(values.tolist()) == {256.0, 258.0}
    # up with probability 3/4; four standard deviations of the share of 40000 are 0.009
    assert abs(np.mean(values == 258) - 0.75) < 0.009
    kept = bfloat16(np.random.default_rng(4).standard_normal(1000).astype(np.float32))
    assert np.array_equal(stochastic(np.random.default_rng(5))(kept), kept)


def test_rounded_rounds_the_value_and_every_gradient():
    rng = np.random.default_rng(1)
    x, W, b = (rng.standard_normal(shape).astype(np.float32) for shape in [(3, 4), (4, 2), (2,)])
    y, vjp = rounded(linear, bfloat16)(x, W, b)
    exact, exact_vjp = linear(x, W, b)
    assert np.array_equal(y, bfloat16(exact))
    for bar, exact_bar in zip(vjp(y), exact_vjp(y), strict=True):
        assert np.array_equal(bar, bfloat16(exact_bar))
    assert agree(rounded(linear, float32)(x, W, b)[0], exact, rtol=1e-12)


def test_what_does_not_fit_is_refused():
    for rounding in (bfloat16, float16, float32, stochastic(np.random.default_rng(0))):
        with pytest.raises(TypeError, match="x: expected dtype float32, got float64"):
            rounding(np.ones(2))
    with pytest.raises(ValueError, match=r"x: expected finite numbers, got nan \(shape \(2,\)\)"):
        bfloat16(np.array([1, np.nan], np.float32))
    with pytest.raises(OverflowError, match=r"float16: 7e\+04 is above 65504: scale x down, or use bfloat16"):
        float16(one(7e4))
