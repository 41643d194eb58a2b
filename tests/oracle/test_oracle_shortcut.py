"""Shortcuts and dense layers against ``jax.vjp`` of the same functions written with JAX's own operations.

Skipped where JAX is not installed, unless RESGRAD_REQUIRE_ORACLE=1 says that it has to be.
"""

import os
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.dense import dense
from resgrad.blocks.shortcut import dropout, dropped, highway, pad_channels, scaled, shortcut
from resgrad.blocks.stack import stack
from resgrad.rules.activation import sigmoid, tanh
from resgrad.rules.convolution import conv2d
from resgrad.rules.linear import linear

if os.environ.get("RESGRAD_REQUIRE_ORACLE") == "1":
    import jax
else:
    jax = pytest.importorskip("jax", reason="the oracle, JAX, is not installed: make oracle installs it")

import jax.numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-10}
dtypes = st.sampled_from(list(TOLERANCE))
seeds = st.integers(0, 2**32 - 1)
small = st.sampled_from([1, 2, 5])
few = settings(max_examples=5)  # JAX compiles anew for each shape


def normal(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def compare(ours, theirs, *args, seed, dtype):
    """Value and gradients, each tree of arrays relative to its own largest entries."""
    (y, vjp), (expected, pull) = ours(*args), jax.vjp(theirs, *args)
    (y_bar,) = normal(seed, dtype, y.shape)
    for a, b in zip(jax.tree.leaves((y, vjp(y_bar))), jax.tree.leaves((expected, pull(y_bar))), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype == dtype
        atol = TOLERANCE[dtype] * max(1, np.abs(b).max(initial=0))
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def their_branch(x, W1, b1, W2, b2):
    return jnp.tanh(x @ W1 + b1) @ W2 + b2


def layers(n, m):
    return (n, 3), (3,), (3, m), (m,)


@few
@given(seeds, dtypes, small, small, small)
def test_shortcut(seed, dtype, N, n, m):
    x, V, b, *theta = normal(seed, dtype, (N, n), (n, m), (m,), *layers(n, m))

    def theirs(x, theta_F, theta_S):
        return their_branch(x, *theta_F) + x @ theta_S[0] + theta_S[1]

    compare(shortcut(branch(tanh), linear), theirs, x, tuple(theta), (V, b), seed=seed, dtype=dtype)


def their_conv(x, W, b, stride, padding):
    sides = [(padding, padding)] * 2
    out = jax.lax.conv_general_dilated(
        x, W, (stride, stride), sides, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return out + b


@few
@given(seeds, dtypes, st.integers(3, 6), st.booleans())
def test_shortcuts_past_a_stride(seed, dtype, side, project):
    x, W, b, V, c = normal(seed, dtype, (2, side, side, 2), (3, 3, 2, 3), (3,), (1, 1, 2, 3), (3,))
    F = partial(conv2d, stride=2, padding=1)
    S = partial(conv2d, stride=2) if project else partial(pad_channels, channels=3, stride=2)

    def theirs(x, theta_F, theta_S):
        past = their_conv(x, *theta_S, 2, 0) if project else jnp.pad(x[:, ::2, ::2], [(0, 0)] * 3 + [(0, 1)])
        return their_conv(x, *theta_F, 2, 1) + past

    compare(shortcut(F, S), theirs, x, (W, b), (V, c) if project else (), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, st.integers(1, 5), st.sampled_from([(1, 1), (2, 3)]), st.integers(0, 2))
def test_pad_channels(seed, dtype, side, stride, more):
    def theirs(x):
        return jnp.pad(x[:, :: stride[0], :: stride[1]], [(0, 0)] * 3 + [(0, more)])

    ours = partial(pad_channels, channels=2 + more, stride=stride)
    compare(ours, theirs, *normal(seed, dtype, (2, side, side + 1, 2)), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, small, st.floats(-2, 2), st.floats(-2, 2))
def test_scaled(seed, dtype, N, n, lam, alpha):
    def theirs(x, *theta):
        return alpha * their_branch(x, *theta) + lam * x

    args = normal(seed, dtype, (N, n), *layers(n, n))
    compare(scaled(branch(tanh), lam=lam, alpha=alpha), theirs, *args, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, small)
def test_highway(seed, dtype, N, n):
    def theirs(x, theta_H, theta_T):
        (W, b), _ = theta_T
        gate = jax.nn.sigmoid(x @ W + b)
        return their_branch(x, *theta_H) * gate + x * (1 - gate)

    x, W, b, *theta = normal(seed, dtype, (N, n), (n, n), (n,), *layers(n, n))
    ours = highway(branch(tanh), stack(linear, sigmoid))
    compare(ours, theirs, x, tuple(theta), ((W, b), ()), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, st.sampled_from([0.0, 0.3, 0.9]))
def test_dropout(seed, dtype, n, rate):
    mask = np.random.default_rng(seed).random((3, n)) >= rate  # the one that a fresh generator draws

    def ours(x):
        return dropout(x, rate=rate, rng=np.random.default_rng(seed))

    def theirs(x):
        return jnp.where(mask, x / (1 - rate), 0)

    compare(ours, theirs, *normal(seed, dtype, (3, n)), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, st.lists(st.booleans(), min_size=1, max_size=4))
def test_dropped(seed, dtype, n, mask):
    def theirs(x, *thetas):
        for keep, theta in zip(mask, thetas, strict=True):
            x = x + int(keep) * their_branch(x, *theta)
        return x

    x, *flat = normal(seed, dtype, (2, n), *layers(n, n) * len(mask))
    thetas = [tuple(flat[4 * k : 4 * k + 4]) for k in range(len(mask))]
    ours = stack(*[dropped(branch(tanh), keep=keep) for keep in mask])
    compare(ours, theirs, x, *thetas, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, small, st.lists(small, min_size=1, max_size=4))
def test_dense(seed, dtype, N, n, growths):
    widths = np.cumsum([n, *growths])
    shapes = [shape for m, k in zip(widths, growths, strict=False) for shape in ((int(m), k), (k,))]
    x, *flat = normal(seed, dtype, (N, n), *shapes)
    thetas = [((W, b), ()) for W, b in zip(flat[::2], flat[1::2], strict=True)]

    def theirs(x, *thetas):
        for (W, b), _ in thetas:
            x = jnp.concatenate([x, jnp.tanh(x @ W + b)], axis=-1)
        return x

    ours = stack(*[dense(stack(linear, tanh))] * len(growths))
    compare(ours, theirs, x, *thetas, seed=seed, dtype=dtype)
