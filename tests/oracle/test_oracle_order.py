"""The five orders against ``jax.vjp`` of the same blocks written with JAX's own operations.

Skipped where JAX is not installed, unless RESGRAD_REQUIRE_ORACLE=1 says that it has to be.
"""

import os
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.order import (
    activation_before_addition,
    activation_only_preactivation,
    full_preactivation,
    norm_after_addition,
    original,
)
from resgrad.rules.activation import relu, tanh
from resgrad.rules.convolution import conv2d
from resgrad.rules.linear import linear
from resgrad.rules.normalization import batch_norm

if os.environ.get("RESGRAD_REQUIRE_ORACLE") == "1":
    import jax
else:
    jax = pytest.importorskip("jax", reason="the oracle, JAX, is not installed: make oracle installs it")

import jax.numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

# In single precision a mask could differ where its input is rounded across 0: there the activation is smooth.
KINDS = {
    "float64": (np.float64, relu, jax.nn.relu, 1e-9),
    "float32": (np.float32, tanh, jnp.tanh, 1e-3),
}
EPS = 0.1  # where the rows are nearly equal, gradients are differences of larger terms


def their_norm(x, gain, shift):
    axes = tuple(range(x.ndim - 1))
    centred = x - jnp.mean(x, axis=axes)
    return centred / jnp.sqrt(jnp.mean(centred**2, axis=axes) + EPS) * gain + shift


def their_linear(x, W, b):
    return x @ W + b


def their_conv2d(x, W, b):
    dims = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, W, (1, 1), [(1, 1), (1, 1)], dimension_numbers=dims) + b


def their_original(weight, phi, x, W1, B1, _, W2, B2, __):
    return phi(x + their_norm(weight(phi(their_norm(weight(x, *W1), *B1)), *W2), *B2))


def their_norm_after(weight, phi, x, W1, B1, _, W2, B2, __):
    return phi(their_norm(x + weight(phi(their_norm(weight(x, *W1), *B1)), *W2), *B2))


def their_activation_before(weight, phi, x, W1, B1, _, W2, B2, __):
    return x + phi(their_norm(weight(phi(their_norm(weight(x, *W1), *B1)), *W2), *B2))


def their_activation_only(weight, phi, x, _, W1, B1, __, W2, B2):
    return x + their_norm(weight(phi(their_norm(weight(phi(x), *W1), *B1)), *W2), *B2)


def their_full(weight, phi, x, B1, _, W1, B2, __, W2):
    return x + weight(phi(their_norm(weight(phi(their_norm(x, *B1)), *W1), *B2)), *W2)


ORDERS = {
    "original": (original, their_original, "wna"),
    "norm after": (norm_after_addition, their_norm_after, "wna"),
    "activation before": (activation_before_addition, their_activation_before, "wna"),
    "activation only": (activation_only_preactivation, their_activation_only, "awn"),
    "full": (full_preactivation, their_full, "naw"),
}


def block_arguments(rng, dtype, places, kernel, outer, inner):
    """Parameters of one block whose weight layers go from so many channels to so many and back."""
    widths, thetas = [outer, inner, outer], []
    for index in (0, 1):
        shape = (*kernel, *widths[index : index + 2])
        normed = widths[index] if places == "naw" else widths[index + 1]
        drawn = {
            "w": (rng.standard_normal(shape), rng.standard_normal(shape[-1])),
            "n": (rng.standard_normal(normed), rng.standard_normal(normed)),
            "a": (),
        }
        thetas += [tuple(part.astype(dtype) for part in drawn[place]) for place in places]
    return thetas


def compare(order, kind, weight, their_weight, x, thetas, rng):
    make, theirs, _ = ORDERS[order]
    dtype, activation, phi, tolerance = KINDS[kind]
    ours = make(weight, weight, norm=partial(batch_norm, eps=EPS), activation=activation)
    y, vjp = ours(x, *thetas)
    y_bar = rng.standard_normal(y.shape).astype(dtype)

    @jax.jit  # compiled at once: many operations
    def wanted_of(y_bar, *args):
        value, pull = jax.vjp(partial(theirs, their_weight, phi), *args)
        return value, pull(y_bar)

    found, wanted = (jax.tree.leaves(tree) for tree in ((y, vjp(y_bar)), wanted_of(y_bar, x, *thetas)))
    assert len(found) == len(wanted)
    for one, other in zip(found, map(np.asarray, wanted), strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype == dtype
        assert np.abs(one - other).max() <= tolerance * max(1, np.abs(other).max())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5]), st.sampled_from([1, 4]), st.sampled_from([1, 3]))
def test_dense_blocks(order, kind, seed, N, n, h):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, n)).astype(KINDS[kind][0])
    thetas = block_arguments(rng, KINDS[kind][0], ORDERS[order][2], (), n, h)
    compare(order, kind, linear, their_linear, x, thetas, rng)


@pytest.mark.parametrize("order", ORDERS)
def test_convolutional_blocks(order):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2, 4, 5, 3))
    thetas = block_arguments(rng, np.float64, ORDERS[order][2], (3, 3), 3, 2)
    compare(order, "float64", partial(conv2d, padding=1), their_conv2d, x, thetas, rng)
