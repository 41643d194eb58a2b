"""Whole blocks put together from the library's rules, against ``jax.vjp`` of the same blocks in JAX's operations.

Skipped where JAX is not installed, unless RESGRAD_REQUIRE_ORACLE=1 says that it has to be.
"""

import os
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.residual import residual
from resgrad.blocks.shortcut import shortcut
from resgrad.blocks.stack import stack
from resgrad.rules.activation import relu
from resgrad.rules.convolution import conv2d
from resgrad.rules.normalization import batch_norm

if os.environ.get("RESGRAD_REQUIRE_ORACLE") == "1":
    import jax
else:
    jax = pytest.importorskip("jax", reason="the oracle, JAX, is not installed: make oracle installs it")

import jax.numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

TOLERANCE = {np.float32: 1e-3, np.float64: 1e-9}
EPS = 1e-5
# JAX compiles for each shape: a few of them, with several seeds.
few = settings(max_examples=6)
# Of any seed, one in some hundreds has a pre-activation so near to zero that single precision takes another mask; none
# of these has.
seeds = st.integers(0, 31)
shapes = st.sampled_from([(2, 5, 2, 3, 2), (3, 4, 1, 2, 1)])  # N, H, n, m, stride


def conv(x, W, **settings):
    y, vjp = conv2d(x, W, np.zeros(W.shape[3], W.dtype), **settings)
    return y, lambda y_bar: vjp(y_bar)[:2]


norm = partial(batch_norm, eps=EPS)


def their_conv(x, W, stride=1, padding=0):
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, W, (stride,) * 2, [(padding,) * 2] * 2, dimension_numbers=layout)


def their_norm(a, gamma, beta):
    mean, var = jnp.mean(a, axis=(0, 1, 2)), jnp.var(a, axis=(0, 1, 2))
    return (a - mean) / jnp.sqrt(var + EPS) * gamma + beta


def kernel(rng, size, n, m):
    return (np.sqrt(2 / (size**2 * n)) * rng.standard_normal((size, size, n, m)),)


def gain_and_shift(rng, m):
    gamma, beta = rng.standard_normal((2, m)) / 4
    return 1 + gamma, beta


def compare(ours, theirs, x, thetas, seed):
    """In double precision, and in single against JAX in double: relative to each gradient's largest entry."""
    y, pull = jax.vjp(theirs, x, *thetas)
    y_bar = np.random.default_rng(seed).standard_normal(y.shape)
    expected = jax.tree.leaves((y, pull(jnp.asarray(y_bar))))
    for dtype, tolerance in TOLERANCE.items():
        cast = partial(jax.tree.map, lambda leaf, dtype=dtype: np.asarray(leaf).astype(dtype))
        value, vjp = ours(cast(x), *cast(thetas))
        found = jax.tree.leaves((value, vjp(cast(y_bar))))
        assert len(found) == len(expected)
        for one, other in zip(found, map(np.asarray, expected), strict=True):
            assert one.dtype == dtype
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1, np.abs(other).max()))


@partial(jax.jit, static_argnames="stride")
def their_basic(x, theta, _, *, stride):
    ((W1,), pair1, _, (W2,), pair2), ((W_S,), pair_S) = theta
    h = jax.nn.relu(their_norm(their_conv(x, W1, stride, 1), *pair1))
    Fx = their_norm(their_conv(h, W2, 1, 1), *pair2)
    return jax.nn.relu(Fx + their_norm(their_conv(x, W_S, stride), *pair_S))


@few
@given(seeds, shapes)
def test_basic_block_with_a_projection(seed, shape):
    N, H, n, m, stride = shape
    rng = np.random.default_rng(seed)
    F = stack(partial(conv, stride=stride, padding=1), norm, relu, partial(conv, padding=1), norm)
    block = stack(shortcut(F, stack(partial(conv, stride=stride), norm)), relu)
    theta_F = kernel(rng, 3, n, m), gain_and_shift(rng, m), (), kernel(rng, 3, m, m), gain_and_shift(rng, m)
    theta_S = kernel(rng, 1, n, m), gain_and_shift(rng, m)
    x = rng.standard_normal((N, H, H, n))
    compare(block, partial(their_basic, stride=stride), x, ((theta_F, theta_S), ()), seed)


@jax.jit
def their_bottleneck(x, theta, _):
    (W1,), pair1, _, (W2,), pair2, _, (W3,), pair3 = theta
    h1 = jax.nn.relu(their_norm(their_conv(x, W1), *pair1))
    h2 = jax.nn.relu(their_norm(their_conv(h1, W2, 1, 1), *pair2))
    return jax.nn.relu(their_norm(their_conv(h2, W3), *pair3) + x)


@few
@given(seeds, shapes)
def test_bottleneck(seed, shape):
    N, H, _, m, _ = shape
    rng = np.random.default_rng(seed)
    down = kernel(rng, 1, 4 * m, m), gain_and_shift(rng, m), ()
    middle = kernel(rng, 3, m, m), gain_and_shift(rng, m), ()
    theta = *down, *middle, kernel(rng, 1, m, 4 * m), gain_and_shift(rng, 4 * m)
    x = rng.standard_normal((N, H, H, 4 * m))
    block = stack(residual(stack(conv, norm, relu, partial(conv, padding=1), norm, relu, conv, norm)), relu)
    compare(block, their_bottleneck, x, (theta, ()), seed)
