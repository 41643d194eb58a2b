"""Every rule, block and network against ``jax.vjp`` of the same function written with JAX's own operations.

Skipped where JAX is not installed, unless RESGRAD_REQUIRE_ORACLE=1 says that it has to be.
"""

import os
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.reversible import coupling, reversible, uncouple
from resgrad.blocks.stack import stack, trace
from resgrad.networks.skip import skip, trace_skip
from resgrad.rules.activation import gelu, leaky_relu, relu, sigmoid, tanh
from resgrad.rules.add import add, broadcast_add, concat, fork, split, stop_gradient
from resgrad.rules.convolution import avg_pool2d, conv2d, global_avg_pool2d, max_pool2d
from resgrad.rules.linear import linear
from resgrad.rules.loss import cross_entropy, squared_error
from resgrad.rules.normalization import (
    batch_norm,
    batch_norm_inference,
    group_norm,
    layer_norm,
    rms_norm,
)

if os.environ.get("RESGRAD_REQUIRE_ORACLE") == "1":
    import jax
else:
    jax = pytest.importorskip("jax", reason="the oracle, JAX, is not installed: make oracle installs it")

import jax.numpy as jnp

jax.config.update("jax_platforms", "cpu")  # no search for accelerators, no warning that there is none
jax.config.update("jax_enable_x64", True)

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-10}
dtypes = st.sampled_from(list(TOLERANCE))
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 8)
shapes = st.lists(st.integers(1, 5), max_size=4).map(tuple)

# JAX compiles each operation anew for each shape, which is most of what these tests wait for.
few = settings(max_examples=10)
small = st.sampled_from([1, 2, 5])

ACTIVATIONS = {
    "relu": (relu, jax.nn.relu),
    "leaky_relu": (leaky_relu, jax.nn.leaky_relu),
    "leaky_relu 0.3": (partial(leaky_relu, slope=0.3), partial(jax.nn.leaky_relu, negative_slope=0.3)),
    "tanh": (tanh, jnp.tanh),
    "sigmoid": (sigmoid, jax.nn.sigmoid),
    "gelu": (gelu, partial(jax.nn.gelu, approximate=True)),
}
activations = pytest.mark.parametrize(("ours", "theirs"), ACTIVATIONS.values(), ids=ACTIVATIONS)


def normal(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]


def close(ours, theirs, dtype, slack=1):
    """Compare trees of arrays, each relative to its own largest entry."""
    ours, theirs = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, map(np.asarray, theirs), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype == dtype
        atol = slack * TOLERANCE[dtype] * max(1, np.abs(b).max(initial=0))
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def compare(ours, theirs, *args, seed, dtype, slack=1):
    y, vjp = ours(*args)
    expected, pull = jax.vjp(theirs, *args)
    close(y, expected, dtype, slack)
    y_bar = jax.tree.map(lambda leaf: normal(seed, dtype, leaf.shape)[0], y)
    close(vjp(y_bar), pull(jax.tree.map(jnp.asarray, y_bar)), dtype, slack)


@few
@given(seeds, dtypes, sizes, sizes, sizes)
def test_linear(seed, dtype, N, n, m):
    args = normal(seed, dtype, (N, n), (n, m), (m,))
    compare(linear, lambda x, W, b: x @ W + b, *args, seed=seed, dtype=dtype)


@activations
@few
@given(seeds, dtypes, shapes, st.sampled_from([0.1, 1, 5]))
def test_activations(ours, theirs, seed, dtype, shape, size):
    (a,) = normal(seed, dtype, shape)
    compare(ours, theirs, a * dtype(size), seed=seed, dtype=dtype)


@activations
def test_activations_at_zero_and_far_out(ours, theirs):
    a = np.array([0.0, -0.0, 40.0, -40.0, 1e-300, -1e-300])
    compare(ours, theirs, a, seed=0, dtype=np.float64)


@few
@given(seeds, dtypes, shapes)
def test_add(seed, dtype, shape):
    compare(add, jnp.add, *normal(seed, dtype, shape, shape), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, shapes, st.integers(1, 4))
def test_fork(seed, dtype, shape, copies):
    ours, theirs = partial(fork, copies=copies), lambda x: (x,) * copies
    compare(ours, theirs, *normal(seed, dtype, shape), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, sizes, sizes)
def test_broadcast_add(seed, dtype, N, n):
    compare(broadcast_add, jnp.add, *normal(seed, dtype, (N, n), (n,)), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, shapes, st.lists(sizes, min_size=1, max_size=4))
def test_concat(seed, dtype, shape, widths):
    args = normal(seed, dtype, *[(*shape, width) for width in widths])
    compare(concat, lambda *xs: jnp.concatenate(xs, axis=-1), *args, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, shapes, st.lists(sizes, min_size=1, max_size=4))
def test_split(seed, dtype, shape, widths):
    edges = [int(edge) for edge in np.cumsum(widths)[:-1]]
    ours, theirs = partial(split, sizes=widths), lambda x: tuple(jnp.split(x, edges, axis=-1))
    compare(ours, theirs, *normal(seed, dtype, (*shape, sum(widths))), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, shapes)
def test_stop_gradient(seed, dtype, shape):
    compare(stop_gradient, jax.lax.stop_gradient, *normal(seed, dtype, shape), seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, sizes, sizes)
def test_squared_error(seed, dtype, N, n):
    y, target = normal(seed, dtype, (N, n), (N, n))
    ours = partial(squared_error, target=target)
    compare(ours, lambda y: jnp.mean(jnp.sum((y - target) ** 2, axis=1) / 2), y, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, sizes, sizes, st.sampled_from([1, 30]))
def test_cross_entropy(seed, dtype, N, K, size):
    (z,), labels = normal(seed, dtype, (N, K)), np.random.default_rng(seed).integers(K, size=N)

    def theirs(z):
        return -jnp.mean(jax.nn.log_softmax(z)[jnp.arange(N), labels])

    compare(partial(cross_entropy, labels=labels), theirs, z * dtype(size), seed=seed, dtype=dtype)


def theirs_less_the_mean(axes, eps, x, gamma, beta):
    mean = jnp.mean(x, axis=axes, keepdims=True)
    return (x - mean) / jnp.sqrt(jnp.var(x, axis=axes, keepdims=True) + eps) * gamma + beta


# Where the numbers of a group lie close together their gradients are a difference of terms that are larger, by up to
# one over the root of eps; where they lie far from 0 JAX's own mean is rounded.
def normalizing(ours, theirs, *args, seed, dtype):
    compare(
        ours, jax.jit(theirs), *args, seed=seed, dtype=dtype, slack=10
    )  # compiled at once: many operations


inner = st.sampled_from([(), (2, 3)])
several = st.sampled_from([2, 5])
constants = st.sampled_from([1e-5, 0.1])
shifts = st.sampled_from([0, 10])


@few
@given(seeds, dtypes, inner, several, constants, shifts)
def test_layer_norm(seed, dtype, before, n, eps, shift):
    x, gamma, beta = normal(seed, dtype, (*before, n), n, n)
    ours, theirs = partial(layer_norm, eps=eps), partial(theirs_less_the_mean, -1, eps)
    normalizing(ours, theirs, x + shift, gamma, beta, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, inner, small, constants)
def test_rms_norm(seed, dtype, before, n, eps):
    def theirs(x, gamma):
        return x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + eps) * gamma

    args = normal(seed, dtype, (*before, n), n)
    normalizing(partial(rms_norm, eps=eps), theirs, *args, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, several, inner, small, constants, shifts)
def test_batch_norm(seed, dtype, N, between, C, eps, shift):
    x, gamma, beta = normal(seed, dtype, (N, *between, C), C, C)
    ours, theirs = partial(batch_norm, eps=eps), partial(theirs_less_the_mean, tuple(range(x.ndim - 1)), eps)
    normalizing(ours, theirs, x + shift, gamma, beta, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, inner, small, constants)
def test_batch_norm_inference(seed, dtype, N, between, C, eps):
    x, gamma, beta, mean, root = normal(seed, dtype, (N, *between, C), C, C, C, C)

    def theirs(x, gamma, beta):
        return (x - mean) / jnp.sqrt(root**2 + dtype(eps)) * gamma + beta

    ours = partial(batch_norm_inference, mean=mean, var=root**2, eps=eps)
    normalizing(ours, theirs, x, gamma, beta, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, small, inner, small, several, constants)
def test_group_norm(seed, dtype, N, between, groups, each, eps):
    def theirs(x, gamma, beta):
        apart = x.reshape(*x.shape[:-1], groups, each)
        axes = (*range(1, x.ndim - 1), -1)
        return theirs_less_the_mean(axes, eps, apart, 1, 0).reshape(x.shape) * gamma + beta

    args = normal(seed, dtype, (N, *between, groups * each), groups * each, groups * each)
    normalizing(partial(group_norm, groups=groups, eps=eps), theirs, *args, seed=seed, dtype=dtype)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def their_conv2d(x, W, b, *, stride, padding, dilation, groups):
    y = jax.lax.conv_general_dilated(
        x,
        W,
        stride,
        [(p, p) for p in padding],
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )
    return y + b


@few
@given(seeds, dtypes, pairs, pairs, pairs, pairs, pairs, small)
def test_conv2d(seed, dtype, size, stride, extra, dilation, channels, N):
    (groups, c), padding = channels, tuple(pixels - 1 for pixels in extra)
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    image = [(k - 1) * d + more for k, d, more in zip(size, dilation, extra, strict=True)]
    args = normal(seed, dtype, (N, *image, groups * c), (*size, c, 2 * groups), (2 * groups,))
    compare(partial(conv2d, **settings), partial(their_conv2d, **settings), *args, seed=seed, dtype=dtype)


def their_windows(x, start, combine, *, size, stride, padding):
    around = [(0, 0), *((p, p) for p in padding), (0, 0)]
    return jax.lax.reduce_window(x, x.dtype.type(start), combine, (1, *size, 1), (1, *stride, 1), around)


@few
@given(seeds, dtypes, pairs, pairs, st.booleans(), st.sampled_from([1, 100]))
def test_pools(seed, dtype, size, stride, padded, fineness):
    """With a fineness of 1 most windows have ties: then, too, the same entry gets the gradient."""
    (x,) = normal(seed, dtype, (2, 7, 6, 3))
    x = np.round(fineness * x) + dtype(0)
    settings = {"size": size, "stride": stride, "padding": tuple(padded * (k - 1) for k in size)}
    theirs = partial(their_windows, start=-np.inf, combine=jax.lax.max, **settings)
    compare(partial(max_pool2d, **settings), theirs, x, seed=seed, dtype=dtype)
    theirs = partial(their_windows, start=0, combine=jax.lax.add, **settings)
    compare(partial(avg_pool2d, **settings), lambda x: theirs(x) / np.prod(size), x, seed=seed, dtype=dtype)
    compare(global_avg_pool2d, lambda x: jnp.mean(x, axis=(1, 2)), x, seed=seed, dtype=dtype)


def their_branch(theirs, x, W1, b1, W2, b2):
    return theirs(x @ W1 + b1) @ W2 + b2


@activations
@few
@given(seeds, dtypes, small, small, small, small)
def test_branch(ours, theirs, seed, dtype, N, n, h, m):
    args = normal(seed, dtype, (N, n), (n, h), (h,), (h, m), (m,))
    compare(branch(ours), partial(their_branch, theirs), *args, seed=seed, dtype=dtype)


@activations
@few
@given(seeds, dtypes, small, small, small)
def test_residual(ours, theirs, seed, dtype, N, n, h):
    args = normal(seed, dtype, (N, n), (n, h), (h,), (h, n), (n,))
    block = residual(branch(ours))
    compare(block, lambda x, *theta: their_branch(theirs, x, *theta) + x, *args, seed=seed, dtype=dtype)


def network(seed, dtype, L, N, n, h):
    x, *flat = normal(seed, dtype, (N, n), *[(n, h), (h,), (h, n), (n,)] * L)
    scale = dtype(1 / np.sqrt(n * h))
    return x, [tuple(scale * p for p in flat[4 * k : 4 * k + 4]) for k in range(L)]


def their_stack(x, *thetas):
    xs = [x]
    for theta in thetas:
        xs.append(their_branch(jnp.tanh, xs[-1], *theta) + xs[-1])
    return xs


@few
@given(seeds, dtypes, st.integers(0, 5), small, small, small)
def test_stack(seed, dtype, L, N, n, h):
    x, thetas = network(seed, dtype, L, N, n, h)
    ours = stack(*[residual(branch(tanh))] * L)
    compare(ours, lambda x, *thetas: their_stack(x, *thetas)[-1], x, *thetas, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, st.integers(1, 4), small, small, small)
def test_trace(seed, dtype, L, N, n, h):
    x, thetas = network(seed, dtype, L, N, n, h)
    xs, pull = trace(*[residual(branch(tanh))] * L)(x, *thetas)
    x_bars, theta_bars = pull(xs[-1])
    close(xs, their_stack(x, *thetas), dtype)
    for k in range(L):  # the gradient at x_k is that of the blocks from there on
        _, rest = jax.vjp(lambda x, *thetas: their_stack(x, *thetas)[-1], xs[k], *thetas[k:])
        close((x_bars[k], *theta_bars[k:]), rest(jnp.asarray(xs[-1])), dtype)


def streams(seed, dtype, L, N, n1, n2):
    x1, x2, *flat = normal(seed, dtype, (N, n1), (N, n2), *[(n2, n1), (n1,), (n1, n2), (n2,)] * L)
    layers = [((flat[k] / dtype(2), flat[k + 1]), ()) for k in range(0, 4 * L, 2)]
    return x1, x2, *[tuple(layers[2 * k : 2 * k + 2]) for k in range(L)]


def their_layer(x, linear, _):
    W, b = linear
    return jnp.tanh(x @ W + b)


def their_coupling(x1, x2, theta_F, theta_G):
    y1 = x1 + their_layer(x2, *theta_F)
    return y1, x2 + their_layer(y1, *theta_G)


def their_uncouple(y1, y2, theta_F, theta_G):
    x2 = y2 - their_layer(y1, *theta_G)
    return y1 - their_layer(x2, *theta_F), x2


@pytest.mark.parametrize(
    ("ours", "theirs"), [(coupling, their_coupling), (uncouple, their_uncouple)], ids=["coupling", "uncouple"]
)
@few
@given(seeds, dtypes, small, small, small)
def test_coupling(ours, theirs, seed, dtype, N, n1, n2):
    x1, x2, theta = streams(seed, dtype, 1, N, n1, n2)
    compare(ours(*[stack(linear, tanh)] * 2), theirs, x1, x2, *theta, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, st.integers(1, 5), small, small, small)
def test_reversible(seed, dtype, L, N, n1, n2):
    def theirs(x1, x2, *thetas):
        for theta in thetas:
            x1, x2 = their_coupling(x1, x2, *theta)
        return x1, x2

    ours = reversible(*[(stack(linear, tanh),) * 2] * L)
    compare(ours, theirs, *streams(seed, dtype, L, N, n1, n2), seed=seed, dtype=dtype)


def their_skip(skips, x, *thetas):
    """The activations; x is the first of them or, as a tuple, the first few."""
    xs = [*x] if isinstance(x, tuple) else [x]
    for k, theta in enumerate(thetas, start=len(xs) - 1):
        xs.append(their_branch(jnp.tanh, xs[-1], *theta) + sum(xs[i] for i, j in skips if j == k + 1))
    return xs


some_skips = st.integers(1, 4).flatmap(
    lambda L: st.tuples(st.just(L), st.sets(st.sampled_from(list(combinations(range(L + 1), 2)))))
)


@few
@given(seeds, dtypes, some_skips, small, small, small)
def test_skip(seed, dtype, network_of, N, n, h):
    L, skips = network_of
    x, thetas = network(seed, dtype, L, N, n, h)
    ours = skip(*[branch(tanh)] * L, skips=sorted(skips))
    compare(ours, lambda x, *thetas: their_skip(skips, x, *thetas)[-1], x, *thetas, seed=seed, dtype=dtype)


@few
@given(seeds, dtypes, some_skips, small, small, small)
def test_trace_skip(seed, dtype, network_of, N, n, h):
    L, skips = network_of
    x, thetas = network(seed, dtype, L, N, n, h)
    xs, pull = trace_skip(*[branch(tanh)] * L, skips=sorted(skips))(x, *thetas)
    x_bars, theta_bars = pull(xs[-1])
    close(xs, their_skip(skips, x, *thetas), dtype)
    for k in range(L):  # the gradient at x_k is that of the layers from there on, what lies below held fixed

        def rest(x, *late, k=k):
            return their_skip(skips, (*xs[:k], x), *late)[-1]

        _, pull_rest = jax.vjp(rest, xs[k], *thetas[k:])
        close((x_bars[k], *theta_bars[k:]), pull_rest(jnp.asarray(xs[-1])), dtype)
