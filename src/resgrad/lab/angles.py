"""Evidence: how long each block's share of the stream and of the gradient is, and at which angle it is added.

The network is L blocks y = F(x) + x on handwritten digits, 64 pixels wide, and one linear layer that makes the
scores. F(x) = tanh(x W1 + b1) W2 + b2 with W1 from N(0, 1/n), W2 from N(0, 1/(n L)) and zero biases.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.branch import branch
from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.lab.data import Labelled, digits, split, standardise
from resgrad.lab.optimizers import Tree, adam
from resgrad.lab.training import error_rate, train
from resgrad.rules._types import Rule
from resgrad.rules.activation import tanh
from resgrad.rules.linear import linear
from resgrad.rules.loss import cross_entropy

SEEDS = (1, 2, 3, 4, 5)

PIXELS, CLASSES, TEST_ROWS = 64, 10, 360

Array = NDArray[np.floating[Any]]


class Setting(NamedTuple):
    """What `run` builds and trains.

    Attributes
    ----------
    epochs : int
        Of Adam, from 0, which is the start.
    blocks : int
        L, at least 1.
    rate : float
        The learning rate.
    batch : int
        Rows in a minibatch.
    images : int
        How many images of the test part are measured, from 1 to 360.
    """

    epochs: int = 0
    blocks: int = 16
    rate: float = 0.001
    batch: int = 50
    images: int = 64


class Way(NamedTuple):
    """One way along the bus, in the order of the flow, one column for each of N rows.

    Attributes
    ----------
    lengths : ndarray, shape (L + 1, N)
        Of what flows, before the first block and after each.
    added : ndarray, shape (L, N)
        Lengths of what the blocks add.
    cosines : ndarray, shape (L, N)
        Of the angle between what arrives at a block and what it adds.
    """

    lengths: Array
    added: Array
    cosines: Array


class Angles(NamedTuple):
    """Both ways along a bus, block by block from the input to the loss.

    Attributes
    ----------
    forward, backward : Way
        The stream and what the blocks write; the gradient and what the blocks add to it. Entry l of ``added``
        and of ``cosines`` belongs to block l, entry l of ``lengths`` to x_l, in both.
    """

    forward: Way
    backward: Way


def way(values: Sequence[Array]) -> Way:
    """Measure what is added on one way along a bus.

    Parameters
    ----------
    values : sequence of L + 1 arrays, each (N, n)
        ``xs`` of `trace` for the stream; ``x_bars[::-1]`` for the gradient, which flows from the last to the first.

    Returns
    -------
    Way
        What block l adds is ``values[l + 1] - values[l]``.

    Raises
    ------
    ValueError
        Without a block, for arrays that differ in shape or are no (N, n), and for a row that is zero or to which
        zero is added, since there is no angle with it.

    Examples
    --------
    >>> found = way([np.array([[3.0, 0.0]]), np.array([[3.0, 4.0]])])
    >>> found.lengths.ravel().tolist(), found.added.item(), found.cosines.item()
    ([3.0, 5.0], 4.0, 0.0)
    """
    shapes = [np.shape(value) for value in values]
    if len(shapes) < 2 or len(shapes[0]) != 2 or len(set(shapes)) > 1:
        raise ValueError(f"way: shapes {shapes}, expected two or more (N, n)")
    flow = np.asarray(values)
    shares = np.diff(flow, axis=0)
    lengths, added = (np.linalg.norm(v, axis=2) for v in (flow, shares))
    if not (lengths[:-1].all() and added.all()):
        raise ValueError("way: a vector that is zero has no angle")
    cosines = (flow[:-1] * shares).sum(axis=2) / (lengths[:-1] * added)
    return Way(lengths, added, cosines)


class Run(NamedTuple):
    """What `run` measured.

    Attributes
    ----------
    angles : Angles
        One column for each image measured.
    error : float
        Share of the whole test part that is classified wrongly, from 0 to 1.
    """

    angles: Angles
    error: float


def both_ways(xs: Sequence[Array], x_bars: Sequence[Array]) -> Angles:
    """Measure the stream upwards and the gradient downwards.

    Parameters
    ----------
    xs, x_bars : sequences of L + 1 arrays, each (N, n)
        As `trace` gives them for a stack of residual blocks.

    Returns
    -------
    Angles

    Raises
    ------
    ValueError
        What `way` refuses, and sequences that differ in length or shape.
    """
    if len(xs) != len(x_bars) or np.shape(xs[0]) != np.shape(x_bars[0]):
        shapes = [(len(values), *np.shape(values[0])) for values in (xs, x_bars)]
        raise ValueError(f"both_ways: xs and x_bars of shapes {shapes[0]} and {shapes[1]}, expected the same")
    return Angles(way(xs), Way(*(part[::-1] for part in way(x_bars[::-1]))))


def network(setting: Setting) -> tuple[Rule, ...]:
    """Blocks and, last, the layer that makes the scores, for `stack` or `trace`.

    Raises
    ------
    ValueError
        No block.
    """
    if setting.blocks < 1:
        raise ValueError(f"angles: blocks is {setting.blocks}, expected at least 1")
    return (*(residual(branch(tanh)),) * setting.blocks, linear)


def initial(setting: Setting, *, rng: np.random.Generator) -> Tree:
    """Draw the parameters of the start.

    Parameters
    ----------
    setting : Setting
        Its number of blocks.
    rng : numpy.random.Generator
        What is drawn.

    Returns
    -------
    nested tuple
        ``(W1, b1, W2, b2)`` for each block and ``(W, b)`` for the last layer, float64.
    """
    n, scale = PIXELS, 1 / math.sqrt(PIXELS)
    last = scale / math.sqrt(setting.blocks)
    blocks = (
        (scale * rng.standard_normal((n, n)), np.zeros(n), last * rng.standard_normal((n, n)), np.zeros(n))
        for _ in range(setting.blocks)
    )
    return *blocks, (scale * rng.standard_normal((n, CLASSES)), np.zeros(CLASSES))


def run(setting: Setting, seed: int) -> Run:
    """Train on digits, pull the loss of test images back and measure both ways along the bus.

    Parameters
    ----------
    setting : Setting
        Which network, and how long it is trained.
    seed : int
        Of the split, of the weights and of the order of the images.

    Returns
    -------
    Run
        One column for each of the first test images.

    Raises
    ------
    ValueError
        No block, a negative number of epochs, more images than there are, or what `train` refuses.
    """
    if setting.epochs < 0 or not 1 <= setting.images <= TEST_ROWS:
        raise ValueError(f"angles: epochs {setting.epochs} and images {setting.images} of {TEST_ROWS}")
    split_rng, theta_rng, train_rng = np.random.default_rng(seed).spawn(3)
    parts = standardise(*split(digits(), test=TEST_ROWS, rng=split_rng))
    blocks, theta = network(setting), initial(setting, rng=theta_rng)
    if setting.epochs:
        theta, _ = train(
            stack(*blocks),
            theta,
            (parts[0], parts[1]),
            optimizer=adam(rate=setting.rate),
            epochs=setting.epochs,
            batch=setting.batch,
            rng=train_rng,
        )
    error = error_rate(stack(*blocks)(parts[1].x, *theta)[0], parts[1].labels)
    shown = Labelled(parts[1].x[: setting.images], parts[1].labels[: setting.images])
    return Run(measure(blocks, theta, shown), error)


def measure(blocks: Sequence[Rule], theta: Tree, images: Labelled) -> Angles:
    """Measure both ways along the bus of a network with a last layer and the cross-entropy loss.

    Parameters
    ----------
    blocks : sequence of rules
        Residual blocks and, last, the layer that makes the scores.
    theta : nested tuple
        A tuple of parameters for each.
    images : Labelled
        What goes in, N rows, and their classes.

    Returns
    -------
    Angles
        For the blocks alone. The gradient of a row is that of the mean loss, 1/N of the row's own.
    """
    xs, pull = trace(*blocks)(images.x, *theta)
    _, loss_vjp = cross_entropy(xs[-1], labels=images.labels)
    x_bars, _ = pull(*loss_vjp(1.0))
    return both_ways(xs[:-1], x_bars[:-1])
