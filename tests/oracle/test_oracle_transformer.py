"""Attention and the transformer's blocks against ``jax.vjp`` of the same functions in JAX's own operations."""

import os
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.transformer import deep_norm, post_ln, pre_ln, self_attention
from resgrad.rules.activation import gelu
from resgrad.rules.attention import attention, multi_head_attention
from resgrad.rules.linear import linear

if os.environ.get("RESGRAD_REQUIRE_ORACLE") == "1":
    import jax
else:
    jax = pytest.importorskip("jax", reason="the oracle, JAX, is not installed: make oracle installs it")

import jax.numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

# Relative to the largest entry; a block has some twenty operations one after the other.
TOLERANCE = {np.float32: 1e-4, np.float64: 1e-10}
EPS = 0.1  # of the normalisations: where rows are nearly equal, gradients are differences of larger terms
dtypes = st.sampled_from(list(TOLERANCE))
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=4)  # JAX compiles each shape anew


def normal(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]


def compare(ours, theirs, *args, seed, dtype):
    y, vjp = ours(*args)

    def value_and_bars(y_bar, *args):
        value, pull = jax.vjp(theirs, *args)
        return value, pull(y_bar)

    (y_bar,) = normal(seed, dtype, y.shape)
    expected = jax.tree.leaves(jax.jit(value_and_bars)(y_bar, *args))
    found = jax.tree.leaves((y, vjp(y_bar)))
    assert len(found) == len(expected)
    for a, b in zip(found, map(np.asarray, expected), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype == dtype
        atol = TOLERANCE[dtype] * max(1, np.abs(b).max(initial=0))
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def visible(seed, *shape):
    rng = np.random.default_rng(seed)
    return (rng.random(shape) < 0.5) | (np.arange(shape[-1]) == rng.integers(shape[-1], size=(shape[-2], 1)))


def their_heads(q, k, v, heads=1, mask=None):
    outputs = []
    parts = [jnp.split(x, heads, axis=-1) for x in (q, k, v)]
    for q_i, k_i, v_i in zip(*parts, strict=True):
        s = q_i @ jnp.swapaxes(k_i, -1, -2) / np.sqrt(q_i.shape[-1]).astype(q.dtype)
        s = s if mask is None else jnp.where(mask, s, -jnp.inf)
        outputs.append(jax.nn.softmax(s, axis=-1) @ v_i)
    return jnp.concatenate(outputs, axis=-1)


@few
@given(seeds, dtypes, st.sampled_from([(), (2, 3)]), st.integers(1, 3), st.booleans())
def test_linear_over_the_last_axis(seed, dtype, between, n, empty):
    args = normal(seed, dtype, (0 if empty else 2, *between, n), (n, 2), (2,))
    compare(linear, lambda x, W, b: x @ W + b, *args, seed=seed, dtype=dtype)


@few
@given(
    seeds,
    dtypes,
    st.sampled_from([(), (2,)]),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 4]),
    st.booleans(),
)
def test_attention(seed, dtype, lead, T, S, masked):
    mask = visible(seed, T, S) if masked else None
    args = normal(seed, dtype, (*lead, T, 3), (*lead, S, 3), (*lead, S, 2))
    theirs = partial(their_heads, mask=mask)
    compare(partial(attention, mask=mask), theirs, *args, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, st.sampled_from([(), (2,)]), st.sampled_from([1, 2]), st.booleans())
def test_multi_head_attention(seed, dtype, lead, heads, masked):
    mask = visible(seed, 3, 4) if masked else None
    args = normal(seed, dtype, (*lead, 3, 4), (*lead, 4, 4), (*lead, 4, 4))
    ours = partial(multi_head_attention, heads=heads, mask=mask)
    compare(ours, partial(their_heads, heads=heads, mask=mask), *args, seed=seed, dtype=dtype)


def their_attention(mask, x, W, b, W_out, b_out):
    q, k, v = jnp.split(x @ W + b, 3, axis=-1)
    return their_heads(q, k, v, heads=2, mask=mask) @ W_out + b_out


def their_mlp(x, W1, b1, W2, b2):
    return jax.nn.gelu(x @ W1 + b1, approximate=True) @ W2 + b2


def their_norm(x, gamma, beta):
    mean = jnp.mean(x, axis=-1, keepdims=True)
    return (x - mean) / jnp.sqrt(jnp.var(x, axis=-1, keepdims=True) + x.dtype.type(EPS)) * gamma + beta


def theirs_pre(sublayers, x, *thetas):
    for F, (norm, theta) in zip(sublayers, thetas, strict=True):
        x = x + F(their_norm(x, *norm), *theta)
    return x


def theirs_post(sublayers, alpha, x, *thetas):
    for F, (theta, norm) in zip(sublayers, thetas, strict=True):
        x = their_norm(x.dtype.type(alpha) * x + F(x, *theta), *norm)
    return x


@few
@given(seeds, dtypes, st.sampled_from([(3,), (2, 3)]), st.sampled_from(["pre", "post", "deep"]))
def test_blocks(seed, dtype, lead, place):
    n, mask = 4, np.tri(3, dtype=bool)
    x, W, b, W_out, b_out, *mlp = normal(
        seed, dtype, (*lead, n), (n, 3 * n), 3 * n, (n, n), n, (n, 5), 5, (5, n), n
    )
    one, other = [(g, s) for g, s in zip(*[iter(normal(seed + 1, dtype, n, n, n, n))] * 2, strict=True)]
    sublayers = partial(their_attention, mask), their_mlp
    ours = partial(self_attention, heads=2, mask=mask), branch(gelu)
    thetas = [(one, (W, b, W_out, b_out)), (other, tuple(mlp))]
    if place == "pre":
        compare(pre_ln(*ours, eps=EPS), partial(theirs_pre, sublayers), x, *thetas, seed=seed, dtype=dtype)
        return
    alpha = 1.0 if place == "post" else 1.7
    block = post_ln(*ours, eps=EPS) if place == "post" else deep_norm(*ours, alpha=alpha, eps=EPS)
    thetas = [(theta, norm) for norm, theta in thetas]
    compare(block, partial(theirs_post, sublayers, alpha), x, *thetas, seed=seed, dtype=dtype)


def test_the_attention_that_jax_ships():
    """In single precision: its softmax is computed in that, whatever the dtype."""
    q, k, v = normal(0, np.float32, (2, 7, 8), (2, 7, 8), (2, 7, 8))
    mask = np.tri(7, dtype=bool)

    def theirs(*arrays):
        apart = [x.reshape(2, 7, 4, 2) for x in arrays]
        return jax.nn.dot_product_attention(*apart, mask=mask[None, None]).reshape(2, 7, 8)

    compare(partial(multi_head_attention, heads=4, mask=mask), theirs, q, k, v, seed=0, dtype=np.float32)
