"""Evidence on paths: how the energy of a gradient is spread over the lengths of the paths that carry it.

L residual blocks with weights from a normal distribution, at initialisation. c is the gain of a branch: in the
mean square over the weights it stretches a gradient by c, exactly for the linear branch, and for the ReLUs in
the limit of large width as long as half of the units are open.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resgrad.blocks.residual import residual
from resgrad.blocks.stack import stack
from resgrad.lab.optimizers import Tree
from resgrad.measure.paths import path_gradients
from resgrad.rules._types import Rule
from resgrad.rules.activation import relu
from resgrad.rules.linear import linear

KINDS = ("linear", "relu first", "relu last")

# Forty draws for the page.
SEEDS = tuple(range(1, 41))

Array = NDArray[np.float64]


class Setting(NamedTuple):
    """What `run` builds.

    Attributes
    ----------
    kind : {"linear", "relu first", "relu last"}
        The branch: x W, relu(x) W or relu(x W).
    energy : float
        c^2, the square of the gain of a branch, above 0.
    blocks : int
        L, at least 1.
    width : int
        n, at least 1.
    """

    kind: str
    energy: float
    blocks: int
    width: int = 64


class Split(NamedTuple):
    """What `run` measured, relative to the energy of the gradient at x_L, in float64.

    Attributes
    ----------
    energies : ndarray, shape (L + 1,)
        Of the sum of what comes over all paths of length k, its square norm.
    whole : float
        The square norm of the whole gradient at x_0.
    """

    energies: Array
    whole: float


def network(setting: Setting, *, rng: np.random.Generator) -> tuple[list[Rule], list[Tree]]:
    """Draw a network.

    Parameters
    ----------
    setting : Setting
        Which network.
    rng : numpy.random.Generator
        Draws the weights.

    Returns
    -------
    blocks, thetas : list of rules, list of tuples
        L residual blocks and the parameters of each: W (n, n) from N(0, c^2/n), twice the variance where a
        ReLU closes half of the units, and zero biases.

    Raises
    ------
    ValueError
        An unknown kind, or a number that is too small.
    """
    kind, energy, L, n = setting
    if kind not in KINDS or not energy > 0 or L < 1 or n < 1:
        raise ValueError(f"paths: {setting}, expected a kind of {KINDS} and numbers above 0")
    spread = math.sqrt((1 if kind == "linear" else 2) * energy / n)
    layers: list[Tree] = [(spread * rng.standard_normal((n, n)), np.zeros(n)) for _ in range(L)]
    F = {"linear": linear, "relu first": stack(relu, linear), "relu last": stack(linear, relu)}[kind]
    if kind == "linear":
        return [residual(F)] * L, layers
    return [residual(F)] * L, [((), layer) if kind == "relu first" else (layer, ()) for layer in layers]


def run(setting: Setting, seed: int) -> Split:
    """Draw a network, an input and a gradient at its end, and split what arrives at the input by length.

    Parameters
    ----------
    setting : Setting
        Which network.
    seed : int
        Of the weights, of the input x_0 and of the gradient at x_L, both from N(0, 1).

    Returns
    -------
    Split
        Energies by length, and the energy of their sum.

    Raises
    ------
    ValueError
        An unknown kind, or a number that is too small.
    """
    weights_rng, x_rng, g_rng = np.random.default_rng(seed).spawn(3)
    blocks, thetas = network(setting, rng=weights_rng)
    x, g = (rng.standard_normal((1, setting.width)) for rng in (x_rng, g_rng))
    parts = path_gradients(blocks, x, thetas, g)
    unit = float((g**2).sum())
    return Split((parts**2).sum(axis=(1, 2)) / unit, float((parts.sum(axis=0) ** 2).sum()) / unit)


def binomial(blocks: int, p: float) -> Array:
    """Distribution of the number of hits in independent trials.

    Parameters
    ----------
    blocks : int
        How many trials, L.
    p : float
        The probability of a hit: 1/2 for the lengths of all paths, c^2/(1 + c^2) for their energy.

    Returns
    -------
    ndarray, shape (L + 1,)
        ``C(L, k) p^k (1 - p)^(L - k)`` for k = 0, ..., L.

    Examples
    --------
    >>> binomial(2, 0.5).tolist()
    [0.25, 0.5, 0.25]
    """
    return np.array([math.comb(blocks, k) * p**k * (1 - p) ** (blocks - k) for k in range(blocks + 1)])


def distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Total variation distance of two distributions: the share that one would have to move.

    Parameters
    ----------
    one, other : ndarray, shape (k,)
        Each sums to 1.

    Returns
    -------
    float
        From 0 for the same to 1 for two without a common length.

    Examples
    --------
    >>> distance(np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5]))
    0.5
    """
    return float(np.abs(one - other).sum() / 2)
