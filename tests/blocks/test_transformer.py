from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.transformer import deep_norm, deep_norm_constants, post_ln, pre_ln, self_attention
from resgrad.measure.check import agree, check_vjp
from resgrad.rules.activation import gelu, tanh
from resgrad.rules.linear import linear
from resgrad.rules.normalization import layer_norm

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 3)
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])
EPS = 0.1
PLACES = {
    "pre": partial(pre_ln, eps=EPS),
    "post": partial(post_ln, eps=EPS),
    "deep": partial(deep_norm, alpha=1.7, eps=EPS),
}
places = pytest.mark.parametrize("place", PLACES)


def drawn(rng, dtype, *shapes):
    return tuple((rng.standard_normal(shape) / shape[0] ** 0.5).astype(dtype) for shape in shapes)


def attention_parameters(rng, n, dtype=np.float64):
    return drawn(rng, dtype, (n, 3 * n), (3 * n,), (n, n), (n,))


def block_of(place, seed, lead, n, dtype=np.float64):
    """A block of attention and MLP, its input and its parameters."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*lead, n)).astype(dtype)
    theta_A, theta_M = attention_parameters(rng, n, dtype), drawn(rng, dtype, (n, 3), (3,), (3, n), (n,))
    norms = [(1 + drawn(rng, dtype, (n,))[0], drawn(rng, dtype, (n,))[0]) for _ in range(2)]
    thetas = list(zip(norms, (theta_A, theta_M), strict=True))
    if place != "pre":
        thetas = [(theta, norm) for norm, theta in thetas]
    mask = np.tri(lead[-1], dtype=bool)
    return PLACES[place](partial(self_attention, heads=2, mask=mask), branch(gelu)), x, thetas


def test_attention_by_hand():
    """Without queries and keys, every token gets the mean of the tokens before it, itself among them."""
    x, W = np.array([[1.0, 2.0], [3.0, 6.0]]), np.hstack([np.zeros((2, 4)), np.eye(2)])
    y, vjp = self_attention(
        x, W, np.zeros(6), 10 * np.eye(2), np.ones(2), heads=1, mask=np.tri(2, dtype=bool)
    )
    np.testing.assert_allclose(y, [[11, 21], [21, 41]])
    x_bar, W_bar, b_bar, W_out_bar, b_out_bar = vjp(np.array([[1.0, 0.0], [0.0, 2.0]]))
    np.testing.assert_allclose(
        x_bar, [[10, 10], [0, 10]]
    )  # times 10; half of the second token's goes to the first
    np.testing.assert_allclose(W_bar[:, 4:], [[10, 40], [20, 80]])
    np.testing.assert_allclose(b_bar[4:], [10, 20])
    np.testing.assert_allclose(W_out_bar, [[1, 4], [2, 8]])
    np.testing.assert_allclose(b_out_bar, [1, 2])


@given(seeds, st.lists(sizes, min_size=1, max_size=2).map(tuple), st.integers(1, 2), dtypes)
def test_the_vjp_of_the_attention_is_that_of_its_value(seed, lead, d, dtype):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*lead, 2 * d)).astype(dtype)
    check_vjp(self_attention, x, *attention_parameters(rng, 2 * d, dtype), rng=rng, heads=2)


@places
@settings(max_examples=8)  # a dozen arrays in each block, entry by entry
@given(seeds, st.sampled_from([(3,), (2, 2)]), dtypes)
def test_the_vjp_of_a_block_is_that_of_its_value(place, seed, lead, dtype):
    block, x, thetas = block_of(place, seed, lead, 4, dtype)
    check_vjp(block, x, *thetas, rng=np.random.default_rng(seed))


def test_pre_ln_by_hand():
    """Of two numbers a normalisation passes no gradient on, so the skips carry all of it."""
    x, ones, zeros = np.array([[0.0, 2.0]]), np.ones(2), np.zeros(2)
    norm, theta = (ones, zeros), (np.eye(2), np.array([10.0, 20.0]))
    y, vjp = pre_ln(linear, linear, eps=0.0)(x, (norm, theta), (norm, theta))
    np.testing.assert_allclose(y, [[0 - 1 + 10 - 1 + 10, 2 + 1 + 20 + 1 + 20]])
    x_bar, (_, first), (_, second) = vjp(np.array([[3.0, 5.0]]))
    np.testing.assert_allclose(x_bar, [[3.0, 5.0]], atol=1e-12)
    np.testing.assert_allclose(first[0], [[-3, -5], [3, 5]])
    np.testing.assert_allclose(second[1], [3, 5])


def by_hand(place, x, y_bar, thetas, sublayers):
    """The block and its backward pass, written out: what is added, and in which order."""
    alpha = {"pre": 1.0, "post": 1.0, "deep": 1.7}[place]
    norm, vjps = partial(layer_norm, eps=EPS), []
    for F, theta in zip(sublayers, thetas, strict=True):
        if place == "pre":
            h, h_vjp = norm(x, *theta[0])
            Fx, F_vjp = F(h, *theta[1])
            x = x + Fx
        else:
            Fx, F_vjp = F(x, *theta[0])
            x, h_vjp = norm(alpha * x + Fx, *theta[1])
        vjps.append((h_vjp, F_vjp))
    x_bar, bars = y_bar, []
    for h_vjp, F_vjp in reversed(vjps):
        if place == "pre":
            h_bar, *F_bar = F_vjp(x_bar)
            from_branch, *norm_bar = h_vjp(h_bar)
            x_bar = x_bar + from_branch
            bars.append((tuple(norm_bar), tuple(F_bar)))
        else:
            sum_bar, *norm_bar = h_vjp(x_bar)
            from_branch, *F_bar = F_vjp(sum_bar)
            x_bar = alpha * sum_bar + from_branch
            bars.append((tuple(F_bar), tuple(norm_bar)))
    return x, (x_bar, *reversed(bars))


@places
@given(seeds)
def test_a_block_is_the_one_that_is_written_out(place, seed):
    block, x, thetas = block_of(place, seed, (2, 3), 4)
    sublayers = partial(self_attention, heads=2, mask=np.tri(3, dtype=bool)), branch(gelu)
    y, vjp = block(x, *thetas)
    y_bar = np.random.default_rng(seed).standard_normal(y.shape)
    expected, (x_bar, *bars) = by_hand(place, x, y_bar, thetas, sublayers)
    found_bar, *found = vjp(y_bar)
    assert agree(y, expected)
    assert agree(found_bar, x_bar)
    for one, other in zip(found, bars, strict=True):
        for part, counterpart in zip(one, other, strict=True):
            for bar, right in zip(part, counterpart, strict=True):
                np.testing.assert_allclose(bar, right, rtol=0, atol=1e-12)


def test_deep_norm_with_a_factor_of_one_is_post_ln():
    block, x, thetas = block_of("post", 3, (3,), 4)
    mask = np.tri(3, dtype=bool)
    deep = deep_norm(partial(self_attention, heads=2, mask=mask), branch(gelu), alpha=1, eps=EPS)
    (y, vjp), (same, same_vjp) = block(x, *thetas), deep(x, *thetas)
    assert np.array_equal(y, same)
    assert np.array_equal(vjp(y)[0], same_vjp(y)[0])


def test_a_token_does_not_depend_on_those_after_it():
    block, x, thetas = block_of("pre", 4, (3,), 4)
    y, vjp = block(x, *thetas)
    changed, _ = block(np.vstack([x[:2], 5 * x[2:]]), *thetas)
    assert agree(y[:2], changed[:2])
    x_bar = vjp(np.vstack([np.ones((2, 4)), np.zeros((1, 4))]))[0]
    assert x_bar[:2].any()
    assert not x_bar[2].any()


def test_constants_by_hand():
    assert deep_norm_constants(8) == pytest.approx((2, 8**-0.5))
    assert deep_norm_constants(1000) == pytest.approx((6.687403, 0.105737), abs=1e-6)  # as published
    with pytest.raises(ValueError, match="layers: expected at least 1, got 0"):
        deep_norm_constants(0)
    with pytest.raises(TypeError, match="layers: expected whole numbers"):
        deep_norm_constants(2.0)


@pytest.mark.parametrize("alpha", [0, -1.0, np.inf, np.nan])
def test_factors_that_are_not_positive(alpha):
    with pytest.raises(ValueError, match="alpha: expected a positive number"):
        deep_norm(linear, alpha=alpha, eps=EPS)


@pytest.mark.parametrize("alpha", ["2", None, True, np.ones(1)])
def test_factors_that_are_no_numbers(alpha):
    with pytest.raises(TypeError, match="alpha: expected a number"):
        deep_norm(linear, alpha=alpha, eps=EPS)


def test_heads_that_do_not_divide_the_width():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"heads: expected a divisor of the widths of q \(2, 4\)"):
        self_attention(np.ones((2, 4)), *attention_parameters(rng, 4), heads=3)


def test_a_layer_that_makes_no_queries_keys_and_values():
    rng = np.random.default_rng(0)
    _, _, W_out, b_out = attention_parameters(rng, 4)
    with pytest.raises(
        ValueError, match=r"sizes: expected widths that add up to the last axis of x \(2, 8\)"
    ):
        self_attention(np.ones((2, 4)), np.ones((4, 8)), np.ones(8), W_out, b_out, heads=2)


@places
def test_a_branch_of_another_shape_is_refused(place):
    theta, norm = (np.ones((4, 1)), np.ones(1)), (np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match=r"expected F\(x\) of x's shape; got x \(2, 4\), Fx \(2, 1\)"):
        PLACES[place](linear)(np.ones((2, 4)), (norm, theta) if place == "pre" else (theta, norm))


@places
def test_one_tuple_for_each_sublayer(place):
    with pytest.raises(ValueError, match="thetas: expected one tuple for each of 2 blocks, got 1"):
        PLACES[place](tanh, tanh)(np.ones((2, 4)), ())


@places
def test_a_gradient_that_does_not_fit(place):
    block, x, thetas = block_of(place, 5, (3,), 4)
    _, vjp = block(x, *thetas)
    with pytest.raises(ValueError, match=r"y_bar: expected shape \(3, 4\), got \(1, 4\)"):
        vjp(np.ones((1, 4)))
    with pytest.raises(TypeError, match="y_bar: expected dtype float64, got float32"):
        vjp(x.astype(np.float32))
