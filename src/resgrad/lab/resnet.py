"""The gradient block by block in a ResNet for small images, at the start, and what came over the skips."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.shortcut import pad_channels
from resgrad.blocks.stack import trace
from resgrad.networks.resnet import cifar_resnet, initial
from resgrad.rules.loss import cross_entropy

# Eight seeds for the page.
SEEDS = tuple(range(1, 9))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    depth : int
        6n + 2, as `cifar_resnet` takes it.
    images : int
        N, in one batch.
    side : int
        Rows and columns of an image.
    width : int
        Channels of the first stage.
    """

    depth: int = 20
    images: int = 2
    side: int = 32
    width: int = 16


class Start(NamedTuple):
    """What `run` measured at the 3n + 1 activations from the first block's input to the last one's output.

    Attributes
    ----------
    norms : ndarray, shape (3n + 1,)
        Length of the gradient, over all images, relative to that at the last block's output.
    skip, branch : ndarray, shape (3n,)
        Length of what came over the skip of the block above and of what came through its branch, on the same scale.
    open : ndarray, shape (3n,)
        Share of the squared length that the ReLU after the addition lets through to both.
    """

    norms: Array
    skip: Array
    branch: Array
    open: Array


def run(setting: Setting, seed: int) -> Start:
    """Draw a network, images of noise and labels, and pull the gradient of the loss back.

    Parameters
    ----------
    setting : Setting
        Which network; its shortcuts are zero-padded.
    seed : int
        Of the parameters, of the images from N(0, 1) and of the labels.

    Returns
    -------
    Start
        Of the mean cross-entropy, with BatchNorm as in training.

    Raises
    ------
    ValueError
        As `cifar_resnet`, or if there is no image.
    """
    rng = np.random.default_rng(seed)
    blocks, shapes = cifar_resnet(setting.depth, width=setting.width)
    images = rng.standard_normal((setting.images, setting.side, setting.side, 3))
    xs, pull = trace(*blocks)(images, *initial(shapes, rng=rng))
    _, loss_vjp = cross_entropy(xs[-1], labels=rng.integers(10, size=setting.images))
    x_bars, _ = pull(*loss_vjp(1.0))
    parts = [_parts(*pair) for pair in zip(xs[1:-2], xs[2:-1], x_bars[1:-2], x_bars[2:-1], strict=True)]
    end = np.linalg.norm(x_bars[-2])
    skip, branch, open_ = np.array(parts).T
    norms = np.array([np.linalg.norm(x_bar) for x_bar in x_bars[1:-1]])
    return Start(norms / end, skip / end, branch / end, open_)


def _parts(x: Array, y: Array, x_bar: Array, y_bar: Array) -> tuple[float, float, float]:
    """Of one block, the lengths of skip part and branch part, and the share that its last ReLU lets through."""
    z_bar = y_bar * (y > 0)  # y is relu(z)
    skip = z_bar if x.shape == y.shape else _padded(x, y, z_bar)
    lengths = [float(np.linalg.norm(part)) for part in (skip, x_bar - skip)]
    return lengths[0], lengths[1], float((z_bar**2).sum() / (y_bar**2).sum())


def _padded(x: Array, y: Array, z_bar: Array) -> Array:
    stride = -(-x.shape[1] // y.shape[1])
    x_bar: Array
    (x_bar,) = pad_channels(x, channels=y.shape[3], stride=stride)[1](z_bar)
    return x_bar
