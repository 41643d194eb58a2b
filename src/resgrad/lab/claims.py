"""Evidence for a claim about one seed: a notebook's ratio of gradients, plain over residual, from any seed.

The notebook (number 10 of pageman/sutskever-30-implementations) compares networks of width 16 for one column x and a
gradient of ones, before any training: L plain layers, x -> relu(W x), and L blocks of two such layers with the skip
between a layer before and one after. It divides the length of the first weights' gradient by that of the last, and
prints the plain network's quotient over the residual one's as a factor by which the latter is better.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack, trace
from resgrad.rules._types import Array, Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

WIDTH = 16
#: The depths that the notebook compares, in its order.
DEPTHS = (5, 10, 20, 30, 40)
SEEDS = tuple(range(100))

_MATRIX = WIDTH * WIDTH
#: What the notebook adds to a length that it divides by.
_GUARD = 1e-10


class Quotients(NamedTuple):
    """The first weights' gradient over the last weights', as lengths.

    Attributes
    ----------
    plain, residual : float
    """

    plain: float
    residual: float

    @property
    def factor(self) -> float:
        """Plain over residual, as the notebook prints it."""
        return self.plain / self.residual


def quotients(depth: int, seed: int) -> Quotients:
    """Compute what the notebook compares, from the weights that it draws.

    Parameters
    ----------
    depth : int
        L, one of `DEPTHS`: layers of the plain network, blocks of the residual one.
    seed : int
        Of the generator that numpy had before 2019, as the notebook seeds it.

    Returns
    -------
    Quotients

    Raises
    ------
    ValueError
        A depth that the notebook does not have.

    Examples
    --------
    The notebook's own seed and greatest depth:

    >>> print(f"{quotients(40, 42).factor:.1f}")
    3.9
    """
    if depth not in DEPTHS:
        raise ValueError(f"quotients: depth must be one of {DEPTHS}, got {depth}")
    rng = np.random.RandomState(seed)
    rng.standard_normal(_drawn_before(depth))
    plain, skipped = _draw(rng, depth), _draw(rng, 2 * depth + 2)
    layer = stack(linear, relu)
    blocks = [layer, *[residual(stack(layer, layer))] * depth, layer]
    first, *inside, last = map(_theta, skipped)
    thetas = [first, *zip(inside[::2], inside[1::2], strict=True), last]
    return Quotients(
        _quotient([layer] * depth, [_theta(W) for W in plain], rng),
        _quotient(blocks, thetas, rng),
    )


def _drawn_before(depth: int) -> int:
    """How many numbers the notebook has drawn before it compares a depth."""
    first = (
        34 * _MATRIX + 3 * WIDTH + 30 * WIDTH
    )  # two networks of depth 10, a block, three columns, patterns
    return first + sum((3 * L + 2) * _MATRIX + 2 * WIDTH for L in DEPTHS[: DEPTHS.index(depth)])


def _draw(rng: np.random.RandomState, layers: int) -> NDArray[np.float64]:
    return math.sqrt(2 / WIDTH) * rng.standard_normal((layers, WIDTH, WIDTH))


def _theta(W: Array) -> tuple[tuple[Array, Array], tuple[()]]:
    """The parameters of a layer: here rows are inputs, there columns."""
    return (W.T, np.zeros(WIDTH)), ()


def _quotient(
    blocks: Sequence[Rule], thetas: Sequence[tuple[object, ...]], rng: np.random.RandomState
) -> float:
    _, pull = trace(*blocks)(rng.standard_normal((1, WIDTH)), *thetas)
    _, bars = pull(np.ones((1, WIDTH)))
    first, last = (float(np.linalg.norm(bar[0][0])) for bar in (bars[0], bars[-1]))
    return first / (last + _GUARD)
