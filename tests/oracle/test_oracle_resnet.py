"""Whole residual networks against ``jax.vjp`` of the same networks written with JAX's own operations."""

from functools import partial

import numpy as np
import pytest

from oracle import test_oracle as oracle
from resgrad.blocks.stack import stack
from resgrad.networks.resnet import IMAGENET, cifar_resnet, imagenet_resnet, initial

jax, jnp = oracle.jax, oracle.jnp


def their_conv(x, W, stride):
    pad = W.shape[0] // 2
    settings = {"stride": (stride, stride), "padding": (pad, pad), "dilation": (1, 1), "groups": 1}
    return oracle.their_conv2d(x, W, 0, **settings)


def their_layers(x, thetas, strides):
    """A kernel, BatchNorm's two vectors or nothing: a convolution, BatchNorm, ReLU."""
    strides = iter(strides)
    for theta in thetas:
        if len(theta) == 1:
            x = their_conv(x, *theta, next(strides))
        elif len(theta) == 2:
            x = oracle.theirs_less_the_mean((0, 1, 2), 1e-5, x, *theta)
        else:
            x = jax.nn.relu(x)
    return x


def their_pad(x, channels, stride):
    return jnp.pad(x[:, ::stride, ::stride], [(0, 0)] * 3 + [(0, channels - x.shape[3])])


def their_block(x, added, stride, channels, strides):
    """Two paths in ``added`` where the shape changes, the branch alone where the skip is the identity."""
    if len(added) > 2:
        return jax.nn.relu(their_layers(x, added, strides) + x)
    branch, projection = added
    S = their_layers(x, projection, [stride]) if projection else their_pad(x, channels, stride)
    return jax.nn.relu(their_layers(x, branch, strides) + S)


def their_resnet(numbers, widths, strides_of, large, x, *thetas):
    stem, *inner, (_, (W, b)) = thetas
    x = their_layers(x, stem[:3], [2 if large else 1])
    if large:
        x = oracle.their_windows(x, -np.inf, jax.lax.max, size=(3, 3), stride=(2, 2), padding=(1, 1))
    places = [(stage, i) for stage, number in enumerate(numbers) for i in range(number)]
    for (stage, i), (added, _) in zip(places, inner, strict=True):
        stride = 2 if stage > 0 and i == 0 else 1
        x = their_block(x, added, stride, widths[stage], strides_of(stride))
    return jnp.mean(x, axis=(1, 2)) @ W + b


def compare(network, theirs, shape, seed, dtype=np.float64, slack=1):
    (blocks, shapes), rng = network, np.random.default_rng(seed)
    thetas = jax.tree.map(lambda v: v + (v.ndim == 1) * rng.normal(0, 0.1, v.shape), initial(shapes, rng=rng))
    x, *thetas = jax.tree.map(lambda v: v.astype(dtype), (rng.standard_normal(shape), *thetas))
    oracle.compare(stack(*blocks), jax.jit(theirs), x, *thetas, seed=seed, dtype=dtype, slack=slack)


def small_images(n, width):
    widths = [width, 2 * width, 4 * width]
    return partial(their_resnet, [n] * 3, widths, lambda stride: (stride, 1), False)


def large_images(depth, width, stride_in="3x3"):
    numbers, bottleneck = IMAGENET[depth]
    places = {"1x1": lambda stride: (stride, 1, 1), "3x3": lambda stride: (1, stride, 1)}
    strides_of = places[stride_in] if bottleneck else lambda stride: (stride, 1)
    widths = [width * (4 if bottleneck else 1) * 2**stage for stage in range(4)]
    return partial(their_resnet, numbers, widths, strides_of, True)


@pytest.mark.parametrize(
    ("shortcut", "side", "dtype"), [("zero-pad", 9, np.float64), ("projection", 8, np.float32)]
)
def test_small_networks_for_small_images(shortcut, side, dtype):
    network = cifar_resnet(8, shortcut=shortcut, width=2, classes=3)
    compare(network, small_images(1, 2), (2, side, side, 3), 0, dtype, slack=10)


@pytest.mark.parametrize(("depth", "stride_in"), [(18, "3x3"), (50, "1x1")])
def test_narrow_networks_for_large_images(depth, stride_in):
    network = imagenet_resnet(depth, shortcut="zero-pad", stride_in=stride_in, width=2, classes=5)
    compare(network, large_images(depth, 2, stride_in), (2, 64, 64, 3), 1, slack=10)


def test_resnet_20_on_a_batch_of_images():
    compare(cifar_resnet(20), small_images(3, 16), (4, 32, 32, 3), 2, slack=10)


def test_all_gradients_of_resnet_50_on_an_image_of_224_pixels():
    compare(imagenet_resnet(50), large_images(50, 64), (1, 224, 224, 3), 3, slack=10)
