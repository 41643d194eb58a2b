"""Hyper-connections, Sinkhorn and attention residuals against ``jax.vjp``: see `test_oracle`."""

import os
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.streams import attention_residual, hyper_connection, sinkhorn
from resgrad.rules.activation import tanh

if os.environ.get("RESGRAD_REQUIRE_ORACLE") == "1":
    import jax
else:
    jax = pytest.importorskip("jax", reason="the oracle, JAX, is not installed: make oracle installs it")

import jax.numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

#: Relative to the largest entry of each array.
TOLERANCE = {np.float32: 1e-3, np.float64: 1e-9}
dtypes = st.sampled_from(list(TOLERANCE))
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=6)  # JAX compiles each operation anew for each shape
small = st.sampled_from([1, 2, 4])


def normal(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]


def close(ours, theirs, dtype):
    ours, theirs = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, map(np.asarray, theirs), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype] * max(1, np.abs(b).max(initial=0)))


def compare(ours, theirs, *args, seed, dtype):
    y, vjp = ours(*args)
    expected, pull = jax.vjp(theirs, *args)
    close(y, expected, dtype)
    (y_bar,) = normal(seed, dtype, y.shape)
    close(vjp(y_bar), pull(jnp.asarray(y_bar)), dtype)


@few
@given(seeds, dtypes, small, small, small)
def test_hyper_connection(seed, dtype, k, N, n):
    shapes = (k, N, n), (k, k), (k,), (k,), (n, 3), (3,), (3, n), (n,)

    def theirs(X, H, h_pre, h_post, W1, b1, W2, b2):
        u = jnp.einsum("k,knm->nm", h_pre, X)
        return jnp.einsum("ij,jnm->inm", H, X) + h_post[:, None, None] * (jnp.tanh(u @ W1 + b1) @ W2 + b2)

    compare(hyper_connection(branch(tanh)), theirs, *normal(seed, dtype, *shapes), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, st.sampled_from([1, 20]), st.sampled_from([1, 4]))
def test_sinkhorn(seed, dtype, k, iterations, scale):
    def theirs(logits):
        M = jnp.exp(logits)
        for _ in range(iterations):
            M = M / M.sum(axis=-2, keepdims=True)
            M = M / M.sum(axis=-1, keepdims=True)
        return M

    (logits,) = normal(seed, dtype, (2, k, k))
    ours = partial(sinkhorn, iterations=iterations)
    compare(ours, theirs, logits * dtype(scale), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, small, small, st.sampled_from([1e-6, 0.1]))
def test_attention_residual(seed, dtype, k, N, n, eps):
    def theirs(V, q):
        keys = V / jnp.sqrt((V * V).mean(axis=-1, keepdims=True) + eps)
        weights = jax.nn.softmax(jnp.einsum("knm,m->kn", keys, q), axis=0)
        return jnp.einsum("kn,knm->nm", weights, V)

    ours = partial(attention_residual, eps=eps)
    compare(ours, theirs, *normal(seed, dtype, (k, N, n), (n,)), seed=seed, dtype=dtype)
