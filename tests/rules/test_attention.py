import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resgrad.measure.check import agree, check_vjp
from resgrad.rules.attention import attention, multi_head_attention

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
before = st.lists(st.integers(1, 2), max_size=2).map(tuple)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])
RULES = {"one head": attention, "two heads": partial(multi_head_attention, heads=2)}
both = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def arrays(seed, lead, T, S, d, m, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((*lead, *shape)).astype(dtype) for shape in ((T, d), (S, d), (S, m))]


def visible(seed, *shape):
    """A mask in which every query sees a key."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.5
    return mask | (np.arange(shape[-1]) == rng.integers(shape[-1], size=(*shape[:-1], 1)))


def by_definition(q, k, v, mask):
    """One query after the other, one key after the other."""
    y = np.zeros((len(q), v.shape[1]))
    for i, query in enumerate(q):
        seen = [j for j in range(len(k)) if mask[i, j]]
        e = [math.exp(sum(query * k[j]) / math.sqrt(q.shape[1])) for j in seen]
        for weight, j in zip(e, seen, strict=True):
            y[i] += weight / sum(e) * v[j]
    return y


def test_by_hand():
    q, k, v = np.array([[1.0]]), np.array([[0.0], [math.log(3)]]), np.array([[0.0], [4.0]])
    y, vjp = attention(q, k, v)
    q_bar, k_bar, v_bar = vjp(np.array([[1.0]]))
    # p = (1/4, 3/4); p_bar = (0, 4) less its mean 3 under p; s_bar = (-3/4, 3/4)
    np.testing.assert_allclose(y, [[3.0]])
    np.testing.assert_allclose(q_bar, [[0.75 * math.log(3)]])
    np.testing.assert_allclose(k_bar, [[-0.75], [0.75]])
    np.testing.assert_allclose(v_bar, [[0.25], [0.75]])


def test_heads_by_hand():
    """The second head has keys of zeros, so its output is the mean of its values."""
    q = np.array([[1.0, 7.0]])
    k = np.array([[0.0, 0.0], [math.log(3), 0.0]])
    v = np.array([[0.0, 2.0], [4.0, 6.0]])
    y, vjp = multi_head_attention(q, k, v, heads=2)
    np.testing.assert_allclose(y, [[3.0, 4.0]])
    q_bar, k_bar, v_bar = vjp(np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(q_bar, [[0.75 * math.log(3), 0.0]], atol=1e-15)
    np.testing.assert_allclose(k_bar, [[-0.75, -14.0], [0.75, 14.0]])  # 2 (2 - 4) 7 / 2 and its opposite
    np.testing.assert_allclose(v_bar, [[0.25, 1.0], [0.75, 1.0]])


@given(seeds, sizes, sizes, sizes, sizes, st.booleans())
def test_the_value_is_that_of_the_definition(seed, T, S, d, m, masked):
    q, k, v = arrays(seed, (), T, S, d, m)
    mask = visible(seed, T, S) if masked else None
    y, _ = attention(q, k, v, mask=mask)
    np.testing.assert_allclose(
        y, by_definition(q, k, v, np.ones((T, S)) if mask is None else mask), rtol=1e-12
    )


@given(seeds, before, sizes, sizes, sizes, sizes, dtypes, st.booleans())
def test_the_vjp_is_that_of_the_value(seed, lead, T, S, d, m, dtype, masked):
    mask = visible(seed, *lead, T, S) if masked else None
    args = arrays(seed, lead, T, S, d, m, dtype)
    check_vjp(attention, *args, rng=np.random.default_rng(seed), mask=mask)


@given(seeds, before, sizes, sizes, st.integers(1, 3), st.integers(1, 2), dtypes, st.booleans())
def test_the_vjp_with_heads_is_that_of_the_value(seed, lead, T, S, heads, d, dtype, masked):
    mask = visible(seed, *lead, T, S) if masked else None
    args = arrays(seed, lead, T, S, heads * d, heads, dtype)
    check_vjp(multi_head_attention, *args, rng=np.random.default_rng(seed), mask=mask, heads=heads)


@given(seeds, sizes, sizes, st.integers(1, 3), st.integers(1, 3))
def test_heads_are_columns(seed, T, S, heads, d):
    args = arrays(seed, (2,), T, S, heads * d, heads * d)
    y, vjp = multi_head_attention(*args, heads=heads)
    bars = vjp(y)
    for i in range(heads):
        mine = [x[..., i * d : (i + 1) * d] for x in (*args, y)]
        value, pull = attention(*mine[:3])
        assert agree(value, mine[3])
        for bar, whole in zip(pull(mine[3]), bars, strict=True):
            np.testing.assert_allclose(bar, whole[..., i * d : (i + 1) * d], rtol=0, atol=1e-12)


@both
def test_a_mask_is_broadcast(rule):
    q, k, v = arrays(0, (3, 2), 4, 4, 4, 2)
    causal = np.tri(4, dtype=bool)
    y, vjp = rule(q, k, v, mask=causal)
    whole, whole_vjp = rule(q, k, v, mask=np.broadcast_to(causal, (3, 2, 4, 4)))
    row, _ = rule(q, k, v, mask=np.ones(4, dtype=bool))
    assert np.array_equal(y, whole)
    assert all(map(np.array_equal, vjp(y), whole_vjp(y)))
    assert np.array_equal(row, rule(q, k, v)[0])


@both
def test_a_hidden_token_has_no_say_and_no_gradient(rule):
    q, k, v = arrays(1, (), 3, 4, 4, 4)
    mask = np.ones((3, 4), dtype=bool)
    mask[:, 2] = False
    y, vjp = rule(q, k, v, mask=mask)
    _, k_bar, v_bar = vjp(y)
    assert not k_bar[2].any()
    assert not v_bar[2].any()
    kept = [0, 1, 3]
    assert agree(y, rule(q, k[kept], v[kept])[0])


@given(seeds, sizes, st.integers(2, 4), sizes)
def test_the_gradients_of_the_keys_sum_to_zero(seed, T, S, d):
    q, k, v = arrays(seed, (), T, S, d, d)
    y, vjp = attention(q, k, v)
    _, k_bar, _ = vjp(y)
    np.testing.assert_allclose(k_bar.sum(axis=0), 0, atol=1e-12)  # rounding of sums of numbers below 100


@both
def test_large_scores_do_not_overflow(rule):
    q, k, v = (1e3 * x for x in arrays(2, (), 3, 3, 4, 4))
    y, vjp = rule(q, k, v)
    assert np.isfinite(y).all()
    assert all(np.isfinite(bar).all() for bar in vjp(y))


@both
def test_scores_that_overflow_are_refused(rule):
    q, k, v = (x.astype(np.float32) for x in arrays(3, (), 3, 3, 4, 4))
    with pytest.raises(ValueError, match=r"q, k: their products are not finite in float32"):
        rule(q * np.float32(1e25), k * np.float32(1e25), v)
    with pytest.raises(ValueError, match="not finite in float64"):
        rule(np.full((3, 4), np.nan), np.ones((3, 4)), np.ones((3, 4)))


def test_no_query_is_no_output():
    q, k, v = arrays(4, (), 0, 3, 2, 2)
    y, vjp = attention(q, k, v)
    assert y.shape == (0, 2)
    assert not any(bar.any() for bar in vjp(y))


@both
@pytest.mark.parametrize(
    ("q", "k", "v"),
    [
        ((4,), (3, 4), (3, 2)),
        ((2, 4), (3, 2), (3, 2)),
        ((2, 4), (3, 4), (2, 2)),
        ((2, 4), (1, 3, 4), (3, 2)),
        ((2, 2, 4), (1, 3, 4), (1, 3, 2)),
        ((2, 4), (0, 4), (0, 2)),
        ((2, 0), (3, 0), (3, 2)),
    ],
)
def test_shapes_that_do_not_fit(rule, q, k, v):
    with pytest.raises(
        ValueError, match=r"expected q \(..., T, d\), k \(..., S, d\), v \(..., S, m\).*; got q \("
    ):
        rule(np.zeros(q), np.zeros(k), np.zeros(v))


@both
def test_masks_that_do_not_fit(rule):
    args = [np.ones((3, 4))] * 3
    with pytest.raises(ValueError, match=r"mask: a query sees no key \(mask \(3, 3\), scores \("):
        rule(*args, mask=np.tri(3, k=-1, dtype=bool))
    with pytest.raises(
        ValueError, match=r"mask: expected a shape that broadcasts to \(.*3, 3\), got \(2, 3\)"
    ):
        rule(*args, mask=np.ones((2, 3), dtype=bool))
    with pytest.raises(ValueError, match="mask: expected a shape that broadcasts"):
        rule(*args, mask=np.ones((2, 3, 3), dtype=bool))
    with pytest.raises(TypeError, match="mask: expected an array of bools, got float64"):
        rule(*args, mask=np.tri(3))
    with pytest.raises(TypeError, match="mask: expected an array of bools, got list"):
        rule(*args, mask=[[True] * 3] * 3)


def test_heads_that_do_not_divide_the_width():
    q, k, v = arrays(5, (), 2, 3, 6, 4)
    for heads in (0, -1, 3, 4):
        with pytest.raises(
            ValueError, match=r"heads: expected a divisor of the widths of q \(2, 6\) and v \(3, 4\)"
        ):
            multi_head_attention(q, k, v, heads=heads)
    with pytest.raises(TypeError, match=r"heads: expected whole numbers, got 2\.0"):
        multi_head_attention(q, k, v, heads=2.0)


@both
def test_dtypes_that_do_not_fit(rule):
    q, k, v = arrays(6, (), 2, 3, 2, 2)
    with pytest.raises(TypeError, match="k: expected the dtype of q, float64, got float32"):
        rule(q, k.astype(np.float32), v)
    with pytest.raises(TypeError, match="v: expected a floating dtype, got int64"):
        rule(q, k, v.astype(int))


@both
def test_a_gradient_that_does_not_fit(rule):
    _, vjp = rule(*arrays(7, (), 2, 3, 2, 4))
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(2, 4\), got \(1, 4\)"):
        vjp(np.zeros((1, 4)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(np.zeros((2, 4), dtype=np.float32))
