"""Evidence: residual networks whose gradient vanishes, explodes or cancels, built on purpose or found.

Found are they in networks as they are drawn, by a search with gradient descent, and in a network after training.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.lab import degradation
from resgrad.lab.data import Labelled, digits, split, standardise
from resgrad.lab.optimizers import Tree, adam, linear_decay
from resgrad.lab.training import train
from resgrad.measure.check import jacobian
from resgrad.measure.flow import Flow, gradient_flow, gradient_lengths
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear
from resgrad.rules.loss import cross_entropy

KINDS = ("unscaled", "scaled", "relu-last")

# Twelve seeds for the page, and fewer for what is trained.
SEEDS = tuple(range(1, 13))
FEW = tuple(range(1, 7))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `extremes` and `aligned` build.

    Attributes
    ----------
    kind : {"unscaled", "scaled", "relu-last"}
        F(x) = relu(x) W with W from N(0, 2/n); the same over sqrt(L); relu(x W) over sqrt(L).
    blocks : int
        L, at least 1.
    width : int
        n, at least 2.
    """

    kind: str
    blocks: int = 24
    width: int = 64


class Extremes(NamedTuple):
    """What `extremes` measured, for l = 0, ..., L: lengths of the gradient, 1 at the end.

    Attributes
    ----------
    longest, random, shortest : ndarray, shape (L + 1,)
        For the gradient at the end that comes back longest, for a random one, and for the one that comes back
        shortest.
    """

    longest: Array
    random: Array
    shortest: Array


class Nudge(NamedTuple):
    """What `nudge` found.

    Attributes
    ----------
    before, after : ndarray, shape (L + 1,)
        Lengths of the one gradient, 1 at the end, in the network that was drawn and in the changed one.
    others : float
        ``|g_0| / |g_L|`` of another random gradient in the changed network.
    moved : float
        Length of the change of all weights over that of the weights.
    """

    before: Array
    after: Array
    others: float
    moved: float


def network(setting: Setting, *, rng: np.random.Generator) -> tuple[tuple[Rule, ...], Tree]:
    """Draw a network.

    Parameters
    ----------
    setting : Setting
    rng : numpy.random.Generator
        The same state gives all kinds the same matrices but for their scale.

    Returns
    -------
    blocks : tuple of rules
    thetas : nested tuple

    Raises
    ------
    ValueError
        An unknown kind, no block or a width below 2.
    """
    if setting.kind not in KINDS:
        raise ValueError(f"failure: kind is {setting.kind!r}, expected one of {KINDS}")
    n, L = setting.width, setting.blocks
    if n < 2 or L < 1:
        raise ValueError(f"failure: expected a block and a width of two, got {setting}")
    scale = math.sqrt(2 / n / (1 if setting.kind == "unscaled" else L))
    weights = [(scale * rng.standard_normal((n, n)), np.zeros(n)) for _ in range(L)]
    if setting.kind == "relu-last":
        return (residual(stack(linear, relu)),) * L, tuple((theta, ()) for theta in weights)
    return (residual(stack(relu, linear)),) * L, tuple(((), theta) for theta in weights)


def extremes(setting: Setting, seed: int) -> Extremes:
    """Find the gradients that a network as it is drawn makes longest and shortest.

    Parameters
    ----------
    setting : Setting
    seed : int
        Of the weights, of the input from N(0, 1) and of the random gradient.

    Returns
    -------
    Extremes

    Raises
    ------
    ValueError
        A setting that `network` refuses.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    blocks, thetas = network(setting, rng=weights_rng)
    x = x_rng.standard_normal((1, setting.width))
    g = g_rng.standard_normal((1, setting.width))
    U = np.linalg.svd(jacobian(stack(*blocks), x, *thetas))[0]
    gradients = U[:, :1].T.copy(), g / np.linalg.norm(g), U[:, -1:].T.copy()
    return Extremes(*(gradient_lengths(blocks, x, thetas, g) for g in gradients))


def aligned(setting: Setting, seed: int) -> Flow:
    """Pull a gradient along (1, ..., 1) back through a network as it is drawn.

    Parameters
    ----------
    setting : Setting
    seed : int
        Of the weights and of the input from N(0, 1).

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        A setting that `network` refuses.
    """
    weights_rng, x_rng = np.random.default_rng(seed).spawn(2)
    blocks, thetas = network(setting, rng=weights_rng)
    g = np.full((1, setting.width), setting.width**-0.5)
    return gradient_flow(blocks, x_rng.standard_normal(g.shape), thetas, g)


def nudge(
    seed: int, *, blocks: int = 24, width: int = 32, steps: int = 150, size: float = 5e-3, stop: float = 0.1
) -> Nudge:
    """Search for a small change of random weights after which one gradient vanishes.

    Parameters
    ----------
    seed : int
        Of the weights, of the gradient at the end and of the other one.
    blocks, width : int
        L blocks y = x W + x with W, (n, n), from N(0, 1/(n L)).
    steps : int
        At most so many steps of gradient descent on the length of the gradient at the input.
    size : float
        Length of the first step, over that of all weights. A step that does not shorten the gradient is taken
        back and the next one is half as long; after one that does it is longer by a quarter.
    stop : float
        The length, relative, at which the search ends.

    Returns
    -------
    Nudge

    Notes
    -----
    The way back, ``x_bar_l = x_bar_{l+1} + x_bar_{l+1} W.T``, is itself a stack of residual blocks, so that its
    own vjp gives the derivative that is descended, see :eq:`eq-failure-second`.
    """
    weights_rng, g_rng, other_rng = np.random.default_rng(seed).spawn(3)
    W = weights_rng.standard_normal((blocks, width, width)) / math.sqrt(width * blocks)
    start, radius = W, float(np.linalg.norm(W))
    g = g_rng.standard_normal((1, width))
    g /= np.linalg.norm(g)
    step, (x_bar, descent) = size * radius, way_back(W, g)
    for _ in range(steps):
        if np.linalg.norm(x_bar) < stop:
            break
        tried = W - step / np.linalg.norm(descent) * descent
        found = way_back(tried, g)
        if np.linalg.norm(found[0]) < np.linalg.norm(x_bar):
            W, (x_bar, descent), step = tried, found, 1.25 * step
        else:
            step /= 2
    other = other_rng.standard_normal((1, width))
    moved = float(np.linalg.norm(W - start)) / radius
    others = float(np.linalg.norm(way_back(W, other)[0]) / np.linalg.norm(other))
    return Nudge(_linear_lengths(start, g), _linear_lengths(W, g), others, moved)


def way_back(W: Array, y_bar: Array) -> tuple[Array, Array]:
    """Gradient at the input of blocks y = x W + x, and how half its square depends on the weights.

    Parameters
    ----------
    W : ndarray, shape (L, n, n)
    y_bar : ndarray, shape (1, n)
        The gradient at x_L.

    Returns
    -------
    x_bar : ndarray, shape (1, n)
    W_bar : ndarray, shape (L, n, n)
        The derivative of ``|x_bar|^2 / 2`` with respect to W.
    """
    none = np.zeros(W.shape[-1], W.dtype)
    back = stack(*[residual(linear)] * len(W))
    x_bar, vjp = back(y_bar, *[(W_l.T, none) for W_l in W[::-1]])
    _, *bars = vjp(x_bar)
    return x_bar, np.array([W_bar.T for W_bar, _ in bars[::-1]])


def trained(kind: str, seed: int, *, blocks: int = 8, epochs: int = 6) -> tuple[Flow, Flow]:
    """Train a residual network on the digits, and measure the gradient of the loss before and after.

    Parameters
    ----------
    kind : {"residual", "unscaled"}
        Of `resgrad.lab.degradation`: branches of two layers, divided by sqrt(L) at the start or not.
    seed : int
        Of the split, the start and the minibatches.
    blocks, epochs : int
        L, and how long; Adam with a rate that falls from 0.003 to 0.

    Returns
    -------
    before, after : Flow
        Over all test images together.
    """
    split_rng, start_rng, order_rng = np.random.default_rng(seed).spawn(3)
    data = split(digits(dtype=np.float32), test=degradation.TEST_ROWS, rng=split_rng)
    seen, test = standardise(*data)
    setting = degradation.Setting(kind, blocks, 0.003, epochs=epochs)
    start = degradation.initial(setting, rng=start_rng)
    steps = epochs * math.ceil(len(seen.x) / setting.batch)
    end, _ = train(
        degradation.network(kind, blocks),
        start,
        (seen, test),
        optimizer=adam(rate=linear_decay(setting.rate, steps=steps)),
        epochs=epochs,
        batch=setting.batch,
        rng=order_rng,
    )
    return _on_images(start, test), _on_images(end, test)


def _on_images(theta: Tree, part: Labelled) -> Flow:
    """Flow of the gradient of the loss through the blocks, between the stem and the head."""
    stem, *thetas, _, head = theta
    blocks = [residual(stack(relu, branch(relu)))] * len(thetas)
    x, _ = linear(part.x, *stem)
    xs, _ = trace(*blocks)(x, *thetas)
    z, head_vjp = stack(relu, linear)(xs[-1], (), head)
    y_bar, *_ = head_vjp(cross_entropy(z, labels=part.labels)[1](1.0)[0])
    return gradient_flow(blocks, x, thetas, y_bar)


def _linear_lengths(W: Array, y_bar: Array) -> Array:
    n = W.shape[-1]
    return gradient_lengths(
        [residual(linear)] * len(W), np.zeros((1, n)), [(W_l, np.zeros(n)) for W_l in W], y_bar
    )
