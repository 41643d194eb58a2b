"""Evidence: a hundred small networks trained at once, plain against residual, each pair from a seed of its own.

A stem x W, L blocks with F(x) = relu(x) W, a ReLU and a head, without biases; a plain block is y = F(x), a residual
block y = F(x) + x. All arrays have the seeds on their first axis, so that one product of matrices serves all.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resgrad.lab.data import Labelled, digits
from resgrad.lab.degradation import CLASSES, PIXELS
from resgrad.lab.optimizers import Tree, adam, linear_decay

SEEDS = tuple(range(1, 101))
IMAGES, WIDTH, STEPS, RATE = 64, 16, 30, 0.01

Floats = NDArray[np.float32]


def images(seeds: Sequence[int]) -> Labelled:
    """Draw handwritten digits for each seed.

    Parameters
    ----------
    seeds : sequence of int

    Returns
    -------
    Labelled
        ``x`` (seeds, 64, 64), of mean 0 and variance 1 over all digits, and ``labels`` (seeds, 64).
    """
    of_all = digits(dtype=np.float32)
    x = (of_all.x - of_all.x.mean()) / of_all.x.std()
    chosen = [np.random.default_rng([seed, 0]).choice(len(x), IMAGES, replace=False) for seed in seeds]
    return Labelled(x[np.array(chosen)], of_all.labels[np.array(chosen)])


def initial(blocks: int, seeds: Sequence[int], *, skip: bool) -> Tree:
    """Draw the weights of each seed; those of plain and residual networks differ by the factor of the blocks alone.

    Parameters
    ----------
    blocks : int
        L, at least 1.
    seeds : sequence of int
    skip : bool
        Whether the blocks' weights are divided by sqrt(L).

    Returns
    -------
    tuple of ndarray, float32
        The stem (seeds, 64, 16) with the variance 1/64, L blocks (seeds, 16, 16) and the head (seeds, 16, 10) with
        the variance 2/16.
    """
    drawn: list[list[Floats]] = []
    factor = math.sqrt(2 / WIDTH / (blocks if skip else 1))
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        stem = rng.standard_normal((PIXELS, WIDTH)) / math.sqrt(PIXELS)
        head = rng.standard_normal((WIDTH, CLASSES)) * math.sqrt(2 / WIDTH)
        W = factor * rng.standard_normal((blocks, WIDTH, WIDTH))
        drawn.append([part.astype(np.float32) for part in (stem, *W, head)])
    return tuple(np.stack(part) for part in zip(*drawn, strict=True))


def gradients(theta: Tree, data: Labelled, *, skip: bool) -> tuple[Floats, Tree]:
    """Compute the loss of every seed's network and its gradients.

    Parameters
    ----------
    theta : tuple of ndarray
        From `initial`.
    data : Labelled
        From `images`.
    skip : bool
        Whether a block adds its input.

    Returns
    -------
    losses : ndarray, shape (seeds,)
        Mean cross-entropy over the images, in nats.
    theta_bar : tuple of ndarray
        As theta.
    """
    stem, *Ws, head = theta
    x, read = data.x @ stem, []
    for W in Ws:
        read.append(np.maximum(x, 0))
        x = read[-1] @ W + x if skip else read[-1] @ W
    read.append(np.maximum(x, 0))
    losses, z_bar = _cross_entropy(read[-1] @ head, data.labels)
    bars, x_bar = [_weights(read[-1], z_bar)], _input(z_bar, head, read[-1])
    for W, r in zip(Ws[::-1], read[-2::-1], strict=True):
        bars.append(_weights(r, x_bar))
        x_bar = _input(x_bar, W, r) + x_bar if skip else _input(x_bar, W, r)
    return losses, (_weights(data.x, x_bar), *bars[::-1])


def _weights(x: Floats, y_bar: Floats) -> Floats:
    return np.asarray(np.swapaxes(x, 1, 2) @ y_bar)


def _input(y_bar: Floats, W: Floats, read: Floats) -> Floats:
    """Pull back through relu(x) W; what was read tells where the ReLU is open."""
    return np.asarray((y_bar @ np.swapaxes(W, 1, 2)) * (read > 0))


def _cross_entropy(z: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    shifted = z - z.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    right = np.eye(CLASSES, dtype=z.dtype)[labels]
    return -(log_p * right).sum(axis=-1).mean(axis=-1), (np.exp(log_p) - right) / z.dtype.type(IMAGES)


def trained(blocks: int, seeds: Sequence[int] = SEEDS, *, skip: bool) -> NDArray[np.float64]:
    """Train every seed's network on its own 64 images, all of them in each of 30 steps.

    Parameters
    ----------
    blocks : int
        L, at least 1.
    seeds : sequence of int
        Of the images and of the weights.
    skip : bool
        Whether a block adds its input.

    Returns
    -------
    ndarray, shape (seeds,)
        The loss on the images after the last step of Adam, whose rate falls from 0.01 to 0.

    Raises
    ------
    ValueError
        No block.
    """
    if blocks < 1:
        raise ValueError(f"ensemble: blocks is {blocks}, expected at least 1")
    data, theta = images(seeds), initial(blocks, seeds, skip=skip)
    optimizer = adam(rate=linear_decay(RATE, steps=STEPS))
    state = optimizer.init(theta)
    for _ in range(STEPS):
        _, theta_bar = gradients(theta, data, skip=skip)
        theta, state = optimizer.step(theta, theta_bar, state)
    return gradients(theta, data, skip=skip)[0].astype(np.float64)
